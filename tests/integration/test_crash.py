"""kill -9 at random moments: what was acknowledged is there, once; no line of a file is passed."""

import json
import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cgii.base.settings import Settings
from cgii.centre import Centre
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.incidents import Incident, Notice
from cgii.model.records import Batch, Job, Message
from tests.integration.crash_plan import Plan
from tests.integration.ledger_check import Stored, originals
from tests.integration.ledgers import BATCH, BatchSender, FileWriter, Reporter, finish_jobs
from tests.process import RunningCentre
from tests.waiting import until

SENDERS = 3
WHOLE = "the whole centre"


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
    plan = Plan(senders)
    _kill_again_and_again(running, plan)
    enough = plan.acknowledged + BATCH
    until(lambda: plan.acknowledged > enough, "it goes on after the kills")
    for ledger in (*senders, writer, reporter):
        ledger.stop()
    _wait_for_the_file(committed, writer)
    running.kill()
    print(f"killed: {dict(plan.killed)}")
    _check_lines(centre, plan, senders, writer)
    _check_notices(centre, reporter)
    _check_jobs(centre)
    with centre.database.reading() as session:
        assert list(centre.trail.verify(session)) == []
    centre.close()


def _kill_again_and_again(running: RunningCentre, plan: Plan) -> None:
    for number in plan.moments():
        # The first ones are certain, so that few kills cover everything too.
        victims = (WHOLE, "collect", "serve")
        victim = victims[number] if number < 3 else plan.chance.choice(victims)
        plan.killed[victim] += 1
        if victim == WHOLE:
            running.kill()
            running.start()
            continue
        pid = running.children().get(victim)
        if pid is not None:  # a child that was killed just now may not be back
            os.kill(pid, signal.SIGKILL)
        running.wait()


def _wait_for_the_file(committed: Callable[[], int], writer: FileWriter) -> None:
    """However far the reader is behind after a long run, it must come on."""
    while (before := committed()) < writer.written:
        until(lambda before=before: committed() > before, "every line of the file is read")


def _lines_of_the_file(centre: Centre) -> int:
    """How many lines of the followed file are stored."""
    wanted = select(func.sum(Batch.record_count)).where(Batch.stream.startswith("file:"))
    with centre.database.reading() as session:
        return session.scalar(wanted) or 0


def _check_lines(
    centre: Centre, plan: Plan, senders: list[BatchSender], writer: FileWriter
) -> None:
    stored = Stored([*senders, writer]).enter(originals(centre.events))
    told = plan.acknowledged
    lost = sum(stored.lost(one, one.acknowledged) for one in senders)
    lost += stored.lost(writer, writer.written)
    print(
        f"acknowledged {told}, written to the file {writer.written}, lost {lost}, "
        f"stored twice {stored.twice}, strange {stored.strange}"
    )
    assert told > SENDERS * BATCH
    assert writer.written > plan.kills
    assert (lost, stored.twice, stored.strange) == (0, 0, 0)
    with centre.database.reading() as session:
        marked = session.scalar(select(func.sum(Batch.record_count))) or 0
        alerts = session.scalar(select(func.count()).select_from(AlertRow)) or 0
        folded = session.scalar(select(func.sum(AlertGroup.alert_count)))
    assert marked == stored.total  # each record stands in one batch that was committed
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
