"""Moments in a search and what each of them covers."""

from datetime import UTC, datetime

import pytest

from cgii.base.errors import Invalid
from cgii.store.query_times import milliseconds, moment, span

DAY = milliseconds(datetime(2026, 11, 22, tzinfo=UTC))
HOUR = 3_600_000


@pytest.mark.parametrize(
    ("text", "start", "length"),
    [
        ("2026-11-22", 0, 24 * HOUR),
        ("2026-11-22T10:05", 10 * HOUR + 300_000, 60_000),
        ("2026-11-22t10:05:01z", 10 * HOUR + 301_000, 1_000),
        ("2026-11-22T10:05:01.250Z", 10 * HOUR + 301_250, 1),
        ("2026-11-22T10:05-04:00", 14 * HOUR + 300_000, 60_000),
    ],
)
def test_a_moment_covers_as_much_as_it_leaves_open(text: str, start: int, length: int) -> None:
    assert span(text) == (DAY + start, DAY + start + length)


@pytest.mark.parametrize("text", ["ayer", "22/11/2026", "2026-13-01", "", "now-1d"])
def test_other_words_are_no_moment(text: str) -> None:
    with pytest.raises(Invalid):
        span(text)


def test_milliseconds_are_cut_not_rounded() -> None:
    at = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert milliseconds(at) == -1
    assert moment(-1) == at.replace(microsecond=999_000)
