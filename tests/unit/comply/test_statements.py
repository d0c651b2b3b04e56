"""Several officers write statements at once, and every field at fault is told."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, InvalidForm, NotFound
from cgii.comply.plans import mark_ready, open_plan
from cgii.comply.statements import (
    StatementForm,
    check_statement,
    fill_statements,
    form_of,
    missing_in,
    save_statement,
    statement_of,
    statements_in_order,
)
from cgii.model.entities import Entity
from cgii.model.people import Role
from cgii.model.plans import ControlStatement, Plan
from cgii.model.records import AuditEntry
from cgii.store.database import Database
from tests.make import NOW, make_act, make_user
from tests.make_plans import DONE, EXCLUDED, PLANNED, make_cast, make_complete

TODAY = date(2026, 11, 20)


def test_a_saved_statement_has_the_next_version(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    saved = save_statement(cast.officer, plan, "3.2", DONE, expected_version=1)
    assert saved.version == 2
    assert form_of(saved) == DONE


def test_saving_the_same_again_changes_and_records_nothing(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    save_statement(cast.officer, plan, "3.2", DONE, expected_version=1)
    saved = save_statement(cast.officer, plan, "3.2", DONE, expected_version=2)
    assert saved.version == 2
    entries = session.scalars(
        select(AuditEntry).where(AuditEntry.action == "plan.statement_saved")
    ).all()
    assert len(entries) == 1


def test_two_officers_on_one_control_get_a_conflict(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    colleague = make_act(session, make_user(session, Role.OFFICER, entity_id=cast.entity.id))
    save_statement(cast.officer, plan, "3.2", DONE, expected_version=1)
    with pytest.raises(Conflict, match=r"Otra persona guardó el control"):
        save_statement(colleague, plan, "3.2", PLANNED, expected_version=1)
    assert form_of(statement_of(session, plan, "3.2")) == DONE


def test_two_officers_in_two_transactions_get_a_conflict(database: Database) -> None:
    with database.transaction() as session:
        entity_id = make_cast(session).entity.id
        plan_id = open_plan(make_act(session), session.get_one(Entity, entity_id), 2026).id
    with database.reading() as early:
        seen = statement_of(early, early.get_one(Plan, plan_id), "3.2").version
    with database.transaction() as session:
        plan = session.get_one(Plan, plan_id)
        save_statement(make_act(session), plan, "3.2", DONE, expected_version=seen)
    with database.transaction() as session:
        plan = session.get_one(Plan, plan_id)
        with pytest.raises(Conflict):
            save_statement(make_act(session), plan, "3.2", PLANNED, expected_version=seen)


def test_two_officers_on_different_controls_do_not_disturb_each_other(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    before = plan.version
    save_statement(cast.officer, plan, "3.2", DONE, expected_version=1)
    save_statement(cast.officer, plan, "3.3", DONE, expected_version=1)
    assert plan.version == before


def test_a_locked_plan_refuses_statements(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    mark_ready(cast.officer, plan)
    with pytest.raises(Conflict, match="no se puede modificar"):
        save_statement(cast.officer, plan, "3.2", PLANNED, expected_version=2)


def test_another_entitys_officer_finds_no_such_plan(session: Session) -> None:
    cast, other = make_cast(session), make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    with pytest.raises(NotFound):
        save_statement(other.officer, plan, "3.2", DONE, expected_version=1)


def test_a_control_outside_the_framework_is_not_found(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    with pytest.raises(NotFound):
        save_statement(cast.officer, plan, "99.1", DONE, expected_version=1)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (replace(DONE, maturity=6, target=None), "maturity"),
        (replace(DONE, maturity=-1), "maturity"),
        (replace(DONE, maturity=4, target=3), "target"),
        (replace(DONE, status="perfect"), "status"),
        (replace(DONE, statement="x" * 20_001), "statement"),
        (replace(DONE, responsible="x" * 201), "responsible"),
        (StatementForm(applies=False, reason="  "), "reason"),
        (replace(EXCLUDED, status="partial"), "status"),
        (replace(DONE, due_on=date(26, 1, 1)), "due_on"),
    ],
)
def test_a_contradictory_form_names_its_field(form: StatementForm, field: str) -> None:
    with pytest.raises(InvalidForm) as caught:
        check_statement(form)
    assert list(caught.value.problems) == [field]


def test_several_fields_at_fault_are_told_at_once() -> None:
    with pytest.raises(InvalidForm) as caught:
        check_statement(replace(DONE, target=9, status="x", responsible="x" * 500))
    assert set(caught.value.problems) == {"target", "status", "responsible"}


def test_texts_are_stored_without_blanks_and_nul() -> None:
    assert check_statement(replace(DONE, statement=" a\x00b \n")).statement == "ab"


def test_an_unfinished_statement_may_be_saved() -> None:
    assert check_statement(StatementForm(applies=True)) == StatementForm(applies=True)


@pytest.mark.parametrize(
    ("form", "missing"),
    [
        (StatementForm(), {"applies"}),
        (EXCLUDED, set()),
        (DONE, set()),
        (PLANNED, set()),
        (StatementForm(applies=True), {"status", "statement", "responsible"}),
        (replace(PLANNED, due_on=None), {"due_on"}),
        (replace(PLANNED, due_on=date(2026, 11, 19)), {"due_on"}),
        (replace(PLANNED, due_on=TODAY), set()),
        (replace(DONE, status="none", due_on=None), {"due_on"}),
    ],
)
def test_what_is_missing_in_a_statement_is_told_by_field(
    form: StatementForm, missing: set[str]
) -> None:
    row = ControlStatement(control="1.1", updated_at=NOW, **vars(form))
    assert set(missing_in(row, TODAY)) == missing


def test_statements_come_in_the_order_of_the_framework(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    codes = [statement.control for statement in statements_in_order(plan)]
    assert codes.index("2.1") < codes.index("10.1")
    assert codes.index("6.2") < codes.index("6.10")


def test_an_import_fills_what_is_empty_and_leaves_what_is_answered(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    save_statement(cast.officer, plan, "3.2", PLANNED, expected_version=1)
    forms = {"3.2": DONE, "3.3": DONE, "99.1": DONE}
    assert fill_statements(cast.officer, plan, forms) == ["3.3"]
    assert form_of(statement_of(session, plan, "3.2")) == PLANNED
    assert form_of(statement_of(session, plan, "3.3")) == DONE


def test_an_import_with_a_fault_fills_nothing_and_says_where(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    with pytest.raises(InvalidForm) as caught:
        fill_statements(cast.officer, plan, {"3.2": DONE, "3.3": replace(DONE, status="x")})
    assert list(caught.value.problems) == ["3.3.status"]
    assert statement_of(session, plan, "3.2").applies is None
