"""Correlations: 1,000 rules over 100,000 live keys, in memory and through the data base."""

import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import event as database_events

from cgii.base import ids
from cgii.detect.alerts import Match
from cgii.detect.examine import Examiner
from cgii.detect.rule_files import parse_documents
from cgii.detect.ruleset import RuleSet, compile_rules
from cgii.detect.window_rows import load_windows, save_windows
from cgii.detect.windows import Window, WindowKey
from cgii.model.event import Event, LogSource
from cgii.model.registry import Table
from cgii.store.database import Database
from tests.benchmarks.figures import Figure, Watch, percentile

RULES = 1_000
KEYS = 100  # of each rule
EVENTS = 100_000
BATCH = 1_000
START = datetime(2026, 11, 20, tzinfo=UTC)
SINGLE = """
title: Regla {number}
id: single-{number}
logsource: {{category: bench}}
detection:
  sel: {{kind: {number}}}
  condition: sel
"""
CORRELATION = """
title: Correlación {number}
id: correlation-{number}
correlation:
  type: {kind}
  rules: [{rules}]
  group-by: [source.ip]
  timespan: 10m
  {condition}
"""
# The mix: types as a centre would have them, most of them counts. (type, rules, condition)
MIX = (
    *[("event_count", 1, "condition: {gte: 20}")] * 5,
    *[("value_count", 1, "condition: {field: user.name, gte: 8}")] * 2,
    ("temporal", 2, ""),
    ("temporal_ordered", 2, ""),
    ("value_sum", 1, "condition: {field: network.bytes, gte: 100000}"),
    ("value_percentile", 1, "condition: {field: network.bytes, percentile: 95, gte: 9900}"),
    ("event_count", 1, "condition: {lt: 2}"),
    ("absence", 2, ""),
)


def rule_set() -> RuleSet:
    """A thousand correlations, each over rules of its own."""
    parts, single = [], 0
    for number in range(RULES):
        kind, count, condition = MIX[number % len(MIX)]
        names = [f"single-{single + n}" for n in range(count)]
        parts += [SINGLE.format(number=single + n) for n in range(count)]
        single += count
        rules = ", ".join(names)
        parts.append(CORRELATION.format(number=number, kind=kind, rules=rules, condition=condition))
    documents = parse_documents("---".join(parts), "<bench>")
    found = compile_rules(documents)
    assert not found.rejected, found.rejected[:3]
    return found


def matches(rules: RuleSet, count: int, first: int, chance: random.Random) -> Iterator[Match]:
    """Events two milliseconds apart, a few out of order, each matching one rule."""
    for number in range(first, first + count):
        late = chance.randint(1, 60_000) if chance.random() < 0.02 else 0
        at = START + timedelta(milliseconds=2 * number - late)
        seen = Event(
            id=ids.event_id("bench", "1", number),
            at=at,
            received_at=at,
            source="bench",
            logsource=LogSource(category="bench"),
            fields={},
            ecs={
                "source.ip": f"10.0.{chance.randrange(KEYS)}.1",
                "user.name": f"user{chance.randrange(50)}",
                "network.bytes": chance.randrange(10_000),
            },
            original="",
        )
        yield Match(chance.choice(rules.single), seen, ())


def batches(found: Sequence[Match]) -> Iterator[Sequence[Match]]:
    """The matches in batches as the pipeline takes them."""
    for start in range(0, len(found), BATCH):
        yield found[start : start + BATCH]


def bench() -> list[Figure]:
    """In memory, then the same state through SQLite."""
    rules, chance = rule_set(), random.Random(5)
    examiner = Examiner(rules)
    windows: dict[WindowKey, Window] = {}
    before = list(matches(rules, 4 * EVENTS, 0, chance))  # until nearly all keys are alive
    for batch in batches(before):
        examiner.follow(batch, windows)
    live = len(windows)
    after = list(matches(rules, EVENTS, 4 * EVENTS, chance))
    memory, alerts = Watch(), 0
    with memory.running():
        for batch in batches(after):
            alerts += len(examiner.follow(batch, windows).alerts)
    held = sum(len(window.hits) for window in windows.values())
    return [
        Figure("correlation rules", len(rules.correlations), "rules"),
        Figure("live keys", live, "keys", f"{held / live:.1f} events held by each"),
        Figure("gather and examine in memory", EVENTS / memory.cpu_seconds, "events/s",
               f"{1e6 * memory.cpu_seconds / EVENTS:.1f} µs/event, {alerts} alerts told"),
        *_through_data_base(rules, before[-2 * EVENTS :], after),
    ]  # fmt: skip


def _through_data_base(
    rules: RuleSet, before: Sequence[Match], after: Sequence[Match]
) -> list[Figure]:
    examiner = Examiner(rules)
    counts: Counter[str] = Counter()
    loading, saving, whole = Watch(), Watch(), Watch()
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        database = Database(f"sqlite:///{Path(name) / 'record.sqlite'}")
        Table.metadata.create_all(database.engine)
        for batch in batches(before):
            _one(database, examiner, batch, Watch(), Watch())

        def count(_c: Any, _k: Any, text: str, many: Any, _x: Any, is_many: bool) -> None:
            verb = text.split(maxsplit=1)[0]
            counts[verb] += len(many) if is_many else 1

        database_events.listen(database.engine, "before_cursor_execute", count)
        for batch in batches(after):
            begun = whole.seconds
            with whole.running():
                read, written = _one(database, examiner, batch, loading, saving)
            counts["read"] += read
            counts["written"] += written
            taken.append(1_000 * (whole.seconds - begun))
        database.close()
    rounds = len(taken)
    return [
        Figure("the same through SQLite, committed", EVENTS / whole.seconds, "events/s"),
        Figure(f"a batch of {BATCH}: median", percentile(taken, 0.5), "ms"),
        Figure("a batch: slowest of twenty", percentile(taken, 0.95), "ms"),
        Figure("rows read in a batch", counts["read"] / rounds, "rows",
               f"{1_000 * loading.seconds / rounds:.1f} ms in {counts['SELECT'] / rounds:.1f} "
               "queries"),
        Figure("rows written in a batch", counts["written"] / rounds, "rows",
               f"{1_000 * saving.seconds / rounds:.1f} ms"),
    ]  # fmt: skip


def _one(
    database: Database, examiner: Examiner, batch: Sequence[Match], loading: Watch, saving: Watch
) -> tuple[int, int]:
    with database.transaction() as session:
        gathered = examiner.gather(batch)
        with loading.running():
            windows = load_windows(session, examiner.keys_of(gathered))
        read = len(windows)
        examined = examiner.examine(batch, windows, gathered)
        with saving.running():
            save_windows(session, examined.windows, now=START, keep_seconds=examiner.keep_seconds)
    return read, len(examined.windows)
