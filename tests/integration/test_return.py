"""After an outage hundreds of sensors return at once: all deliver, once, and there is no storm."""

import threading
import time
from collections import Counter
from pathlib import Path
from typing import ClassVar

import httpx2
from sqlalchemy import func, select

from cgii.base.settings import Settings
from cgii.centre import Centre
from cgii.collect.buffer import Batch as Gathered
from cgii.collect.drain import Drain
from cgii.collect.send import Sender, by_token, pack
from cgii.collect.spool import Spool
from cgii.model.event import Origin, Raw
from cgii.model.records import Batch
from cgii.store.events import EventQuery
from cgii.store.sensors import enrol_sensor
from tests.integration.ledgers import failed_login
from tests.process import RunningCentre

SENSORS, BATCHES, LINES = 300, 3, 10
PATIENCE_SECONDS = 480  # for what is to happen at all, on a machine as busy as may be


class Line(httpx2.HTTPTransport):
    """The way to the centre; counts what comes back from it over all sensors."""

    answers: ClassVar[Counter[int]] = Counter()
    lock: ClassVar = threading.Lock()

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = super().handle_request(request)
        with self.lock:
            self.answers[answer.status_code] += 1
        return answer


def spooled(folder: Path, number: int) -> Spool:
    """A sensor's queue with the same number of batches in each."""
    spool = Spool(folder / str(number))
    origin = Origin("linux_auth", "file:/var/log/auth.log", "e1")
    for seq in range(0, BATCHES * LINES, LINES):
        raws = [
            Raw(n, failed_login(n, host=f"srv{number}", network=f"10.{number}.1").encode())
            for n in range(seq, seq + LINES)
        ]
        spool.append(pack(Gathered(origin, raws)), LINES)
    return spool


def test_three_hundred_sensors_that_return_at_once_are_all_served(
    running: RunningCentre, tmp_path: Path
) -> None:
    running.start()
    empty = running.processor_seconds("serve")
    centre = Centre(Settings(data=running.data))
    with centre.database.transaction() as session:
        act = centre.act(session)
        tokens = [enrol_sensor(act, f"sensor {n}", None)[1] for n in range(SENSORS)]
    running.kill()
    spools = [spooled(tmp_path / "spools", number) for number in range(SENSORS)]
    Line.answers.clear()
    # Without TLS none needs certificates of its own, which take longer to read than all is sent.
    senders = [
        Sender(running.url, by_token(token), transport=Line(verify=False)) for token in tokens
    ]
    drains = [Drain(*pair) for pair in zip(spools, senders, strict=True)]
    for drain in drains:
        drain.start()  # nobody answers yet
    running.start()
    begun = time.monotonic()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while left := sum(spool.records for spool in spools):
        assert time.monotonic() < deadline, f"{left} records are still with the sensors"
        time.sleep(0.2)
    took = time.monotonic() - begun
    for drain in drains:
        threading.Thread(target=drain.stop).start()
    for sender in senders:
        sender.close()
    for spool in spools:
        spool.close()

    print(f"delivered in {took:.0f} s, answers {dict(Line.answers)}")
    with centre.database.reading() as session:
        marks = session.scalar(select(func.count()).select_from(Batch))
        marked = session.scalar(select(func.sum(Batch.record_count)))
    assert centre.events.count(EventQuery()) == SENSORS * BATCHES * LINES == marked
    assert marks == SENSORS  # what waited in a queue was sent as one
    centre.close()
    assert set(Line.answers) <= {200, 429, 503}
    assert Line.answers[200] == SENSORS  # none was answered twice
    refused = Line.answers[429] + Line.answers[503]
    # They ask again, and do not storm: a slow machine may refuse more, each once in a second.
    assert refused < max(3 * SENSORS, SENSORS * took)
    assert "Traceback" not in running.log.read_text()
    _check_start(running, empty)


def _check_start(running: RunningCentre, empty_seconds: float) -> None:
    """Killed with all that on disk it is ready as soon as an empty one.

    Its own time on the processor is compared, whatever else this machine does.
    """
    running.kill()
    begun = time.monotonic()
    running.start()
    ready, processor = time.monotonic() - begun, running.processor_seconds("serve")
    print(f"ready {ready:.1f} s, processor {processor:.1f} s; the first time {empty_seconds:.1f} s")
    assert processor < 2 * empty_seconds + 2
