"""What pages ask of an incident."""

from sqlalchemy.orm import Session

from cgii.model.deadlines import Deadline
from cgii.respond.attribution import Attributor
from cgii.respond.deadlines import start_deadlines
from cgii.respond.groups import join, promote
from cgii.respond.intake import fold_alerts
from cgii.respond.observables import add_observables
from cgii.respond.timeline import comment
from cgii.respond.views import (
    clocks,
    deadline_state,
    order_faults,
    seen_before,
    shared_timeline,
    similar,
    timeline,
)
from tests.make import NOW, make_act, make_incident
from tests.unit.respond.alerts import make_alert
from tests.unit.respond.cases import HOUR, analyst_act
from tests.unit.respond.test_groups import make_groups


def test_similar_cases_say_why_and_the_most_alike_come_first(session: Session) -> None:
    act = make_act(session)
    mine = make_incident(session, rsit_class="fraud")
    neighbour = make_incident(session, entity_id=mine.entity_id, rsit_class="fraud")
    same_fact = make_incident(session)
    make_incident(session)
    for incident in (mine, same_fact):
        add_observables(act, incident, [("domain", "falso.example")])
    session.flush()
    found = similar(session, mine)
    assert [one.incident.id for one in found] == [same_fact.id, neighbour.id]
    assert "falso.example" in found[0].reasons[0]
    assert found[1].reasons == ("misma entidad y clase en 90 días",)


def test_the_same_rule_is_a_reason(session: Session) -> None:
    act = analyst_act(session)
    first, second = make_groups(session, 2)
    one, two = promote(act, first), promote(act, second)
    session.flush()
    assert any("misma regla" in reason for reason in similar(session, one)[0].reasons)
    assert similar(session, one)[0].incident.id == two.id


def test_a_case_is_not_similar_to_itself(session: Session) -> None:
    act = analyst_act(session)
    first, second = make_groups(session, 2)
    incident = promote(act, first)
    join(act, [second], incident)
    session.flush()
    assert similar(session, incident) == []


def test_the_entity_reads_only_what_is_shared(session: Session) -> None:
    incident, act = make_incident(session), analyst_act(session)
    comment(act, incident, "interno", shared=False)
    comment(act, incident, "para ustedes", shared=True)
    session.flush()
    assert [one.text for one in shared_timeline(session, incident)] == ["para ustedes"]
    assert len(timeline(session, incident)) == 2


def test_contradicting_stamps_are_shown(session: Session) -> None:
    incident = make_incident(session, contained_at=NOW, recovered_at=NOW - HOUR)
    assert order_faults(incident) == ["«Servicio recuperado» es anterior a «Contenido»."]
    assert order_faults(make_incident(session, detected_at=NOW - HOUR)) == []


def test_open_clocks_stand_before_ended_ones(session: Session) -> None:
    incident = make_incident(session, severity="critico")
    first, *_ = start_deadlines(make_act(session), incident)
    first.ended_at = NOW
    session.flush()
    assert clocks(session, incident)[-1] is first
    assert deadline_state(first, NOW) == "released"
    assert isinstance(first, Deadline)


def test_values_are_counted_by_incident(session: Session) -> None:
    act = make_act(session)
    for _ in range(2):
        add_observables(act, make_incident(session), [("ip", "203.0.113.9")])
    session.flush()
    assert seen_before(session, ["203.0.113.9", "203.0.113.10"]) == {"203.0.113.9": 2}


def test_folding_does_not_disturb_views(session: Session) -> None:
    fold_alerts(make_act(session), [make_alert()], Attributor())
    assert similar(session, make_incident(session)) == []
