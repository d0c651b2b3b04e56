"""The background jobs on a whole centre: each does its work, and a second run does no harm."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from cgii.base import limits
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.jobs import JOBS
from cgii.model.people import Role, WebSession
from cgii.model.records import AuditEntry, Document, Job, Message
from cgii.store import queue
from cgii.store.anchors import FILE_NAME, check_anchors
from cgii.store.events import EventQuery
from cgii.store.files import open_stored
from cgii.worker import run_one
from tests import servers
from tests.event_oracle import make_event
from tests.make import NOW, make_entity, make_user
from tests.make_plans import make_cast, make_filed


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> object:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It shows NOW until it is set."""
    return Clock()


@pytest.fixture
def inbox() -> Iterator[servers.Inbox]:
    """A mail server."""
    with servers.smtp() as inbox:
        yield inbox


@pytest.fixture
def centre(tmp_path: Path, clock: Clock, inbox: servers.Inbox) -> Iterator[Centre]:
    """A centre with an empty record and that mail server."""
    settings = load(
        data=tmp_path, secret="tests", mail_host=inbox.host, mail_port=inbox.port, mail_tls=False
    )
    centre = Centre(settings, now=clock)
    centre.database.migrate()
    yield centre
    centre.close()


def put(centre: Centre, name: str, **arguments: object) -> int:
    """Enqueue a job; its id."""
    with centre.database.transaction() as session:
        job = queue.enqueue(session, name, now=centre.clock(), **arguments)
    return job.id


def work(centre: Centre) -> None:
    """Run every job that is due."""
    while run_one(centre, "test"):
        pass


def job(centre: Centre, job_id: int) -> Job:
    """The job's row as it is now."""
    with centre.database.reading() as session:
        return session.get_one(Job, job_id)


def write_mail(centre: Centre) -> tuple[int, int]:
    """A waiting mail and the job that sends it; their ids."""
    with centre.database.transaction() as session:
        message = Message(
            dedupe_key="k",
            template="restricted",
            recipient="rsi@example.bo",
            subject="Aviso",
            body="Señal.",
            created_at=NOW,
        )
        session.add(message)
        session.flush()  # the job names it by its id
        sending = queue.enqueue(session, "send_message", now=NOW, message_id=message.id)
    return message.id, sending.id


def mail(centre: Centre, message_id: int) -> Message:
    """The mail's row as it is now."""
    with centre.database.reading() as session:
        return session.get_one(Message, message_id)


def test_a_mail_is_sent_once_though_its_job_runs_twice(
    centre: Centre, inbox: servers.Inbox
) -> None:
    message_id, _ = write_mail(centre)
    put(centre, "send_message", message_id=message_id)

    work(centre)

    assert len(inbox.mails) == 1
    assert (mail(centre, message_id).state, mail(centre, message_id).sent_at) == ("sent", NOW)


def test_a_mail_that_is_refused_for_good_says_why(centre: Centre, inbox: servers.Inbox) -> None:
    message_id, job_id = write_mail(centre)
    inbox.answers.append("550 unknown mailbox")

    work(centre)

    assert mail(centre, message_id).state == "failed"
    assert "550 unknown mailbox" in mail(centre, message_id).detail
    assert job(centre, job_id).state == "done", "nothing is left to try"


def test_a_mail_waits_for_a_server_that_is_away(
    centre: Centre, clock: Clock, inbox: servers.Inbox
) -> None:
    message_id, _ = write_mail(centre)
    inbox.answers.append("451 come back later")
    work(centre)
    assert mail(centre, message_id).state == "waiting"

    clock.now += timedelta(minutes=1)
    work(centre)

    assert mail(centre, message_id).state == "sent"


def test_a_mail_whose_server_never_comes_back_has_failed(
    centre: Centre, clock: Clock, inbox: servers.Inbox
) -> None:
    message_id, job_id = write_mail(centre)
    inbox.answers += ["451 come back later"] * limits.JOB_TRIES_MAX

    for _ in range(limits.JOB_TRIES_MAX):
        work(centre)
        clock.now += timedelta(hours=1)

    assert mail(centre, message_id).state == "failed"
    assert job(centre, job_id).state == "done"


def test_without_a_mail_server_a_mail_is_withheld(tmp_path: Path, clock: Clock) -> None:
    centre = Centre(load(data=tmp_path, secret="tests"), now=clock)
    centre.database.migrate()
    message_id, _ = write_mail(centre)

    work(centre)

    assert mail(centre, message_id).state == "withheld"
    assert "servidor de correo" in mail(centre, message_id).detail
    centre.close()


def test_an_entity_is_told_once_of_its_filing(centre: Centre, inbox: servers.Inbox) -> None:
    with centre.database.transaction() as session:
        cast = make_cast(session)
        submission = make_filed(cast)
        again = {"plan_id": submission.plan_id, "event": "plan_filed", "detail": submission.code}
        addresses = sorted(act.user.email for act in (cast.officer, cast.mae) if act.user)
    work(centre)

    put(centre, "notify_plan", **again)
    work(centre)

    assert sorted(inbox.recipients) == addresses
    assert all(submission.code in mail["subject"] for mail in inbox.mails)


def test_a_report_is_made_once_and_kept(centre: Centre) -> None:
    with centre.database.transaction() as session:
        asked_by_id = make_user(session, Role.COORDINATOR).id
    arguments = {"report": "monthly", "subject": "2026-10", "format": "html"}
    first = put(centre, "make_report", created_by_id=asked_by_id, **arguments)

    work(centre)
    with centre.database.transaction() as session:  # as if the runner had died before the end
        session.get_one(Job, first).state = "waiting"
    work(centre)

    with centre.database.reading() as session:
        (document,) = session.scalars(select(Document))
    assert job(centre, first).result == {"document_id": document.id}
    assert (document.made_by_id, document.made_at) == (asked_by_id, NOW)
    with open_stored(centre.documents_folder, document.sha256) as file:
        assert b"<html" in file.read()


def test_a_report_that_does_not_exist_is_refused(centre: Centre) -> None:
    job_id = put(centre, "make_report", report="none", subject="2026-10", format="html")

    work(centre)

    assert job(centre, job_id).state == "parked"
    assert "none" in job(centre, job_id).last_error


def test_the_trail_is_anchored_and_the_anchor_agrees(centre: Centre) -> None:
    with centre.database.transaction() as session:
        centre.act(session).record("test", "thing:1")
    put(centre, "anchor_audit")
    put(centre, "anchor_audit")

    work(centre)

    path = centre.settings.data / FILE_NAME
    assert len(path.read_text().splitlines()) == 1
    with centre.database.reading() as session:
        assert list(check_anchors(centre.trail, session, path)) == []


def test_sessions_that_ran_out_are_forgotten(centre: Centre) -> None:
    with centre.database.transaction() as session:
        user_id = make_user(session).id
        for name, hours in (("old", -1), ("new", 1)):
            session.add(
                WebSession(
                    token_hash=name,
                    user_id=user_id,
                    csrf_token="",
                    created_at=NOW,
                    seen_at=NOW,
                    expires_at=NOW + timedelta(hours=hours),
                )
            )
    put(centre, "sweep_sessions")

    work(centre)

    with centre.database.reading() as session:
        assert list(session.scalars(select(WebSession.token_hash))) == ["new"]


@pytest.mark.parametrize(
    ("keep_days", "keep_gib", "kept"),
    [(400, 0, 3), (45, 0, 2), (400, 1e-9, 1), (400, 1.0, 3)],
)
def test_events_go_by_age_and_by_size_but_those_of_this_month_stay(
    tmp_path: Path, clock: Clock, keep_days: int, keep_gib: float, kept: int
) -> None:
    settings = load(
        data=tmp_path, secret="tests", events_keep_days=keep_days, events_keep_gib=keep_gib
    )
    centre = Centre(settings, now=clock)
    centre.database.migrate()
    months = [NOW, NOW - timedelta(days=35), NOW - timedelta(days=70)]
    centre.events.write([make_event(place, at=at) for place, at in enumerate(months)])
    job_id = put(centre, "prune_events")

    work(centre)

    assert job(centre, job_id).result == {"events": 3 - kept}
    assert sorted(event.at for event in centre.events.scan(EventQuery())) == sorted(months[:kept])
    centre.close()


@pytest.mark.parametrize("name", [name for name, kind in JOBS.items() if kind.every_seconds])
def test_a_scheduled_job_runs_on_an_empty_centre_and_again(centre: Centre, name: str) -> None:
    with centre.database.transaction() as session:
        make_entity(session)
    first, second = put(centre, name), put(centre, name)

    work(centre)

    assert [job(centre, job_id).state for job_id in (first, second)] == ["done", "done"]
    with centre.database.reading() as session:
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 0
