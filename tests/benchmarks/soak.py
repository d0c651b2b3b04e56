"""Hundreds of sensors that sign and send to one centre for as long as is asked, and who watches.

`CGII_SOAK_SENSORS`, `CGII_SOAK_RATE` (events per second, of all together), `CGII_SOAK_MINUTES` and
`CGII_SOAK_BATCH` (events) say how many, how much and how long.
"""

import os
import random
import statistics
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from cgii.base.errors import CgiiError, Unavailable
from cgii.base.signatures import SecretKey
from cgii.centre import Centre
from cgii.collect.buffer import Batch
from cgii.collect.send import Sender, by_key, pack, pause_before_next
from cgii.model.event import Origin, Raw
from cgii.store.sensor_keys import accept_invitation
from cgii.store.sensors import invite_new
from tests.integration.ledgers import failed_login
from tests.process import RunningCentre

SENSORS = int(os.environ.get("CGII_SOAK_SENSORS", "300"))
RATE = float(os.environ.get("CGII_SOAK_RATE", "5000"))
MINUTES = float(os.environ.get("CGII_SOAK_MINUTES", "30"))
BATCH = int(os.environ.get("CGII_SOAK_BATCH", "100"))
PAUSE_SECONDS = SENSORS * BATCH / RATE  # between two batches of a sensor
# The centre closes a connection that is quiet for half a minute, so their number goes up and down.
FILES_MORE_MAX = 12 if PAUSE_SECONDS < 20 else SENSORS
THREADS_MORE_MAX = 12
# Caches of the stores and of values fill with events, not with time.
WARM_UP_EVENTS = 100_000
JUDGED_MIN = 60  # samples; fewer tell nothing about growth
SAMPLES = 300  # looks at the processes in one run
END_SECONDS = 300  # for the last batch of a sensor, on a machine as busy as may be


@dataclass
class Answers:
    """What came back, of all sensors."""

    statuses: Counter[str] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)  # of each 200
    refused: list[str] = field(default_factory=list)  # what no sensor should be told
    lock: threading.Lock = field(default_factory=threading.Lock)
    watched: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Begin anew: of all who connect at once, some are told to come again."""
        with self.lock:
            self.statuses.clear()
            self.seconds.clear()
        self.watched.set()


class Line(httpx2.HTTPTransport):
    """The way to the centre, with a watch on it."""

    def __init__(self, answers: Answers) -> None:
        super().__init__()
        self._answers = answers

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass it on, and write down what came of it."""
        begun = time.monotonic()
        status = "none"
        try:
            answer = super().handle_request(request)
            answer.read()
            status = str(answer.status_code)
            return answer
        finally:
            with self._answers.lock:
                self._answers.statuses[status] += 1
                if status == "200":
                    self._answers.seconds.append(time.monotonic() - begun)


class Sensor(threading.Thread):
    """Sends a batch at its pace, again until it is acknowledged, then the next."""

    def __init__(self, number: int, url: str, key: SecretKey, answers: Answers) -> None:
        super().__init__(daemon=True, name=f"sensor {number}")
        self.acknowledged = 0
        self._number, self._answers = number, answers
        self._sender = Sender(url, by_key(lambda: key), transport=Line(answers))
        self._chance = random.Random(number)
        self._over = threading.Event()

    def run(self) -> None:
        """Keep to the times; who is late sends the next at once."""
        self._deliver(self._packed(0))
        # Who goes on while others still connect stands in their line, and is measured by it.
        self._answers.watched.wait(END_SECONDS)
        at = time.monotonic() + PAUSE_SECONDS * self._chance.random()
        while not self._over.wait(max(0.0, at - time.monotonic())):
            self._deliver(self._packed(self.acknowledged))
            at = max(at + PAUSE_SECONDS, time.monotonic())

    def stop(self) -> None:
        """Begin no other batch."""
        self._over.set()

    def close(self) -> None:
        """Wait for the batch under way, and let go of the connection."""
        self.join(END_SECONDS)
        assert not self.is_alive(), f"the last batch of {self.name} was not acknowledged"
        self._sender.close()

    def _packed(self, begin: int) -> bytes:
        lines = [Raw(number, self._line(number).encode()) for number in range(begin, begin + BATCH)]
        return pack(Batch(Origin("linux_auth", "file:/var/log/auth.log", "e1"), lines))

    def _line(self, number: int) -> str:
        """What a server writes all day; one line in a hundred is somebody who guesses."""
        host = f"srv{self._number}"
        if number % 100 == 0:
            return failed_login(number, host=host, network=f"10.{self._number % 250}.1")
        clock = time.strftime("%b %d %H:%M:%S", time.gmtime())
        user = f"u{self._chance.randrange(500)}"
        return f"{clock} {host} sshd[{number % 60_000}]: pam_unix(sshd:session): session opened for user {user}(uid=1000) by (uid={number})"  # noqa: E501

    def _deliver(self, body: bytes) -> None:
        tries = 0
        while True:
            try:
                self._sender.send(body)
            except Unavailable as error:
                time.sleep(pause_before_next(tries, error, self._chance.random()))
                tries += 1
            except CgiiError as error:
                self._answers.refused.append(f"{self.name}: {error}")
                return
            else:
                self.acknowledged += BATCH
                return


def enrolled(centre: Centre, url: str, answers: Answers) -> list[Sensor]:
    """Sensors whose keys the centre knows; not begun yet."""
    keys = [SecretKey.fresh() for _ in range(SENSORS)]
    with centre.database.transaction() as session:
        act = centre.act(session)
        for number, key in enumerate(keys):
            _, secret = invite_new(act, f"sensor {number}", None)
            session.flush()  # it is looked up by the next line
            accept_invitation(act, secret, key.public)
    return [Sensor(number, url, key, answers) for number, key in enumerate(keys)]


@dataclass(frozen=True)
class Sample:
    """A process at a moment: seconds and events since the beginning, megabytes, files, threads."""

    at: float
    events: int
    own: float  # memory that is not of files; this is what leaks
    whole: float
    files: int
    threads: int


def sampled(pid: int, at: float = 0.0, events: int = 0) -> Sample | None:
    """The process now; None when it has ended."""
    try:
        said = Path(f"/proc/{pid}/status").read_text().splitlines()
        files = len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return None
    known = {name: rest.split() for name, _, rest in (row.partition(":") for row in said)}
    if "RssAnon" not in known:
        return None
    own, whole = (int(known[name][0]) / 1024 for name in ("RssAnon", "VmRSS"))
    return Sample(at, events, own, whole, files, int(known["Threads"][0]))


class Watcher:
    """Looks at the centre's processes again and again."""

    def __init__(self, running: RunningCentre) -> None:
        assert running.process is not None
        self.pids = {"run": running.process.pid, **running.children()}
        self.samples: dict[str, list[Sample]] = {name: [] for name in self.pids}
        self._begun = time.monotonic()

    def look(self, events: int) -> None:
        """Once, when so many events were acknowledged."""
        for name, pid in self.pids.items():
            sample = sampled(pid, time.monotonic() - self._begun, events)
            if sample is not None:
                self.samples[name].append(sample)

    def ended(self) -> list[str]:
        """Those that are not there any more, though nobody killed them."""
        return [name for name, pid in self.pids.items() if sampled(pid) is None]


@dataclass(frozen=True)
class Growth:
    """How a process changed after its warm-up: the first third of a run, and events enough."""

    samples: int
    begin: float  # megabytes of its own, by the line through all samples
    end: float
    hourly: float
    files: float  # more at the end than at the beginning
    threads: float

    @property
    def is_leak(self) -> bool:
        """More than the noise: 16 MB and a tenth of its memory, or a dozen files or threads."""
        if self.samples < JUDGED_MIN:
            return False
        more = self.end - self.begin
        has_grown = more > max(16.0, self.begin / 10)
        return has_grown or self.files > FILES_MORE_MAX or self.threads > THREADS_MORE_MAX


def growth(samples: list[Sample]) -> Growth:
    """A straight line through the memory; files and threads by medians of the first and last."""
    third = samples[len(samples) // 3 :]
    warm = [one for one in third if one.events >= WARM_UP_EVENTS]
    judged = warm if len(warm) >= JUDGED_MIN else third  # told at least, if not judged
    slope, begin = statistics.linear_regression(
        [one.at - judged[0].at for one in judged], [one.own for one in judged]
    )
    part = max(1, len(judged) // 4)
    first, last = judged[:part], judged[-part:]

    def more(name: str) -> float:
        return statistics.median(getattr(one, name) for one in last) - statistics.median(
            getattr(one, name) for one in first
        )

    end = begin + slope * (judged[-1].at - judged[0].at)
    return Growth(len(warm), begin, end, 3600 * slope, more("files"), more("threads"))
