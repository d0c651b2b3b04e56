"""The event store in Elasticsearch: one index per month of receipt; retention deletes an index."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from elasticsearch import ApiError, NotFoundError

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.store.event_shapes import (
    Access,
    Bucket,
    EventQuery,
    Gap,
    Page,
    StoreStats,
    TopValue,
    months_too_many,
)
from cgii.store.events_elastic_blocks import (
    closed,
    is_blocked,
    must_be_open,
    must_read_refused,
    must_take,
)
from cgii.store.events_elastic_link import Link, reason_of, refusal
from cgii.store.events_elastic_read import (
    Cursor,
    answer,
    bodies,
    make_ready,
    refresh,
    spans,
    stretch,
    understood,
)
from cgii.store.events_elastic_restore import Restored, restore
from cgii.store.events_elastic_scan import scan
from cgii.store.events_elastic_write import Writer, is_before, months, strangers
from cgii.store.events_month import first_moment, month_of
from cgii.store.events_neighbours import neighbour
from cgii.store.query_fields import TEXTS, TIMES, named
from cgii.store.query_times import moment

_ID = re.compile(r"[0-9a-f]{32}")
_CURSOR = re.compile(r"(-?\d{1,16})\.([0-9a-f]{32})")
_IDS_AT_ONCE = 1_000


class ElasticEvents:
    """See `EventStore`. Any number of processes may use the same indices.

    Whoever asks has the indices refreshed first: what was acknowledged is found, and writing
    does not wait for it.
    """

    def __init__(self, url: str, access: Access, owner: str = "") -> None:
        self._link = Link(url, access, owner)
        self._writer = Writer(self._link)

    def write(self, events: Sequence[Event]) -> int:
        """Store what is not stored yet, durably; how many were new."""
        return self._writer.write(events)

    # --- asking ----------------------------------------------------------------------------

    def search(self, query: EventQuery) -> Page:
        """One page of events, newest first; events of one millisecond in a stable order."""
        size = max(1, min(query.size, limits.PAGE_ROWS_MAX))
        tree, after = understood(query), _read_cursor(query.after)
        if after is None:
            make_ready(self._link, tree)
        else:
            must_be_open(self._link, *stretch(tree))
        rows = answer(self._link, tree, lambda asked: asked.page(size + 1, after))
        events = tuple(event for _, event in rows[:size])
        last = rows[size - 1][0] if len(rows) > size else None
        return Page(events, f"{last[0]}.{last[1]}" if last else "")

    def scan(self, query: EventQuery) -> Iterator[Event]:
        """Every event of the search once, oldest first. Ignores size and after."""
        return scan(self._link, understood(query))

    def count(self, query: EventQuery, *, up_to: int | None = None) -> int:
        """How many events match, counting no further than `up_to`."""
        tree = understood(query)
        make_ready(self._link, tree)
        return answer(self._link, tree, lambda asked: asked.count(up_to))

    def histogram(
        self, query: EventQuery, buckets: int = limits.HISTOGRAM_BUCKETS
    ) -> tuple[Bucket, ...]:
        """Events over time in equal steps from start to end (or from oldest to newest)."""
        tree = understood(query)
        make_ready(self._link, tree)
        start, end = stretch(tree)
        inside = [
            (low, high)
            for low, high in spans(self._link, months(self._link))
            if (end is None or low < end) and (start is None or high >= start)
        ]
        if not inside:
            return ()
        first = min(low for low, _ in inside) if start is None else start
        last = max(high for _, high in inside) + 1 if end is None else end
        step = max(1, -(-(last - first) // buckets))
        counts = answer(self._link, tree, lambda asked: asked.steps(first, step))
        used = -(-(last - first) // step)
        return tuple(Bucket(moment(first + n * step), counts[n]) for n in range(used))

    def top_values(self, query: EventQuery, field: str, size: int = 10) -> tuple[TopValue, ...]:
        """The most frequent values of a field among the events that match.

        Over several months a value that is rare in each of them may be missed.
        """
        tree = understood(query)
        names = named(field)
        if any(name in TIMES or name in TEXTS for name in names):
            raise Invalid("El campo {name} no se puede agrupar por valores.", name=field)
        make_ready(self._link, tree)
        totals: Counter[str] = Counter()
        for name in names:
            totals.update(
                answer(self._link, tree, lambda asked, name=name: asked.top(name), field=name)  # type: ignore[misc]
            )
        ordered = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
        return tuple(TopValue(value, count) for value, count in ordered[:size])

    def get(self, event_id: str) -> Event | None:
        """One event by id."""
        found = self.get_many([event_id]).get(event_id)
        if found is None:
            must_be_open(self._link, with_refused=True)
        return found

    def get_many(self, event_ids: Iterable[str]) -> dict[str, Event]:
        """Those of the events that exist, by id; also those that the index refused."""
        ids = sorted({one for one in event_ids if _ID.fullmatch(one)})
        present = [self._link.index_of(month) for month in months(self._link)]
        found: dict[str, Event] = {}
        # From the newest index to the oldest, and what was set aside in the end.
        for index in (*reversed(present), self._link.refused):
            for begin in range(0, len(ids), _IDS_AT_ONCE):
                found.update(bodies(self._link, index, ids[begin : begin + _IDS_AT_ONCE]))
            ids = [one for one in ids if one not in found]
        return found

    def refused(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the events that are kept, but that no search finds: an index refused them."""
        ids = sorted({one for one in event_ids if _ID.fullmatch(one)})
        found: set[str] = set()
        must_read_refused(self._link)
        for begin in range(0, len(ids), _IDS_AT_ONCE):
            found.update(bodies(self._link, self._link.refused, ids[begin : begin + _IDS_AT_ONCE]))
        for month in months(self._link) if found else ():  # another sending may have been taken
            found.difference_update(bodies(self._link, self._link.index_of(month), sorted(found)))
        return found

    def must_take(self, now: datetime) -> None:
        """Raise Unavailable when what is received now would not be stored."""
        must_take(self._link, now)

    @property
    def aside(self) -> str:
        """The index of what the other indices refused."""
        return self._link.refused

    def restore(self, now: datetime, found: Restored) -> Iterator[int]:
        """Offer what was refused once more; fills `found`, gives how many after each batch."""
        return restore(self._link, self._writer, month_of(now), found)

    # --- keeping ---------------------------------------------------------------------------

    def gaps(self, query: EventQuery) -> tuple[Gap, ...]:
        """None: an index that cannot be read stops the question."""
        return ()

    def stats(self) -> StoreStats:
        """How much is stored, and what had to be set aside."""
        refresh(self._link)
        shut = closed(self._link)
        try:
            with self._link.asking() as client:
                version = client.info().body["version"]["number"]
                figures = client.indices.stats(index=self._link.months, metric=["docs", "store"])
                blocks = client.indices.get_settings(
                    index=self._link.months, name="index.blocks.read_only*", flat_settings=True
                ).body
                refused = 0
                if self._link.refused not in shut:
                    aside = client.options(ignore_status=404).count(index=self._link.refused)
                    refused = aside.body.get("count", 0)
        except ApiError as error:
            raise refusal(error.status_code, reason_of(error.body)) from error
        ends = spans(self._link, months(self._link))
        total = figures.body["_all"]["primaries"]
        read_only = [i for i, one in sorted(blocks.items()) if "true" in one["settings"].values()]
        return StoreStats(
            events=total.get("docs", {}).get("count", 0),
            size_bytes=total.get("store", {}).get("size_in_bytes", 0),
            oldest=min((moment(low) for low, _ in ends), default=None),
            newest=max((moment(high) for _, high in ends), default=None),
            set_aside=(f"{self._link.refused} ({refused})",) if refused else (),
            unusable=(
                *(f"{index} (solo lectura)" for index in read_only),
                *(f"{index} (cerrado)" for index in shut),
            ),
            product=f"Elasticsearch {version}",
            strangers=strangers(self._link),
        )

    def prune(self, before: datetime) -> int:
        """Delete the indices of months that ended before; how many events went."""
        refresh(self._link)
        old = [month for month in months(self._link) if is_before(month, before)]
        gone = sum(map(self._remove, old))
        return gone + self._prune_refused(first_moment(month_of(before)))

    def shrink(self, size_bytes: int, now: datetime) -> int:
        """Delete the indices of the oldest months until the rest fits; how many events went."""
        refresh(self._link)
        try:
            with self._link.asking() as client:
                figures = client.indices.stats(index=self._link.months, metric=["store"])
        except ApiError as error:
            raise refusal(error.status_code, reason_of(error.body)) from error
        sizes = {
            self._link.month_of(index): one["primaries"]["store"]["size_in_bytes"]
            for index, one in figures.body.get("indices", {}).items()
        }
        known = set(months(self._link))
        sizes = {month: size for month, size in sizes.items() if month in known}
        old = months_too_many(sizes, size_bytes, now)
        gone = sum(map(self._remove, old))
        if old:
            gone += self._prune_refused(first_moment(neighbour(old[-1], 1)))
        return gone

    def _remove(self, month: str) -> int:
        """Delete the index of a month; how many events went, of those that could be counted."""
        index = self._link.index_of(month)
        try:
            with self._link.asking() as client:
                # Of a closed index nothing is counted.
                gone = client.options(ignore_status=400).count(index=index).body.get("count", 0)
                client.indices.delete(index=index)
        except NotFoundError:
            return 0  # another process was faster
        except ApiError as error:
            raise refusal(error.status_code, reason_of(error.body)) from error
        self._writer.forget(month)
        return int(gone)

    def _prune_refused(self, before: datetime) -> int:
        """What was set aside goes when its month would have gone, or later, when that can be."""
        if is_blocked(self._link, self._link.refused):  # on a full disk whole indices must go
            return 0
        old = {"range": {"received_at": {"lt": before.isoformat()}}}
        try:
            with self._link.asking() as client:
                gone = client.delete_by_query(
                    index=self._link.refused, query=old, conflicts="proceed"
                )
        except NotFoundError:
            return 0
        except ApiError as error:
            raise refusal(error.status_code, reason_of(error.body)) from error
        return int(gone.body["deleted"])

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        self._link.close()


def _read_cursor(after: str) -> Cursor | None:
    if not after:
        return None
    found = _CURSOR.fullmatch(after)
    if found is None:
        raise Invalid("La página pedida no existe; vuelva a la primera.", field="after")
    return int(found[1]), found[2]
