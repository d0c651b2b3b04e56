"""What is judged silence, from counts per hour alone."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.calendar import WorkingCalendar
from cgii.base.clock import local
from cgii.detect.silence import (
    HEARD,
    HOUR,
    LOW,
    STOPPED,
    UNKNOWN,
    WEEK,
    Pair,
    Verdict,
    Window,
    hours_needed,
    judge,
    quiet_of,
)

NOW = datetime(2026, 11, 18, 15, 0, tzinfo=UTC)  # a Wednesday, 11:00 in La Paz
CALENDAR = WorkingCalendar()


def steady(per_hour: int, *, weeks: int = 9, until: datetime = NOW) -> dict[datetime, int]:
    """So many records in every hour of so many weeks before a moment."""
    return {until - back * HOUR: per_hour for back in range(1, weeks * 168 + 1)}


def judged(counts: dict[datetime, int], now: datetime = NOW, **given: object) -> Verdict:
    """The verdict with a centre that was always awake and nothing announced."""
    values: dict[str, object] = {
        "is_awake": lambda _: True,
        "is_quiet": lambda _: False,
        "was_silent": lambda _: False,
        "calendar": CALENDAR,
    }
    return judge(now, counts, **values | given)  # type: ignore[arg-type]


def test_a_source_that_goes_on_is_heard() -> None:
    assert judged(steady(500)).state == HEARD


def test_a_source_that_stopped_is_missed_after_one_whole_hour() -> None:
    counts = steady(500, until=NOW - HOUR)

    assert judged(counts) == Verdict(STOPPED, NOW - HOUR, 500, 0)


@pytest.mark.parametrize(("seen", "state"), [(51, HEARD), (50, LOW), (1, LOW), (0, STOPPED)])
def test_a_tenth_of_what_is_usual_is_silence(seen: int, state: str) -> None:
    assert judged(steady(500) | {NOW - HOUR: seen}).state == state


def test_a_small_source_is_missed_only_when_enough_should_have_come() -> None:
    hours = 4
    counts = steady(10, until=NOW - hours * HOUR)
    assert judged(counts).state == HEARD, "40 records are missing, which chance may do"

    counts = steady(10, until=NOW - (hours + 2) * HOUR)
    assert judged(counts) == Verdict(STOPPED, NOW - 5 * HOUR, 50, 0)


def test_a_source_that_says_little_in_a_day_is_never_missed() -> None:
    assert judged(steady(2, until=NOW - 90 * HOUR)).state == UNKNOWN


def test_a_night_that_is_always_silent_is_no_silence() -> None:
    by_day = {hour: n for hour, n in steady(900).items() if 12 <= hour.hour < 22}
    midnight = NOW.replace(hour=4)

    assert judged(by_day, midnight).state == HEARD
    assert judged({h: n for h, n in by_day.items() if h < midnight}, midnight).state == HEARD


def test_a_weekend_is_compared_with_weekends() -> None:
    weekdays = {hour: n for hour, n in steady(900).items() if hour.weekday() < 5}
    sunday = datetime(2026, 11, 15, 20, 0, tzinfo=UTC)
    until_then = {hour: n for hour, n in weekdays.items() if hour < sunday}

    assert judged(until_then, sunday).state == UNKNOWN


def test_a_holiday_is_compared_with_sundays() -> None:
    all_souls = datetime(2026, 11, 2, 20, 0, tzinfo=UTC)  # a Monday, 16:00 in La Paz
    assert CALENDAR.is_holiday(date(2026, 11, 2))
    usual = steady(900, weeks=10, until=all_souls)
    days = {hour: local(hour).date() for hour in usual}
    office = {h: n for h, n in usual.items() if CALENDAR.works_on(days[h])}

    assert judged(office, all_souls).state == UNKNOWN, "nobody works, as on Sundays"
    always = {h: n for h, n in usual.items() if h < all_souls - 3 * HOUR}
    assert judged(always, all_souls).state == STOPPED, "what speaks on Sundays is missed"


def test_nothing_is_usual_before_three_weeks() -> None:
    young = steady(500, weeks=3, until=NOW - HOUR)
    del young[min(young)]  # an hour short of the third week's
    assert judged(young).state == UNKNOWN

    assert judged(steady(500, weeks=4, until=NOW - HOUR)).state == STOPPED


def test_one_strange_week_does_not_change_what_is_usual() -> None:
    counts = steady(500, until=NOW - HOUR)
    counts |= {NOW - HOUR - WEEK: 90_000, NOW - HOUR - 2 * WEEK: 0}

    assert judged(counts).usual == 500


def test_hours_in_which_the_centre_was_away_are_not_judged() -> None:
    counts = steady(500, until=NOW - 3 * HOUR)
    asleep = {NOW - HOUR, NOW - 2 * HOUR, NOW - 3 * HOUR}

    assert judged(counts, is_awake=lambda hour: hour not in asleep).state == HEARD
    assert judged(counts, is_awake=lambda hour: hour != NOW - HOUR).since == NOW - 2 * HOUR


def test_an_announced_pause_is_not_judged_and_says_nothing_of_what_is_usual() -> None:
    pair = Pair("sensor:1", "linux_auth")
    window = Window("sensor:1", "", NOW - 5 * HOUR, NOW - HOUR + timedelta(minutes=1))
    counts = steady(500, until=NOW - 5 * HOUR)

    assert judged(counts, is_quiet=quiet_of([window], pair, CALENDAR)).state == HEARD
    assert (
        judged(counts, is_quiet=quiet_of([window], Pair("sensor:2", "x"), CALENDAR)).state
        == STOPPED
    )

    before = {one: 0 for week in range(1, 6) for one in [NOW - HOUR - week * WEEK]}
    pauses = [Window("", "", hour, hour + HOUR) for hour in before]
    assert judged(counts | before, is_quiet=quiet_of(pauses, pair, CALENDAR)).state == STOPPED


def test_a_long_silence_does_not_become_usual_while_it_lasts() -> None:
    counts = steady(500, until=NOW - 6 * WEEK)
    counts |= {hour - WEEK * 6: 500 for hour in counts}
    began = NOW - 5 * WEEK

    assert judged(counts).state == UNKNOWN
    assert judged(counts, was_silent=lambda hour: hour >= began).state == STOPPED


def test_enough_in_the_hour_that_goes_on_ends_it_at_once() -> None:
    stopped = steady(500, until=NOW - 8 * HOUR)
    assert judged(stopped | {NOW: 50}).state == LOW
    assert judged(stopped | {NOW: 51}).state == HEARD


class Asked(dict[datetime, int]):
    """Counts that remember for which hours they were asked."""

    def __init__(self, counts: dict[datetime, int]) -> None:
        super().__init__(counts)
        self.hours: set[datetime] = set()

    def get(self, hour: datetime, default: int = 0) -> int:  # type: ignore[override]
        self.hours.add(hour)
        return super().get(hour, default)


@given(
    st.dictionaries(st.integers(-168 * 10, 0), st.integers(0, 1_000), min_size=1, max_size=300),
    st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),
)
def test_only_hours_that_were_said_to_be_needed_are_asked_for(
    hours: dict[int, int], moment: datetime
) -> None:
    now = moment.replace(minute=0, second=0, microsecond=0)
    counts = Asked({now + hour * HOUR: count for hour, count in hours.items()})

    judged(counts, now)

    needed = hours_needed(now, [CALENDAR])
    assert counts.hours <= needed
    assert len(needed) <= limits.QUERY_VALUES_MAX
