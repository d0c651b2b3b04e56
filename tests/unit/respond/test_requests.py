"""A request is the entity's turn: our clocks rest, theirs runs, the answer brings it back."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid, NotFound
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Entry
from cgii.model.people import Role
from cgii.model.records import Message
from cgii.respond.deadlines import check_deadlines, start_deadlines
from cgii.respond.requests import answer, ask, withdraw
from tests.make import NOW, make_act, make_incident, make_user
from tests.unit.respond.cases import HOUR, analyst_act, at


def test_asking_pauses_our_clocks_and_answering_resumes_them(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    incident = make_incident(session, severity="critico", entity_id=reporter.entity_id)
    start_deadlines(make_act(session), incident)
    act = analyst_act(session)
    request = ask(act, incident, "Envíe los registros.", NOW + 24 * HOUR)
    clocks = {one.policy_id: one for one in session.scalars(select(Deadline))}
    assert clocks["centro-resolucion-critico"].paused_at == NOW
    assert clocks[f"request-{request.id}"].party == "entity"
    assert (incident.waiting_for, incident.entity_notified_at) == ("entity", NOW)
    answer(make_act(session, reporter, now=NOW + 2 * HOUR), request, "Aquí están.")
    assert (incident.waiting_for, incident.entity_answered_at) == ("", NOW + 2 * HOUR)
    assert clocks["centro-resolucion-critico"].due_at == NOW + 74 * HOUR
    assert clocks[f"request-{request.id}"].met_at == NOW + 2 * HOUR


def test_the_question_is_mailed_and_the_exchange_is_shared(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    incident = make_incident(session, entity_id=reporter.entity_id)
    request = ask(analyst_act(session), incident, "¿Qué versión usan?", NOW + HOUR)
    answer(make_act(session, reporter), request, "La 4.2")
    message = session.scalars(select(Message)).one()
    assert "¿Qué versión usan?" in message.body
    shared = session.scalars(select(Entry.kind).where(Entry.is_shared)).all()
    assert sorted(shared) == ["answer", "request"]


def test_our_turn_comes_with_the_last_answer(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    first = ask(act, incident, "¿Uno?", NOW + HOUR)
    second = ask(act, incident, "¿Dos?", NOW + HOUR)
    answer(act, first, "uno")
    assert incident.waiting_for == "entity"
    withdraw(act, second, reason="ya se sabe")
    assert incident.waiting_for == ""


def test_a_request_is_answered_once(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    request = ask(act, incident, "¿Uno?", NOW + HOUR)
    answer(act, request, "uno")
    with pytest.raises(Conflict, match="ya fue respondido"):
        answer(act, request, "otra vez")
    with pytest.raises(Conflict):
        withdraw(act, request)


def test_another_entity_does_not_know_the_request(session: Session) -> None:
    incident = make_incident(session)
    request = ask(analyst_act(session), incident, "¿Uno?", NOW + HOUR)
    with pytest.raises(NotFound):
        answer(make_act(session, make_user(session, Role.REPORTER)), request, "yo")


def test_a_late_answer_is_taken_and_marked(session: Session) -> None:
    make_user(session, Role.COORDINATOR)
    incident, act = make_incident(session), analyst_act(session)
    request = ask(act, incident, "¿Uno?", NOW + HOUR)
    later = at(act, NOW + 2 * HOUR)
    told = [one.what for one in check_deadlines(later)]
    answer(later, request, "uno")
    clock = session.scalars(select(Deadline).where(Deadline.party == "entity")).one()
    assert told == ["missed"]
    assert (clock.met_at, clock.missed_at) == (NOW + 2 * HOUR, NOW + HOUR)


@pytest.mark.parametrize(("question", "hours"), [(" ", 1), ("¿?", 0), ("¿?" * 20_000, 1)])
def test_a_request_needs_words_and_time(session: Session, question: str, hours: int) -> None:
    with pytest.raises(Invalid):
        ask(analyst_act(session), make_incident(session), question, NOW + hours * HOUR)


def test_an_incident_without_entity_cannot_ask(session: Session) -> None:
    with pytest.raises(Invalid, match="no tiene entidad"):
        ask(analyst_act(session), make_incident(session, entity_id=None), "¿?", NOW + HOUR)
