"""Working time: office hours in La Paz without weekends and without Bolivia's holidays."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Any

from cgii.base import limits
from cgii.base.clock import LA_PAZ, local
from cgii.base.labels import load_table


@dataclass(frozen=True)
class WorkingCalendar:
    """When work is done: hours of the day in La Paz, days of the week, a department's holidays."""

    opens: time = time(8, 30)
    closes: time = time(18, 30)
    weekdays: tuple[int, ...] = (0, 1, 2, 3, 4)  # Monday is 0
    department: str = "LP"  # of reference/entities.yml; "" for national holidays only
    extra_holidays: tuple[date, ...] = ()  # decreed bridge days
    worked_holidays: tuple[date, ...] = ()  # holidays that were moved or lifted

    def __post_init__(self) -> None:
        if self.opens >= self.closes or not self.weekdays:
            raise ValueError("a calendar without working time")

    def of(self, department: str) -> "WorkingCalendar":
        """The same with the holidays of a department; the same as it is for none ("")."""
        return replace(self, department=department) if department else self

    def works_on(self, day: date) -> bool:
        """Whether work is done on that day."""
        if day in self.worked_holidays:
            return True
        return day.weekday() in self.weekdays and not self.is_public_holiday(day)

    def is_public_holiday(self, day: date) -> bool:
        """Whether it is a holiday or a decreed bridge day, whatever its day of the week."""
        if day in self.worked_holidays:
            return False
        return day in self.extra_holidays or day in _holidays(self.department, day.year)

    def is_holiday(self, day: date) -> bool:
        """Whether a day that is worked in other weeks is not."""
        return day.weekday() in self.weekdays and not self.works_on(day)

    def as_data(self) -> dict[str, Any]:
        """The calendar as JSON, to be frozen in a deadline."""
        return {
            "opens": self.opens.isoformat("minutes"),
            "closes": self.closes.isoformat("minutes"),
            "weekdays": list(self.weekdays),
            "department": self.department,
            "extra_holidays": [day.isoformat() for day in self.extra_holidays],
            "worked_holidays": [day.isoformat() for day in self.worked_holidays],
        }


def calendar_from(data: dict[str, Any]) -> WorkingCalendar:  # JSON, as `as_data` wrote it
    """The calendar that `as_data` froze. Raises ValueError."""
    return WorkingCalendar(
        opens=time.fromisoformat(data["opens"]),
        closes=time.fromisoformat(data["closes"]),
        weekdays=tuple(data["weekdays"]),
        department=data["department"],
        extra_holidays=tuple(date.fromisoformat(day) for day in data["extra_holidays"]),
        worked_holidays=tuple(date.fromisoformat(day) for day in data["worked_holidays"]),
    )


def add_working_hours(start: datetime, hours: float, calendar: WorkingCalendar) -> datetime:
    """The moment at which so many working hours have passed since `start`, in UTC."""
    left = timedelta(hours=hours)
    if left <= timedelta(0):
        return start.astimezone(UTC)
    for opens, closes in _windows(local(start).date(), calendar):
        begins = max(start, opens)
        if begins >= closes:
            continue
        if left <= closes - begins:
            return (begins + left).astimezone(UTC)
        left -= closes - begins
    raise OverflowError("the calendar has no working day within limits.CALENDAR_DAYS_MAX")


def working_seconds_between(start: datetime, end: datetime, calendar: WorkingCalendar) -> float:
    """Seconds of working time from `start` to `end`; 0 when `end` is not after `start`."""
    total = timedelta(0)
    if end <= start:
        return 0.0
    for opens, closes in _windows(local(start).date(), calendar):
        if opens >= end:
            break
        total += max(timedelta(0), min(end, closes) - max(start, opens))
    return total.total_seconds()


def _windows(first: date, calendar: WorkingCalendar) -> Iterator[tuple[datetime, datetime]]:
    for number in range(limits.CALENDAR_DAYS_MAX):
        day = first + timedelta(days=number)
        if calendar.works_on(day):
            yield (
                datetime.combine(day, calendar.opens, LA_PAZ),
                datetime.combine(day, calendar.closes, LA_PAZ),
            )


@lru_cache(maxsize=512)
def _holidays(department: str, year: int) -> frozenset[date]:
    # Here and not above: it loads the holidays of all the world's countries.
    import holidays

    # A department that the table does not know has the national holidays.
    subdivision = load_table("holidays")["subdivisions"].get(department)
    return frozenset(holidays.country_holidays("BO", subdiv=subdivision, years=year))
