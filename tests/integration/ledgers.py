"""Senders that keep a ledger of what was acknowledged, for the test that kills the centre."""

import http.client
import json
import math
import os
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from sqlalchemy import Select

from cgii.base import clock, limits
from cgii.centre import Centre
from cgii.worker import JobThread
from tests.waiting import until

# More lines in a batch are more lines in the same time: for the run of millions.
BATCH = int(os.environ.get("CGII_CRASH_BATCH", "40"))
FIRST_ROTATION_SECONDS = 8
ROTATION_SECONDS = 45
STOP_SECONDS = 240  # for the step under way, on a machine as busy as may be


class Addressed(Protocol):
    """Whoever has an address to send to; of several processes another one each time."""

    @property
    def url(self) -> str:
        """Without a path."""


def post(centre: Addressed, path: str, body: object, **headers: str) -> bytes | None:
    """The answer when it was taken; None when nobody answered or said no."""
    request = urllib.request.Request(
        centre.url + path,
        json.dumps(body).encode(),
        {name.replace("_", "-"): value for name, value in headers.items()},
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return bytes(answer.read())
    except (urllib.error.URLError, http.client.HTTPException, OSError):
        return None


class Ledger(threading.Thread):
    """Does one thing again and again until it is told to stop."""

    def __init__(self, centre: Addressed, token: str, number: int):
        super().__init__(daemon=True)
        self.centre, self.bearer, self.number = centre, f"Bearer {token}", number
        self.random = random.Random(number)
        self._stop_asked = threading.Event()

    def run(self) -> None:
        while not self._stop_asked.is_set():
            self.step()

    def step(self) -> None:
        raise NotImplementedError

    def stop(self) -> None:
        """End after the step under way."""
        self._stop_asked.set()
        self.join(STOP_SECONDS)
        assert not self.is_alive(), f"{self} is still at it: its ledger would lie"


class BatchSender(Ledger):
    """Sends numbered lines batch by batch; a batch that is not answered is sent again."""

    acknowledged = 0  # how many lines, from the first on

    def __init__(self, centre: Addressed, token: str, number: int):
        super().__init__(centre, token, number)
        self.host = f"srv{number}"

    def step(self) -> None:
        twin = threading.Thread(target=self.send, args=(self.acknowledged,))
        if self.random.random() < 0.02:  # an answer that came too late: both are on their way
            twin.start()
        taken = self.send(self.acknowledged)
        if twin.ident is not None:
            twin.join()
        if not taken:
            time.sleep(0.05)
            return
        self.acknowledged += BATCH
        if self.random.random() < 0.1:  # sensors send again what they are unsure of
            self.send(self.acknowledged - BATCH)

    def send(self, seq: int) -> bool:
        lines = [self.line(n) for n in range(seq, seq + BATCH)]
        body = {"source": "linux_auth", "epoch": f"s{self.number}", "seq": seq, "records": lines}
        answer = post(self.centre, "/api/v1/ingest", body, Authorization=self.bearer)
        return answer is not None

    def line(self, number: int) -> str:
        """Each hundred lines one address tries often enough to raise an alert."""
        return failed_login(number, host=self.host, network=f"203.0.{self.number}")


class FileWriter(Ledger):
    """Appends numbered lines to a followed file, and now and then puts the file aside."""

    def __init__(self, centre: Addressed, path: Path):
        super().__init__(centre, "", 0)
        self.path = path
        self.host = "seguido"
        self.written = 0
        self.file = path.open("a")
        self.next_rotation = math.inf
        self.begun_at = 0  # the number of the first line of the present file
        self.committed: Callable[[], int] = lambda: 0

    def begin_to_rotate(self, committed: Callable[[], int]) -> None:
        """From now on put files aside; `committed` says how many lines were read and stored."""
        self.committed = committed
        self.next_rotation = time.monotonic() + FIRST_ROTATION_SECONDS

    def step(self) -> None:
        for _ in range(self.random.randrange(1, 20)):
            self.file.write(self.line(self.written) + "\n")
            self.written += 1
        self.file.flush()
        time.sleep(0.05)
        # A file that is put aside and followed by another one while nobody looks is not found
        # again. Real files are put aside once a day; here it waits until this one was seen.
        if time.monotonic() > self.next_rotation and self.committed() > self.begun_at:
            self.rotate()
            self.next_rotation = time.monotonic() + ROTATION_SECONDS

    def rotate(self) -> None:
        """As logrotate does: a new file under the old name."""
        self.file.close()
        self.path.rename(self.path.with_name(f"{self.path.name}.{self.written}.old"))
        self.file = self.path.open("a")
        self.begun_at = self.written

    def line(self, number: int) -> str:
        return failed_login(number, host=self.host, network="198.51.100")


class Reporter(Ledger):
    """Files notices by the API, each under a key of its own until it is answered."""

    def __init__(self, centre: Addressed, token: str):
        super().__init__(centre, token, 0)
        self.receipts: dict[str, str] = {}  # key → code

    def step(self) -> None:
        key = f"clave-{len(self.receipts)}"
        body = {
            "title": f"Aviso {key}",
            "description": "La página muestra otro contenido.",
            "noticed_at": "2026-11-20T14:00:00Z",
            "affected": "Portal",
            "contact_name": "Ana Flores",
            "contact_email": "ana@example.bo",
        }
        answer = post(
            self.centre, "/api/v1/notices", body,
            Authorization=self.bearer, Idempotency_Key=key,
        )  # fmt: skip
        if answer is not None:
            self.receipts[key] = json.loads(answer)["code"]
        time.sleep(0.1)


def failed_login(number: int, *, host: str, network: str) -> str:
    """A line of its own for each number; each hundred come from one address."""
    return (
        f"Nov 22 10:{number // 60 % 60:02d}:{number % 60:02d} {host} sshd[77]: "
        f"Failed password for invalid user u{number} from {network}.{number // 100 % 250} "
        f"port {number % 60000 + 1024} ssh2"
    )


def finish_jobs(centre: Centre, unfinished: Select[int], what: str) -> None:
    """Do the jobs until none is counted any more, when the leases of the dead have run out."""
    ahead = timedelta(seconds=limits.JOB_LEASE_SECONDS + 1)
    later = Centre(centre.settings, now=lambda: clock.now() + ahead)
    jobs = JobThread(later)
    jobs.start()

    def left() -> int:
        with centre.database.reading() as session:
            return session.scalar(unfinished) or 0

    until(lambda: left() == 0, what)
    jobs.stop()
    later.close()
