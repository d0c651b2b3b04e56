"""Turns a table into a drawing, and a drawing into an option for ECharts: JSON, no functions.

Colours are names (`@good`); the page puts in the colour of the theme that is on.
"""

from dataclasses import dataclass
from typing import Any

from cgii.measure.metric import Column, Table
from cgii.measure.show import show_value

# Names of colours; svg.py has them for paper, the page's style sheet as --chart-<name>.
COLOURS = (
    "main",
    "second",
    "third",
    "good",
    "warn",
    "bad",
    "worst",
    "neutral",
    "target",
    "severity-critico",
    "severity-muy_alto",
    "severity-alto",
    "severity-medio",
    "severity-bajo",
)
FALLBACK = ("main", "second", "third", "warn", "neutral")
UNIT_NAMES = {"percent": "%", "seconds": "horas", "count": ""}


@dataclass(frozen=True)
class Point:
    """One value of a series: as drawn (hours for seconds), as text, and what opens its rows."""

    value: float | None
    text: str
    part: str
    colour: str = ""


@dataclass(frozen=True)
class Series:
    """One row of bars or one line."""

    key: str
    name: str
    colour: str
    points: tuple[Point, ...]


@dataclass(frozen=True)
class Drawing:
    """All that a chart shows, whatever draws it."""

    kind: str
    categories: tuple[str, ...]
    series: tuple[Series, ...]
    unit: str
    target: float | None = None


def draw(
    kind: str, table: Table, names: tuple[str, ...], *, target: float | None
) -> Drawing | None:
    """The drawing of a table; None for a number, a plain table, and when there is nothing."""
    chosen = _chosen(table, names)
    if kind in ("number", "table") or not table.rows or not chosen:
        return None
    unit = table.columns[chosen[0]].unit
    series = tuple(
        _series(table, place, FALLBACK[order % len(FALLBACK)]) for order, place in enumerate(chosen)
    )
    return Drawing(
        kind=kind,
        categories=tuple(row.label for row in table.rows),
        series=series,
        unit=UNIT_NAMES[unit],
        target=target if unit == "percent" else None,
    )


def _chosen(table: Table, names: tuple[str, ...]) -> list[int]:
    """The places of the columns to draw: those named, else the coloured ones of one unit."""
    if names:
        keys = [column.key for column in table.columns]
        return [keys.index(name) for name in names if name in keys]
    coloured = [place for place, column in enumerate(table.columns) if column.colour]
    if not coloured:
        return [0]
    unit = table.columns[coloured[0]].unit
    return [place for place in coloured if table.columns[place].unit == unit]


def _series(table: Table, place: int, fallback: str) -> Series:
    column: Column = table.columns[place]
    points = []
    for row in table.rows:
        cell = row.cells[place]
        drawn = cell.value
        if drawn is not None:
            drawn = round(drawn / 3600, 2) if column.unit == "seconds" else round(drawn, 1)
        colour = "" if column.colour else row.colour
        points.append(Point(drawn, show_value(cell.value, column.unit), cell.part, colour))
    return Series(column.key, column.label, column.colour or fallback, tuple(points))


def chart_option(drawing: Drawing) -> dict[str, Any]:
    """The option that ECharts draws; a clicked datum carries `part`."""
    shapes = {"donut": _donut, "funnel": _funnel}
    option = shapes.get(drawing.kind, _axes)(drawing)
    option["aria"] = {"enabled": True}
    option["animation"] = False
    return option


def _axes(drawing: Drawing) -> dict[str, Any]:
    is_lying = drawing.kind == "hbar"
    names: dict[str, Any] = {"type": "category", "data": list(drawing.categories)}
    values: dict[str, Any] = {"type": "value", "name": drawing.unit, "minInterval": 0}
    if drawing.unit == "%":
        values |= {"min": 0, "max": 100}
    elif not drawing.unit:
        values["minInterval"] = 1  # there are no half cases
    if is_lying:
        names["inverse"] = True  # the first row stands at the top
    series = [_one_series(drawing, one) for one in drawing.series]
    if drawing.target is not None:
        axis = "xAxis" if is_lying else "yAxis"
        series[0]["markLine"] = {
            "silent": True,
            "symbol": "none",
            "lineStyle": {"color": "@target", "type": "dashed", "width": 2},
            "label": {"formatter": f"meta {show_value(drawing.target, 'percent')}"},
            "data": [{axis: drawing.target}],
        }
    return {
        "grid": {"left": 8, "right": 24, "top": 32, "bottom": 8, "containLabel": True},
        "tooltip": {"trigger": "axis"},
        "legend": {"show": len(drawing.series) > 1, "top": 0},
        "xAxis": values if is_lying else names,
        "yAxis": names if is_lying else values,
        "series": series,
    }


def _one_series(drawing: Drawing, series: Series) -> dict[str, Any]:
    is_line = drawing.kind == "line"
    found: dict[str, Any] = {
        "id": series.key,
        "name": series.name,
        "type": "line" if is_line else "bar",
        "itemStyle": {"color": f"@{series.colour}"},
        "data": [_datum(point) for point in series.points],
    }
    if is_line:
        found |= {"lineStyle": {"color": f"@{series.colour}", "width": 2}, "symbolSize": 6}
    else:
        found["barMaxWidth"] = 36
    if drawing.kind == "stacked":
        found["stack"] = "all"
    return found


def _datum(point: Point) -> dict[str, Any]:
    datum: dict[str, Any] = {"value": point.value, "part": point.part}
    if point.colour:
        datum["itemStyle"] = {"color": f"@{point.colour}"}
    return datum


def _donut(drawing: Drawing) -> dict[str, Any]:
    return {
        "tooltip": {"trigger": "item"},
        "legend": {"show": True, "bottom": 0},
        "series": [{"type": "pie", "radius": ["45%", "70%"], "data": _named(drawing)}],
    }


def _funnel(drawing: Drawing) -> dict[str, Any]:
    return {
        "tooltip": {"trigger": "item"},
        "series": [
            {
                "type": "funnel",
                "sort": "none",  # the stages have an order of their own
                "gap": 2,
                "label": {"position": "inside", "formatter": "{b}: {c}"},
                "data": _named(drawing),
            }
        ],
    }


def _named(drawing: Drawing) -> list[dict[str, Any]]:
    first = drawing.series[0]
    found = []
    for place, (name, point) in enumerate(zip(drawing.categories, first.points, strict=True)):
        colour = point.colour or (
            first.colour if drawing.kind == "funnel" else FALLBACK[place % len(FALLBACK)]
        )
        found.append(_datum(point) | {"name": name, "itemStyle": {"color": f"@{colour}"}})
    return found
