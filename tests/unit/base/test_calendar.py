"""Working time leaves out nights, weekends and holidays, and adds up."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base.calendar import (
    WorkingCalendar,
    add_working_hours,
    calendar_from,
    working_seconds_between,
)
from cgii.base.clock import LA_PAZ, local

OFFICE = WorkingCalendar()
moments = st.datetimes(datetime(2024, 1, 1), datetime(2027, 12, 31), timezones=st.just(UTC))
hours = st.integers(min_value=1, max_value=400).map(lambda quarters: quarters / 4)


def la_paz(year: int, month: int, day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=LA_PAZ)


def test_hours_left_on_friday_go_on_monday() -> None:
    assert add_working_hours(la_paz(2026, 11, 20, 17), 4, OFFICE) == la_paz(2026, 11, 23, 11)


def test_a_clock_started_at_night_runs_from_the_morning() -> None:
    assert add_working_hours(la_paz(2026, 11, 18, 22), 1, OFFICE) == la_paz(2026, 11, 19, 9, 30)


def test_carnival_is_not_worked() -> None:
    assert add_working_hours(la_paz(2026, 2, 13, 18), 1, OFFICE) == la_paz(2026, 2, 18, 9)


def test_a_departments_day_is_free_there_only() -> None:
    in_santa_cruz = WorkingCalendar(department="SC")
    assert not OFFICE.works_on(date(2026, 7, 16))
    assert in_santa_cruz.works_on(date(2026, 7, 16))
    assert not in_santa_cruz.works_on(date(2026, 9, 24))


def test_a_holiday_on_sunday_is_kept_on_monday() -> None:
    assert not OFFICE.works_on(date(2026, 6, 22))


def test_decreed_days_win() -> None:
    calendar = WorkingCalendar(
        extra_holidays=(date(2026, 11, 19),), worked_holidays=(date(2026, 11, 21),)
    )
    assert not calendar.works_on(date(2026, 11, 19))
    assert calendar.works_on(date(2026, 11, 21))


def test_a_calendar_survives_freezing() -> None:
    calendar = WorkingCalendar(opens=time(8), department="SC", extra_holidays=(date(2026, 1, 2),))
    assert calendar_from(calendar.as_data()) == calendar


def test_a_calendar_without_hours_is_refused() -> None:
    with pytest.raises(ValueError, match="without working time"):
        WorkingCalendar(opens=time(18), closes=time(8))


@given(moments, hours)
def test_what_is_added_is_what_lies_between(start: datetime, many: float) -> None:
    end = add_working_hours(start, many, OFFICE)
    assert working_seconds_between(start, end, OFFICE) == many * 3600


@given(moments, hours, hours)
def test_adding_twice_is_adding_the_sum(start: datetime, first: float, second: float) -> None:
    twice = add_working_hours(add_working_hours(start, first, OFFICE), second, OFFICE)
    assert twice == add_working_hours(start, first + second, OFFICE)


@given(moments, hours)
def test_a_deadline_falls_in_working_time(start: datetime, many: float) -> None:
    due = local(add_working_hours(start, many, OFFICE))
    assert OFFICE.works_on(due.date())
    assert OFFICE.opens <= due.time() <= OFFICE.closes


@given(moments, moments, moments)
def test_working_time_adds_up_over_a_moment_between(a: datetime, b: datetime, c: datetime) -> None:
    first, middle, last = sorted((a, b, c))
    assert working_seconds_between(first, last, OFFICE) == pytest.approx(
        working_seconds_between(first, middle, OFFICE)
        + working_seconds_between(middle, last, OFFICE)
    )


@given(moments, moments)
def test_working_time_is_never_more_than_time(a: datetime, b: datetime) -> None:
    first, last = sorted((a, b))
    assert 0 <= working_seconds_between(first, last, OFFICE) <= (last - first).total_seconds()
    assert working_seconds_between(last, first, OFFICE) == 0


@given(moments)
def test_no_day_has_more_than_its_hours(start: datetime) -> None:
    seconds = working_seconds_between(start, start + timedelta(hours=24), OFFICE)
    assert seconds <= 10 * 3600
