"""The event store as the rest of the program sees it, and the function that opens one."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.store.event_shapes import Access, Bucket, EventQuery, Gap, Page, StoreStats, TopValue
from cgii.store.events_sqlite import SqliteEvents

__all__ = [
    "Access",
    "Bucket",
    "EventQuery",
    "EventStore",
    "Gap",
    "Page",
    "StoreStats",
    "TopValue",
    "open_events",
]

NO_ACCESS = Access()


class EventStore(Protocol):
    """Keeps events and finds them again; safe to share between threads, one per process.

    A query that cannot be read raises Invalid, one that takes too long Unavailable.
    """

    def write(self, events: Sequence[Event]) -> int:
        """Store what is not stored yet, durably; how many were new. A resent event is not."""

    def search(self, query: EventQuery) -> Page:
        """One page of events, newest first; events of one millisecond in a stable order."""

    def scan(self, query: EventQuery) -> Iterator[Event]:
        """Every event that is there now, once, oldest first, however many; ignores size and after.

        Events of one millisecond come in the order of their ids, so every store gives the same.
        Nothing is lost or repeated while others write; what they write may be among it or not.
        """

    def count(self, query: EventQuery, *, up_to: int | None = None) -> int:
        """How many events match, counting no further than `up_to`. Ignores size and after."""

    def histogram(
        self, query: EventQuery, buckets: int = limits.HISTOGRAM_BUCKETS
    ) -> tuple[Bucket, ...]:
        """Events over time in equal steps from start to end (or from oldest to newest)."""

    def top_values(self, query: EventQuery, field: str, size: int = 10) -> tuple[TopValue, ...]:
        """The most frequent values of a field among the events that match."""

    def get(self, event_id: str) -> Event | None:
        """One event by id. Asks nobody's permission: the caller checks `entity_id`.

        Raises Unavailable when it is nowhere else than perhaps in a file that cannot be used.
        """

    def get_many(self, event_ids: Iterable[str]) -> dict[str, Event]:
        """Those of the events that can be read, by id. The caller checks `entity_id`."""

    def refused(self, event_ids: Iterable[str]) -> set[str]:
        """Those of the events that are kept, but that no search finds: an index refused them."""

    def gaps(self, query: EventQuery) -> tuple[Gap, ...]:
        """What an answer to this question lacks, to be asked after it: it may have met damage."""

    def must_take(self, now: datetime) -> None:
        """Raise Unavailable when what is received now would not be stored, whatever it is."""

    def stats(self) -> StoreStats:
        """How much is stored, and what had to be set aside."""

    def prune(self, before: datetime) -> int:
        """Forget what was received before, in whole units of storage; how many events went."""

    def shrink(self, size_bytes: int, now: datetime) -> int:
        """Forget the oldest months until the rest takes no more than that; how many events went.

        The month of `now` stays, however large it is.
        """

    def close(self) -> None:
        """Let go of files and connections."""


def open_events(url: str, folder: Path, access: Access = NO_ACCESS, owner: str = "") -> EventStore:
    """The store that `url` names; empty means SQLite files by month in `folder`.

    `owner` names the centre to others that share a server with it.
    """
    if url in ("", "sqlite"):
        return SqliteEvents(folder)
    if url.startswith(("https://", "http://")):
        # Loading the client takes a quarter of a second, which most centres need not wait for.
        from cgii.store.events_elastic import ElasticEvents

        return ElasticEvents(url, access, owner)
    raise Invalid(
        "No se reconoce el almacén de eventos «{url}»; deje CGII_EVENTS vacío para usar archivos "
        "SQLite, o escriba la dirección de Elasticsearch, por ejemplo https://127.0.0.1:9200/cgii.",
        url=url.split("@")[-1],
    )
