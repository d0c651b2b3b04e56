"""One entity that floods the centre waits; the others are answered as if it were not there."""

import json
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from cgii.base import limits
from tests.integration.ledgers import failed_login
from tests.process import RunningCentre

PACE = 200  # records per second, so that the flood has spent its credit soon
FLOODERS, FLOOD_BATCH = 6, 500
TRIES, MEASURED, BATCH = 5, 30, 10
PAUSE_SECONDS = 0.08  # the others stay within their own pace
SLOWDOWN_MAX = 1.2


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCentre]:
    centre = RunningCentre(tmp_path / "data", ingest_records_per_second=str(PACE))
    yield centre
    centre.kill()


class Sensor:
    """Sends batches one after the other; `answers` counts what it was told."""

    def __init__(self, centre: RunningCentre, entity: str, number: int) -> None:
        token = centre.command("sensor", "add", f"sensor {number}", "--entity", entity, "--token")
        self._centre, self._bearer, self._number = centre, f"Bearer {token}", number
        self._lock = threading.Lock()
        self._seq = 0
        self.answers: Counter[int] = Counter()

    def send(self, size: int) -> float:
        """One batch; the seconds until its answer."""
        with self._lock:
            begin, self._seq = self._seq, self._seq + size
        host, network = f"srv{self._number}", f"203.0.{self._number}"
        lines = [failed_login(n, host=host, network=network) for n in range(begin, begin + size)]
        body = {"source": "linux_auth", "epoch": "e", "seq": begin, "records": lines}
        request = urllib.request.Request(
            f"{self._centre.url}/api/v1/ingest",
            json.dumps(body).encode(),
            {"Authorization": self._bearer},
        )
        begun = time.monotonic()
        try:
            with urllib.request.urlopen(request, timeout=240) as answer:
                status = int(answer.status)
        except urllib.error.HTTPError as error:
            status = error.code
            wait = error.headers["Retry-After"]
        else:
            wait = "0"
        assert int(wait) <= limits.INGEST_RETRY_SECONDS_MAX
        with self._lock:
            self.answers[status] += 1
        return time.monotonic() - begun


def test_a_flood_costs_the_others_a_fifth_of_their_time_at_most(running: RunningCentre) -> None:
    kind = ("--kind", "ministry", "--level", "central")
    for code, acronym in (("0001", "MA"), ("0002", "MB")):
        running.command("entity", "add", code, acronym, f"Ministerio {acronym}", *kind)
    flood, other = Sensor(running, "MA", 1), Sensor(running, "MB", 2)
    running.start()
    other.send(BATCH)
    for _ in range(2 * PACE * limits.INGEST_BURST_SECONDS // FLOOD_BATCH):  # its credit is spent
        flood.send(FLOOD_BATCH)
        other.send(1)
    assert flood.answers[429]
    stop = threading.Event()
    ratios = []
    for _ in range(TRIES):
        alone = _usual_seconds(other)
        threads = [threading.Thread(target=_flood, args=(flood, stop)) for _ in range(FLOODERS)]
        for thread in threads:
            thread.start()
        beside = _usual_seconds(other)
        stop.set()
        for thread in threads:
            thread.join()
        stop.clear()
        ratios.append(beside / alone)
        print(f"alone {alone * 1000:.0f} ms, beside a flood {beside * 1000:.0f} ms")
        if ratios[-1] <= SLOWDOWN_MAX:
            break
    print(f"flood was told {dict(flood.answers)}, the other {dict(other.answers)}")
    assert set(other.answers) == {200}
    assert set(flood.answers) == {200, 429}
    assert min(ratios) <= SLOWDOWN_MAX


def _usual_seconds(sensor: Sensor) -> float:
    seconds = []
    for _ in range(MEASURED):
        time.sleep(PAUSE_SECONDS)
        seconds.append(sensor.send(BATCH))
    return median(seconds)


def _flood(sensor: Sensor, stop: threading.Event) -> None:
    """Send on and on, whatever one is told."""
    while not stop.wait(0.05):
        sensor.send(FLOOD_BATCH)
