"""Periods are read strictly, and their months and days are those of La Paz."""

import itertools
from datetime import UTC, datetime

import pytest

from cgii.base.errors import Invalid
from cgii.measure.period import last_month, parse_period
from tests.make import NOW


def test_a_month_starts_at_midnight_in_la_paz() -> None:
    october = parse_period("2026-10", now=NOW)
    assert october.start == datetime(2026, 10, 1, 4, tzinfo=UTC)
    assert october.end == datetime(2026, 11, 1, 4, tzinfo=UTC)
    assert october.label == "octubre de 2026"
    assert not october.is_partial


def test_twelve_months_end_with_the_present_one() -> None:
    year = parse_period("12m", now=NOW)
    keys = [bucket.key for bucket in year.months()]
    assert (keys[0], keys[-1], len(keys)) == ("2025-12", "2026-11", 12)
    assert year.is_partial
    assert year.cut == NOW


def test_days_end_with_today_and_are_drawn_by_day() -> None:
    month = parse_period("30d", now=NOW)
    keys = [bucket.key for bucket in month.buckets()]
    assert (keys[0], keys[-1], len(keys)) == ("2026-10-22", "2026-11-20", 30)


def test_late_evening_belongs_to_the_day_of_la_paz() -> None:
    evening = datetime(2026, 11, 1, 2, tzinfo=UTC)  # 31 October, 22:00 in La Paz
    assert [bucket.key for bucket in parse_period("1d", now=evening).buckets()] == ["2026-10-31"]
    assert last_month(evening) == "2026-09"


def test_buckets_meet_without_gap() -> None:
    for text in ("12m", "30d", "2026", "2026-02"):
        period = parse_period(text, now=NOW)
        buckets = period.buckets()
        assert buckets[0].start == period.start
        assert buckets[-1].end == period.end
        pairs = itertools.pairwise(buckets)
        assert all(one.end == two.start for one, two in pairs)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2026-01", "2025-12-01", "2026-01-01"),
        ("2026", "2025-01-01", "2026-01-01"),
        ("12m", "2024-12-01", "2025-12-01"),
        ("30d", "2026-09-22", "2026-10-22"),
    ],
)
def test_the_previous_period_has_the_same_kind(text: str, start: str, end: str) -> None:
    before = parse_period(text, now=NOW).previous()
    assert before.start == datetime.fromisoformat(f"{start}T04:00+00:00")
    assert before.end == datetime.fromisoformat(f"{end}T04:00+00:00")
    assert before.as_of == NOW


@pytest.mark.parametrize("text", ["", "2026-13", "99m", "0d", "1999", "2026-1", "12 m", "x" * 99])
def test_an_unclear_period_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_period(text, now=NOW)
    assert caught.value.field == "periodo"
    assert "2026-10" in str(caught.value)


def test_a_quarter_is_three_months_and_its_previous_one_may_be_of_last_year() -> None:
    first = parse_period("2026-T1", now=NOW)
    assert [bucket.key for bucket in first.months()] == ["2026-01", "2026-02", "2026-03"]
    assert first.label == "primer trimestre de 2026"
    assert first.previous().code == "2025-T4"
    assert parse_period("2026-T3", now=NOW).previous().code == "2026-T2"


def test_a_range_counts_both_its_days() -> None:
    days = parse_period("2026-10-01..2026-10-15", now=NOW)
    assert len(days.buckets()) == 15
    assert days.label == "1 oct 2026 al 15 oct 2026"
    assert days.previous().end == days.start


@pytest.mark.parametrize(
    "text", ["2026-10-15..2026-10-01", "2026-10-01..", "1990-01-01..1990-02-01", "2020-01-01..2026"]
)
def test_a_range_without_sense_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_period(text, now=NOW)
