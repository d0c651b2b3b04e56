"""Jobs are done by the thread and by Celery over RabbitMQ alike, also when they are killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from time import monotonic

import pytest
from sqlalchemy import select

from cgii.base import clock
from cgii.base.errors import Invalid
from cgii.base.settings import Settings
from cgii.centre import Centre
from cgii.model.records import Job
from cgii.store import queue
from cgii.store.database import Database
from cgii.worker import broker_fault, celery_app
from tests.ports import free_port
from tests.process import clean_environment, run_command

NEW_JOB_SECONDS_MAX = 15
PATIENCE_SECONDS = 240  # for what is to happen at all, on a machine as busy as may be
# The three ways in which the centre is run; Celery over SQLite is not one of them.
WAYS = [
    "thread sqlite",
    pytest.param("thread postgres", marks=pytest.mark.postgres),
    pytest.param("celery postgres", marks=[pytest.mark.rabbitmq, pytest.mark.postgres]),
]


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> list[str]:
    """The kind of runner and the kind of database."""
    return str(request.param).split()


@pytest.fixture
def engine_name(way: list[str]) -> str:
    """The kind of database, as conftest.py asks for it."""
    return way[1]


class Runner:
    """A runner as a process of its own, with the record that it works on."""

    def __init__(self, kind: str, url: str, broker: str, folder: Path) -> None:
        self._kind = kind
        self._environment = os.environ | {"CGII_DATABASE": url, "CGII_BROKER": broker}
        self.folder = folder
        self.database = Database(url)
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "done").mkdir()

    def start(self, *, lease_seconds: int = 120) -> None:
        """Start the process. A lease runs out in no test that does not ask for a short one."""
        command = [sys.executable, "-m", "tests.contract.runner"]
        command += [self._kind, str(self.folder), str(lease_seconds)]
        with (self.folder / "output").open("ab") as output:
            self.process = subprocess.Popen(
                command, env=self._environment, stdout=output, stderr=output
            )

    def kill(self, number: signal.Signals = signal.SIGKILL) -> int:
        """End the process; its exit code."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_SECONDS)

    def put(self, name: str, **arguments: object) -> int:
        """Enqueue a job; its id."""
        with self.database.transaction() as session:
            job = queue.enqueue(session, name, now=clock.now(), **arguments)
        return job.id

    def job(self, job_id: int) -> Job:
        """The job as it is now."""
        with self.database.reading() as session:
            return session.get_one(Job, job_id)

    def is_done(self, job_id: int) -> bool:
        """Whether the job has ended well."""
        return self.job(job_id).state == "done"

    def noted(self, name: str) -> list[int]:
        """The numbers that jobs have written into that file."""
        path = self.folder / name
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def wait(self, until: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
        """Wait for something; what the process said stands in the failure."""
        deadline = monotonic() + seconds
        while not until():
            if monotonic() > deadline:
                said = (self.folder / "output").read_text(errors="replace")[-3000:]
                pytest.fail(f"it did not happen in {seconds} s; the runner said:\n{said}")
            Event().wait(0.05)


@pytest.fixture
def runner(
    request: pytest.FixtureRequest, way: list[str], record_url: str, tmp_path: Path
) -> Iterator[Runner]:
    """A runner that is not started yet."""
    broker = request.getfixturevalue("rabbitmq_server") if way[0] == "celery" else ""
    folder = tmp_path / "data"
    folder.mkdir()
    runner = Runner(way[0], record_url, broker, folder)
    yield runner
    if runner.process is not None and runner.process.poll() is None:
        runner.kill()
    runner.database.close()


def test_jobs_are_done_and_their_results_kept(runner: Runner) -> None:
    ids = [runner.put("mark", number=number) for number in range(10)]

    runner.start()
    runner.wait(lambda: all(runner.is_done(job_id) for job_id in ids))

    assert [runner.job(job_id).result for job_id in ids] == [{"number": n} for n in range(10)]
    assert sorted(runner.noted("started")) == list(range(10)), "each ran once"


def test_a_new_job_is_begun_within_seconds(runner: Runner) -> None:
    runner.start()
    runner.wait(lambda: runner.noted("ticks") != [])  # it is up

    def seconds(number: int) -> float:
        begun, job_id = monotonic(), runner.put("mark", number=number)
        runner.wait(lambda: runner.is_done(job_id))
        return monotonic() - begun

    # 1 second on a machine with nothing else to do; whatever else it does only adds to that.
    assert min(seconds(number) for number in range(5)) < NEW_JOB_SECONDS_MAX


def test_a_job_that_fails_waits_with_its_reason_and_the_next_one_runs(runner: Runner) -> None:
    bad, unknown, good = runner.put("fail"), runner.put("no_such_job"), runner.put("mark", number=1)

    runner.start()
    runner.wait(lambda: runner.is_done(good) and runner.job(unknown).last_error != "")

    assert (runner.job(bad).state, runner.job(bad).attempts) == ("waiting", 1)
    assert runner.job(bad).last_error == "ValueError: no funciona"
    assert "no_such_job" in runner.job(unknown).last_error


def test_a_job_that_is_refused_is_set_aside_at_once(runner: Runner) -> None:
    job_id = runner.put("refuse")

    runner.start()
    runner.wait(lambda: runner.job(job_id).state == "parked")

    assert runner.job(job_id).last_error == "Eso no se puede."


def test_a_job_that_is_asked_to_stop_stops(runner: Runner) -> None:
    job_id = runner.put("crawl", number=1)
    runner.start()
    runner.wait(lambda: runner.job(job_id).progress_percent > 0)

    with runner.database.transaction() as session:
        queue.ask_to_stop(session, job_id, now=clock.now())

    runner.wait(lambda: runner.is_done(job_id))
    assert runner.job(job_id).result == {"stopped": True}


def test_a_long_job_keeps_its_lease_though_it_says_nothing(runner: Runner) -> None:
    job_id = runner.put("sit", number=1)

    runner.start(lease_seconds=8)  # renewed every two seconds
    runner.wait(lambda: runner.is_done(job_id))

    assert runner.noted("started") == [1]
    assert runner.job(job_id).attempts == 1


def test_schedules_come_by_themselves(runner: Runner) -> None:
    runner.start()

    runner.wait(lambda: len(runner.noted("ticks")) >= 2)


def test_the_runner_ends_when_it_is_told(runner: Runner) -> None:
    runner.start()
    runner.wait(lambda: runner.noted("ticks") != [])

    assert runner.kill(signal.SIGTERM) == 0


def test_kill_9_in_the_middle_loses_no_job(runner: Runner) -> None:
    ids = [runner.put("mark", number=number) for number in range(60)]
    dice = random.Random(7)

    for _ in range(3):
        begun = len(runner.noted("started"))
        runner.start(lease_seconds=2)
        enough = begun + dice.randint(1, 15)
        runner.wait(lambda enough=enough: len(runner.noted("started")) >= enough)
        runner.kill()
    runner.start(lease_seconds=2)
    runner.wait(lambda: all(runner.is_done(job_id) for job_id in ids))

    assert {int(path.name) for path in (runner.folder / "done").iterdir()} == set(range(60))
    with runner.database.reading() as session:
        assert set(session.scalars(select(Job.state).where(Job.id.in_(ids)))) == {"done"}


def test_jobs_are_done_though_the_broker_is_away(migrated_file: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    shutil.copyfile(migrated_file, folder / "record.sqlite")
    # Nobody listens there: the sweeper has to do the work by itself.
    away = f"amqp://guest:guest@127.0.0.1:{free_port()}//"
    runner = Runner("celery", f"sqlite:///{folder / 'record.sqlite'}", away, folder)
    job_id = runner.put("mark", number=1)

    runner.start()
    try:
        runner.wait(lambda: runner.is_done(job_id))
    finally:
        runner.kill()
        runner.database.close()


@pytest.mark.rabbitmq
def test_a_worker_that_the_broker_does_not_let_in_ends_and_says_why(
    rabbitmq_server: str, tmp_path: Path
) -> None:
    wrong = rabbitmq_server.replace("guest:guest@", "guest:TopSecret@")
    environment = {**clean_environment(), "CGII_DATA": str(tmp_path), "CGII_BROKER": wrong}
    done = run_command(environment, "work")
    assert done.returncode == 2, done.stderr
    assert "cgii: No se puede usar RabbitMQ (" in done.stderr
    assert "TopSecret" not in done.stderr
    assert broker_fault(rabbitmq_server) == ""


@pytest.mark.parametrize("address", ["TopSecret", "amqp://u:TopSecret@h:TopSecret//", "redis://h"])
def test_what_is_no_brokers_address_is_told_without_it(tmp_path: Path, address: str) -> None:
    centre = Centre(Settings(data=tmp_path, broker=address))
    with pytest.raises(Invalid, match="CGII_BROKER no es") as refused:
        celery_app(centre)
    assert "TopSecret" not in str(refused.value)
    assert refused.value.__context__ is None
    centre.close()


def test_a_broker_is_asked_for_as_long_as_it_is_away(tmp_path: Path) -> None:
    away = f"amqp://guest:guest@127.0.0.1:{free_port()}//"
    centre = Centre(Settings(data=tmp_path, broker=away))
    app = celery_app(centre)
    tries = 0

    def count(error: Exception, interval: float) -> None:
        nonlocal tries
        tries += 1
        if tries > 200:  # a night, as Celery waits between them
            raise StillAskingError from error

    most = app.conf.broker_connection_max_retries
    with app.connection_for_read() as connection, pytest.raises(StillAskingError):
        connection.ensure_connection(count, most, interval_start=0, interval_step=0)
    centre.close()


class StillAskingError(Exception):
    """The end of the test above."""
