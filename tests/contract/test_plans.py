"""People who work on one plan at the same moment get along, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict
from cgii.comply.content import verify
from cgii.comply.filing import file_plan
from cgii.comply.plans import approve, mark_ready, open_plan
from cgii.comply.statements import save_statement
from cgii.model.entities import Entity
from cgii.model.plans import ControlStatement, Plan, Submission
from cgii.model.registry import Table
from cgii.store.database import Database
from cgii.store.numbering import next_number
from tests.make import make_act
from tests.make_plans import DONE, make_cast, make_complete

AT_ONCE = 6
T = TypeVar("T")


@pytest.fixture
def record(empty_url: str) -> Iterator[Database]:
    """An empty record of each kind, with the tables as the model has them."""
    database = Database(empty_url)
    Table.metadata.create_all(database.engine)
    yield database
    database.close()


def together(record: Database, deed: Callable[[Session], T]) -> list[T]:
    """What the deed gives in several transactions at the same moment."""

    def one(_turn: int) -> T:
        with record.transaction() as session:
            return deed(session)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def test_numbers_taken_at_once_have_no_gap_and_no_double(record: Database) -> None:
    numbers = together(record, lambda session: next_number(session, "submission", 2026))
    assert sorted(numbers) == list(range(1, AT_ONCE + 1))


def test_people_who_open_a_plan_at_once_get_one(record: Database) -> None:
    with record.transaction() as session:
        entity_id = make_cast(session).entity.id
        make_act(session).record("test", "test")
    opened = together(
        record,
        lambda session: open_plan(make_act(session), session.get_one(Entity, entity_id), 2026).id,
    )
    assert len(set(opened)) == 1


def test_filing_at_once_makes_one_submission_with_one_receipt(record: Database) -> None:
    with record.transaction() as session:
        cast = make_cast(session)
        plan = make_complete(cast)
        mark_ready(cast.officer, plan)
        approve(cast.mae, plan, "RM-1")
        plan_id = plan.id
    codes = together(
        record, lambda session: file_plan(make_act(session), session.get_one(Plan, plan_id)).code
    )
    assert set(codes) == {"PISI-2026-000001"}
    with record.reading() as session:
        assert session.scalar(select(func.count()).select_from(Submission)) == 1
        assert verify(session.scalars(select(Submission)).one())


def test_of_officers_who_save_one_control_at_once_one_wins(record: Database) -> None:
    with record.transaction() as session:
        cast = make_cast(session)
        plan_id = open_plan(cast.officer, cast.entity, 2026).id

    def save(session: Session) -> bool:
        plan = session.get_one(Plan, plan_id)
        try:
            save_statement(make_act(session), plan, "3.2", DONE, expected_version=1)
        except Conflict:
            return False
        return True

    assert together(record, save).count(True) == 1
    with record.reading() as session:
        row = session.scalars(
            select(ControlStatement).where(ControlStatement.control == "3.2")
        ).one()
        assert row.version == 2
