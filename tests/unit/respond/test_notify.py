"""Mails say what their TLP allows, once, in the transaction of what they tell."""

from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import ContentError, NotFound
from cgii.model.entities import Contact
from cgii.model.incidents import Incident
from cgii.model.people import Role
from cgii.model.records import Job, Message
from cgii.respond.notify import about, check_messages, compose, entity_recipients, render
from tests.make import NOW, make_act, make_incident, make_user

SECRET = "hay una puerta trasera"


def tell(session: Session, incident: Incident, recipient: str, tlp: str) -> Message:
    message = compose(
        make_act(session, public_url="https://cgii.example"),
        "incident_opened_for_entity",
        recipient,
        {**about(incident), "text": SECRET},
        dedupe_key=f"{incident.id}:{recipient}:{tlp}",
        tlp=tlp,
        incident=incident,
        entity=incident.entity,
    )
    assert message is not None
    return message


def test_a_mail_is_written_once_with_its_job(session: Session) -> None:
    incident = make_incident(session)
    first = tell(session, incident, "a@example.bo", "AMBER")
    assert tell(session, incident, "a@example.bo", "AMBER") is first
    assert len(session.scalars(select(Job)).all()) == 1
    assert incident.code in first.subject
    assert "https://cgii.example" in first.body


def test_red_is_never_mailed_with_its_content(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    incident = make_incident(session, entity_id=reporter.entity_id, title=SECRET)
    message = tell(session, incident, reporter.email, "RED")
    assert message.state == "waiting"
    assert SECRET not in message.body + message.subject
    assert incident.code in message.subject


@pytest.mark.parametrize("tlp", ["AMBER+STRICT", "RED", "PINK"])
def test_strangers_get_nothing_of_what_is_strict(session: Session, tlp: str) -> None:
    message = tell(session, make_incident(session), "otro@example.com", tlp)
    assert (message.state, session.scalars(select(Job)).all()) == ("withheld", [])
    assert tlp in message.detail


def test_strict_reaches_the_entitys_contacts_and_the_centre(session: Session) -> None:
    incident = make_incident(session)
    contact = Contact(
        entity_id=incident.entity_id, duty="rsi", name="R", email="RSI@x.bo", since=NOW.date()
    )
    session.add(contact)
    for recipient in ("rsi@x.bo", make_user(session).email):
        message = tell(session, incident, recipient, "AMBER+STRICT")
        assert message.state == "waiting"
        assert SECRET in message.body


def test_another_entitys_person_is_a_stranger(session: Session) -> None:
    other = make_user(session, Role.REPORTER)
    assert tell(session, make_incident(session), other.email, "AMBER+STRICT").state == "withheld"


def test_nobody_is_written_to_at_no_address(session: Session) -> None:
    act = make_act(session)
    assert compose(act, "restricted", " ", {"code": ""}, dedupe_key="x", tlp="CLEAR") is None


def test_an_entity_is_reached_by_reporters_and_the_rsi_in_office(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    make_user(session, Role.MAE, entity_id=reporter.entity_id)
    make_user(session, Role.REPORTER, entity_id=reporter.entity_id, is_active=False)
    for email, until in (("rsi@x.bo", None), ("antes@x.bo", NOW.date().replace(year=2025))):
        session.add(
            Contact(
                entity_id=reporter.entity_id,
                duty="rsi",
                name="R",
                email=email,
                since=NOW.date().replace(year=2024),
                until=until,
            )
        )
    session.flush()
    assert entity_recipients(session, reporter.entity_id, now=NOW) == [reporter.email, "rsi@x.bo"]


def test_a_subject_stays_on_one_line(session: Session) -> None:
    incident = make_incident(session, title="Hola\r\nBcc: todos@example.com")
    message = tell(session, incident, "a@example.bo", "AMBER")
    assert "\n" not in message.subject
    assert "\r" not in message.subject


def test_a_template_that_lacks_a_fact_says_which_file(tmp_path: Path) -> None:
    folder = tmp_path / "playbooks" / "messages"
    folder.mkdir(parents=True)
    (folder / "restricted.txt.j2").write_text("Asunto\n{{ nada }}")
    (folder / "rota.txt.j2").write_text("Asunto\n{% if %}")
    with pytest.raises(ContentError, match=r"restricted\.txt\.j2"):
        render("restricted", {}, tmp_path)
    assert [fault.line for fault in check_messages(tmp_path)] == [2]
    with pytest.raises(NotFound):
        render("no-existe", {})


def test_templates_cannot_reach_into_python(tmp_path: Path) -> None:
    folder = tmp_path / "playbooks" / "messages"
    folder.mkdir(parents=True)
    (folder / "restricted.txt.j2").write_text("A\n{{ code.__class__.__mro__ }}")
    with pytest.raises(ContentError):
        render("restricted", {"code": "x"}, tmp_path)
