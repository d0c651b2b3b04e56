"""Times that come again every week, by the clock of La Paz: which days, and from when to when."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from cgii.base.calendar import WorkingCalendar
from cgii.base.clock import LA_PAZ, local
from cgii.base.errors import Invalid
from cgii.base.labels import label

HOLIDAY = "h"
WEEK = "1234567"  # Monday is 1
DAYS = WEEK + HOLIDAY
MIDNIGHT = time(0)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class WeeklyTimes:
    """On these days from `opens` to `closes`; both alike mean a whole day.

    `days` are of DAYS, in their order. What does not close later than it opens goes on until the
    next day, whatever day that is.
    """

    days: str
    opens: time = MIDNIGHT
    closes: time = MIDNIGHT

    def touches(self, start: datetime, end: datetime, calendar: WorkingCalendar) -> bool:
        """Whether it is such a time at any moment from `start` to before `end`."""
        day, last = local(start).date() - DAY, local(end).date()
        while day <= last:
            opens, closes = self._of(day)
            if opens < end and start < closes and self._is_on(day, calendar):
                return True
            day += DAY
        return False

    def _of(self, day: date) -> tuple[datetime, datetime]:
        closes = day if self.opens < self.closes else day + DAY
        return (
            datetime.combine(day, self.opens, LA_PAZ),
            datetime.combine(closes, self.closes, LA_PAZ),
        )

    def _is_on(self, day: date, calendar: WorkingCalendar) -> bool:
        return str(day.isoweekday()) in self.days or (
            HOLIDAY in self.days and calendar.is_public_holiday(day)
        )

    def __str__(self) -> str:
        """As people say it: "lunes a viernes, de 20:00 a 06:00 del día siguiente"."""
        if self.opens == self.closes == MIDNIGHT:
            return f"{_days_said(self.days)}, todo el día"
        until = f"{self.closes:%H:%M}"
        if self.closes == MIDNIGHT:
            until = "24:00"
        elif self.closes <= self.opens:
            until += " del día siguiente"
        return f"{_days_said(self.days)}, de {self.opens:%H:%M} a {until}"


def weekly_times(days: Iterable[str], opens: str, closes: str) -> WeeklyTimes:
    """As somebody typed it, `20:00`; no times at all are whole days. Raises Invalid, by field."""
    chosen = set(days)
    if not chosen or not chosen <= set(DAYS):
        raise Invalid("Elija al menos un día.", field="days")
    kept = "".join(day for day in DAYS if day in chosen)
    if not opens and not closes:
        return WeeklyTimes(kept)
    for name, text in (("opens", opens), ("closes", closes)):
        if not text:
            raise Invalid("Escriba las dos horas, o ninguna para el día entero.", field=name)
    begins = _clock_time(opens, "opens")
    ends = MIDNIGHT if closes == "24:00" else _clock_time(closes, "closes")
    if begins == ends:
        raise Invalid(
            "Las dos horas son iguales. Para el día entero deje las dos sin escribir.",
            field="closes",
        )
    return WeeklyTimes(kept, begins, ends)


def _clock_time(text: str, field: str) -> time:
    try:
        return datetime.strptime(text, "%H:%M").time()
    except ValueError as error:
        raise Invalid(
            "«{text}» no es una hora. Escriba por ejemplo 20:00.", field=field, text=text[:20]
        ) from error


def _days_said(days: str) -> str:
    if days.startswith(WEEK):
        return "todos los días"
    said = list(_runs_said(days.rstrip(HOLIDAY)))
    if HOLIDAY in days:
        said.append(_name(HOLIDAY))
    return " y ".join((", ".join(said[:-1]), said[-1])) if len(said) > 1 else said[0]


def _runs_said(days: str) -> Iterator[str]:
    """Three days or more in a row are said by the first and the last."""
    while days:
        run = max((days[:n] for n in range(1, len(days) + 1) if days[:n] in WEEK), key=len)
        days = days[len(run) :]
        if len(run) > 2:
            yield f"{_name(run[0])} a {_name(run[-1])}"
        else:
            yield from map(_name, run)


def _name(day: str) -> str:
    return label("detection.quiet_days", day)
