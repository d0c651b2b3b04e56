"""Numbers read as people in Bolivia write them."""

import pytest

from cgii.measure.show import show_change, show_number, show_percent, show_seconds


def test_thousands_have_a_point_and_decimals_a_comma() -> None:
    assert show_number(1234.5, 1) == "1.234,5"
    assert show_number(1234567) == "1.234.567"
    assert show_number(None) == "—"


def test_a_whole_per_cent_has_no_decimals() -> None:
    assert show_percent(90.0) == "90 %"
    assert show_percent(89.96) == "90 %"
    assert show_percent(89.94) == "89,9 %"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (45, "45 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (12_000, "3 h 20 min"),
        (86_399, "1 d"),
        (187_200, "2 d 4 h"),
        (None, "—"),
    ],
)
def test_durations_show_their_two_largest_units(seconds: float | None, text: str) -> None:
    assert show_seconds(seconds) == text


def test_a_change_has_its_sign_and_unit() -> None:
    assert show_change(92.5, 89, "percent") == "+3,5 puntos"
    assert show_change(10, 22, "count") == "−12"
    assert show_change(7200, 3600, "seconds") == "+1 h"
    assert show_change(5, 5, "count") == "sin cambio"
    assert show_change(None, 5, "count") == ""
