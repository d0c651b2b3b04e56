"""Numbers as people in Bolivia read them: `1.234,5`, `92,3 %`, `3 h 20 min`."""

from typing import Literal

NOTHING = "—"


def show_number(value: float | None, decimals: int = 0) -> str:
    """`1.234,5`: point for thousands, comma for decimals."""
    if value is None:
        return NOTHING
    return f"{value:,.{decimals}f}".translate(str.maketrans(",.", ".,"))


def show_percent(value: float | None) -> str:
    """`92,3 %`; a whole number stands without decimals."""
    if value is None:
        return NOTHING
    return f"{show_number(value, 0 if abs(value - round(value)) < 0.05 else 1)} %"


def show_seconds(value: float | None) -> str:
    """The two largest units: `2 d 4 h`, `3 h 20 min`, `45 s`."""
    if value is None:
        return NOTHING
    minutes = round(value / 60)
    if value < 60:
        return f"{round(value)} s"
    days, hours, rest = minutes // 1440, minutes % 1440 // 60, minutes % 60
    if days:
        return f"{show_number(days)} d {hours} h" if hours else f"{show_number(days)} d"
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{rest} min"


def show_value(value: float | None, unit: Literal["percent", "seconds", "count"]) -> str:
    """A value in its unit."""
    if unit == "percent":
        return show_percent(value)
    if unit == "seconds":
        return show_seconds(value)
    return show_number(value)


def show_change(
    value: float | None, previous: float | None, unit: Literal["percent", "seconds", "count"]
) -> str:
    """The step from the previous period, with its sign: `+3,5 puntos`, `−12`, `sin cambio`."""
    if value is None or previous is None:
        return ""
    step = value - previous
    sign = "+" if step > 0 else "−"
    if unit == "percent":
        size = f"{show_number(abs(step), 1)} puntos"
    else:
        size = show_value(abs(step), unit)
    rounded_away = abs(step) < (0.05 if unit == "percent" else 0.5)
    return "sin cambio" if rounded_away else f"{sign}{size}"
