"""Reads all events of a search from the month files, oldest first, holding a page of each month."""

import heapq
import time
from collections.abc import Iterator

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.model.event import Event
from cgii.store import events_search
from cgii.store.events_files import MonthFiles, Reader
from cgii.store.events_month import SLOT_BITS, event_of
from cgii.store.events_plan import Stretch
from cgii.store.events_search import Row
from cgii.store.query_tree import Node

Place = tuple[int, bytes]  # millisecond and id: the order in which events are given


def scan(files: MonthFiles, tree: Node, stretch: Stretch) -> Iterator[Event]:
    """Every event that is there now, once; those of one millisecond in the order of their ids.

    What is written meanwhile may or may not be among them. Raises Unavailable when a month goes
    away before it has been read to its end.
    """
    waiting = sorted(_begins(files, stretch), reverse=True)
    heap: list[tuple[Place, str, bytes, Iterator[Row]]] = []
    given = b""
    while waiting or heap:
        # A month is opened when its first event may be the next one.
        if waiting and (not heap or waiting[-1][0] <= heap[0][0][0]):
            month = waiting.pop()[1]
            _push(heap, _month(files, month, tree, stretch))
            continue
        (_, key), _, body, rows = heapq.heappop(heap)
        if key != given:  # a file that was copied here by hand may repeat another one's
            yield event_of(key, body)
        given = key
        _push(heap, rows)


def gone() -> Unavailable:
    """The sentence for a month that is no longer there."""
    return Unavailable(
        "Un mes de eventos se borró o se apartó mientras se leía, y lo leído no está completo; "
        "mire `cgii doctor` y empiece otra vez."
    )


def _push(heap: list[tuple[Place, str, bytes, Iterator[Row]]], rows: Iterator[Row]) -> None:
    row = next(rows, None)
    if row is not None:
        heapq.heappush(heap, (_place(row), row[1], row[3], rows))


def _place(row: Row) -> Place:
    return row[0] >> SLOT_BITS, row[2]


def _begins(files: MonthFiles, stretch: Stretch) -> Iterator[tuple[int, str]]:
    """The months with events in the stretch and the millisecond from which on they have some."""
    for month in files.months():
        span: Stretch | None = None
        is_read = False
        with files.reading(month, _deadline()) as reader:
            if reader is not None:
                span = events_search.span(reader)
                is_read = True
        if not is_read:
            raise gone()
        if span is not None and span.low < stretch.high and span.high >= stretch.low:
            yield max(span.low, stretch.low) >> SLOT_BITS, month


def _month(files: MonthFiles, month: str, tree: Node, stretch: Stretch) -> Iterator[Row]:
    """The rows of one month in order."""
    inode = files.inode(month)
    low = stretch.low
    while True:
        part = Stretch(low, stretch.high)
        rows = _read(files, month, inode, tree, part)
        is_last = len(rows) < limits.SCAN_PAGE_EVENTS
        if not is_last:  # its last millisecond may go on after it
            low = rows[-1][0] >> SLOT_BITS << SLOT_BITS
            rows = [row for row in rows if row[0] < low]
        yield from sorted(rows, key=_place)
        if is_last:
            return
        if not rows:
            moment = Stretch(low, min(low + (1 << SLOT_BITS), stretch.high))
            yield from _crowd(files, month, inode, tree, moment)
            low += 1 << SLOT_BITS


def _crowd(files: MonthFiles, month: str, inode: int, tree: Node, moment: Stretch) -> Iterator[Row]:
    """The rows of one millisecond that has more than a page of them."""
    after = b""
    while True:
        rows = _read(files, month, inode, tree, moment, after=after)
        yield from rows
        if len(rows) < limits.SCAN_PAGE_EVENTS:
            return
        after = rows[-1][2]


def _read(
    files: MonthFiles,
    month: str,
    inode: int,
    tree: Node,
    part: Stretch,
    *,
    after: bytes | None = None,
) -> list[Row]:
    """One page: by position, or after an id by id."""
    with files.reading(month, _deadline()) as reader:
        if reader is not None and reader.inode == inode:
            return _page(reader, tree, part, after)
    raise gone()


def _page(reader: Reader, tree: Node, part: Stretch, after: bytes | None) -> list[Row]:
    if after is None:
        return events_search.oldest(reader, tree, part, limits.SCAN_PAGE_EVENTS)
    return events_search.by_id(reader, tree, part, after=after, size=limits.SCAN_PAGE_EVENTS)


def _deadline() -> float:
    return time.monotonic() + limits.SCAN_SECONDS_MAX
