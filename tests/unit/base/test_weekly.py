"""Times of every week: which moments they touch, how they are said, what is refused."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base.calendar import WorkingCalendar
from cgii.base.clock import LA_PAZ
from cgii.base.errors import Invalid
from cgii.base.weekly import WEEK, WeeklyTimes, weekly_times

CALENDAR = WorkingCalendar()
MINUTE = timedelta(minutes=1)
OFFICE_NIGHTS = weekly_times("12345", "20:00", "06:00")
WEEKENDS = weekly_times("67", "", "")


def is_one(times: WeeklyTimes, text: str, calendar: WorkingCalendar = CALENDAR) -> bool:
    """Whether it is such a time in the minute that begins then in La Paz."""
    start = datetime.fromisoformat(text).replace(tzinfo=LA_PAZ).astimezone(UTC)
    return times.touches(start, start + MINUTE, calendar)


@pytest.mark.parametrize(
    ("moment", "is_quiet"),
    [
        ("2026-11-18T19:59", False),  # a Wednesday
        ("2026-11-18T20:00", True),
        ("2026-11-19T00:00", True),
        ("2026-11-19T05:59", True),
        ("2026-11-19T06:00", False),
        ("2026-11-21T05:59", True),  # Saturday: Friday's night
        ("2026-11-21T20:00", False),
        ("2026-11-23T05:59", False),  # Monday: Sunday has no night
        ("2026-11-23T20:00", True),
    ],
)
def test_a_night_goes_on_after_midnight(moment: str, is_quiet: bool) -> None:
    assert is_one(OFFICE_NIGHTS, moment) == is_quiet


@pytest.mark.parametrize(
    ("moment", "is_quiet"),
    [
        ("2026-11-20T23:59", False),
        ("2026-11-21T00:00", True),
        ("2026-11-22T23:59", True),
        ("2026-11-23T00:00", False),
    ],
)
def test_a_whole_day_is_that_of_la_paz(moment: str, is_quiet: bool) -> None:
    assert is_one(WEEKENDS, moment) == is_quiet


def test_holidays_are_those_of_the_calendar_on_any_day_of_the_week() -> None:
    holidays = weekly_times("h", "", "")
    assert is_one(holidays, "2026-08-06T12:00")  # a Thursday
    assert is_one(holidays, "2026-11-02T12:00")
    assert not is_one(holidays, "2026-08-05T12:00")
    assert is_one(holidays, "2026-09-24T12:00", WorkingCalendar(department="SC"))
    assert not is_one(holidays, "2026-09-24T12:00")
    saturday = date(2027, 1, 2)
    assert is_one(holidays, "2027-01-02T12:00", WorkingCalendar(extra_holidays=(saturday,)))
    lifted = WorkingCalendar(worked_holidays=(date(2026, 8, 6),))
    assert not is_one(holidays, "2026-08-06T12:00", lifted)


def test_the_night_of_a_holiday_ends_on_the_next_day() -> None:
    nights = weekly_times("h", "20:00", "06:00")
    assert is_one(nights, "2026-08-07T05:00")
    assert not is_one(nights, "2026-08-06T05:00")


def test_a_stretch_touches_what_it_only_reaches_into() -> None:
    hour = datetime(2026, 11, 18, 19, 30, tzinfo=LA_PAZ)
    assert OFFICE_NIGHTS.touches(hour, hour + timedelta(hours=1), CALENDAR)
    assert not OFFICE_NIGHTS.touches(hour, hour + timedelta(minutes=30), CALENDAR)


@given(st.sets(st.sampled_from(WEEK), min_size=1), st.integers(0, 1439), st.integers(1, 1439),
       st.integers(0, 7 * 1440 - 1))  # fmt: skip
def test_what_it_says_of_a_minute_is_what_counting_says(
    days: set[str], opens: int, length: int, minute: int
) -> None:
    closes = (opens + length) % 1440
    said = [f"{one // 60:02}:{one % 60:02}" for one in (opens, closes)]
    begins = [(int(day) - 1) * 1440 + opens for day in days]
    wanted = any((minute - begin) % (7 * 1440) < length for begin in begins)

    moment = datetime(2026, 11, 16, tzinfo=LA_PAZ) + minute * MINUTE  # from a Monday on
    assert weekly_times(days, *said).touches(moment, moment + MINUTE, CALENDAR) == wanted


@pytest.mark.parametrize(
    ("days", "opens", "closes", "said"),
    [
        ("12345", "20:00", "06:00", "lunes a viernes, de 20:00 a 06:00 del día siguiente"),
        ("67", "", "", "sábado y domingo, todo el día"),
        ("h76", "", "", "sábado, domingo y feriados, todo el día"),
        ("1234567", "22:00", "24:00", "todos los días, de 22:00 a 24:00"),
        ("1234567h", "22:00", "00:00", "todos los días, de 22:00 a 24:00"),
        ("3", "08:30", "12:00", "miércoles, de 08:30 a 12:00"),
        ("12367h", "", "", "lunes a miércoles, sábado, domingo y feriados, todo el día"),
    ],
)
def test_it_is_said_as_people_say_it(days: str, opens: str, closes: str, said: str) -> None:
    assert str(weekly_times(days, opens, closes)) == said


@pytest.mark.parametrize(
    ("days", "opens", "closes", "field"),
    [
        ("", "", "", "days"),
        ("8", "", "", "days"),
        (["12"], "", "", "days"),
        ("1", "20:00", "", "closes"),
        ("1", "", "06:00", "opens"),
        ("1", "20:00", "20:00", "closes"),
        ("1", "24:00", "06:00", "opens"),
        ("1", "20:00", "a las seis", "closes"),
        ("1", "25:00", "06:00", "opens"),
        ("1", "20:00Z", "06:00", "opens"),
        ("1", "00:00", "24:00", "closes"),
    ],
)
def test_what_makes_no_sense_is_refused_at_its_field(
    days: list[str], opens: str, closes: str, field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        weekly_times(days, opens, closes)
    assert refusal.value.field == field
