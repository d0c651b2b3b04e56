"""Filings and decisions cannot be changed or deleted through our code."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict
from cgii.model.plans import Decision, Plan, Submission
from cgii.store.database import Database
from tests.make import NOW
from tests.make_plans import make_cast, make_filed, make_valid


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("content", "{}"),
        ("sha256", "0" * 64),
        ("code", "PISI-2026-999999"),
        ("entity_id", 1_000),
        ("filed_at", NOW + timedelta(days=1)),
    ],
)
def test_no_column_of_a_filing_changes(database: Database, column: str, value: object) -> None:
    with database.transaction() as session:
        submission_id = make_filed(make_cast(session)).id
        original = getattr(session.get_one(Submission, submission_id), column)

    def change() -> None:
        with database.transaction() as session:
            setattr(session.get_one(Submission, submission_id), column, value)

    with pytest.raises(Conflict, match="no se modifica"):
        change()
    with database.reading() as session:
        assert getattr(session.get_one(Submission, submission_id), column) == original


@pytest.mark.parametrize(
    "deed",
    [
        lambda session, row: session.delete(row),
        lambda session, row: session.delete(row.plan),
        lambda session, row: row.plan.submissions.remove(row),
        lambda session, row: session.execute(update(Submission).values(sha256="0")),
        lambda session, row: session.execute(delete(Submission)),
        lambda session, row: session.execute(update(Decision).values(outcome="rejected")),
        lambda session, row: session.execute(delete(Decision)),
    ],
)
def test_no_way_of_deleting_or_changing_in_bulk_is_left(
    database: Database, deed: Callable[[Session, Submission], object]
) -> None:
    with database.transaction() as session:
        submission_id = make_valid(make_cast(session))[0].submissions[0].id

    def do() -> None:
        with database.transaction() as session:
            deed(session, session.get_one(Submission, submission_id))

    with pytest.raises(Conflict, match="no se modifica"):
        do()
    with database.reading() as session:
        assert session.get_one(Submission, submission_id).sha256 != "0"
        assert session.scalars(select(Decision)).one().outcome == "accepted"


@pytest.mark.parametrize(
    ("column", "value"), [("outcome", "rejected"), ("reasons", "otra"), ("notified_at", NOW)]
)
def test_no_column_of_a_notified_decision_changes(
    database: Database, column: str, value: object
) -> None:
    with database.transaction() as session:
        decision_id = make_valid(make_cast(session))[1].id

    def change() -> None:
        with database.transaction() as session:
            decision = session.get_one(Decision, decision_id)
            setattr(decision, column, value if column != "notified_at" else NOW + timedelta(1))

    with pytest.raises(Conflict, match="no se modifica"):
        change()


def test_the_plan_itself_stays_alive(session: Session) -> None:
    plan, decision = make_valid(make_cast(session))
    assert decision.notified_at == NOW
    session.execute(update(Plan).where(Plan.id == plan.id).values(scope="otro"))
