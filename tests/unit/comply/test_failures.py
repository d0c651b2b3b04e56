"""What incidents showed comes back in the entity's next plan, and in no other's."""

from datetime import timedelta

from sqlalchemy.orm import Session

from cgii.comply.failures import controls_named, must_answer
from cgii.comply.plans import open_plan
from cgii.model.incidents import Incident, IncidentControl
from tests.make import NOW, make_incident
from tests.make_plans import make_cast, make_filed


def name_control(
    session: Session, incident: Incident, control: str, days: float = 0
) -> IncidentControl:
    assert incident.entity_id is not None
    row = IncidentControl(
        incident_id=incident.id,
        entity_id=incident.entity_id,
        control=control,
        named_at=NOW + timedelta(days=days),
        note="Sin copia fuera de línea",
    )
    session.add(row)
    session.flush()  # the next query must see it
    return row


def test_named_controls_come_with_their_incidents_oldest_first(session: Session) -> None:
    entity = make_cast(session).entity
    late, early = (make_incident(session, entity_id=entity.id) for _ in range(2))
    name_control(session, late, "6.6", days=2)
    name_control(session, early, "6.6", days=1)
    name_control(session, early, "3.4")
    named = controls_named(session, entity.id)
    assert set(named) == {"6.6", "3.4"}
    assert [fact.incident_code for fact in named["6.6"]] == [early.code, late.code]
    assert named["3.4"][0].note == "Sin copia fuera de línea"


def test_another_entitys_incidents_are_never_mixed_in(session: Session) -> None:
    entity, other = make_cast(session).entity, make_cast(session).entity
    name_control(session, make_incident(session, entity_id=other.id), "6.6")
    assert controls_named(session, entity.id) == {}


def test_exercises_and_merged_incidents_do_not_count(session: Session) -> None:
    entity = make_cast(session).entity
    real = make_incident(session, entity_id=entity.id)
    exercise = make_incident(session, entity_id=entity.id, is_exercise=True)
    merged = make_incident(session, entity_id=entity.id, merged_into_id=real.id)
    name_control(session, exercise, "6.6")
    name_control(session, merged, "6.7")
    assert controls_named(session, entity.id) == {}


def test_a_plan_answers_what_was_named_since_the_plan_before_was_filed(session: Session) -> None:
    cast = make_cast(session)
    incident = make_incident(session, entity_id=cast.entity.id)
    plan_before = open_plan(cast.officer, cast.entity, 2025)
    plan = open_plan(cast.officer, cast.entity, 2026)
    name_control(session, incident, "3.4", days=-1)
    assert set(must_answer(session, plan)) == {"3.4"}
    assert set(must_answer(session, plan_before)) == {"3.4"}


def test_what_an_earlier_filing_answered_is_not_asked_again(session: Session) -> None:
    cast = make_cast(session)
    make_filed(cast, 2025)
    plan = open_plan(cast.officer, cast.entity, 2026)
    incident = make_incident(session, entity_id=cast.entity.id)
    name_control(session, incident, "3.4", days=-1)
    name_control(session, incident, "6.6", days=1)
    assert set(must_answer(session, plan)) == {"6.6"}
