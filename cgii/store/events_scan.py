"""Reads all events of a search from the month files, oldest first, holding a page of each month."""

import heapq
import time
from collections.abc import Iterator

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.model.event import Event
from cgii.store import events_search
from cgii.store.events_document import event_or_none
from cgii.store.events_faults import Unusable
from cgii.store.events_files import MonthFiles
from cgii.store.events_month import SLOT_BITS
from cgii.store.events_plan import Stretch, may_hold
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
            _push(heap, _Month(files, month, tree).rows(stretch))
            continue
        (_, key), _, body, rows = heapq.heappop(heap)
        # A file that was copied here by hand may repeat another one's.
        event = event_or_none(key, body) if key != given else None
        if event is not None:
            yield event
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
        try:
            with files.reading(month, _deadline()) as reader:
                if reader is not None:
                    span = events_search.span(reader)
                    is_read = True
        except Unusable:
            if may_hold(month, stretch):
                raise
            continue
        if not is_read:
            raise gone()
        if span is not None and span.low < stretch.high and span.high >= stretch.low:
            yield max(span.low, stretch.low) >> SLOT_BITS, month


class _Month:
    """One month's file as long as it is the same file; gives what matches in order."""

    def __init__(self, files: MonthFiles, month: str, tree: Node) -> None:
        self._files = files
        self._month = month
        self._tree = tree
        self._inode = files.inode(month)

    def rows(self, stretch: Stretch) -> Iterator[Row]:
        """The rows of a stretch, by millisecond and id."""
        low = stretch.low
        while True:
            rows = self._page(Stretch(low, stretch.high))
            is_last = len(rows) < limits.SCAN_PAGE_EVENTS
            if not is_last:  # its last millisecond may go on after it
                low = rows[-1][0] >> SLOT_BITS << SLOT_BITS
                rows = [row for row in rows if row[0] < low]
            yield from sorted(rows, key=_place)
            if is_last:
                return
            if not rows:
                yield from self._crowd(Stretch(low, min(low + (1 << SLOT_BITS), stretch.high)))
                low += 1 << SLOT_BITS

    def _crowd(self, moment: Stretch) -> Iterator[Row]:
        """The rows of one millisecond that has more than a page of them."""
        after = b""
        while True:
            rows = self._page(moment, after)
            yield from rows
            if len(rows) < limits.SCAN_PAGE_EVENTS:
                return
            after = rows[-1][2]

    def _page(self, part: Stretch, after: bytes | None = None) -> list[Row]:
        """One page: by position, or by id from an id on."""
        size = limits.SCAN_PAGE_EVENTS
        with self._files.reading(self._month, _deadline()) as reader:
            if reader is not None and reader.inode == self._inode:
                if after is None:
                    return events_search.oldest(reader, self._tree, part, size)
                return events_search.by_id(reader, self._tree, part, after=after, size=size)
        raise gone()


def _deadline() -> float:
    return time.monotonic() + limits.SCAN_SECONDS_MAX
