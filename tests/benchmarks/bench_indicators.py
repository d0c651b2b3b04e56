"""What a million indicators cost: memory, loading, and each value that is looked up."""

import ipaddress
import random
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cgii.base.settings import load
from cgii.centre import build
from cgii.detect.indicator_files import Line
from cgii.detect.indicator_lists import ListForm, Taken, close_list, open_list, take_lines
from cgii.detect.indicator_rows import load_indicators
from cgii.detect.indicators import IndicatorTable
from tests.benchmarks.figures import Figure, Watch

LISTED, LOOKED_UP = 1_000_000, 100_000
SHARES = {"ip": 0.4, "domain": 0.3, "hash": 0.2, "url": 0.09, "cidr": 0.01}


def _value(chance: random.Random, kind: str) -> str:
    number = chance.getrandbits(32)
    if kind == "ip":
        return str(ipaddress.IPv4Address(number))
    if kind == "cidr":
        size = chance.choice((16, 20, 22, 24, 28))
        return str(ipaddress.ip_network((number, size), strict=False))
    if kind == "domain":
        return f"{number:x}.malo{number % 999}.example"
    if kind == "url":
        return f"http://h{number:x}.example/{chance.getrandbits(50):x}"
    return f"{chance.getrandbits(256):064x}"


def _listed(count: int) -> Iterator[tuple[str, str]]:
    chance = random.Random(11)
    for kind, share in SHARES.items():
        for _ in range(int(count * share)):
            yield kind, _value(chance, kind)


@dataclass(frozen=True)
class _Cost:
    table: IndicatorTable
    megabytes: float


def _memory() -> float:
    """Megabytes that this process holds now."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS in /proc/self/status")


def _table() -> _Cost:
    before = _memory()
    table = IndicatorTable(_listed(LISTED))
    return _Cost(table, _memory() - before)


def bench() -> list[Figure]:
    """The figures of one run."""
    cost, chance = _table(), random.Random(12)
    figures = [Figure(f"memory for {LISTED:,} indicators", cost.megabytes, "MB")]
    whole = Watch()
    for kind in ("ip", "domain", "hash", "url"):
        values, watch = [_value(chance, kind) for _ in range(LOOKED_UP)], Watch()
        with watch.running():
            for value in values:
                cost.table.find(kind, value)
        whole.cpu_seconds += watch.cpu_seconds
        figures.append(Figure(f"look up a {kind}", 1e6 * watch.cpu_seconds / LOOKED_UP, "µs/value"))
    figures.append(
        Figure("look up a value, all kinds alike", 1e6 * whole.cpu_seconds / 4 / LOOKED_UP,
               "µs/value", "to reach: 3")
    )  # fmt: skip
    plain, baseline = set(values), Watch()
    with baseline.running():
        for value in values:
            value.lower() in plain  # noqa: B015 - only its time counts
    figures.append(
        Figure("a plain set of texts", 1e6 * baseline.cpu_seconds / LOOKED_UP, "µs/value")
    )
    return figures + _record()


def _record() -> list[Figure]:
    """Taking a list into the record, and building the tables from it."""
    count, taking, loading = 100_000, Watch(), Watch()
    with tempfile.TemporaryDirectory() as folder:
        centre = build(load(data=Path(folder)))
        lines = [Line(n, value, kind) for n, (kind, value) in enumerate(_listed(count))]
        with centre.database.transaction() as session, taking.running():
            act, taken = centre.act(session), Taken()
            target = open_list(act, ListForm("bench"))
            take_lines(act, target, lines, taken=taken, warned=IndicatorTable())
            close_list(act, target, taken)
        with centre.database.reading() as session, loading.running():
            load_indicators(session, now=centre.clock() + timedelta(seconds=1))
        centre.close()
    return [
        Figure("take into the record", count / taking.cpu_seconds, "values/s"),
        Figure("load from the record", count / loading.cpu_seconds, "values/s"),
    ]
