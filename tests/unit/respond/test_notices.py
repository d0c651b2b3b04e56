"""A notice gets a receipt, a hash that shows every change, an open case and running clocks."""

from dataclasses import replace

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, InvalidForm
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Entry, Incident, Notice
from cgii.model.people import Role
from cgii.model.records import Job, Message
from cgii.respond.notices import content_hash, file_notice, report_notice_hash
from cgii.store.database import Database
from tests.make import NOW, make_act, make_entity, make_user
from tests.unit.respond.cases import HOUR, make_form


def test_a_notice_is_numbered_hashed_and_opens_a_case(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    assert reporter.entity_id is not None
    notice = file_notice(
        make_act(session, reporter), make_form(session, entity_id=reporter.entity_id)
    )
    incident = session.get_one(Incident, notice.incident_id)
    assert notice.code == "REP-2026-000001"
    assert notice.content_sha256 == report_notice_hash(notice)
    assert (incident.received_at, incident.aware_at) == (NOW, NOW - HOUR)
    assert incident.acknowledged_at is None, "an automatic answer is no first response"
    clocks = session.scalars(select(Deadline).where(Deadline.regime == "centre")).all()
    assert {clock.stage for clock in clocks} == {"acknowledged", "resolved"}
    assert incident.next_due_at == min(clock.due_at for clock in clocks)
    shared = session.scalars(select(Entry).where(Entry.is_shared)).one()
    assert notice.code in shared.text


def test_the_receipt_is_mailed_in_the_same_transaction(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    form = make_form(session, entity_id=reporter.entity_id)
    notice = file_notice(make_act(session, reporter), form)
    messages = session.scalars(select(Message).order_by(Message.id)).all()
    assert [one.recipient for one in messages] == ["ana@ejemplo.gob.bo", reporter.email]
    assert notice.content_sha256 in messages[0].body
    jobs = session.scalars(select(Job).where(Job.name == "send_message")).all()
    assert [job.arguments["message_id"] for job in jobs] == [one.id for one in messages]


def test_the_hash_shows_a_change_of_any_letter(session: Session) -> None:
    notice = file_notice(make_act(session), make_form(session))
    form = {**notice.content["form"], "title": "Portal con contenido ajen0"}
    assert content_hash({**notice.content, "form": form}) != notice.content_sha256


def test_a_filed_notice_cannot_be_changed(database: Database) -> None:
    def rewrite() -> None:
        with database.transaction() as session:
            session.scalars(select(Notice)).one().title = "Otra cosa"

    with database.transaction() as session:
        file_notice(make_act(session), make_form(session))
    with pytest.raises(Conflict):
        rewrite()


def test_sending_again_gives_the_same_notice(session: Session) -> None:
    form = make_form(session)
    first = file_notice(make_act(session), form, request_key="k1")
    later = make_act(session, now=NOW + HOUR)
    assert file_notice(later, form, request_key="k1").id == first.id
    assert len(session.scalars(select(Notice)).all()) == 1
    with pytest.raises(Conflict, match="otro contenido"):
        file_notice(later, replace(form, title="Otro"), request_key="k1")


def test_the_same_key_of_another_entity_is_another_notice(session: Session) -> None:
    first = file_notice(make_act(session), make_form(session), request_key="k1")
    second = file_notice(make_act(session), make_form(session), request_key="k1")
    assert first.id != second.id


def test_every_wrong_field_is_named(session: Session) -> None:
    form = make_form(
        session,
        title=" ",
        contact_email="",
        noticed_at=NOW + HOUR,
        tlp="PINK",
        rsit_class="fraud",
        rsit_type="spam",
        observables=(("planet", "Mars"),),
        affected_count=-1,
    )
    with pytest.raises(InvalidForm) as caught:
        file_notice(make_act(session), form)
    assert set(caught.value.problems) == {
        "title",
        "contact_email",
        "noticed_at",
        "tlp",
        "rsit_type",
        "observables",
        "affected_count",
    }


def test_a_late_report_is_accepted_and_marked(session: Session) -> None:
    form = make_form(session, noticed_at=NOW - 30 * HOUR)
    file_notice(make_act(session), form)
    clock = session.scalars(select(Deadline).where(Deadline.regime == "bolivia")).one()
    assert (clock.met_at, clock.missed_at) == (NOW, NOW - 6 * HOUR)
    assert clock.ended_at is not None


def test_severity_comes_from_the_facts(session: Session) -> None:
    entity = make_entity(session, kind="municipality", level="territorial")
    form = make_form(
        session,
        entity_id=entity.id,
        rsit_class="intrusions",
        rsit_type="application-compromise",
        personal_data="yes",
        affected_count=20_000,
    )
    notice = file_notice(make_act(session), form)
    assert session.get_one(Incident, notice.incident_id).severity == "critico"


def test_numbers_have_no_gaps(session: Session) -> None:
    codes = [file_notice(make_act(session), make_form(session)).code for _ in range(3)]
    assert codes == ["REP-2026-000001", "REP-2026-000002", "REP-2026-000003"]
