"""A plan is opened once a year, carried over, completed and approved."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid, InvalidForm, NotAllowed, NotFound
from cgii.comply.controls import load_framework
from cgii.comply.decisions import DecisionForm, decide, notify_decision
from cgii.comply.evidence import attach_evidence, evidence_of
from cgii.comply.plans import (
    amend,
    approve,
    carry_over,
    completeness,
    mark_ready,
    open_plan,
    plan_before,
    return_to_draft,
)
from cgii.comply.statements import form_of, statement_of
from cgii.model.entities import Entity
from cgii.model.incidents import IncidentControl
from cgii.model.plans import Plan
from cgii.store.database import Database
from cgii.store.files import Stored
from tests.make import NOW, make_act, make_entity, make_incident
from tests.make_plans import (
    DONE,
    EXCLUDED,
    PLANNED,
    make_cast,
    make_complete,
    make_filed,
    make_read,
    save,
)

FILE = Stored("a" * 64, 12)


def test_a_new_plan_has_an_empty_statement_for_every_control(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    assert plan.state == "draft"
    assert plan.framework == load_framework().urn
    assert {statement.control for statement in plan.statements} == set(load_framework().controls)
    assert all(statement.applies is None for statement in plan.statements)


def test_opening_twice_gives_the_same_plan(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    assert open_plan(cast.officer, cast.entity, 2026) is plan


def test_people_who_open_at_once_get_one_plan(database: Database) -> None:
    with database.transaction() as session:
        entity_id = make_entity(session).id

    def open_it(_turn: int) -> int:
        with database.transaction() as session:
            return open_plan(make_act(session), session.get_one(Entity, entity_id), 2026).id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(open_it, range(8)))) == 1
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Plan)) == 1


@pytest.mark.parametrize("year", [2016, 2028])
def test_a_year_out_of_reach_is_refused(session: Session, year: int) -> None:
    cast = make_cast(session)
    with pytest.raises(Invalid, match="gestión"):
        open_plan(cast.officer, cast.entity, year)


def test_nobody_opens_another_entitys_plan(session: Session) -> None:
    with pytest.raises(NotFound):
        open_plan(make_cast(session).officer, make_cast(session).entity, 2026)


def test_a_complete_plan_lacks_nothing_and_is_ready(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast, forms={"4.1": PLANNED, "8.2": EXCLUDED})
    assert completeness(plan, today=date(2026, 11, 20)) == ()
    mark_ready(cast.officer, plan)
    assert plan.state == "ready"


def test_an_empty_plan_lacks_the_general_part_and_every_control(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    missing = completeness(plan, today=date(2026, 11, 20))
    controls = [item.control for item in missing if item.control]
    assert controls == list(load_framework().controls)
    assert len(missing) == len(controls) + 7


def test_a_plan_with_a_gap_does_not_become_ready_and_says_where(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast, forms={"10.3": replace(DONE, responsible="")})
    with pytest.raises(InvalidForm) as caught:
        mark_ready(cast.officer, plan)
    assert list(caught.value.problems) == ["10.3.responsible"]
    assert plan.state == "draft"


def test_a_control_that_an_incident_named_must_be_answered(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    incident = make_incident(session, entity_id=cast.entity.id)
    session.add(
        IncidentControl(
            incident_id=incident.id, entity_id=cast.entity.id, control="6.6", named_at=NOW
        )
    )
    with pytest.raises(InvalidForm) as caught:
        mark_ready(cast.officer, plan)
    assert list(caught.value.problems) == ["6.6.incident_answer"]
    save(cast.officer, plan, "6.6", replace(DONE, incident_answer="Copias fuera de línea."))
    mark_ready(cast.officer, plan)


def test_an_incident_named_even_a_control_that_does_not_apply(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast, forms={"8.2": EXCLUDED})
    missing = completeness(plan, today=date(2026, 11, 20), named={"8.2"})
    assert [(item.control, item.field) for item in missing] == [("8.2", "incident_answer")]


def test_only_the_authority_approves_and_by_a_resolution(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    mark_ready(cast.officer, plan)
    with pytest.raises(NotAllowed):
        approve(cast.officer, plan, "RM-1")
    with pytest.raises(InvalidForm):
        approve(cast.mae, plan, " ")
    with pytest.raises(NotFound):
        approve(make_cast(session).mae, plan, "RM-1")
    approve(cast.mae, plan, "RM-1")
    assert (plan.state, plan.approval_cite, plan.approved_at) == ("approved", "RM-1", NOW)


def test_a_draft_is_not_approved(session: Session) -> None:
    cast = make_cast(session)
    with pytest.raises(Conflict):
        approve(cast.mae, make_complete(cast), "RM-1")


def test_a_plan_goes_back_to_the_officer_with_a_reason(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    with pytest.raises(Conflict):
        return_to_draft(cast.mae, plan, "Falta el presupuesto")
    mark_ready(cast.officer, plan)
    approve(cast.mae, plan, "RM-1")
    with pytest.raises(InvalidForm):
        return_to_draft(cast.mae, plan, "")
    return_to_draft(cast.mae, plan, "Falta el presupuesto")
    assert (plan.state, plan.approval_cite, plan.approved_at) == ("draft", "", None)
    save(cast.officer, plan, "3.2", PLANNED)


def test_last_years_plan_is_carried_over_with_its_valid_evidence(session: Session) -> None:
    cast = make_cast(session)
    old = make_complete(cast, 2025, {"8.2": EXCLUDED})
    save(cast.officer, old, "6.6", replace(DONE, incident_answer="Ya se respondió."))
    attach_evidence(cast.officer, old, "3.2", FILE, file_name="actas.pdf")
    short = NOW + timedelta(hours=1)
    attach_evidence(cast.officer, old, "3.3", FILE, file_name="corta.pdf", valid_until=short)
    plan = open_plan(cast.officer, cast.entity, 2026)
    save(cast.officer, plan, "4.1", PLANNED)
    carried = carry_over(replace(cast.officer, now=NOW + timedelta(hours=2)), plan)
    assert "4.1" not in carried
    assert len(carried) == len(load_framework().controls) - 1
    assert form_of(statement_of(session, plan, "4.1")) == PLANNED
    assert form_of(statement_of(session, plan, "8.2")) == EXCLUDED
    assert statement_of(session, plan, "6.6").incident_answer == ""
    assert plan.scope == old.scope
    assert set(evidence_of(session, plan)) == {"3.2"}


def test_nothing_is_carried_over_from_another_entity(session: Session) -> None:
    make_complete(make_cast(session), 2025)
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    assert plan_before(session, plan) is None
    with pytest.raises(Conflict, match="anterior"):
        carry_over(cast.officer, plan)


def test_a_returned_plan_is_amended_after_the_decision_was_notified(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    plan = submission.plan
    make_read(cast, submission)
    decision = decide(cast.reviewer, submission, DecisionForm("returned", "Faltan riesgos."))
    with pytest.raises(Conflict, match="notificada"):
        amend(cast.officer, plan)
    notify_decision(cast.reviewer, decision)
    assert plan.state == "decided"
    amend(cast.officer, plan)
    assert (plan.state, plan.approval_cite) == ("draft", "")
    mark_ready(cast.officer, plan)


def test_an_accepted_plan_is_not_amended(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission)
    decide(cast.reviewer, submission, DecisionForm("accepted", "", date(2027, 12, 31)))
    with pytest.raises(Conflict, match="devuelto o rechazado"):
        amend(cast.officer, submission.plan)
