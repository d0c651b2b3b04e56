"""How numbers, times and sizes are written for people: template filters."""

from datetime import UTC, date, datetime, timedelta

from cgii.base import labels
from cgii.base.clock import MONTHS, local, show
from cgii.web.language import current_language, gettext

NOTHING = "–"


def number(value: float | None, places: int = 0) -> str:
    """`1.234,5`, or a dash for None."""
    if value is None:
        return NOTHING
    text = f"{value:,.{places}f}"
    return text if current_language() == "en" else text.translate(str.maketrans(",.", ".,"))


def percent(share: float | None, places: int = 1) -> str:
    """A share between 0 and 1 as `87,5 %`, or a dash for None."""
    return NOTHING if share is None else f"{number(share * 100, places)} %"


def size(value: int | None) -> str:
    """Bytes in words: `1,4 MB`."""
    if value is None:
        return NOTHING
    amount, units = float(value), ("B", "kB", "MB", "GB", "TB")
    for unit in units:
        if amount < 1000 or unit == units[-1]:
            return f"{number(amount, 0 if unit == 'B' or amount >= 100 else 1)} {unit}"
        amount /= 1000
    raise AssertionError


def moment(value: datetime | None) -> str:
    """`22 nov 2026, 14:05` in La Paz, or a dash."""
    return NOTHING if value is None else show(value)


def utc(value: datetime | None) -> str:
    """The same moment in UTC, for the hover: `2026-11-22 18:05:00 UTC`."""
    return NOTHING if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def day(value: date | None) -> str:
    """`22 nov 2026`, or a dash; a moment is taken to La Paz first."""
    if value is None:
        return NOTHING
    there = local(value) if isinstance(value, datetime) else value
    return f"{there.day} {MONTHS[there.month - 1]} {there.year}"


def last_day(end: datetime | None) -> str:
    """The last day before a moment that ends something, or a dash."""
    return NOTHING if end is None else day(end - timedelta(microseconds=1))


def iso_day(text: str) -> str:
    """A day that is kept as text, such as `2026-11-22`, as people write it."""
    return day(date.fromisoformat(text[:10]))


def field_moment(value: datetime | None) -> str:
    """The value of an `<input type="datetime-local">`, in La Paz."""
    return "" if value is None else f"{local(value):%Y-%m-%dT%H:%M}"


def duration(value: timedelta | float | None) -> str:
    """A length of time in its two largest units: `3 d 4 h`, `12 min`; a number is seconds."""
    if value is None:
        return NOTHING
    seconds = int(value.total_seconds() if isinstance(value, timedelta) else value)
    sign, seconds = ("−" if seconds < 0 else ""), abs(seconds)
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, seconds = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next((place for place, (amount, _) in enumerate(parts) if amount), 3)
    said = [f"{amount} {unit}" for amount, unit in parts[first : first + 2] if amount]
    if first == 2:  # seconds beside minutes are noise
        said = said[:1]
    return sign + (" ".join(said) or "0 s")


def ago(value: datetime | None, now: datetime) -> str:
    """`hace 5 min` or `en 2 h`; browsers keep it fresh by themselves."""
    if value is None:
        return NOTHING
    seconds = (now - value).total_seconds()
    if abs(seconds) < 60:
        return gettext("ahora")
    words = duration(_largest_unit(abs(seconds)))
    said = gettext("hace {time}") if seconds > 0 else gettext("en {time}")
    return said.format(time=words)


def _largest_unit(seconds: float) -> float:
    for unit in (86_400, 3_600, 60):
        if seconds >= unit:
            return seconds // unit * unit
    return seconds


def label(code: object, table: str) -> str:
    """The label of a code: `{{ incident.severity|label("words.severities") }}`."""
    return gettext(labels.label(table, str(code))) if code else NOTHING


def initials(name: str) -> str:
    """`MC` for María Choque: the first letters of the first and the last word."""
    words = name.split()
    return (words[0][0] + (words[-1][0] if len(words) > 1 else "")).upper() if words else "?"


FILTERS = {
    "initials": initials,
    "number": number,
    "percent": percent,
    "size": size,
    "moment": moment,
    "utc": utc,
    "day": day,
    "iso_day": iso_day,
    "last_day": last_day,
    "field_moment": field_moment,
    "duration": duration,
    "ago": ago,
    "label": label,
}
