"""From raw lines to committed alerts on one core, stage by stage, and detection alone."""

import random
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson

from cgii import pipeline
from cgii.base import garbage, limits
from cgii.centre import Centre
from cgii.collect.normalize import normalize
from cgii.demo.places import build_entities
from cgii.demo.traffic import Place, day
from cgii.model.event import Event, Origin, Raw
from tests.benchmarks.figures import Figure, Watch, plain_insert
from tests.make_web import make_centre

LINES = 50_000
GOAL, CORE_GOAL = 5_000, 10_000  # events/s: of what a centre must take in; of one core alone
END = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)
Batch = tuple[Origin, list[Raw]]


def traffic(count: int, places: list[Place]) -> Iterator[Batch]:
    """Days of the demonstration's logs, mixed sources, as the sensors of many entities send."""
    chance = random.Random(3)
    left = count
    for number, place in enumerate(places * (1 + count // (400 * len(places)))):
        lines = sorted(day(chance, place, END, weight=5.0), key=lambda line: line.source)
        for source, group in groupby(lines, key=lambda line: line.source):
            data = [line.data for line in group][:left]
            left -= len(data)
            origin = Origin(source, f"sensor:{number}/{source}", "bench", None, None)
            for start in range(0, len(data), limits.LISTEN_BATCH_RECORDS):
                part = data[start : start + limits.LISTEN_BATCH_RECORDS]
                yield origin, [Raw(start + place_, line) for place_, line in enumerate(part)]
        if not left:
            return


def timed(function: Callable[..., Any], watch: Watch) -> Callable[..., Any]:
    """The same function, with its time added to a watch."""

    def run(*given: Any, **named: Any) -> Any:
        with watch.running():
            return function(*given, **named)

    return run


def build(folder: Path) -> tuple[Centre, list[Place]]:
    """An empty centre with a country's entities, so that alerts are attributed as in earnest."""
    centre = make_centre(folder)
    # As every process of a centre does before it takes a record.
    garbage.look_seldom()
    assert centre.definitions
    assert centre.detector
    with centre.database.transaction() as session:
        entities = build_entities(session, random.Random(1), END)
        places = [
            Place(one.acronym, one.domains[0].domain, one.networks[0].cidr.rsplit(".", 1)[0])
            for one in entities[:40]
        ]
    return centre, places


def bench(count: int = LINES) -> list[Figure]:
    """The whole way, its stages, and the same lines by plain INSERT."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        centre, places = build(folder / "data")
        batches = list(traffic(count, places))
        lines = sum(len(raws) for _, raws in batches)
        size = sum(len(raw.data) for _, raws in batches for raw in raws) / lines
        plain = plain_insert(
            [[bytes(raw.data) for raw in raws] for _, raws in batches], folder / "plain.sqlite"
        )
        watches = {stage: Watch() for stage in ("normalise", "store", "match", "commit")}
        whole, alerts, read = Watch(), 0, 0
        with (
            patch.object(pipeline, "normalize", timed(normalize, watches["normalise"])),
            patch.object(centre.events, "write", timed(centre.events.write, watches["store"])),
            patch.object(centre.detector, "match", timed(centre.detector.match, watches["match"])),
            patch.object(pipeline, "_commit", timed(pipeline._commit, watches["commit"])),
            whole.running(),
        ):
            for origin, raws in batches:
                receipt = pipeline.take(centre, origin, raws)
                alerts += receipt.alerts
                read += receipt.events + receipt.rejects
        assert read == lines
        assert alerts > 0
        figures = [
            Figure(f"lines of {size:.0f} bytes in {len(batches)} batches", lines, "lines"),
            Figure("raw line to committed alert", lines / whole.seconds, "events/s",
                   f"{whole.seconds / plain.seconds:.1f} times a plain INSERT", at_least=GOAL),
            Figure("the same per second of one core", lines / whole.cpu_seconds, "events/s",
                   at_least=CORE_GOAL),
            Figure("plain INSERT of the same lines", lines / plain.seconds, "lines/s"),
            Figure("alerts committed", alerts, "alerts"),
        ]  # fmt: skip
        figures += [
            Figure(f"stage {stage}", 1e6 * watch.seconds / lines, "µs/event",
                   f"{watch.seconds / whole.seconds:.0%} of the whole")
            for stage, watch in watches.items()
        ]  # fmt: skip
        centre.close()
    return figures


def bench_detection(count: int = LINES) -> list[Figure]:
    """Matching events that are in memory, against reading the same events with orjson."""
    with tempfile.TemporaryDirectory() as name:
        centre, places = build(Path(name))
        events: list[Event] = []
        reading = Watch()
        for origin, raws in traffic(count, places):
            with reading.running():  # a few are cut and refused, as in earnest
                events += normalize(origin, raws, centre.definitions, received_at=END).events
        texts = [orjson.dumps({**event.fields, **event.ecs}, default=str) for event in events]
        loading, matching, again = Watch(), Watch(), Watch()
        with loading.running():
            for text in texts:
                orjson.loads(text)
        with matching.running():
            found = centre.detector.match(events)
        with again.running():
            centre.detector.match(events)
        rules = centre.content.rules
        size = sum(map(len, texts)) / len(texts)
        centre.close()
    return [
        Figure("rules in force", len(rules.single) + len(rules.correlations), "rules"),
        Figure("normalise alone", count / reading.cpu_seconds, "events/s"),
        Figure("match alone", len(events) / matching.cpu_seconds, "events/s",
               f"{matching.cpu_seconds / loading.cpu_seconds:.1f} times orjson.loads"),
        Figure("match again, plans and values known", len(events) / again.cpu_seconds, "events/s",
               f"{again.cpu_seconds / loading.cpu_seconds:.1f} times orjson.loads"),
        Figure(f"orjson.loads of {size:.0f} bytes", len(events) / loading.cpu_seconds, "events/s"),
        Figure("matches", len(found), "matches"),
    ]  # fmt: skip
