"""Ingest by two processes over PostgreSQL and Elasticsearch, against one process over files.

`CGII_BENCH_SCALED_LINES` says how many lines each takes. All run on this machine, the servers and
who sends too: what a core of the centre's processes does is what carries over to other machines.
"""

import os
import secrets
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from tests import servers
from tests.benchmarks.bench_pipeline import build, traffic
from tests.benchmarks.figures import Figure
from tests.process import processor_seconds
from tests.scaled import SERVES, ScaledSet

LINES = int(os.environ.get("CGII_BENCH_SCALED_LINES", "20000"))
SENDERS = 4  # two for each of two processes, so that one waits while the other is answered
PATIENCE_SECONDS = 240
COME_AGAIN = (429, 503)


@dataclass(frozen=True)
class Run:
    """Lines acknowledged, in how many seconds, and seconds of the processor of the centre."""

    lines: int
    seconds: float
    processor: float


def bench(count: int = LINES) -> list[Figure]:
    """Lines per second of both, and per second of the processor of the centre's processes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bodies = _bodies(folder / "traffic", count)
        alone = _run(ScaledSet(_made(folder / "alone")), SERVES[:1], bodies)
        with (
            servers.postgres() as postgres,
            servers.fresh_database(postgres.url) as database,
            servers.elasticsearch() as elastic,
        ):
            events = f"{elastic.url}/t{secrets.token_hex(6)}"
            shared = ScaledSet(_made(folder / "shared"), database=database, events=events)
            both = _run(shared, SERVES, bodies)
            servers.drop_indices(events)
            servers.drop_templates(events)
    ratio = (both.lines / both.seconds) / (alone.lines / alone.seconds)
    core = (both.lines / both.processor) / (alone.lines / alone.processor)
    return [
        Figure("one process over files", alone.lines / alone.seconds, "events/s",
               f"{alone.lines} lines in {len(bodies)} batches, sent over HTTP"),
        Figure("the same per second of its processor", alone.lines / alone.processor, "events/s"),
        Figure("two processes over both servers", both.lines / both.seconds, "events/s",
               f"{ratio:.2f} of one over files, with both servers on the same cores"),
        Figure("the same per second of their processor", both.lines / both.processor, "events/s",
               f"{core:.2f} of one over files"),
    ]  # fmt: skip


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder / "data"


def _bodies(folder: Path, count: int) -> list[bytes]:
    """Batches of the demonstration's logs, ready to be sent."""
    centre, places = build(folder)
    centre.close()
    return [
        orjson.dumps({
            "source": origin.source, "epoch": f"e{number}", "seq": raws[0].seq,
            "records": [bytes(raw.data).decode() for raw in raws],
        })
        for number, (origin, raws) in enumerate(traffic(count, places))
    ]  # fmt: skip


def _run(centre: ScaledSet, names: Sequence[str], bodies: Sequence[bytes]) -> Run:
    """Start these processes, send them everything, and kill them."""
    tokens = [centre.command("sensor", "add", f"s{n}", "--token") for n in range(SENDERS)]
    parts = [centre.parts[name] for name in names]
    try:
        for part in parts:
            part.start()
        for part in parts:
            part.wait()
        senders = [
            Sender(parts[n % len(parts)].url, token, bodies[n::SENDERS])
            for n, token in enumerate(tokens)
        ]
        for sender in senders:  # each process has taken something, and no index is made any more
            sender.deliver(sender.bodies[0])
            sender.lines = 0
        before = sum(processor_seconds(part.pid) for part in parts)
        begun = time.monotonic()
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        seconds = time.monotonic() - begun
        processor = sum(processor_seconds(part.pid) for part in parts) - before
    finally:
        centre.kill()
    assert all(sender.is_done for sender in senders)
    return Run(sum(sender.lines for sender in senders), seconds, processor)


class Sender(threading.Thread):
    """Sends its batches one after the other, each until it is acknowledged."""

    def __init__(self, url: str, token: str, bodies: Sequence[bytes]) -> None:
        super().__init__(daemon=True)
        self.bodies = bodies
        self.lines = 0  # acknowledged
        self.is_done = False
        self._address, self._bearer = f"{url}/api/v1/ingest", f"Bearer {token}"

    def run(self) -> None:
        """All but the first, which warmed the process."""
        for body in self.bodies[1:]:
            self.deliver(body)
        self.is_done = True

    def deliver(self, body: bytes) -> None:
        """Send a batch until its answer; who is told to come again does so soon."""
        request = urllib.request.Request(self._address, body, {"Authorization": self._bearer})
        while True:
            try:
                with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                    told = orjson.loads(answer.read())
            except urllib.error.HTTPError as error:
                if error.code not in COME_AGAIN:
                    raise
                time.sleep(0.05)
                continue
            self.lines += told["events"] + told["rejects"]
            return
