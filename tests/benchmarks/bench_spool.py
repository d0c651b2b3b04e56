"""The sensor's queue: records to disk and out again, against plain writes of the same bytes."""

import os
import tempfile
import time
from pathlib import Path

from cgii.collect.buffer import Batch
from cgii.collect.send import pack
from cgii.collect.spool import Spool
from cgii.model.event import Origin, Raw
from tests.benchmarks.figures import Figure

BATCHES, RECORDS = 100, 1_000
ORIGIN = Origin("linux_auth", "syslog:udp:bench/linux_auth", "1")
LINE = (
    "<38>Nov 20 10:00:00 srv sshd[{n}]: Failed password for root from 203.0.113.{m} port {n} ssh2"
)


def bench() -> list[Figure]:
    """Packing, appending with fsync, taking out; and the same bytes into one file, with fsync."""
    total = BATCHES * RECORDS
    batches = [
        Batch(
            ORIGIN, [Raw(n, LINE.format(n=n, m=n % 250).encode()) for n in range(at, at + RECORDS)]
        )
        for at in range(0, total, RECORDS)
    ]
    begun = time.perf_counter()
    bodies = [pack(batch) for batch in batches]
    packing = time.perf_counter() - begun
    with tempfile.TemporaryDirectory() as name:
        begun = time.perf_counter()
        with Path(name, "plain").open("wb", buffering=0) as file:
            for body in bodies:
                file.write(body)
                os.fsync(file.fileno())
        plain = time.perf_counter() - begun
        spool = Spool(Path(name, "spool"))
        begun = time.perf_counter()
        for body in bodies:
            spool.append(body, RECORDS)
        appending = time.perf_counter() - begun
        begun = time.perf_counter()
        while (entry := spool.peek()) is not None:
            spool.done(entry)
        taking = time.perf_counter() - begun
        spool.close()
    size = sum(map(len, bodies)) / total
    return [
        Figure("packing", total / packing, "records/s", f"{size:.0f} bytes each, packed"),
        Figure("appending, on disk", total / appending, "records/s",
               f"{plain / appending:.2f} of plain writes with fsync"),
        Figure("taking out", total / taking, "records/s"),
    ]  # fmt: skip
