"""Draws a chart as static SVG for paper: bars, lines, stacked bars, funnel."""

from html import escape

from cgii.measure.charts import FALLBACK, Drawing, Series
from cgii.measure.show import show_number

PAPER = {
    "main": "#1f5fa8",
    "second": "#7a9cc6",
    "third": "#5b6b7f",
    "good": "#2b8a3e",
    "warn": "#e8890c",
    "bad": "#d9480f",
    "worst": "#b42318",
    "neutral": "#98a2b3",
    "target": "#1d2939",
    "severity-critico": "#b42318",
    "severity-muy_alto": "#d9480f",
    "severity-alto": "#e8890c",
    "severity-medio": "#2f6fde",
    "severity-bajo": "#667085",
}
INK = "#344054"
LINE = "#d0d5dd"
WIDTH, LEFT, RIGHT, TOP, BOTTOM = 680, 46, 16, 30, 40
ROW_HEIGHT, NAME_WIDTH, NAME_CHARS = 24, 220, 36
PLOT_HEIGHT = 190
TICKS = 4


def chart_svg(drawing: Drawing, title: str, description: str) -> str:
    """The chart with its title and description for those who do not see it."""
    if drawing.kind in ("hbar", "funnel", "donut"):
        height, body = _lying(drawing)
    else:
        height, body = _standing(drawing)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {WIDTH} {height}" '
        f'width="{WIDTH}" height="{height}" font-family="DejaVu Sans, sans-serif" font-size="11">'
        f"<title>{escape(title)}</title><desc>{escape(description)}</desc>{body}</svg>"
    )


def _standing(drawing: Drawing) -> tuple[int, str]:
    top = _ceiling(drawing)
    floor = TOP + PLOT_HEIGHT
    step = (WIDTH - LEFT - RIGHT) / max(1, len(drawing.categories))
    pieces = [_legend(drawing)]
    for tick in range(TICKS + 1):
        value = top * tick / TICKS
        y = floor - PLOT_HEIGHT * tick / TICKS
        decimals = 0 if value == round(value) else 1
        pieces.append(_level(y, LINE, 0.5))
        pieces.append(_text(LEFT - 6, y + 4, show_number(value, decimals), anchor="end"))
    pieces.append(_text(6, TOP - 12, drawing.unit))
    every = max(1, -(-len(drawing.categories) // 13))  # names must not touch
    for place, name in enumerate(drawing.categories):
        if place % every == 0:
            x = LEFT + step * (place + 0.5)
            pieces.append(_text(x, floor + 16, name, anchor="middle"))
    draw = {"line": _lines, "stacked": _stacks}.get(drawing.kind, _bars)
    pieces += draw(drawing, top, step, floor)
    if drawing.target is not None:
        y = floor - PLOT_HEIGHT * drawing.target / top
        pieces.append(_level(y, PAPER["target"], 1.5, dashes="5 4"))
        pieces.append(
            _text(WIDTH - RIGHT, y - 4, f"meta {show_number(drawing.target)} %", anchor="end")
        )
    return floor + BOTTOM, "".join(pieces)


def _ceiling(drawing: Drawing) -> float:
    """The top of the axis: 100 for per cent, else the next of 1, 2, 4, 8, 10 times ten."""
    if drawing.unit == "%":
        return 100.0
    columns = zip(
        *([point.value or 0 for point in one.points] for one in drawing.series), strict=True
    )
    join = sum if drawing.kind == "stacked" else max
    highest = max((join(column) for column in columns), default=0)
    size = 1.0
    while True:
        for step in (1, 2, 4, 8, 10):
            if highest <= step * size and (step * size >= TICKS or drawing.unit):
                return step * size
        size *= 10


def _bars(drawing: Drawing, top: float, step: float, floor: float) -> list[str]:
    pieces = []
    width = min(36.0, step * 0.8 / len(drawing.series))
    for order, one in enumerate(drawing.series):
        for place, point in enumerate(one.points):
            if not point.value:
                continue
            middle = LEFT + step * (place + 0.5)
            x = middle + width * (order - len(drawing.series) / 2)
            height = PLOT_HEIGHT * point.value / top
            colour = PAPER[point.colour or one.colour]
            pieces.append(_box(x, floor - height, width - 1, height, colour=colour))
    return pieces


def _stacks(drawing: Drawing, top: float, step: float, floor: float) -> list[str]:
    pieces = []
    width = min(48.0, step * 0.7)
    reached = [floor] * len(drawing.categories)
    for one in drawing.series:
        for place, point in enumerate(one.points):
            if not point.value:
                continue
            height = PLOT_HEIGHT * point.value / top
            reached[place] -= height
            x = LEFT + step * (place + 0.5) - width / 2
            pieces.append(_box(x, reached[place], width, height, colour=PAPER[one.colour]))
    return pieces


def _lines(drawing: Drawing, top: float, step: float, floor: float) -> list[str]:
    pieces = []
    for one in drawing.series:
        run: list[str] = []
        for place, point in enumerate(one.points):
            if point.value is None:  # a month without cases is a gap, not a zero
                pieces += _stroke(run, one)
                run = []
                continue
            x = LEFT + step * (place + 0.5)
            y = floor - PLOT_HEIGHT * min(point.value, top) / top
            run.append(f"{x:.1f},{y:.1f}")
            pieces.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{PAPER[one.colour]}"/>')
        pieces += _stroke(run, one)
    return pieces


def _stroke(run: list[str], one: Series) -> list[str]:
    if len(run) < 2:
        return []
    colour = PAPER[one.colour]
    return [f'<polyline points="{" ".join(run)}" fill="none" stroke="{colour}" stroke-width="2"/>']


def _lying(drawing: Drawing) -> tuple[int, str]:
    """Bars from left to right with their number at the end; a funnel is centred."""
    pieces = []
    one = drawing.series[0]
    highest = max((point.value or 0 for point in one.points), default=0) or 1
    room = WIDTH - NAME_WIDTH - 70
    for place, (name, point) in enumerate(zip(drawing.categories, one.points, strict=True)):
        y = 6 + place * ROW_HEIGHT
        width = room * (point.value or 0) / highest
        shown = name if len(name) <= NAME_CHARS else name[: NAME_CHARS - 1] + "…"
        colour = point.colour or one.colour
        if drawing.kind == "donut" and not point.colour:
            colour = FALLBACK[place % len(FALLBACK)]
        x = NAME_WIDTH + ((room - width) / 2 if drawing.kind == "funnel" else 0)
        number_x = NAME_WIDTH + room if drawing.kind == "funnel" else x + width
        pieces.append(_text(NAME_WIDTH - 8, y + 14, shown, anchor="end"))
        pieces.append(_box(x, y, max(width, 0.5), ROW_HEIGHT - 6, colour=PAPER[colour]))
        pieces.append(_text(number_x + 6, y + 14, point.text))
    return 12 + len(drawing.categories) * ROW_HEIGHT, "".join(pieces)


def _legend(drawing: Drawing) -> str:
    if len(drawing.series) < 2:
        return ""
    pieces, x = [], float(LEFT)
    for one in drawing.series:
        pieces.append(_box(x, 6, 10, 10, colour=PAPER[one.colour]))
        pieces.append(_text(x + 14, 15, one.name))
        x += 28 + 7 * len(one.name)
    return "".join(pieces)


def _box(x: float, y: float, width: float, height: float, *, colour: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" fill="{colour}"/>'
    )


def _level(y: float, colour: str, width: float, *, dashes: str = "") -> str:
    """A line across the whole plot."""
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" stroke="{colour}" '
        f'stroke-width="{width}"{dashed}/>'
    )


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}">{escape(text)}</text>'
    )
