"""The stretch of time that a figure speaks of, cut into months or days of La Paz."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from cgii.base import limits
from cgii.base.clock import LA_PAZ, MONTHS, local
from cgii.base.errors import Invalid

MONTH_NAMES = (
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre"
).split()
QUARTER_NAMES = ("primer", "segundo", "tercer", "cuarto")


@dataclass(frozen=True)
class Bucket:
    """One month (`2026-10`) or day (`2026-10-31`) of a period."""

    key: str
    label: str
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Period:
    """From `start` up to, not including, `end`. Facts later than `as_of` count as not happened."""

    code: str  # "2026-10", "2026-T4", "12m", "2026-10-01..2026-10-15": what `parse_period` reads
    label: str
    start: datetime
    end: datetime
    as_of: datetime

    @property
    def cut(self) -> datetime:
        """The moment at which stocks (backlog, plans) are counted."""
        return min(self.end, self.as_of)

    @property
    def is_partial(self) -> bool:
        """Whether the period is not over yet."""
        return self.as_of < self.end

    def previous(self) -> "Period":
        """The period before this one, of the same kind and length, as known at the same moment."""
        first = local(self.start).date()
        if re.fullmatch(r"\d{4}-\d\d", self.code):
            before = first - timedelta(days=1)
            return _month(before.year, before.month, self.as_of)
        if re.fullmatch(r"\d{4}", self.code):
            return _year(first.year - 1, self.as_of)
        if match := re.fullmatch(r"(\d{4})-T([1-4])", self.code):
            year, quarter = int(match[1]), int(match[2])
            return _quarter(year - (quarter == 1), (quarter - 2) % 4 + 1, self.as_of)
        if self.code.endswith("m"):
            start = _midnight(_months_before(first, int(self.code[:-1])))
        else:
            start = self.start - (self.end - self.start)
        return Period(f"<{self.code}", "período anterior", start, self.start, self.as_of)

    def months(self) -> list[Bucket]:
        """The months that the period touches."""
        day, found = local(self.start).date().replace(day=1), []
        while _midnight(day) < self.end:
            following = _months_before(day, -1)
            label = f"{MONTHS[day.month - 1]} {day.year}"
            found.append(Bucket(f"{day:%Y-%m}", label, _midnight(day), _midnight(following)))
            day = following
        return found

    def buckets(self) -> list[Bucket]:
        """Days for a short period, months for a long one."""
        if self.end - self.start > timedelta(days=limits.MEASURE_DAYS_MAX):
            return self.months()
        day, found = local(self.start).date(), []
        while _midnight(day) < self.end:
            following = day + timedelta(days=1)
            label = f"{day.day} {MONTHS[day.month - 1]}"
            found.append(Bucket(day.isoformat(), label, _midnight(day), _midnight(following)))
            day = following
        return found


def parse_period(text: str, *, now: datetime) -> Period:
    """Read `2026-10`, `2026-T4`, `2026`, `12m` (this month and those before it), `30d` or a range.

    A range is `2026-10-01..2026-10-15`, both days included. Raises Invalid.
    """
    today = local(now).date()
    if match := re.fullmatch(r"(20\d\d)-(0[1-9]|1[0-2])", text):
        return _month(int(match[1]), int(match[2]), now)
    if match := re.fullmatch(r"20\d\d", text):
        return _year(int(text), now)
    if match := re.fullmatch(r"(20\d\d)-T([1-4])", text):
        return _quarter(int(match[1]), int(match[2]), now)
    if ".." in text:
        return _range(text, now)
    if match := re.fullmatch(r"([1-9]\d?)m", text):
        count = int(match[1])
        start = _months_before(today.replace(day=1), count - 1)
        end = _months_before(today.replace(day=1), -1)
        label = "este mes" if count == 1 else f"últimos {count} meses"
        if count <= limits.MEASURE_MONTHS_MAX:
            return Period(text, label, _midnight(start), _midnight(end), now)
    if match := re.fullmatch(r"([1-9]\d{0,2})d", text):
        count = int(match[1])
        start, end = today - timedelta(days=count - 1), today + timedelta(days=1)
        label = "hoy" if count == 1 else f"últimos {count} días"
        return Period(text, label, _midnight(start), _midnight(end), now)
    raise _unreadable(text)


def _unreadable(text: str) -> Invalid:
    return Invalid(
        "No se entiende el período «{text}». Escriba un mes (2026-10), un trimestre (2026-T4), "
        "un año (2026), meses (12m), días (30d) o dos fechas (2026-10-01..2026-10-15).",
        field="periodo",
        text=text[:40],
    )


def last_month(now: datetime) -> str:
    """The code of the month before the present one: what a monthly report speaks of."""
    return f"{_months_before(local(now).date().replace(day=1), 1):%Y-%m}"


def _month(year: int, month: int, as_of: datetime) -> Period:
    first = date(year, month, 1)
    label = f"{MONTH_NAMES[month - 1]} de {year}"
    end = _midnight(_months_before(first, -1))
    return Period(f"{year}-{month:02d}", label, _midnight(first), end, as_of)


def _year(year: int, as_of: datetime) -> Period:
    start, end = _midnight(date(year, 1, 1)), _midnight(date(year + 1, 1, 1))
    return Period(str(year), f"gestión {year}", start, end, as_of)


def _quarter(year: int, quarter: int, as_of: datetime) -> Period:
    first = date(year, 3 * quarter - 2, 1)
    end = _midnight(_months_before(first, -3))
    label = f"{QUARTER_NAMES[quarter - 1]} trimestre de {year}"
    return Period(f"{year}-T{quarter}", label, _midnight(first), end, as_of)


def _range(text: str, as_of: datetime) -> Period:
    first_text, _, last_text = text.partition("..")
    try:
        first, last = date.fromisoformat(first_text), date.fromisoformat(last_text)
    except ValueError:
        raise _unreadable(text) from None
    if last < first:
        raise Invalid("El período termina antes de empezar; cambie las fechas.", field="periodo")
    years = limits.MEASURE_MONTHS_MAX // 12
    if first.year < 2000 or last.year > 2099 or (last - first).days > 366 * years:
        raise Invalid("Elija un período de hasta {years} años.", field="periodo", years=years)
    label = f"{_day(first)} al {_day(last)}"
    start, end = _midnight(first), _midnight(last + timedelta(days=1))
    return Period(f"{first.isoformat()}..{last.isoformat()}", label, start, end, as_of)


def _day(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _months_before(first: date, count: int) -> date:
    months = first.year * 12 + first.month - 1 - count
    return date(months // 12, months % 12 + 1, 1)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), LA_PAZ).astimezone(UTC)
