"""Percentiles, the censored median against its textbook form, and seconds in SQL."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from cgii.measure.percentiles import (
    censored_median,
    percentile,
    percentile_90,
    seconds_between,
)
from cgii.model.table import UTCDateTime

DURATIONS = st.lists(st.integers(0, 30), max_size=25)


def test_a_percentile_between_two_values_lies_on_their_line() -> None:
    assert percentile([10, 20], 50) == 15
    assert percentile([1, 2, 3, 4, 5], 75) == 4
    assert percentile([7], 90) == 7
    assert percentile([], 50) is None


def test_p90_is_hidden_below_ten_cases() -> None:
    assert percentile_90(range(9)) is None
    assert percentile_90(range(10)) == 8.1


def test_open_cases_push_the_median_up() -> None:
    assert censored_median([1, 2, 3], []) == 2
    assert censored_median([1, 2, 3], [10, 10, 10]) == 3
    assert censored_median([1, 2], [10, 10, 10]) is None
    assert censored_median([], [1]) is None
    assert censored_median([], []) is None


def test_a_case_that_left_early_counts_only_while_it_was_watched() -> None:
    # 4 at risk at 2 (one left at 1): 3/4, then 2/4 at 3: half.
    assert censored_median([2, 3, 5], [1, 9]) == 3


def _textbook(ended: list[int], still_open: list[int]) -> int | None:
    surviving = 1.0
    for moment in sorted(set(ended)):
        at_risk = sum(1 for value in ended + still_open if value >= moment)
        surviving *= 1 - ended.count(moment) / at_risk
        if surviving <= 0.5 + 1e-9:
            return moment
    return None


@given(DURATIONS, DURATIONS)
def test_the_censored_median_is_that_of_the_textbook(ended: list[int], opened: list[int]) -> None:
    assert censored_median(sorted(ended), opened) == _textbook(ended, opened)


def test_seconds_between_counts_over_midnight_and_backwards(session: Session) -> None:
    start = datetime(2026, 10, 31, 23, 59, 58, 900_000, tzinfo=UTC)
    end = start + timedelta(days=1, seconds=4, microseconds=200_000)
    one, two = literal(start, UTCDateTime()), literal(end, UTCDateTime())
    assert session.scalar(select(seconds_between(one, two))) == 86_405
    assert session.scalar(select(seconds_between(two, one))) == -86_405
