"""Groups are taken by one person, become cases, and can be brought back."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import Entry, Observable
from cgii.respond.attribution import Attributor
from cgii.respond.groups import (
    dismiss,
    join,
    promote,
    release_group,
    take_group,
    undo_dismiss,
)
from cgii.respond.intake import fold_alerts
from cgii.respond.lifecycle import status
from cgii.store.audit import AuditTrail
from cgii.store.database import Database
from tests.make import make_act, make_user
from tests.unit.respond.alerts import make_alert
from tests.unit.respond.cases import analyst_act


def make_groups(session: Session, count: int = 1) -> list[AlertGroup]:
    alerts = [
        make_alert(key=(("source.ip", f"203.0.113.{n}"),), observables=(("ip", f"203.0.113.{n}"),))
        for n in range(count)
    ]
    fold_alerts(make_act(session), alerts, Attributor())
    return list(session.scalars(select(AlertGroup).order_by(AlertGroup.id)))


def test_a_promoted_group_is_a_case_with_its_facts(session: Session) -> None:
    act = analyst_act(session)
    (group,) = make_groups(session)
    incident = promote(act, group)
    assert incident.code == "CGII-2026-000001"
    assert (incident.rsit_class, incident.rsit_type) == ("intrusion-attempts", "brute-force")
    assert incident.acknowledged_at == incident.assigned_at == act.now
    assert (incident.owner_id, group.incident_id) == (act.user_id, incident.id)
    assert status(incident) == "acknowledged"
    observable = session.scalars(select(Observable)).one()
    assert (observable.kind, observable.value) == ("ip", "203.0.113.0")
    kinds = set(session.scalars(select(Entry.kind)))
    assert {"opened", "stage", "alerts"} <= kinds


def test_a_group_is_promoted_once(session: Session) -> None:
    act = analyst_act(session)
    (group,) = make_groups(session)
    code = promote(act, group).code
    with pytest.raises(Conflict, match=code):
        promote(act, group)


def test_joined_groups_bring_their_observables(session: Session) -> None:
    act = analyst_act(session)
    first, *others = make_groups(session, 3)
    incident = promote(act, first, title="Fuerza bruta")
    join(act, others, incident)
    join(act, others, incident)
    assert [group.state for group in others] == ["joined", "joined"]
    assert len(session.scalars(select(Observable)).all()) == 3
    entries = session.scalars(select(Entry).where(Entry.kind == "alerts")).all()
    assert len(entries) == 2


def test_a_dismissal_needs_a_reason_and_can_be_undone(session: Session) -> None:
    act = analyst_act(session)
    groups = make_groups(session, 2)
    take_group(act, groups[1])
    with pytest.raises(Invalid, match="por qué"):
        dismiss(act, groups, verdict="benign", reason=" ")
    dismiss(act, groups, verdict="false_positive", reason="escáner propio")
    assert {group.state for group in groups} == {"dismissed"}
    with pytest.raises(Conflict, match="descartada"):
        promote(act, groups[0])
    undo_dismiss(act, groups)
    assert [(group.state, group.verdict) for group in groups] == [("new", ""), ("taken", "")]


def test_a_taken_group_names_its_holder(session: Session) -> None:
    holder, other = make_user(session, name="Rosa Mamani"), make_user(session)
    (group,) = make_groups(session)
    take_group(make_act(session, holder), group)
    take_group(make_act(session, holder), group)
    with pytest.raises(Conflict, match="Rosa Mamani"):
        take_group(make_act(session, other), group)
    release_group(make_act(session, holder), group)
    take_group(make_act(session, other), group)
    assert group.owner_id == other.id


def test_of_two_persons_who_saw_it_free_one_gets_it(database: Database) -> None:
    with database.transaction() as session:
        people = [make_user(session), make_user(session)]
        group_id = make_groups(session)[0].id
    # Both have the row as it was before either of them acted.
    with database.reading() as reading:
        stale = reading.get_one(AlertGroup, group_id)
        assert stale.state == "new"
    outcomes = []
    for person in people:
        try:
            with database.transaction() as session:
                group = session.merge(stale, load=False)
                take_group(make_act(session, person, trail=AuditTrail(b"tests")), group)
            outcomes.append("won")
        except Conflict:
            outcomes.append("lost")
    assert outcomes == ["won", "lost"]
    with database.reading() as session:
        assert session.get_one(AlertGroup, group_id).owner_id == people[0].id
