"""Evidence belongs to somebody and is withdrawn, never deleted."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid
from cgii.model.incidents import Entry
from cgii.model.people import Role
from cgii.respond.evidence import attach, plain_name, withdraw
from cgii.respond.requests import ask
from cgii.store.files import Stored
from tests.make import NOW, make_act, make_incident, make_user
from tests.unit.respond.cases import HOUR, analyst_act

FILE = Stored("ab" * 32, 12)


def test_what_the_centre_adds_is_not_shared(session: Session) -> None:
    incident = make_incident(session, tlp="RED")
    evidence = attach(analyst_act(session), FILE, "auth.log", incident=incident)
    assert (evidence.entity_id, evidence.is_shared, evidence.tlp) == (None, False, "RED")
    assert (evidence.sha256, evidence.size_bytes) == (FILE.sha256, 12)


def test_what_an_entity_adds_is_theirs_and_shared(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    incident = make_incident(session, entity_id=reporter.entity_id)
    request = ask(analyst_act(session), incident, "¿Registros?", NOW + HOUR)
    evidence = attach(make_act(session, reporter), FILE, "a.log", request=request)
    assert (evidence.entity_id, evidence.is_shared) == (reporter.entity_id, True)
    assert (evidence.incident_id, evidence.request_id) == (incident.id, request.id)


def test_withdrawn_evidence_stays_with_its_reason(session: Session) -> None:
    act = analyst_act(session)
    evidence = attach(act, FILE, "a.log", incident=make_incident(session))
    with pytest.raises(Invalid):
        withdraw(act, evidence, reason="")
    withdraw(act, evidence, reason="archivo equivocado")
    assert evidence.withdrawn_at == NOW
    texts = session.scalars(select(Entry.text).where(Entry.kind == "evidence")).all()
    assert "archivo equivocado" in texts[-1]
    with pytest.raises(Conflict):
        withdraw(act, evidence, reason="otra vez")


def test_evidence_belongs_to_something(session: Session) -> None:
    with pytest.raises(Invalid):
        attach(analyst_act(session), FILE, "a.log")


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ana\\captura.png", "captura.png"),
        ("acta\x00\n2026.pdf", "acta2026.pdf"),
        ("", "archivo"),
        ("/", "archivo"),
    ],
)
def test_a_file_name_is_text_never_a_path(sent: str, kept: str) -> None:
    assert plain_name(sent) == kept
