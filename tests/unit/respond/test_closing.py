"""A case ends with a reason; a serious one with its cause, controls and lessons."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, InvalidForm
from cgii.model.alerts import AlertGroup
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Incident, IncidentControl
from cgii.respond.attribution import Attributor
from cgii.respond.closing import CloseForm, close, control_codes, needs_analysis, reopen
from cgii.respond.deadlines import start_deadlines
from cgii.respond.groups import promote
from cgii.respond.intake import fold_alerts
from cgii.respond.lifecycle import acknowledge, status, take
from cgii.respond.requests import ask
from tests.make import NOW, make_act, make_incident, make_user
from tests.unit.respond.alerts import make_alert
from tests.unit.respond.cases import HOUR, analyst_act, at

CONTROLS = tuple(sorted(control_codes())[:2])
WHOLE = CloseForm("resolved", "", "clave débil", CONTROLS, "segundo factor")


def classified(session: Session, severity: str = "medio") -> Incident:
    return make_incident(session, severity=severity, rsit_class="fraud")


def test_a_light_case_closes_with_a_reason_alone(session: Session) -> None:
    incident = classified(session)
    close(analyst_act(session), incident, CloseForm("resolved"))
    assert (incident.closed_at, incident.resolved_at) == (NOW, NOW)
    assert status(incident) == "closed"


def test_a_serious_case_demands_cause_controls_and_lessons(session: Session) -> None:
    incident = classified(session, "alto")
    with pytest.raises(InvalidForm) as caught:
        close(analyst_act(session), incident, CloseForm("resolved"))
    assert set(caught.value.problems) == {"root_cause", "lessons", "failed_controls"}
    assert incident.closed_at is None


def test_a_false_positive_demands_no_analysis(session: Session) -> None:
    assert not needs_analysis(classified(session, "critico"), "false_positive")
    assert needs_analysis(classified(session, "critico"), "no_answer")
    assert not needs_analysis(classified(session, "medio"), "resolved")


def test_failed_controls_are_named_for_the_next_plan(session: Session) -> None:
    incident, act = classified(session, "alto"), analyst_act(session)
    close(act, incident, WHOLE)
    rows = session.scalars(select(IncidentControl)).all()
    assert {row.control for row in rows} == set(CONTROLS)
    assert {row.entity_id for row in rows} == {incident.entity_id}
    reopen(act, incident, reason="volvió")
    close(act, incident, CloseForm("resolved", "", "otra", CONTROLS[:1], "nada"))
    session.flush()
    assert session.scalars(select(IncidentControl.control)).all() == [CONTROLS[0]]


def test_a_control_that_does_not_exist_is_refused(session: Session) -> None:
    form = CloseForm("resolved", failed_controls=("99.9",))
    with pytest.raises(InvalidForm) as caught:
        close(analyst_act(session), classified(session), form)
    assert "99.9" in caught.value.problems["failed_controls"]


def test_an_unclassified_case_is_not_resolved(session: Session) -> None:
    with pytest.raises(InvalidForm) as caught:
        close(analyst_act(session), make_incident(session), CloseForm("resolved"))
    assert "Clasifique" in caught.value.problems["reason"]


def test_a_case_with_an_open_request_is_not_closed(session: Session) -> None:
    incident, act = classified(session), analyst_act(session)
    ask(act, incident, "¿Registros?", NOW + HOUR)
    with pytest.raises(InvalidForm) as caught:
        close(act, incident, CloseForm("resolved"))
    assert "requests" in caught.value.problems


def test_a_closed_case_takes_no_more_work_until_reopened(session: Session) -> None:
    incident, act = classified(session), analyst_act(session)
    close(act, incident, CloseForm("resolved"))
    for verb in (acknowledge, take):
        with pytest.raises(Conflict, match="cerrado"):
            verb(act, incident)
    reopen(act, incident, reason="volvió a ocurrir")
    assert (incident.closed_at, incident.reopened_count) == (None, 1)
    take(act, incident)


def test_closing_ends_all_clocks(session: Session) -> None:
    incident = classified(session)
    act = analyst_act(session)
    start_deadlines(make_act(session), incident)
    close(at(act, NOW + HOUR), incident, CloseForm("duplicate"))
    clocks = {one.stage: one for one in session.scalars(select(Deadline))}
    assert clocks["acknowledged"].met_at == NOW + HOUR
    assert (clocks["resolved"].met_at, clocks["resolved"].missed_at) == (None, None)
    assert clocks["resolved"].ended_at == NOW + HOUR
    assert incident.next_due_at is None


def test_the_rule_learns_how_its_case_ended(session: Session) -> None:
    act = make_act(session, make_user(session))
    fold_alerts(act, [make_alert()], Attributor())
    group = session.scalars(select(AlertGroup)).one()
    close(act, promote(act, group), CloseForm("false_positive"))
    assert group.verdict == "false_positive"


def test_a_form_over_an_older_state_does_not_close(session: Session) -> None:
    incident = classified(session)
    with pytest.raises(Conflict):
        close(analyst_act(session), incident, WHOLE, expected_version=incident.version + 1)
