"""Figures as pages need them: what the URL asks for, addresses of rows, data of charts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import QueryParams

from cgii.base.clock import local
from cgii.base.errors import Invalid, NotFound
from cgii.base.labels import load_table
from cgii.measure.boards import Board, Panel
from cgii.measure.charts import FALLBACK, Drawing, Point
from cgii.measure.filters import Filters
from cgii.measure.metric import Subject
from cgii.measure.panels import PanelData
from cgii.measure.period import Period, last_month, parse_period
from cgii.model.incidents import SEVERITIES
from cgii.web.answers import sentence
from cgii.web.environment import spoken_choices
from cgii.web.language import gettext

# Our kinds of chart → those of static/js/charts.js.
KINDS = {
    "bar": "column",
    "hbar": "bar",
    "line": "line",
    "stacked": "stacked",
    "funnel": "bar",  # bars tell the steps more honestly than a tapering shape
    "donut": "share",
}
UNITS = {"%": "percent", "horas": "seconds", "": "count"}
# What a row of a subject opens; {key} is the row's key.
PLACES: Mapping[Subject, str] = {
    "incident": "/incidentes/{key}",
    "deadline": "/incidentes/{key}",
    "alert": "/alertas/{key}",
    "plan": "/planes/{key}",
    "sensor": "/sensores/{key}",
    "volume": "/fuentes/{key}",
}
TALL_ROWS = 8  # lying bars past this need a taller chart


@dataclass(frozen=True)
class Wanted:
    """What the URL of a board asks for; `problem` says what in it could not be read."""

    period: Period
    filters: Filters
    problem: str = ""

    @property
    def query(self) -> dict[str, str]:
        """Its part of the query string."""
        return {"periodo": self.period.code, **self.filters.to_query()}

    def url(self, path: str, **more: str) -> str:
        """An address that asks the same of another page."""
        return f"{path}?{urlencode(self.query | more)}"


def read_wanted(given: QueryParams, default: str, *, now: datetime) -> Wanted:
    """The period and filters of a URL; what cannot be read falls back and is told."""
    problem, period, filters = "", parse_period(default, now=now), Filters()
    first, last = given.get("desde", ""), given.get("hasta", "")
    code = f"{first}..{last}" if first and last else given.get("periodo", "")
    try:
        period = parse_period(code, now=now) if code else period
        filters = Filters.from_query(given)
    except Invalid as error:
        problem = sentence(error)
    return Wanted(period, filters, problem)


def period_choices(now: datetime) -> list[tuple[str, str]]:
    """Periods that people ask for most: code and words."""
    today = local(now).date()
    quarter = (today.month + 2) // 3
    before = (today.year, quarter - 1) if quarter > 1 else (today.year - 1, 4)
    return [
        (f"{today:%Y-%m}", gettext("Este mes")),
        (last_month(now), gettext("Mes anterior")),
        (f"{today.year}-T{quarter}", gettext("Este trimestre")),
        (f"{before[0]}-T{before[1]}", gettext("Trimestre anterior")),
        (str(today.year), gettext("Esta gestión")),
        (str(today.year - 1), gettext("Gestión anterior")),
        ("30d", gettext("Últimos 30 días")),
        ("90d", gettext("Últimos 90 días")),
        ("365d", gettext("Últimos 365 días")),
        ("12m", gettext("Últimos 12 meses")),
    ]


def month_choices(now: datetime, count: int) -> list[tuple[str, str]]:
    """The last months, the one that is over first: code and words."""
    found = []
    day = local(now).date().replace(day=1)
    for _ in range(count):
        period = parse_period(f"{day:%Y-%m}", now=now)
        found.append((period.code, period.label))
        day = _month_before(day)
    return [*found[1:2], found[0], *found[2:]]


def narrowings() -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The filters of boards: name in the URL, words for "all", options."""
    classes = [(one["code"], gettext(one["label"])) for one in load_table("taxonomy")["classes"]]
    return [
        ("level", gettext("Todos los niveles"), spoken_choices("entities.levels")),
        ("sector", gettext("Todos los sectores"), spoken_choices("entities.sectors")),
        ("rsit_class", gettext("Todas las clases"), classes),
        ("severity", gettext("Todas las severidades"), spoken_choices("incidents.severities")),
    ]


def _month_before(first: date) -> date:
    year, month = divmod(first.year * 12 + first.month - 2, 12)
    return date(year, month + 1, 1)


def board_for(boards: Mapping[str, Board], board_id: str, role: str) -> Board:
    """The board, if this role may see it. Raises NotFound."""
    board = boards.get(board_id)
    if board is None or role not in board.roles:
        raise NotFound("No existe el tablero, o su cuenta no puede verlo.")
    return board


def panel_of(board: Board, panel_id: str) -> Panel:
    """The panel of that id. Raises NotFound."""
    panel = board.panel(panel_id)
    if panel is None:
        raise NotFound("El tablero no tiene ese panel.")
    return panel


def row_url(subject: Subject, key: str, cells: tuple[str, ...]) -> str:
    """Where a row of a list leads; an entity by its code, which is its first cell."""
    if subject == "entity":
        return f"/entidades/{cells[0]}"
    return PLACES[subject].format(key=key)


def chart_spec(panel: PanelData, rows_url: Callable[[str], str]) -> dict[str, Any] | None:
    """The panel's chart as static/js/charts.js draws it; None when there is nothing to draw."""
    drawing = panel.drawing
    if drawing is None or not any(point.value for one in drawing.series for point in one.points):
        return None
    unit = UNITS[drawing.unit]
    scale = 3600 if unit == "seconds" else 1
    return {
        "kind": KINDS[drawing.kind],
        "unit": unit,
        "goal": drawing.target,
        "labels": drawing.kind in ("hbar", "funnel") and len(drawing.series) == 1,
        "categories": list(drawing.categories),
        "series": [
            {
                "name": one.name,
                "color": f"--chart-{one.colour}",
                "values": [None if p.value is None else p.value * scale for p in one.points],
                "texts": [point.text for point in one.points],
                "urls": [rows_url(point.part) if point.part else "" for point in one.points],
                **_colours(panel, drawing, one.points),
            }
            for one in drawing.series
        ],
    }


def chart_height(panel: PanelData) -> str:
    """How tall the chart must be: "", "tall" or "taller"."""
    drawing = panel.drawing
    if drawing is None or drawing.kind not in ("hbar", "funnel"):
        return ""
    bars = len(drawing.categories) * (len(drawing.series) if drawing.kind == "hbar" else 1)
    return "taller" if bars > 2 * TALL_ROWS else "tall" if bars > TALL_ROWS else ""


def _colours(panel: PanelData, drawing: Drawing, points: tuple[Point, ...]) -> dict[str, Any]:
    """A colour for each bar or sector, when they do not all have the series' own."""
    names = [point.colour for point in points]
    if drawing.kind == "donut":
        keys = [row["key"] for row in panel.rows]
        graded = all(key in SEVERITIES for key in keys)
        spare = [f"severity-{key}" if graded else FALLBACK[n % 5] for n, key in enumerate(keys)]
        names = [name or other for name, other in zip(names, spare, strict=True)]
    if not any(names):
        return {}
    return {"colors": [f"--chart-{name or drawing.series[0].colour}" for name in names]}
