"""Percentiles of durations, with open cases as censored, and seconds between two moments in SQL."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import GenericFunction

from cgii.base import limits


class seconds_between(GenericFunction[int]):  # noqa: N801 - written like an SQL function
    """Whole seconds from the first moment to the second, the same on every database."""

    type = BigInteger()
    inherit_cache = True

    def __init__(self, start: ColumnElement[Any], end: ColumnElement[Any]) -> None:
        super().__init__(start, end)


@compiles(seconds_between, "sqlite")
def _on_sqlite(element: seconds_between, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(part, **options) for part in element.clauses)
    return f"(CAST(strftime('%s', {end}) AS INTEGER) - CAST(strftime('%s', {start}) AS INTEGER))"


@compiles(seconds_between, "postgresql")
def _on_postgresql(element: seconds_between, compiler: SQLCompiler, **options: Any) -> str:
    start, end = (compiler.process(part, **options) for part in element.clauses)
    return f"CAST(floor(extract(epoch FROM {end})) - floor(extract(epoch FROM {start})) AS BIGINT)"


def percentile(ordered: Sequence[float], percent: float) -> float | None:
    """The value below which `percent` of the sorted values lie, between two values by line."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * percent / 100
    low, high = math.floor(place), math.ceil(place)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def percentile_90(ordered: Sequence[float]) -> float | None:
    """P90, or None while there are too few cases for it to mean anything."""
    return percentile(ordered, 90) if len(ordered) >= limits.PERCENTILE_90_MIN else None


def censored_median(ended: Sequence[float], still_open: Sequence[float]) -> float | None:
    """Kaplan–Meier: the first duration by which half of all cases ended, the open ones included.

    `ended` is sorted. None when fewer than half are known to have ended.
    """
    surviving, first = 1.0, 0
    for place, age in enumerate([*sorted(still_open), math.inf]):
        # Up to this open case's age nobody leaves but by ending, so one step covers all of them.
        last = bisect_right(ended, age)
        at_risk = len(ended) - first + len(still_open) - place
        # Half of four cases is exactly a half; a product of fractions may miss it by a hair.
        needed = max(1, math.ceil(at_risk * (1 - 0.5 / surviving) - 1e-9))
        if first + needed <= last:
            return ended[first + needed - 1]
        if at_risk:
            surviving *= 1 - (last - first) / at_risk
        first = last
    return None
