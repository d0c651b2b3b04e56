"""An incident is acknowledged by persons, classified with reasons, owned by one."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid, InvalidForm
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Entry, Incident
from cgii.model.people import Role
from cgii.model.records import Message
from cgii.respond.deadlines import start_deadlines
from cgii.respond.lifecycle import (
    TriageForm,
    acknowledge,
    assign,
    go_on,
    notify_entity,
    release,
    set_entity,
    status,
    status_label,
    take,
    triage,
    wait_for,
)
from cgii.respond.severity import SeverityFacts
from cgii.respond.stages import stamp
from cgii.respond.timeline import comment, share_entry
from cgii.store.database import Database
from tests.make import NOW, make_act, make_entity, make_incident, make_user
from tests.unit.respond.cases import HOUR, analyst_act, at

PHISHING = TriageForm("fraud", "phishing")


def test_the_first_human_act_is_the_first_response(session: Session) -> None:
    incident = make_incident(session)
    comment(make_act(session), incident, "automático", shared=False)
    assert incident.acknowledged_at is None
    reporter = make_user(session, Role.REPORTER)
    acknowledge(make_act(session, reporter), incident)
    assert incident.acknowledged_at is None
    acknowledge(analyst_act(session), incident)
    assert incident.acknowledged_at == NOW


def test_a_second_acknowledgement_changes_nothing(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    acknowledge(act, incident)
    acknowledge(at(act, NOW + HOUR), incident)
    assert incident.acknowledged_at == NOW


def test_a_stage_is_corrected_with_a_reason_that_stays(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    stamp(act, incident, "contained", at=NOW - HOUR)
    with pytest.raises(Invalid, match="ya tiene fecha"):
        stamp(act, incident, "contained", at=NOW)
    stamp(act, incident, "contained", at=NOW, reason="la entidad confirmó después")
    assert incident.contained_at == NOW
    texts = session.scalars(select(Entry.text).where(Entry.kind == "stage")).all()
    assert any("la entidad confirmó después" in text for text in texts)


def test_no_stage_lies_in_the_future_or_is_the_systems(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    with pytest.raises(Invalid, match="futuro"):
        stamp(act, incident, "contained", at=NOW + HOUR)
    for stage in ("received", "closed"):
        with pytest.raises(Conflict, match="la pone el sistema"):
            stamp(act, incident, stage, reason="quiero")
    with pytest.raises(Invalid, match="No existe"):
        stamp(act, incident, "magia")


def test_triage_takes_the_computed_severity(session: Session) -> None:
    incident = make_incident(session)
    triage(analyst_act(session), incident, PHISHING)
    assert (incident.severity, incident.triaged_at) == ("alto", NOW)
    assert incident.severity_facts["rsit_type"] == "phishing"
    assert incident.taxonomy_version == 1003


def test_another_severity_needs_a_reason(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    form = TriageForm("fraud", "phishing", severity="critico")
    with pytest.raises(InvalidForm) as caught:
        triage(act, incident, form)
    assert "severity_reason" in caught.value.problems
    triage(
        act,
        incident,
        TriageForm("fraud", "phishing", severity="critico", severity_reason="suplanta al SIN"),
    )
    assert (incident.severity, incident.severity_reason) == ("critico", "suplanta al SIN")


def test_triage_demands_a_class_of_the_taxonomy(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    with pytest.raises(InvalidForm) as caught:
        triage(act, incident, TriageForm("", tlp="X", pap="X", kind="X"))
    assert set(caught.value.problems) == {"rsit_class", "tlp", "pap", "kind"}
    with pytest.raises(InvalidForm) as caught:
        triage(act, incident, TriageForm("fraud", "spam"))
    assert set(caught.value.problems) == {"rsit_type"}


def test_a_form_over_an_older_state_is_refused(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    seen = incident.version
    triage(act, incident, PHISHING, expected_version=seen)
    session.flush()
    with pytest.raises(Conflict, match="Otra persona"):
        triage(act, incident, PHISHING, expected_version=seen)


def test_raising_the_severity_replaces_the_running_clock(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    start_deadlines(make_act(session), incident)
    later = at(act, NOW + HOUR)
    facts = SeverityFacts(service_impact="down", personal_data="yes")
    triage(later, incident, TriageForm("fraud", "phishing", facts=facts))
    assert incident.severity == "critico"
    clocks = {one.policy_id: one for one in session.scalars(select(Deadline))}
    old, new = clocks["centro-resolucion-medio"], clocks["centro-resolucion-critico"]
    assert (old.ended_at, old.met_at, old.missed_at) == (later.now, None, None)
    assert new.due_at == later.now + 72 * HOUR
    assert "centro-respuesta-critico" not in clocks, "the first response was given already"
    assert incident.next_due_at == min(new.due_at, clocks["centro-contencion-critico"].due_at)


def test_lowering_the_severity_counts_from_the_start(session: Session) -> None:
    incident, act = make_incident(session, severity="critico"), analyst_act(session)
    start_deadlines(make_act(session), incident)
    triage(at(act, NOW + HOUR), incident, TriageForm("abusive-content", "spam"))
    clocks = {one.policy_id: one for one in session.scalars(select(Deadline))}
    assert clocks["centro-resolucion-bajo"].started_at == incident.received_at
    assert clocks["centro-contencion-critico"].ended_at == NOW + HOUR


def test_a_frozen_policy_does_not_follow_the_file(session: Session) -> None:
    incident = make_incident(session)
    first = start_deadlines(make_act(session), incident)
    dues = [one.due_at for one in first]
    assert start_deadlines(make_act(session), incident) == []
    assert [one.policy["hours"] for one in first] == [8.0, 150.0]
    assert [one.due_at for one in first] == dues


def test_taking_is_atomic_and_names_the_holder(session: Session) -> None:
    incident = make_incident(session)
    first, second = make_user(session, name="Rosa Mamani"), make_user(session)
    take(make_act(session, first), incident)
    take(make_act(session, first), incident)
    assert incident.assigned_at == NOW
    with pytest.raises(Conflict, match="Rosa Mamani"):
        take(make_act(session, second), incident)


def test_of_two_persons_one_gets_the_incident(database: Database) -> None:
    with database.transaction() as session:
        people = [make_user(session), make_user(session)]
        incident_id = make_incident(session).id
    with database.reading() as reading:
        stale = reading.get_one(Incident, incident_id)
    outcomes = []
    for person in people:
        try:
            with database.transaction() as session:
                take(make_act(session, person), session.merge(stale, load=False))
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")
    assert outcomes == ["won", "lost"]


def test_an_incident_is_assigned_to_persons_of_the_centre(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    with pytest.raises(Invalid, match="no puede atender"):
        assign(act, incident, make_user(session, Role.REPORTER))
    colleague = make_user(session)
    assign(act, incident, colleague, reason="cambio de turno")
    assert incident.owner_id == colleague.id
    release(act, incident)
    assert incident.owner_id is None


def test_states_follow_from_the_stamps(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    seen = [status(incident)]
    acknowledge(act, incident)
    seen.append(status(incident))
    triage(act, incident, PHISHING)
    seen.append(status(incident))
    take(act, incident)
    seen.append(status(incident))
    wait_for(act, incident, "third_party", reason="respuesta del operador")
    seen.append(status(incident))
    go_on(act, incident)
    stamp(act, incident, "contained")
    seen.append(status(incident))
    assert seen == [
        "new",
        "acknowledged",
        "triaged",
        "in_progress",
        "waiting_third_party",
        "contained",
    ]
    assert status_label(incident) == "Contenido"


def test_the_entity_learns_what_was_written_for_it(session: Session) -> None:
    reporter = make_user(session, Role.REPORTER)
    incident = make_incident(session, entity_id=reporter.entity_id)
    notify_entity(analyst_act(session), incident, "Vimos accesos extraños en su portal.")
    assert incident.entity_notified_at == NOW
    message = session.scalars(select(Message)).one()
    assert (message.recipient, message.state) == (reporter.email, "waiting")
    assert "accesos extraños" in message.body


def test_nothing_is_shared_but_on_purpose(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    hidden = comment(act, incident, "nota interna", shared=False)
    session.flush()
    assert not any(session.scalars(select(Entry.is_shared)))
    share_entry(act, incident, hidden)
    assert hidden.is_shared
    with pytest.raises(Invalid):
        share_entry(act, make_incident(session), hidden)


def test_the_entity_is_corrected_with_a_reason(session: Session) -> None:
    incident, act = make_incident(session, entity_id=None), analyst_act(session)
    entity = make_entity(session)
    with pytest.raises(Invalid):
        set_entity(act, incident, entity, reason=" ")
    set_entity(act, incident, entity, reason="la dirección es suya")
    assert (incident.entity_id, incident.entity) == (entity.id, entity)
