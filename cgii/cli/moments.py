"""Moments as people write them after `--from` and `--to`."""

from datetime import datetime, timedelta

from cgii.base import clock
from cgii.base.errors import Invalid

DAY_CHARS = 10  # of 2026-11-22


def moment_in(text: str, option: str, *, day_ends: bool) -> datetime:
    """A moment as written; a day alone is one of La Paz, and as an end it counts whole."""
    try:
        if len(text) > DAY_CHARS:
            return clock.parse(text)
        day = datetime.fromisoformat(text).replace(tzinfo=clock.LA_PAZ)
    except ValueError as error:
        raise Invalid(
            "{option} «{text}» no es una fecha; escriba por ejemplo 2026-11-22 o "
            "2026-11-22T10:05-04:00.",
            option=option,
            text=text,
        ) from error
    return day + timedelta(days=1) if day_ends else day
