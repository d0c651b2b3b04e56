"""Counts in sentences are written as people here write them."""

import pytest

from cgii.measure.words import written


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (999, "999"), (1449, "1.449")])
def test_a_count_has_a_point_at_the_thousands(number: int, text: str) -> None:
    assert written(number) == text
