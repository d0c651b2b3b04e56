"""Reads the boards' files (dashboards/*.yml) and says with file and line what is wrong in them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cgii.base import limits
from cgii.base.content import find
from cgii.base.errors import ContentError, Invalid
from cgii.base.yaml_lines import BadYaml, Place, read_yaml
from cgii.measure.catalogue import ALL
from cgii.measure.period import parse_period
from cgii.model.people import ENTITY_ROLES, Role

CHARTS = ("number", "bar", "hbar", "line", "stacked", "funnel", "donut", "table")
BOARD_KEYS = {"id", "title", "about", "order", "period", "roles", "panels"}
PANEL_KEYS = {"id", "metric", "title", "chart", "width", "columns", "top"}
SOME_MOMENT = datetime(2026, 1, 1, tzinfo=UTC)  # a period is readable or not at any moment


@dataclass(frozen=True)
class Panel:
    """One metric drawn one way. `columns` empty draws every column that has a colour."""

    id: str
    metric: str
    title: str
    chart: str
    width: int = 6  # of twelve
    columns: tuple[str, ...] = ()
    top: int = 0  # rows drawn; the rest is summed up in one row; 0: all


@dataclass(frozen=True)
class Board:
    """A page of panels and the roles that may see it."""

    id: str
    title: str
    about: str
    order: int
    period: str
    roles: frozenset[str]
    panels: tuple[Panel, ...]

    def panel(self, panel_id: str) -> Panel | None:
        """The panel of that id."""
        return next((panel for panel in self.panels if panel.id == panel_id), None)


class FaultError(Exception):
    """What is wrong in one file: reason and place."""

    def __init__(self, reason: str, place: Place) -> None:
        self.reason = reason
        self.place = place
        super().__init__(reason)


def load_boards(site: Path | None = None) -> tuple[dict[str, Board], list[ContentError]]:
    """All boards by id, in their order, and what could not be used."""
    boards: dict[str, Board] = {}
    errors: list[ContentError] = []
    for file in find("dashboards", "*.yml", site):
        try:
            board = read_board(file.path.read_text(encoding="utf-8"), file.path)
            if board.id in boards:
                raise ContentError(file.path, f"ya hay un tablero «{board.id}»")
            boards[board.id] = board
        except ContentError as error:
            errors.append(error)
        except UnicodeDecodeError:
            errors.append(ContentError(file.path, "el archivo no es UTF-8"))
    ordered = sorted(boards.values(), key=lambda board: (board.order, board.id))
    return {board.id: board for board in ordered}, errors


def check_dashboards(site: Path | None = None) -> list[ContentError]:
    """What is wrong in the boards' files; empty when all of them can be used."""
    return load_boards(site)[1]


def read_board(text: str, path: Path) -> Board:
    """Read one board. Raises ContentError with the line of the fault."""
    try:
        document, lines = read_yaml(text)
    except BadYaml as error:
        raise ContentError(path, str(error), error.line) from error
    try:
        return _board(document)
    except FaultError as fault:
        raise ContentError(path, fault.reason, line_of(lines, fault.place)) from fault


def line_of(lines: Mapping[Place, int], place: Place) -> int | None:
    """The line of a place, or of the nearest thing around it."""
    while place not in lines and place:
        place = place[:-1]
    return lines.get(place)


def _board(document: Any) -> Board:  # any YAML value
    known = _mapping(document, (), BOARD_KEYS)
    period = _text(known, (), "period")
    try:
        parse_period(period, now=SOME_MOMENT)
    except Invalid as error:
        raise FaultError(str(error), ("period",)) from error
    roles = known.get("roles")
    possible = {role.value for role in Role} - {role.value for role in ENTITY_ROLES}
    if not isinstance(roles, list) or not roles:
        raise FaultError("falta «roles», la lista de quienes pueden ver el tablero", ("roles",))
    for place, role in enumerate(roles):
        if role not in possible:
            raise FaultError(f"no existe el rol «{role}» en el centro", ("roles", place))
    order = known.get("order", 50)
    if type(order) is not int:
        raise FaultError("«order» debe ser un número entero", ("order",))
    return Board(
        id=_text(known, (), "id"),
        title=_text(known, (), "title"),
        about=_text(known, (), "about"),
        order=order,
        period=period,
        roles=frozenset(roles),
        panels=read_panels(known.get("panels")),
    )


def read_panels(panels: Any) -> tuple[Panel, ...]:  # any YAML value
    """The panels of a board or a report, as they stand under `panels`. Raises FaultError."""
    if not isinstance(panels, list) or not panels or len(panels) > limits.BOARD_PANELS_MAX:
        raise FaultError(
            f"«panels» debe tener de 1 a {limits.BOARD_PANELS_MAX} paneles", ("panels",)
        )
    read: list[Panel] = []
    for place, item in enumerate(panels):
        panel = _panel(item, ("panels", place))
        if panel.id in {one.id for one in read}:
            raise FaultError(f"ya hay un panel «{panel.id}»", ("panels", place, "id"))
        read.append(panel)
    return tuple(read)


def _panel(item: Any, place: Place) -> Panel:  # any YAML value
    known = _mapping(item, place, PANEL_KEYS)
    name = _text(known, place, "metric")
    if name not in ALL:
        raise FaultError(f"no existe la medida «{name}»", (*place, "metric"))
    chart = _text(known, place, "chart")
    if chart not in CHARTS:
        raise FaultError(
            f"no existe el gráfico «{chart}»; hay: {', '.join(CHARTS)}", (*place, "chart")
        )
    width, top, columns = known.get("width", 6), known.get("top", 0), known.get("columns", [])
    if type(width) is not int or not 3 <= width <= 12:
        raise FaultError("«width» debe ser un entero de 3 a 12", (*place, "width"))
    if type(top) is not int or top < 0:
        raise FaultError("«top» debe ser un entero desde 0", (*place, "top"))
    if not isinstance(columns, list) or not all(isinstance(one, str) for one in columns):
        raise FaultError("«columns» debe ser una lista de nombres", (*place, "columns"))
    return Panel(
        id=_text(known, place, "id"),
        metric=name,
        title=str(known.get("title") or ALL[name].title),
        chart=chart,
        width=width,
        columns=tuple(columns),
        top=top,
    )


def _mapping(value: Any, place: Place, keys: set[str]) -> dict[str, Any]:  # any YAML value
    if not isinstance(value, dict):
        raise FaultError("se esperaba una lista de «clave: valor»", place)
    for key in value:
        if key not in keys:
            raise FaultError(f"no se conoce la clave «{key}»", (*place, str(key)))
    return value


def _text(known: dict[str, Any], place: Place, key: str) -> str:
    value = known.get(key)
    if type(value) is int:
        value = str(value)  # `period: 2026`
    if not isinstance(value, str) or not value.strip():
        raise FaultError(f"falta «{key}»", (*place, key))
    return value.strip()
