"""Searching a month of many events in files; storing against plain INSERT and Elasticsearch's own.

`CGII_BENCH_EVENTS` says how many events the month has; ten million take about 14 GB.
"""

import os
import random
import secrets
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from elasticsearch import Elasticsearch

from cgii.base import limits
from cgii.model.event import Event
from cgii.store.elastic_document import written
from cgii.store.events import EventQuery, EventStore, open_events
from tests import servers
from tests.benchmarks.bench_events import log_in
from tests.benchmarks.figures import Figure, milliseconds, percentile, plain_insert

EVENTS = int(os.environ.get("CGII_BENCH_EVENTS", "300000"))
BULK_EVENTS = 20_000
BATCH = 1_000
REPEATS = 5
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
LENGTH = timedelta(days=28)
DAY = timedelta(days=1)
GOALS = {"day": 300, "month": 2_000}  # ms
SEARCHES = {
    "rare word": "sesion42",
    "common word": "failed",
    "field": "source.ip:10.1.7.7",
    "two common fields": "event.outcome:failure AND host.name:srv007.entidad.gob.bo",
    "everything": "",
}


def month_of_events(count: int) -> Iterator[list[Event]]:
    """Log-ins spread evenly over the month, in batches."""
    chance = random.Random(7)
    step = LENGTH / count
    for first in range(0, count, BATCH):
        numbers = range(first, min(count, first + BATCH))
        yield [log_in(chance, seq, BEGIN + seq * step) for seq in numbers]


def bench(count: int = EVENTS) -> list[Figure]:
    """Storing a month, then each search over one day and over the month."""
    with tempfile.TemporaryDirectory() as name, patch.object(limits, "QUERY_SECONDS_MAX", 300):
        folder = Path(name)
        batches = [[one.original.encode() for one in some] for some in month_of_events(BATCH * 20)]
        plain = plain_insert(batches, folder / "plain.sqlite").seconds / (BATCH * 20)
        store = open_events("", folder / "events")
        taken = 0.0
        for events in month_of_events(count):
            begun = time.perf_counter()
            store.write(events)
            taken += time.perf_counter() - begun
        figures = [
            Figure(f"store a month of {count:,} events", count / taken, "events/s",
                   f"{taken / count / plain:.1f} times a plain INSERT of the same lines")
        ]  # fmt: skip
        figures += searches(store)
        store.close()
    return figures


def searches(store: EventStore) -> list[Figure]:
    """Medians of each question, over a day and over all; the note says how many events match."""
    figures = []
    for span, goal in GOALS.items():
        for name, text in SEARCHES.items():
            query = EventQuery(text)
            if span == "day":
                query = EventQuery(text, start=BEGIN + 3 * DAY, end=BEGIN + 4 * DAY)
            note = f"{store.count(query):,} events"
            questions = {
                "page": lambda query=query: store.search(query),
                "histogram": lambda query=query: store.histogram(query),
                "top values": lambda query=query: store.top_values(query, "source.ip"),
            }
            for what, ask in questions.items():
                took = percentile(milliseconds(ask, REPEATS), 0.5)
                title = f"{span}, {name}: {what}"
                figures.append(Figure(title, took, "ms", note, at_most=goal))
    return figures


def bench_bulk(count: int = BULK_EVENTS) -> list[Figure]:
    """Our writing into Elasticsearch against its own `_bulk` of the very same documents."""
    batches = list(month_of_events(count))
    with servers.elasticsearch() as server:
        own, plain = (f"t{secrets.token_hex(6)}" for _ in range(2))
        store, bare = (open_events(f"{server.url}/{one}", Path()) for one in (own, plain))
        store.write(batches[0][:1])
        bare.write(batches[0][:1])  # makes the index with the same template
        ours = theirs = 0.0
        with Elasticsearch(server.url, request_timeout=240, http_compress=True) as client:
            for events in batches:  # in turn, because a server gets quicker as it runs
                begun = time.perf_counter()
                store.write(events)
                ours += time.perf_counter() - begun
                lines: list[bytes] = []
                for one in map(written, events):
                    lines += [b'{"create":{"_id":"%s"}}' % one.id.encode(), one.document]
                begun = time.perf_counter()
                client.bulk(index=f"{plain}-events-2026-11", operations=lines)
                theirs += time.perf_counter() - begun
        store.close()
        bare.close()
        for one in (own, plain):
            servers.drop_indices(f"{server.url}/{one}")
            servers.drop_templates(f"{server.url}/{one}")
    return [
        Figure("store into Elasticsearch", count / ours, "events/s",
               f"{theirs / ours:.2f} of its own _bulk of the same documents, made beforehand"),
        Figure("its own _bulk", count / theirs, "events/s"),
    ]  # fmt: skip
