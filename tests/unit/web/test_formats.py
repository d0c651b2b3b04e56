"""Numbers, times and sizes as people in Bolivia write them."""

from datetime import UTC, datetime, timedelta

import pytest

from cgii.web import formats, language
from cgii.web.language import speaking

AT = datetime(2026, 11, 22, 18, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [(1234.5, 1, "1.234,5"), (0, 0, "0"), (1234567, 0, "1.234.567"), (None, 0, "–")],
)
def test_numbers_have_points_for_thousands(value: float | None, places: int, text: str) -> None:
    assert formats.number(value, places) == text


def test_english_readers_get_commas_for_thousands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(language, "LANGUAGES", ("es", "en"))  # once it has a catalogue
    with speaking("en"):
        assert formats.number(1234.5, 1) == "1,234.5"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59, "59 s"),
        (61, "1 min"),
        (3660, "1 h 1 min"),
        (90_000, "1 d 1 h"),
        (86_400, "1 d"),
        (-120, "−2 min"),
    ],
)
def test_a_duration_has_its_two_largest_units(seconds: int, text: str) -> None:
    assert formats.duration(timedelta(seconds=seconds)) == text


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (10, "ahora"),
        (300, "hace 5 min"),
        (7300, "hace 2 h"),
        (-7300, "en 2 h"),
        (200_000, "hace 2 d"),
    ],
)
def test_relative_times_say_before_or_after(before: int, text: str) -> None:
    assert formats.ago(AT - timedelta(seconds=before), AT) == text


def test_moments_are_shown_in_la_paz_and_utc() -> None:
    assert formats.moment(AT) == "22 nov 2026, 14:05"
    assert formats.utc(AT) == "2026-11-22 18:05:09 UTC"
    assert formats.day(datetime(2026, 11, 23, 2, 0, tzinfo=UTC)) == "22 nov 2026"


def test_sizes_and_shares() -> None:
    assert formats.size(18_234_112) == "18,2 MB"
    assert formats.size(999) == "999 B"
    assert formats.percent(0.875) == "87,5 %"


def test_initials_are_of_the_first_and_last_word() -> None:
    assert formats.initials("María Choque Mamani") == "MM"
    assert formats.initials("") == "?"
