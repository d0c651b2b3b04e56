"""A plan is filed once, with a receipt, and what was filed never changes."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, InvalidForm, NotFound
from cgii.comply.content import verify
from cgii.comply.filing import (
    changes,
    file_plan,
    last_submission,
    previous_submission,
    resubmit,
)
from cgii.comply.plans import approve, carry_over, mark_ready, open_plan
from cgii.comply.review import FindingForm, answer_finding, observe
from cgii.model.plans import Finding, Plan, ScoreSnapshot, Submission
from cgii.model.records import AuditEntry, Job
from cgii.store.database import Database
from tests.make import NOW, make_act
from tests.make_plans import (
    DONE,
    PLANNED,
    later,
    make_cast,
    make_complete,
    make_filed,
    make_read,
    save,
)

OBSERVED = {"3.2": FindingForm("observed", "partial", 1, "No hay bajas registradas.")}


def the_observation(session: Session) -> Finding:
    return session.scalars(select(Finding).where(Finding.verdict == "observed")).one()


def test_a_filing_has_a_receipt_a_hash_and_a_first_score(session: Session) -> None:
    submission = make_filed(make_cast(session))
    assert submission.code == "PISI-2026-000001"
    assert submission.number == 1
    assert verify(submission)
    assert submission.plan.state == "filed"
    assert submission.plan.filed_at == NOW
    assert [row.moment for row in session.scalars(select(ScoreSnapshot))] == ["filed"]


def test_a_filing_is_recorded_and_told_to_the_entity(session: Session) -> None:
    submission = make_filed(make_cast(session))
    entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "plan.filed")).one()
    assert entry.entity_id == submission.entity_id
    assert submission.sha256 in entry.data
    job = session.scalars(select(Job)).one()
    assert (job.name, job.arguments) == (
        "notify_plan",
        {"plan_id": submission.plan_id, "event": "plan_filed", "detail": submission.code},
    )


def test_filings_of_all_entities_are_numbered_without_gaps(session: Session) -> None:
    codes = [make_filed(make_cast(session)).code for _ in range(3)]
    assert codes == ["PISI-2026-000001", "PISI-2026-000002", "PISI-2026-000003"]


def test_the_number_is_of_the_year_in_la_paz(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    mark_ready(cast.officer, plan)
    approve(cast.mae, plan, "RM-1")
    new_year = replace(cast.officer, now=NOW.replace(year=2027, month=1, day=1, hour=3))
    assert file_plan(new_year, plan).code.startswith("PISI-2026-")


def test_filing_twice_gives_the_same_receipt(session: Session) -> None:
    cast = make_cast(session)
    first = make_filed(cast)
    assert file_plan(cast.officer, first.plan) is first
    assert session.scalar(select(func.count()).select_from(Submission)) == 1
    assert session.scalar(select(func.count()).select_from(Job)) == 1


def test_filing_at_the_same_moment_makes_one_submission(database: Database) -> None:
    with database.transaction() as session:
        cast = make_cast(session)
        plan = make_complete(cast)
        mark_ready(cast.officer, plan)
        approve(cast.mae, plan, "RM-1")
        plan_id = plan.id

    def file_it(_turn: int) -> str:
        with database.transaction() as session:
            return file_plan(make_act(session), session.get_one(Plan, plan_id)).code

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(file_it, range(8))) == {"PISI-2026-000001"}
    with database.reading() as session:
        assert session.scalar(select(func.count()).select_from(Submission)) == 1


def test_only_an_approved_plan_of_ones_own_is_filed(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    with pytest.raises(Conflict):
        file_plan(cast.officer, plan)
    mark_ready(cast.officer, plan)
    with pytest.raises(Conflict):
        file_plan(cast.officer, plan)
    approve(cast.mae, plan, "RM-1")
    with pytest.raises(NotFound):
        file_plan(make_cast(session).officer, plan)


def test_a_failed_filing_gives_its_number_back(database: Database) -> None:
    with database.transaction() as session:
        cast = make_cast(session)
        plan = make_complete(cast)
        mark_ready(cast.officer, plan)
        approve(cast.mae, plan, "RM-1")
        plan_id = plan.id

    def break_off() -> None:
        with database.transaction() as session:
            file_plan(make_act(session), session.get_one(Plan, plan_id))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    with database.transaction() as session:
        plan = session.get_one(Plan, plan_id)
        assert plan.state == "approved"
        assert file_plan(make_act(session), plan).code == "PISI-2026-000001"


def test_an_observed_plan_is_filed_again_when_all_is_answered(session: Session) -> None:
    cast = make_cast(session)
    first = make_filed(cast)
    plan = first.plan
    make_read(cast, first, OBSERVED)
    observe(cast.reviewer, first)
    save(cast.officer, plan, "3.2", PLANNED)
    with pytest.raises(Conflict, match=r"controles 3\.2"):
        resubmit(cast.officer, plan)
    finding = the_observation(session)
    answer_finding(cast.officer, finding, "Se registran desde marzo.")
    second = resubmit(later(cast.officer, days=5), plan)
    assert plan.state == "answered"
    assert (second.number, second.previous_sha256) == (2, first.sha256)
    assert verify(second, first)
    assert previous_submission(session, second) is first
    assert last_submission(session, plan) is second
    assert plan.filed_at == NOW
    assert resubmit(cast.officer, plan) is second


def test_an_observed_plan_with_a_gap_is_not_filed_again(session: Session) -> None:
    cast = make_cast(session)
    first = make_filed(cast)
    make_read(cast, first, OBSERVED)
    observe(cast.reviewer, first)
    save(cast.officer, first.plan, "3.3", replace(DONE, statement=""))
    finding = the_observation(session)
    answer_finding(cast.officer, finding, "Se registran desde marzo.")
    with pytest.raises(InvalidForm):
        resubmit(cast.officer, first.plan)


def test_a_draft_is_compared_with_its_last_filing_or_last_years(session: Session) -> None:
    cast = make_cast(session)
    assert changes(session, open_plan(cast.officer, cast.entity, 2024)) == ()
    make_filed(cast, 2025)
    plan = open_plan(cast.officer, cast.entity, 2026)
    carry_over(cast.officer, plan)
    assert changes(session, plan) == ()
    save(cast.officer, plan, "3.2", replace(DONE, maturity=4))
    found = [
        (change.control, change.field, change.before, change.after)
        for change in changes(session, plan)
    ]
    assert found == [("3.2", "maturity", 3, 4)]
