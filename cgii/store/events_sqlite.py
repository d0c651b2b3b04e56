"""The event store in SQLite: one file per month of receipt; retention deletes a file."""

import re
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from cgii.base import clock, limits
from cgii.base.errors import Invalid
from cgii.base.logs import logger
from cgii.model.event import Event
from cgii.store import events_month, events_scan, events_search, events_spans
from cgii.store.event_shapes import (
    Bucket,
    EventQuery,
    Gap,
    Page,
    StoreStats,
    TopValue,
    months_too_many,
)
from cgii.store.events_aside import aside_bytes, set_aside
from cgii.store.events_document import event_or_none
from cgii.store.events_faults import Unusable, is_damage, unavailable
from cgii.store.events_files import MonthFiles
from cgii.store.events_month import SLOT_BITS, first_moment, month_of, path_of
from cgii.store.events_neighbours import may_be_in, neighbour
from cgii.store.events_plan import Stretch, may_hold, understood
from cgii.store.events_top import top_values
from cgii.store.query_fields import TEXTS, TIMES, named
from cgii.store.query_times import moment
from cgii.store.together import Together

log = logger("store")
_ID = re.compile(r"[0-9a-f]{32}")
_FIRST, _LAST = -(2**63), 2**63 - 1
_EDGE = timedelta(seconds=limits.MONTH_EDGE_SECONDS)
_UNFINISHED = timedelta(seconds=limits.STORE_UNFINISHED_SECONDS)


class SqliteEvents:
    """See `EventStore`. Any number of processes may have the same folder open."""

    def __init__(self, folder: Path) -> None:
        self._files = MonthFiles(folder)
        self._write_lock = threading.Lock()
        self._together = Together(self._write, self._write_lock)
        self._at = ("", 0)  # month and inode of the file that is being written or checked
        self._passed_over: set[str] = set()  # months whose file could not be used, told once

    # --- writing ---------------------------------------------------------------------------

    def write(self, events: Sequence[Event]) -> int:
        """Store what is not stored yet, durably; how many were new.

        Who waits for another thread to write is written together with all others that wait: most
        of the work for a small batch is its commit.
        """
        return self._together.write(events)

    def _write(self, events: Sequence[Event]) -> set[str]:
        """Write in one transaction for each month; the ids of what was new."""
        by_month: dict[str, dict[str, Event]] = {}
        # The records of a batch were received together.
        for received_at, some in groupby(events, key=attrgetter("received_at")):
            own = by_month.setdefault(month_of(received_at), {})
            for event in some:
                own.setdefault(event.id, event)
        new: set[str] = set()
        for month in sorted(by_month):
            new |= self._write_month(month, by_month[month])
        return new

    def _write_month(self, month: str, events: dict[str, Event]) -> set[str]:
        """Write into one month; when a file turns out damaged, once more without it."""
        for _ in range(limits.STORE_TRIES_MAX):
            try:
                stored = self._insert_new(month, events)
            except sqlite3.Error as error:
                self._drop_broken(error)
                continue
            if stored is not None:
                return stored
        replaced = sqlite3.OperationalError("the file is replaced again and again")
        raise unavailable(replaced, path_of(self._files.folder, month).name)

    def _drop_broken(self, error: sqlite3.Error) -> None:
        """Set the file aside at which writing failed; any other trouble is told to the sender."""
        month, inode = self._at
        if not is_damage(error):
            self._files.drop_writer(month)
            raise unavailable(error, path_of(self._files.folder, month).name) from error
        self._files.set_aside(month, inode, error, opened=self._files.taken_writer(month))

    def _insert_new(self, month: str, events: dict[str, Event]) -> set[str] | None:
        """The ids of what was new; None when files came or went and nothing is certain."""
        others = self._other_months(month, events)
        near = {neighbour(month, -1), neighbour(month, 1)} if _near_edge(month, events) else set()
        locked = near.intersection(others)
        with ExitStack() as stack:
            # Always from old to new, so that two writers cannot wait for each other.
            writers: dict[str, tuple[sqlite3.Connection, int]] = {}
            for one in sorted({month, *locked}):
                with self._passing_over(one, unless=month):
                    writers[one] = stack.enter_context(self._transaction(one))
            if self._other_months(month, events) != others:
                return None  # a month began while we waited for our turn
            new = dict(events)
            for other in others:
                candidates = [key for key, event in new.items() if may_be_in(other, event, month)]
                for key in self._known(other, candidates, writers.get(other)):
                    del new[key]
            self._at = (month, writers[month][1])
            db = writers[month][0]
            for key in events_month.known(db, new):
                del new[key]
            if new:
                events_month.insert(db, list(new.values()))
        # Committed. Had another process put the file aside before, its name is gone from it.
        return {*new} if self._files.inode(month) == writers[month][1] else None

    @contextmanager
    def _transaction(self, month: str) -> Iterator[tuple[sqlite3.Connection, int]]:
        self._at = (month, 0)
        db, inode = self._files.writer(month)
        self._at = (month, inode)
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db, inode
            self._at = (month, inode)
            db.execute("COMMIT")
        finally:
            if db.in_transaction:
                with suppress(sqlite3.Error):
                    db.execute("ROLLBACK")

    def _other_months(self, month: str, events: dict[str, Event]) -> list[str]:
        """Where copies may be: months since the oldest event happened, and both neighbours."""
        oldest = month_of(min(event.at for event in events.values()))
        since = min(oldest, neighbour(month, -1))
        return [one for one in self._files.months() if one >= since and one != month]

    def _known(
        self, month: str, ids: list[str], writer: tuple[sqlite3.Connection, int] | None
    ) -> set[str]:
        if not ids:
            return set()
        if writer is not None:
            self._at = (month, writer[1])
            return events_month.known(writer[0], ids)
        found: set[str] = set()
        with self._passing_over(month), self._files.reading(month, _deadline()) as reader:
            if reader is not None:
                found = events_month.known(reader.db, ids)
        return found

    @contextmanager
    def _passing_over(self, month: str, unless: str = "") -> Iterator[None]:
        """A file that nobody can use stops no other month: what it has may be stored once more."""
        try:
            yield
        except Unusable as error:
            if month == unless:
                raise
            if month not in self._passed_over:
                self._passed_over.add(month)
                log.error("event file passed over", month=month, reason=str(error))

    # --- asking ----------------------------------------------------------------------------

    def search(self, query: EventQuery) -> Page:
        """One page of events, newest first; events of one millisecond in a stable order."""
        size = max(1, min(query.size, limits.PAGE_ROWS_MAX))
        tree, stretch = understood(query)
        after = _read_cursor(query.after)
        until = _deadline()
        rows: list[events_search.Row] = []
        for month, span in events_spans.spans(self._files, stretch, until):
            if len(rows) > size and rows[size][0] > span.high:
                break  # the page is full of newer ones, and the next months are older still
            with self._files.reading(month, until) as reader:
                if reader is not None:
                    within = _before(stretch, after, month)
                    rows.extend(events_search.newest(reader, tree, within, size + 1))
            rows.sort(key=lambda row: (row[0], row[1]), reverse=True)
            del rows[size + 1 :]
        found = [event_or_none(row[2], row[3]) for row in rows[:size]]
        events = tuple(event for event in found if event is not None)
        last = rows[size - 1] if len(rows) > size else None
        after_this = f"{last[0]}.{last[1]}" if last else ""
        return Page(events, after_this, unreadable=len(found) - len(events))

    def scan(self, query: EventQuery) -> Iterator[Event]:
        """Every event of the search once, oldest first. Ignores size and after."""
        tree, stretch = understood(query)
        return events_scan.scan(self._files, tree, stretch)

    def count(self, query: EventQuery, *, up_to: int | None = None) -> int:
        """How many events match, counting no further than `up_to`."""
        tree, stretch = understood(query)
        until = _deadline()
        total = 0
        for month, _ in events_spans.spans(self._files, stretch, until):
            left = -1 if up_to is None else up_to - total
            if left == 0:
                break
            with self._files.reading(month, until) as reader:
                if reader is not None:
                    total += events_search.count(reader, tree, stretch, left)
        return total

    def histogram(
        self, query: EventQuery, buckets: int = limits.HISTOGRAM_BUCKETS
    ) -> tuple[Bucket, ...]:
        """Events over time in equal steps from start to end (or from oldest to newest)."""
        tree, stretch = understood(query)
        until = _deadline()
        spans = events_spans.spans(self._files, stretch, until)
        if not spans:
            return ()
        low = stretch.low if stretch.low > _FIRST else min(span.low for _, span in spans)
        high = stretch.high if stretch.high < _LAST else max(span.high for _, span in spans) + 1
        begin, end = low >> SLOT_BITS, -(-high >> SLOT_BITS)
        step = max(1, -(-(end - begin) // buckets))
        used = -(-(end - begin) // step)
        counts: Counter[int] = Counter()
        for month, span in spans:
            within = Stretch(max(stretch.low, span.low), min(stretch.high, span.high + 1))
            with self._files.reading(month, until) as reader:
                if reader is not None:
                    counts.update(
                        events_search.steps(reader, tree, within, begin=begin, step=step, used=used)
                    )
        return tuple(Bucket(moment(begin + n * step), counts[n]) for n in range(used))

    def top_values(self, query: EventQuery, field: str, size: int = 10) -> tuple[TopValue, ...]:
        """The most frequent values of a field among the events that match.

        Over several months a value that is rare in each of them may be missed.
        """
        tree, stretch = understood(query)
        until = _deadline()
        totals: Counter[str] = Counter()
        for name in named(field):
            if name in TIMES or name in TEXTS:
                raise Invalid("El campo {name} no se puede agrupar por valores.", name=field)
            for month, _ in events_spans.spans(self._files, stretch, until):
                another = partial(self._files.reading, month, until)
                with another() as reader:
                    if reader is not None:
                        totals.update(top_values(reader, tree, stretch, name, another=another))
        ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        return tuple(TopValue(value, count) for value, count in ordered[:size])

    def get(self, event_id: str) -> Event | None:
        """One event by id. Raises Unusable when a file that cannot be used may have it."""
        shut: list[Unusable] = []
        event = self._found(shut, [event_id]).get(event_id)
        if event is None and shut and _ID.fullmatch(event_id):
            raise shut[0]
        return event

    def get_many(self, event_ids: Iterable[str]) -> dict[str, Event]:
        """Those of the events that can be read, by id."""
        return self._found([], event_ids)

    def _found(self, shut: list[Unusable], event_ids: Iterable[str]) -> dict[str, Event]:
        """Events by id; adds to `shut` the reason of each file that could not be used."""
        missing = {one for one in event_ids if _ID.fullmatch(one)}
        found: dict[str, Event] = {}
        until = _deadline()
        for month in reversed(self._files.months()):
            if not missing:
                break
            try:
                with self._files.reading(month, until) as reader:
                    if reader is not None:
                        found.update(events_search.by_ids(reader, missing))
            except Unusable as error:
                shut.append(error)
            missing -= found.keys()
        return found

    def refused(self, event_ids: Iterable[str]) -> set[str]:
        """None: a file refuses no event."""
        return set()

    # --- keeping ---------------------------------------------------------------------------

    def gaps(self, query: EventQuery) -> tuple[Gap, ...]:
        """The damaged files, set aside, of the months that the question is about."""
        _, stretch = understood(query)
        aside = set_aside(self._files.folder)
        return tuple(gap for gap in aside if may_hold(gap.month, stretch))

    def must_take(self, now: datetime) -> None:
        """Raise Unavailable when the file of this month cannot be written."""
        self._files.must_take(month_of(now))

    def stats(self) -> StoreStats:
        """How much is stored, and what had to be set aside."""
        until = _deadline()
        spans, shut = events_spans.all_spans(self._files, until)
        months = self._files.months()
        return StoreStats(
            events=sum(self._tally(month, until) for month in months),
            size_bytes=sum(self._files.size_bytes(month) for month in self._files.kept_months()),
            oldest=min((moment(span.low >> SLOT_BITS) for _, span in spans), default=None),
            newest=max((moment(span.high >> SLOT_BITS) for _, span in spans), default=None),
            set_aside=tuple(gap.file for gap in set_aside(self._files.folder)),
            unusable=tuple(path_of(self._files.folder, month).name for month in shut),
        )

    def prune(self, before: datetime) -> int:
        """Delete the months that ended before; how many events went, of those that were counted."""
        gone = 0
        with self._write_lock:
            self._files.drop_unfinished(clock.now() - _UNFINISHED)
            for month in self._files.kept_months():
                if month < month_of(before):
                    gone += self._removed(month)
        return gone

    def shrink(self, size_bytes: int, now: datetime) -> int:
        """Delete the oldest months until the rest fits; how many events went."""
        gone = 0
        with self._write_lock:
            sizes = {month: self._files.size_bytes(month) for month in self._files.kept_months()}
            # What was set aside of this month cannot go, and the others shall not go for it.
            if (current := month_of(now)) in sizes:
                sizes[current] -= aside_bytes(self._files.folder, current)
            for month in months_too_many(sizes, size_bytes, now):
                gone += self._removed(month)
        return gone

    def _removed(self, month: str) -> int:
        """Delete a month; how many events went with it."""
        events = self._tally(month, _deadline())
        return events if self._files.remove(month) else 0

    def close(self) -> None:
        """Close every connection."""
        with self._write_lock:
            self._files.close()

    def _tally(self, month: str, until: float) -> int:
        count = 0
        with suppress(Unusable), self._files.reading(month, until) as reader:
            if reader is not None:
                count = events_search.tally(reader)
        return count


def _deadline() -> float:
    return time.monotonic() + limits.QUERY_SECONDS_MAX


def _near_edge(month: str, events: dict[str, Event]) -> bool:
    """Whether another process may be writing the same records into the neighbour just now."""
    begin, end = first_moment(month), first_moment(neighbour(month, 1))
    received = {event.received_at for event in events.values()}
    return min(received) < begin + _EDGE or max(received) >= end - _EDGE


def _read_cursor(after: str) -> tuple[int, str] | None:
    if not after:
        return None
    position, _, month = after.partition(".")
    try:
        return max(_FIRST, min(int(position[:20]), _LAST)), month_of(first_moment(month))
    except ValueError as error:
        raise Invalid("La página pedida no existe; vuelva a la primera.", field="after") from error


def _before(stretch: Stretch, after: tuple[int, str] | None, month: str) -> Stretch:
    """What of a month comes after the cursor; of one position the later month comes first."""
    if after is None:
        return stretch
    limit = after[0] if month >= after[1] else min(after[0] + 1, _LAST)
    return Stretch(stretch.low, min(stretch.high, limit))
