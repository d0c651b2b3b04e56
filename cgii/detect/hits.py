"""One event as a correlation sees it, and its time in microseconds."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from cgii.base import limits
from cgii.detect.terms import Number

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    return (moment - EPOCH) // MICROSECOND


@lru_cache(maxsize=limits.WINDOW_NAMES_KEPT_MAX)  # several windows end with one event
def moment_of(at: int) -> datetime:
    """The moment of `micros`, in UTC."""
    return EPOCH + at * MICROSECOND


class Hit(NamedTuple):
    """One event that a correlation looks at."""

    at: int
    event_id: str
    source: str
    sensor_id: int | None
    mask: int = 1  # which of the listed rules matched it, bit 0 is the first
    value: str | Number | None = None  # of the field that is counted, summed or remembered
    record: str = ""  # of a correlation's result: the event that completed it
