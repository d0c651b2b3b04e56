"""Reads a long stretch of events from old to new, in slices that fit into memory."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.model.event import Event
from cgii.store.events import EventQuery, EventStore

MILLISECOND = timedelta(milliseconds=1)
STEP_FIRST = timedelta(hours=1)
STEP_LEAST = timedelta(minutes=1)  # a store that needs too long for so little is in trouble
STEP_MAX = timedelta(days=60)
SLICE_EVENTS = 5_000  # held in memory at once

Slice = tuple[list[Event], datetime]


def slices(events: EventStore, query: EventQuery) -> Iterator[Slice]:
    """The events of one slice in order, and the moment before which all have been given.

    `query` has a start and an end; times are compared to the millisecond, as stores do, so the
    first and the last slice may hold events just outside.
    """
    assert query.start is not None
    assert query.end is not None
    stats = events.stats()
    if stats.oldest is None or stats.newest is None:
        yield [], query.end
        return
    at = _down(max(query.start, min(stats.oldest, query.end)))
    last = min(query.end, stats.newest + MILLISECOND)
    step = STEP_FIRST
    while at < last:
        until = min(_down(at + step), last)
        try:
            found = _slice(events, replace(query, start=at, end=_up(until)))
        except Unavailable:  # the store needs too long for so much at once
            if step <= STEP_LEAST:
                raise
            found = None
        if found is not None:
            yield found, until
            at = until
            if len(found) * 4 < SLICE_EVENTS:
                step = min(step * 2, STEP_MAX)
        elif step > MILLISECOND:
            step = max(step / 8, MILLISECOND)
        else:
            # So many in one moment: their order means nothing, so they need not be together.
            for page in _pages(events, replace(query, start=at, end=_up(until))):
                yield page, until
            at = until
    if at < query.end:
        yield [], query.end


def _slice(events: EventStore, query: EventQuery) -> list[Event] | None:
    """The events of a slice in order; None when they are too many."""
    found: list[Event] = []
    for page in _pages(events, query):
        found += page
        if len(found) > SLICE_EVENTS:
            return None
    return sorted(found, key=lambda event: (event.at, event.id))


def _pages(events: EventStore, query: EventQuery) -> Iterator[list[Event]]:
    query = replace(query, size=limits.PAGE_ROWS_MAX, after="")
    while True:
        page = events.search(query)
        yield list(page.events)
        if not page.after:
            return
        query = replace(query, after=page.after)


def _down(moment: datetime) -> datetime:
    """The millisecond in which a moment lies."""
    return moment - timedelta(microseconds=moment.microsecond % 1_000)


def _up(moment: datetime) -> datetime:
    whole = _down(moment)
    return whole if whole == moment else whole + MILLISECOND
