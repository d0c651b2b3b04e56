"""All commands read moments alike: by La Paz, unless an offset is written."""

from datetime import UTC, datetime

import pytest

from cgii.base.errors import Invalid
from cgii.cli.moments import moment_in


@pytest.mark.parametrize(
    ("text", "day_ends", "moment"),
    [
        ("2026-11-22", False, datetime(2026, 11, 22, 4, tzinfo=UTC)),
        ("2026-11-22", True, datetime(2026, 11, 23, 4, tzinfo=UTC)),
        ("2026-11-22T10:05", False, datetime(2026, 11, 22, 14, 5, tzinfo=UTC)),
        ("2026-11-22T10:05", True, datetime(2026, 11, 22, 14, 5, tzinfo=UTC)),
        ("2026-11-22T10:05Z", False, datetime(2026, 11, 22, 10, 5, tzinfo=UTC)),
        ("2026-11-22T10:05+02:00", True, datetime(2026, 11, 22, 8, 5, tzinfo=UTC)),
    ],
)
def test_a_moment_is_by_la_paz_unless_it_says_otherwise(
    text: str, day_ends: bool, moment: datetime
) -> None:
    assert moment_in(text, "--from", day_ends=day_ends) == moment


@pytest.mark.parametrize(
    "text",
    ["ayer", "", "2026-13-01", "22/11/2026", "9999-12-31", "0001-01-01", "0001-01-01T00:00+14:00"],
)
def test_what_is_no_moment_is_told_with_its_option(text: str) -> None:
    with pytest.raises(Invalid, match="--to"):
        moment_in(text, "--to", day_ends=True)
