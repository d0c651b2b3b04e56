"""How figures are shown and kept: a table on the screen, one JSON file per benchmark."""

import json
import os
import platform
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ARTIFACTS = Path(os.environ.get("CGII_ARTIFACTS", Path(__file__).parents[2] / "artifacts"))


@dataclass(frozen=True)
class Figure:
    """One line of a table: what, how much, against what it stands, and the goal if it has one."""

    name: str
    value: float
    unit: str
    note: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_missed(self) -> bool:
        """Whether it has a goal that it does not reach."""
        is_more = self.at_most is not None and not self.value <= self.at_most
        return is_more or (self.at_least is not None and not self.value >= self.at_least)

    @property
    def verdict(self) -> str:
        """What its note and its goal say."""
        said = [self.note] if self.note else []
        for words, goal in (("at most", self.at_most), ("at least", self.at_least)):
            if goal is not None:
                said.append(f"{'GOAL MISSED' if self.is_missed else 'goal'}: {words} {goal:,g}")
        return "; ".join(said)


@dataclass
class Watch:
    """Seconds that passed, and seconds that this process was at work."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what passes inside."""
        wall, cpu = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - wall
            self.cpu_seconds += time.process_time() - cpu


def machine() -> str:
    """What the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        named = [row for row in cpuinfo.read_text().splitlines() if row.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    return (
        f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, "
        f"a plain loop {turns() / 1e6:.0f} million turns/s, load {os.getloadavg()[0]:.1f}"
    )


def turns() -> float:
    """Turns per second of a plain loop: by it figures of two machines, or two Pythons, compare."""
    taken = []
    for _ in range(5):
        begun, total = time.perf_counter(), 0
        for one in range(200_000):
            total += one
        taken.append(time.perf_counter() - begun)
    return 200_000 / min(taken)


def show(title: str, figures: Sequence[Figure]) -> None:
    """Print the table and keep it as JSON."""
    print(f"\n{title}\n{machine()}")
    for one in figures:
        value = f"{one.value:,.0f}" if abs(one.value) >= 100 else f"{one.value:,.2f}"
        print(f"  {one.name:<52} {value:>10} {one.unit:<12} {one.verdict}")
    missed = [one.name for one in figures if one.is_missed]
    if missed:
        print(f"  GOALS MISSED: {', '.join(missed)}")
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    slug = title.partition(":")[0].strip().lower().replace(" ", "-")
    kept = {"title": title, "machine": machine(), "figures": [asdict(one) for one in figures]}
    (ARTIFACTS / f"bench-{slug}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False))


def plain_insert(batches: Sequence[Sequence[bytes]], path: Path) -> Watch:
    """Store the same lines as text in one table, as durably, in the same batches."""
    watch = Watch()
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE line (number INTEGER PRIMARY KEY, text TEXT)")
    with watch.running():
        for lines in batches:
            db.execute("BEGIN IMMEDIATE")
            rows = [(line.decode(),) for line in lines]
            db.executemany("INSERT INTO line (text) VALUES (?)", rows)
            db.execute("COMMIT")
    db.close()
    return watch


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def milliseconds(action: Callable[[], object], times: int) -> list[float]:
    """How long each run takes."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        action()
        taken.append(1_000 * (time.perf_counter() - begun))
    return taken
