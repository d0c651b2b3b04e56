"""Moments as people write them in a search, and the span that each covers."""

import re
from datetime import UTC, datetime, timedelta

from cgii.base import clock
from cgii.base.errors import Invalid

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_MINUTE = re.compile(r"[^.]*T\d\d:\d\d(?:Z|[+-]\d\d:\d\d)?")
_SECOND = re.compile(r"[^.]*T\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)?")


def milliseconds(moment: datetime) -> int:
    """Whole milliseconds since 1970; the rest is cut off."""
    return (moment - _EPOCH) // _MILLISECOND


def moment(value: int) -> datetime:
    """The moment so many milliseconds after 1970."""
    return _EPOCH + value * _MILLISECOND


def span(text: str) -> tuple[int, int]:
    """What `2026-11-22`, `2026-11-22T10:05` or a finer moment covers: [start, end) in ms.

    Without an offset the time is UTC. Raises Invalid.
    """
    written = text.strip().upper()
    try:
        start = milliseconds(clock.parse(written))
    except (ValueError, OverflowError) as error:
        raise Invalid(
            "«{text}» no es una fecha; escriba por ejemplo 2026-11-22 o 2026-11-22T10:05:00Z.",
            field="q",
            text=text,
        ) from error
    return start, start + _length(written)


def _length(written: str) -> int:
    if _DAY.fullmatch(written):
        return 86_400_000
    if _MINUTE.fullmatch(written):
        return 60_000
    return 1_000 if _SECOND.fullmatch(written) else 1
