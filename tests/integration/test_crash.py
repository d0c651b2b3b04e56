"""kill -9 at random moments: what was acknowledged is there, once; no line of a file is passed."""

import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cgii.base.settings import Settings
from cgii.centre import Centre
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.incidents import Incident, Notice
from cgii.model.records import Batch, Job, Message
from cgii.store.events import EventQuery
from tests.integration.ledgers import BATCH, BatchSender, FileWriter, Reporter, finish_jobs
from tests.process import RunningCentre
from tests.waiting import until

KILLS = int(os.environ.get("CGII_CRASH_KILLS", "4"))
SENDERS = 3
WHOLE, ONE = "the whole centre", ("serve", "collect")


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCentre]:
    follow = json.dumps([f"linux_auth={tmp_path / 'auth.log'}"])
    centre = RunningCentre(tmp_path / "data", follow=follow)
    yield centre
    centre.kill()


@pytest.mark.crash
def test_nothing_acknowledged_is_lost_or_stored_twice(
    running: RunningCentre, tmp_path: Path
) -> None:
    seed = int(os.environ.get("CGII_CRASH_SEED", time.time_ns() % 100_000))
    print(f"seed {seed}, kills {KILLS}")
    token = running.command("sensor", "add", "prueba", "--token")
    kind = ("--kind", "ministry", "--level", "central")
    running.command("entity", "add", "0001", "MP", "Ministerio de Pruebas", *kind)
    own = running.command("sensor", "add", "propio", "--entity", "MP", "--token")
    running.start()
    senders = [BatchSender(running, token, number) for number in range(SENDERS)]
    writer, reporter = FileWriter(running, tmp_path / "auth.log"), Reporter(running, own)
    for ledger in (*senders, writer, reporter):
        ledger.start()
    centre = Centre(Settings(data=running.data))  # a second look into the running one's data

    def committed() -> int:
        return _lines_of_the_file(centre)

    until(lambda: committed() > 0, "a line of the file is read")
    writer.begin_to_rotate(committed)
    until(lambda: all(one.acknowledged for one in senders), "every sender is heard")
    until(lambda: bool(reporter.receipts), "a notice is filed")
    killed = _kill_again_and_again(running, random.Random(seed))
    enough = sum(one.acknowledged for one in senders) + KILLS * BATCH
    until(lambda: sum(one.acknowledged for one in senders) > enough, "it goes on after the kills")
    for ledger in (*senders, writer, reporter):
        ledger.stop()
    until(lambda: committed() >= writer.written, "every line of the file is read")
    running.kill()
    print(f"killed: {dict(killed)}")
    _check_lines(centre, senders, writer)
    _check_notices(centre, reporter)
    _check_jobs(centre)
    with centre.database.reading() as session:
        assert list(centre.trail.verify(session)) == []
    centre.close()


def _kill_again_and_again(running: RunningCentre, chance: random.Random) -> Counter[str]:
    killed: Counter[str] = Counter()
    for number in range(KILLS):
        time.sleep(chance.uniform(0.2, 2.5))
        # The first and the second are certain, so that few kills cover everything too.
        victim = (WHOLE, "collect", "serve")[number] if number < 3 else chance.choice((WHOLE, *ONE))
        killed[victim] += 1
        if victim == WHOLE:
            running.kill()
            running.start()
            continue
        pid = running.children().get(victim)
        if pid is not None:  # a child that was killed just now may not be back
            os.kill(pid, signal.SIGKILL)
        running.wait()
    return killed


def _lines_of_the_file(centre: Centre) -> int:
    """How many lines of the followed file are stored."""
    wanted = select(func.sum(Batch.record_count)).where(Batch.stream.startswith("file:"))
    with centre.database.reading() as session:
        return session.scalar(wanted) or 0


def _check_lines(centre: Centre, senders: list[BatchSender], writer: FileWriter) -> None:
    stored = Counter(_originals(centre))
    acknowledged = {s.line(n) for s in senders for n in range(s.acknowledged)}
    written = {writer.line(n) for n in range(writer.written)}
    lost = [line for line in acknowledged | written if line not in stored]
    twice = [line for line, count in stored.items() if count > 1]
    print(
        f"acknowledged {len(acknowledged)}, written to the file {len(written)}, "
        f"lost {len(lost)}, stored twice {len(twice)}"
    )
    assert len(acknowledged) > KILLS * BATCH
    assert len(written) > KILLS
    assert (len(lost), len(twice)) == (0, 0)
    with centre.database.reading() as session:
        marked = session.scalar(select(func.sum(Batch.record_count))) or 0
        alerts = session.scalar(select(func.count()).select_from(AlertRow)) or 0
        folded = session.scalar(select(func.sum(AlertGroup.alert_count)))
    assert marked == len(stored)  # each record stands in one batch that was committed
    assert alerts > 0
    assert alerts == folded


def _check_notices(centre: Centre, reporter: Reporter) -> None:
    with centre.database.reading() as session:
        codes = session.scalars(select(Notice.code)).all()
        incidents = session.scalar(select(func.count()).select_from(Incident))
        cases = session.scalar(select(func.count(Notice.incident_id.distinct())))
    print(f"notices acknowledged {len(reporter.receipts)}, filed {len(codes)}")
    assert len(reporter.receipts) > 0
    assert len(set(reporter.receipts.values())) == len(reporter.receipts)
    assert set(reporter.receipts.values()) <= set(codes)
    assert len(codes) - len(reporter.receipts) <= 1  # one may have been filed unheard
    assert incidents == cases == len(codes)


def _check_jobs(centre: Centre) -> None:
    """What was enqueued is done once the leases of the dead have run out, and told once."""
    unfinished = select(func.count()).where(Job.name == "send_message", Job.state != "done")
    finish_jobs(centre, unfinished, "every mail is written")
    with centre.database.reading() as session:
        parked = session.scalars(select(Job).where(Job.state == "parked")).all()
        states = Counter(session.scalars(select(Message.state)))
        notices = session.scalar(select(func.count()).select_from(Notice))
    print(f"mails {dict(states)}, jobs parked {len(parked)}")
    assert [(job.name, job.last_error) for job in parked] == []
    assert states == {"withheld": states["withheld"]}  # there is no mail server here
    assert states["withheld"] >= notices


def _originals(centre: Centre) -> Iterator[str]:
    after = ""
    while True:
        page = centre.events.search(EventQuery(size=500, after=after))
        yield from (event.original for event in page.events)
        after = page.after
        if not after:
            return
