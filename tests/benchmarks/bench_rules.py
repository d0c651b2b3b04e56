"""All public Windows rules on Windows events: raw lines to grouped alerts, against orjson alone.

Witnesses are chosen by other events than those that are measured: plans learn on the lines with
even numbers, what is measured are lines with odd ones, or events made of them.
"""

import gzip
import random
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from cgii.collect.definition import load_definitions
from cgii.detect.detector import Detector
from cgii.detect.rule_cache import RuleCache
from cgii.detect.ruleset import RuleSet, load_rules
from cgii.model.event import Origin, Raw
from cgii.sift import Sieve
from tests.benchmarks.figures import Figure
from tests.public_rules import EVENTS, unpacked

ORIGIN = Origin("windows_events", "file:bench", "1")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
DEFINITIONS = load_definitions()
BATCH = 500
RUNS = 3
BAR = 40  # characters of the longest one
# What tells the class of an event or its time; all else may have values never seen before.
KEPT = ("Channel", "Provider_Name", "SourceName", "@timestamp", "EventTime", "EventReceivedTime")
NUMBERS = re.compile(r"[0-9]{3,}")
Line = bytes


def lines() -> list[Line]:
    """The public events."""
    with gzip.open(EVENTS) as file:
        return [line.rstrip() for line in file if line.strip()]


def of_windows(rules: RuleSet) -> RuleSet:
    """The rules about Windows."""
    single = tuple(rule for rule in rules.single if rule.logsource.product == "windows")
    return replace(rules, single=single, correlations=())


@dataclass
class Run:
    """One way from raw lines to alerts, and the same lines through orjson alone, in turns."""

    sieve: Sieve
    detector: Detector
    seconds: float = 0.0
    orjson_seconds: float = 0.0
    events: int = 0
    alerts: int = 0

    def over(self, found: Iterable[Line]) -> None:
        """Take all lines; making them is not measured."""
        numbers = iter(found)
        groups: dict[Any, int] = {}
        while batch := list(islice(numbers, BATCH)):
            begun = time.process_time()
            for line in batch:
                orjson.loads(line)
            middle = time.process_time()
            raws = [Raw(number, line) for number, line in enumerate(batch)]
            sifted = self.sieve.sift(ORIGIN, raws, received_at=NOW)
            for alert in self.detector.examine(sifted.matches, {}).alerts:
                groups[alert.rule_id, alert.key] = groups.get((alert.rule_id, alert.key), 0) + 1
            self.seconds += time.process_time() - middle
            self.orjson_seconds += middle - begun
            self.events += sifted.events
            self.alerts += len(sifted.matches)
        assert sum(groups.values()) == self.alerts

    @property
    def ratio(self) -> float:
        """The share of orjson's rate."""
        return self.orjson_seconds / self.seconds


class Bench:
    """One rule set whose plans have learnt from the even lines."""

    def __init__(self, rules: RuleSet, learnt_from: Sequence[Line]) -> None:
        self.detector = Detector(rules)
        self.sieve = Sieve(ORIGIN.source, DEFINITIONS, self.detector)
        for _ in range(2):
            self.run(learnt_from)

    def run(self, found: Iterable[Line]) -> Run:
        """One pass."""
        run = Run(self.sieve, self.detector)
        run.over(found)
        return run

    def median(self, make: Callable[[int], Iterable[Line]]) -> Run:
        """The pass with the middle ratio of a few; `make` gets the number of the pass."""
        return statistics.median_low([_Ranked(self.run(make(n))) for n in range(RUNS)]).run


@dataclass(order=False)
class _Ranked:
    run: Run

    def __lt__(self, other: "_Ranked") -> bool:
        return self.run.ratio < other.run.ratio


def repeated(found: Sequence[Line], count: int, seed: int = 1) -> Iterator[Line]:
    """So many events like these: other processes, threads, sessions, records and times."""
    chance = random.Random(seed)
    for number in range(count):
        event = orjson.loads(found[number % len(found)])
        for name, value in event.items():
            if "uid" in name.lower() and type(value) is str:
                event[name] = NUMBERS.sub(lambda hit: str(chance.randrange(10**6)), value)
        event["RecordNumber"] = number
        for name in ("ProcessId", "ThreadID", "ExecutionProcessID", "LogonId", "SourceProcessId"):
            if name in event:
                event[name] = str(chance.randrange(99_999))
        yield orjson.dumps(event)


def renewed(found: Sequence[Line], count: int, seed: int = 2) -> Iterator[Line]:
    """So many events of which no text was seen before: each gets a number into its middle."""
    chance = random.Random(seed)
    for number in range(count):
        event = orjson.loads(found[number % len(found)])
        for name, value in event.items():
            if type(value) is str and name not in KEPT:
                half = len(value) // 2
                event[name] = f"{value[:half]}{chance.randrange(10**9)}{value[half:]}"
        yield orjson.dumps(event)


def process_creation(found: Sequence[Line]) -> list[Line]:
    """Those of them that tell of a new process."""
    return [
        line for line in found
        if (event := orjson.loads(line))["EventID"] == 4688
        or (event["EventID"] == 1 and "Sysmon" in event["Channel"])
    ]  # fmt: skip


def bench(count: int = 200_000) -> list[Figure]:
    """The speed of matching, and what it is against orjson alone."""
    with tempfile.TemporaryDirectory() as folder:
        rules = of_windows(load_rules(extra=[unpacked(Path(folder))], builtin=False))
    known = lines()
    even, odd = known[::2], known[1::2]
    new = Bench(rules, even)
    figures = [Figure("rules about Windows", len(rules.single), "rules")]

    def add(name: str, run: Run, goal: float, stretch: float) -> None:
        note = f"{run.ratio:.3f} of orjson's {run.events / run.orjson_seconds:,.0f}; goal "
        note += f"{goal:.3f}, stretch {stretch:.2f}; {run.alerts} alerts"
        figures.append(Figure(name, run.events / run.seconds, "events/s", note))
        assert run.ratio > goal / 4, f"{name}: {note}"

    add("the public events", new.median(lambda number: odd), 0.25, 0.4)
    add(f"{count:,} such events", new.run(repeated(odd, count)), 0.25, 0.4)
    started = process_creation(odd)
    teacher = repeated(process_creation(even), 20_000, seed=3)
    new.run(teacher)
    of_processes = new.median(lambda number: repeated(started, 20_000, seed=10 + number))
    add("process creation alone", of_processes, 0.125, 0.2)
    never_seen = new.median(lambda number: renewed(odd, 20_000, seed=20 + number))
    add("every value new", never_seen, 1 / 12, 0.125)
    figures += bench_memory()
    return figures


def bench_sizes(sizes: Sequence[int] = (100, 500, 1_000, 2_000, 3_750)) -> list[Figure]:
    """Events per second by the number of rules, as bars."""
    with tempfile.TemporaryDirectory() as folder:
        rules = load_rules(extra=[unpacked(Path(folder))], builtin=False)
    known = lines()
    even, odd = known[::4], known[1::4]
    order = list(rules.single)
    random.Random(4).shuffle(order)
    rates = []
    for size in sizes:
        part = replace(rules, single=tuple(order[:size]), correlations=())
        run = Bench(part, even).median(lambda number: odd)
        rates.append((len(part.single), run))
    most = max(run.events / run.seconds for _, run in rates)
    return [
        Figure(f"{size:,} rules", run.events / run.seconds, "events/s",
               "#" * round(BAR * run.events / run.seconds / most) + f" {run.ratio:.3f}")
        for size, run in rates
    ]  # fmt: skip


def bench_loading() -> list[Figure]:
    """Reading all public rules for the first time, again, and after one of a thousand changed."""
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder, kept = unpacked(Path(name, "rules")), Path(name, "cache")

        def load(note: str, cache: RuleCache, most: float) -> RuleSet:
            begun, waited = time.process_time(), time.perf_counter()
            found = load_rules(extra=[folder], builtin=False, cache=cache)
            seconds, waited = time.process_time() - begun, time.perf_counter() - waited
            told = f"{note}; {waited:.2f} s passed, {len(found.rejected)} refused"
            figures.append(Figure(f"{len(found.single):,} rules", seconds, "s", told))
            assert seconds <= most
            return found

        load("cold", RuleCache(kept), 10)
        cache = RuleCache(kept)
        load("warm: a new process with the cache", cache, 2)
        figures.append(_reload(folder, cache))
    return figures


def _reload(folder: Path, cache: RuleCache) -> Figure:
    files = sorted(folder.rglob("*.yml"))[:1_000]
    old = Detector(load_rules(extra=files, builtin=False, cache=cache))
    sieve = Sieve(ORIGIN.source, DEFINITIONS, old)
    raws = [Raw(number, line) for number, line in enumerate(lines()[:2_000])]
    sieve.sift(ORIGIN, raws, received_at=NOW)
    files[0].write_text(files[0].read_text() + "\n")
    begun = time.process_time()
    new = Detector(load_rules(extra=files, builtin=False, cache=cache))
    new.rehearse(old)
    seconds = time.process_time() - begun
    return Figure("1,000 rules, one changed", seconds, "s", "in the background; plans made anew")


def bench_memory() -> list[Figure]:
    """The resident memory of a process that has all public rules and read all public events."""
    command = [sys.executable, "-m", "tests.benchmarks.bench_rules"]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    size = int(found.stdout.split()[-1])
    assert size <= 400
    return [Figure("memory with all 3,750 rules", size, "MB", "goal 400, stretch 250")]


def _one_process() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rules = load_rules(extra=[unpacked(Path(folder))], builtin=False)
    detector = Detector(rules)
    sieve = Sieve(ORIGIN.source, DEFINITIONS, detector)
    with gzip.open(EVENTS) as file:
        numbers = enumerate(file)
        while batch := [Raw(number, line) for number, line in islice(numbers, BATCH)]:
            sieve.sift(ORIGIN, batch, received_at=NOW)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)


if __name__ == "__main__":
    _one_process()
