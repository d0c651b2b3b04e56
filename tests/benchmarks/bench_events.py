"""How fast events are stored and found, against plain INSERT of the same lines in the same run."""

import random
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from cgii.base.errors import Unavailable
from cgii.model.event import Event
from cgii.store.events import EventQuery, EventStore, open_events
from tests.benchmarks.figures import Figure, milliseconds, plain_insert
from tests.event_oracle import make_event

EVENTS = 100_000
BATCH = 1_000
REPEATS = 5

SEARCHES: list[tuple[str, str]] = [
    ("one rare word", "sesion42"),
    ("one common word", "failed"),
    ("field", "source.ip:10.1.7.7"),
    ("two common fields", "event.outcome:failure AND host.name:srv007.entidad.gob.bo"),
    ("words and a field", '"failed password" source.ip:10.1.7.0/24'),
    ("field without an index", "CommandLine:*sesion42*"),
    ("everything", ""),
]


def _events(count: int) -> list[Event]:
    """Log-ins as a country's servers write them; ten a second."""
    chance = random.Random(7)
    begin = make_event(0).at
    return [log_in(chance, seq, begin + timedelta(milliseconds=100 * seq)) for seq in range(count)]


def log_in(chance: random.Random, seq: int, at: datetime) -> Event:
    """One log-in at a server."""
    address = f"10.{chance.randrange(4)}.{chance.randrange(40)}.{chance.randrange(250)}"
    user, host = f"user{chance.randrange(5000)}", f"srv{chance.randrange(300):03}"
    result, port = chance.choice(["Failed", "Accepted"]), chance.randrange(1024, 65536)
    session = f"sesion{chance.randrange(20_000)}"
    message = f"{result} password for {user} from {address} port {port} ssh2 {session}"
    return make_event(
        seq,
        at=at,
        original=f"<38>Nov 22 12:00:00 {host} sshd[{port}]: {message}" + " relleno" * 25,
        fields={"message": message, "CommandLine": session, "port": port},
        ecs={
            "host.name": f"{host}.entidad.gob.bo",
            "user.name": user,
            "source.ip": address,
            "source.port": port,
            "event.action": "ssh_login",
            "event.outcome": "failure" if result == "Failed" else "success",
            "event.category": ["authentication"],
            "process.name": "sshd",
        },
        entity_id=chance.randrange(300),
    )


def _write(store: EventStore, events: list[Event]) -> float:
    begin = time.perf_counter()
    for first in range(0, len(events), BATCH):
        store.write(events[first : first + BATCH])
    return time.perf_counter() - begin


def _median(action: Callable[[], object]) -> float:
    """The median of a few runs in ms; a query that was stopped counts with what it took."""

    def run() -> None:
        with suppress(Unavailable):
            action()

    return statistics.median(milliseconds(run, REPEATS))


def bench(count: int = EVENTS) -> list[Figure]:
    """Storing and searching, against a plain INSERT of the same lines."""
    events = _events(count)
    size = sum(len(event.original) for event in events) // count
    with tempfile.TemporaryDirectory() as folder:
        lines = [event.original.encode() for event in events]
        batches = [lines[first : first + BATCH] for first in range(0, count, BATCH)]
        plain = plain_insert(batches, Path(folder, "plain.sqlite")).seconds
        store = open_events("", Path(folder, "events"))
        taken = _write(store, events)
        again = _write(store, events[:10_000])
        stats = store.stats()
        figures = [
            Figure(f"store {count:,} events of {size} bytes", count / taken, "events/s",
                   f"{taken / plain:.1f} times a plain INSERT ({count / plain:,.0f} lines/s)"),
            Figure("store what is stored already", 10_000 / again, "events/s"),
            Figure("disk", stats.size_bytes / count, "bytes/event"),
        ]  # fmt: skip
        for name, text in SEARCHES:
            query = EventQuery(text)
            first = _median(lambda query=query: store.search(query))
            every = _median(lambda query=query: store.count(query))
            figures.append(Figure(f"search {name}", first, "ms", f"counted: {every:.1f} ms"))
        failed = EventQuery("failed")
        histogram = _median(lambda: store.histogram(failed))
        figures.append(Figure("histogram of a common word", histogram, "ms"))
        top = _median(lambda: store.top_values(failed, "source.ip"))
        figures.append(Figure("top addresses of a common word", top, "ms"))
        store.close()
    return figures
