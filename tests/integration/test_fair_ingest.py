"""One entity that floods the centre waits; the others are answered as if it were not there.

How long their batches take is measured by tests/benchmarks/bench_fair.py, not judged here.
"""

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from cgii.base import limits
from tests.integration.ledgers import failed_login
from tests.process import RunningCentre
from tests.waiting import PATIENCE_SECONDS, until

PACE = 20  # records per second: a batch of the flood is far past it, however slow the machine
FLOODERS, FLOOD_BATCH = 6, 500
BATCHES, BATCH = 30, 10  # of the other, together within what it may send at once


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCentre]:
    centre = RunningCentre(tmp_path / "data", ingest_records_per_second=str(PACE))
    yield centre
    centre.kill()


class Sensor:
    """Sends batches one after the other; `answers` counts what it was told."""

    def __init__(self, centre: RunningCentre, entity: str, number: int) -> None:
        token = centre.command("sensor", "add", f"sensor {number}", "--entity", entity, "--token")
        self._centre, self.bearer, self._number = centre, f"Bearer {token}", number
        self._lock = threading.Lock()
        self._seq = 0
        self.answers: Counter[int] = Counter()

    def send(self, size: int) -> None:
        """One batch, until its answer."""
        with self._lock:
            begin, self._seq = self._seq, self._seq + size
        host, network = f"srv{self._number}", f"203.0.{self._number}"
        lines = [failed_login(n, host=host, network=network) for n in range(begin, begin + size)]
        body = {"source": "linux_auth", "epoch": "e", "seq": begin, "records": lines}
        request = urllib.request.Request(
            f"{self._centre.url}/api/v1/ingest",
            json.dumps(body).encode(),
            {"Authorization": self.bearer},
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
                status, wait = int(answer.status), "0"
        except urllib.error.HTTPError as error:
            status, wait = error.code, error.headers["Retry-After"]
        assert int(wait) <= limits.INGEST_RETRY_SECONDS_MAX
        with self._lock:
            self.answers[status] += 1


class Flood:
    """While it is entered, many threads send on and on, whatever they are told."""

    def __init__(self, sensor: Sensor) -> None:
        self._stop = threading.Event()
        self._sensor = sensor
        self._threads = [threading.Thread(target=self._send) for _ in range(FLOODERS)]

    def __enter__(self) -> "Flood":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _send(self) -> None:
        while not self._stop.wait(0.05):
            self._sensor.send(FLOOD_BATCH)


def two_entities(centre: RunningCentre) -> tuple[Sensor, Sensor]:
    """A sensor of the one that floods, and one of the other."""
    kind = ("--kind", "ministry", "--level", "central")
    for code, acronym in (("0001", "MA"), ("0002", "MB")):
        centre.command("entity", "add", code, acronym, f"Ministerio {acronym}", *kind)
    return Sensor(centre, "MA", 1), Sensor(centre, "MB", 2)


def spend_credit(flood: Sensor, other: Sensor) -> None:
    """Send until the flood is told to wait, while the other is heard too."""

    def is_told_to_wait() -> bool:
        other.send(1)
        flood.send(FLOOD_BATCH)
        return flood.answers[429] > 0

    until(is_told_to_wait, "the flood has spent its credit")


def test_a_flood_is_told_to_wait_and_the_others_never_are(running: RunningCentre) -> None:
    flood, other = two_entities(running)
    running.start()
    spend_credit(flood, other)
    with Flood(flood):
        for _ in range(BATCHES):
            other.send(BATCH)
    print(f"flood was told {dict(flood.answers)}, the other {dict(other.answers)}")
    assert set(other.answers) == {200}
    assert set(flood.answers) == {200, 429}
    assert postponed(running) == flood.answers[429]  # also those that were not looked at


def postponed(running: RunningCentre) -> float:
    """Batches that were past the pace, by the centre's own count."""
    with urllib.request.urlopen(f"{running.url}/metrics", timeout=PATIENCE_SECONDS) as answer:
        lines = answer.read().decode().splitlines()
    name = 'cgii_batches_postponed_total{reason="pace"} '
    return float(next(line for line in lines if line.startswith(name)).removeprefix(name))
