"""Reviewers read a filing control by control, observe it, and carry it to the next filing."""

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, InvalidForm, NotAllowed, NotFound
from cgii.comply.controls import load_framework
from cgii.comply.filing import resubmit
from cgii.comply.findings import findings_of, open_findings, verified
from cgii.comply.plans import open_plan
from cgii.comply.review import (
    FindingForm,
    answer_finding,
    end_review,
    observe,
    record_finding,
    review_sheet,
    start_review,
)
from cgii.model.people import Role
from cgii.model.plans import Submission
from cgii.model.records import Job
from tests.make import NOW, make_act, make_incident, make_user
from tests.make_plans import (
    EXCLUDED,
    PLANNED,
    Cast,
    later,
    make_cast,
    make_filed,
    make_read,
    save,
)
from tests.unit.comply.test_failures import name_control

OBSERVED = FindingForm("observed", "partial", 1, "No hay bajas registradas.")
CONFORMS = FindingForm("conforms")


def refiled(cast: Cast, first: Submission) -> Submission:
    """3.2 and 3.3 were observed; the entity changes 3.2 and 3.4, answers, and files again."""
    make_read(cast, first, {"3.2": OBSERVED, "3.3": OBSERVED, "3.4": CONFORMS, "3.5": CONFORMS})
    observe(cast.reviewer, first)
    for control in ("3.2", "3.4"):
        save(cast.officer, first.plan, control, PLANNED)
    for finding in open_findings(cast.officer.session, first):
        answer_finding(cast.officer, finding, f"Corregido {finding.control}")
    return resubmit(later(cast.officer, days=5), first.plan)


def test_the_first_reader_moves_the_plan_into_review(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    review = start_review(cast.reviewer, submission)
    assert submission.plan.state == "in_review"
    assert start_review(cast.reviewer, submission) is review


def test_a_second_reviewer_has_a_reading_of_their_own(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    first = start_review(cast.reviewer, submission)
    colleague = make_act(session, make_user(session, Role.REVIEWER))
    second = start_review(colleague, submission)
    assert second is not first
    with pytest.raises(NotAllowed):
        record_finding(colleague, first, "3.2", CONFORMS)
    record_finding(later(colleague, hours=1), second, "3.2", OBSERVED)
    record_finding(cast.reviewer, first, "3.2", CONFORMS)
    assert verified(findings_of(session, submission))["3.2"].verdict == "observed"


def test_an_entity_does_not_review(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    with pytest.raises(NotAllowed):
        start_review(cast.officer, submission)
    review = start_review(cast.reviewer, submission)
    with pytest.raises(NotAllowed):
        record_finding(cast.mae, review, "3.2", CONFORMS)
    with pytest.raises(NotAllowed):
        observe(cast.officer, submission)


def test_conforming_takes_the_declared_status(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast, forms={"3.3": PLANNED, "8.2": EXCLUDED})
    review = start_review(cast.reviewer, submission)
    assert record_finding(cast.reviewer, review, "3.2", CONFORMS).verified_status == "implemented"
    assert record_finding(cast.reviewer, review, "3.3", CONFORMS).verified_status == "planned"
    assert record_finding(cast.reviewer, review, "8.2", CONFORMS).verified_status == ""


def test_a_verdict_can_be_changed_until_the_review_ends(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    review = start_review(cast.reviewer, submission)
    finding = record_finding(cast.reviewer, review, "3.2", OBSERVED)
    assert finding.closed_at is None
    again = record_finding(cast.reviewer, review, "3.2", CONFORMS)
    assert again is finding
    assert finding.closed_at == NOW
    end_review(cast.reviewer, review)
    with pytest.raises(Conflict, match="ya terminó"):
        record_finding(cast.reviewer, review, "3.2", OBSERVED)
    with pytest.raises(Conflict, match="ya terminó"):
        end_review(cast.reviewer, review)


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (FindingForm("maybe"), "verdict"),
        (FindingForm("observed", "partial", 1, " "), "note"),
        (FindingForm("conforms", "perfect"), "verified_status"),
        (FindingForm("conforms", "partial", 6), "verified_maturity"),
        (FindingForm("not_verified", "partial"), "verified_status"),
    ],
)
def test_a_finding_at_fault_names_its_field(
    session: Session, form: FindingForm, field: str
) -> None:
    cast = make_cast(session)
    review = start_review(cast.reviewer, make_filed(cast))
    with pytest.raises(InvalidForm) as caught:
        record_finding(cast.reviewer, review, "3.2", form)
    assert list(caught.value.problems) == [field]


def test_a_control_outside_the_filing_is_not_found(session: Session) -> None:
    cast = make_cast(session)
    review = start_review(cast.reviewer, make_filed(cast))
    with pytest.raises(NotFound):
        record_finding(cast.reviewer, review, "12.1", CONFORMS)


def test_ending_a_review_says_what_was_not_verified(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission, {"3.2": CONFORMS})
    found = verified(findings_of(session, submission))
    assert set(found) == set(load_framework().controls)
    assert [control for control in found if found[control].verdict != "not_verified"] == ["3.2"]


def test_a_plan_is_observed_only_when_read_and_with_something_to_answer(
    session: Session,
) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    with pytest.raises(Conflict, match="Nadie revisó"):
        observe(cast.reviewer, submission)
    review = start_review(cast.reviewer, submission)
    with pytest.raises(Conflict, match="sin terminar"):
        observe(cast.reviewer, submission)
    end_review(cast.reviewer, review)
    with pytest.raises(Conflict, match="No hay observaciones"):
        observe(cast.reviewer, submission)


def test_an_observed_plan_is_told_and_open_to_the_entity(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission, {"3.2": OBSERVED})
    observe(cast.reviewer, submission)
    assert submission.plan.state == "observed"
    job = session.scalars(select(Job).order_by(Job.id.desc())).first()
    assert job is not None
    assert job.arguments["event"] == "plan_observed"
    save(cast.officer, submission.plan, "3.2", PLANNED)
    with pytest.raises(Conflict):
        start_review(make_act(session, make_user(session, Role.REVIEWER)), submission)


def test_the_entity_answers_its_own_open_findings_only(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission, {"3.2": OBSERVED, "3.4": CONFORMS})
    conforming, observed = sorted(
        (row for row in findings_of(session, submission) if row.verdict != "not_verified"),
        key=lambda row: row.verdict,
    )
    with pytest.raises(Conflict):
        answer_finding(cast.officer, observed, "Todavía en revisión")
    observe(cast.reviewer, submission)
    with pytest.raises(NotFound):
        answer_finding(make_cast(session).officer, observed, "Ajeno")
    with pytest.raises(Conflict, match="cerrada"):
        answer_finding(cast.officer, conforming, "Sobra")
    with pytest.raises(InvalidForm):
        answer_finding(cast.officer, observed, " ")
    answer_finding(cast.officer, observed, "Se registran desde marzo.")
    assert (observed.answer, observed.answered_at) == ("Se registran desde marzo.", NOW)


def test_open_findings_and_unchanged_verdicts_are_carried_over(session: Session) -> None:
    cast = make_cast(session)
    first = make_filed(cast)
    second = refiled(cast, first)
    review = start_review(later(cast.reviewer, days=6), second)
    carried = {row.control: row for row in review.findings}
    assert set(carried) == {"3.2", "3.3", "3.5"}  # 3.4 was changed: it must be seen again
    assert (carried["3.2"].answer, carried["3.2"].closed_at) == ("Corregido 3.2", None)
    assert carried["3.5"].verdict == "conforms"
    assert carried["3.5"].made_at == NOW
    assert open_findings(session, first) == []
    assert {row.control for row in open_findings(session, second)} == {"3.2", "3.3"}


def test_a_second_reader_of_a_new_filing_does_not_carry_over_again(session: Session) -> None:
    cast = make_cast(session)
    second = refiled(cast, make_filed(cast))
    start_review(cast.reviewer, second)
    colleague = make_act(session, make_user(session, Role.REVIEWER))
    assert start_review(colleague, second).findings == []


def test_an_older_filing_is_not_worked_on_any_more(session: Session) -> None:
    cast = make_cast(session)
    first = make_filed(cast)
    refiled(cast, first)
    with pytest.raises(Conflict, match="más nueva"):
        start_review(cast.reviewer, first)


def test_the_sheet_shows_declared_changed_and_failed_side_by_side(session: Session) -> None:
    cast, other = make_cast(session), make_cast(session)
    incident = make_incident(session, entity_id=cast.entity.id)
    strange = make_incident(session, entity_id=other.entity.id)
    second = refiled(cast, make_filed(cast))
    name_control(session, incident, "3.2", days=1)
    name_control(session, strange, "3.3", days=1)
    start_review(later(cast.reviewer, days=6), second)
    sheet = {row.control: row for row in review_sheet(session, second)}
    assert list(sheet) == list(load_framework().controls)
    row = sheet["3.2"]
    assert row.declared["status"] == "planned"
    assert {change.field for change in row.changes} == {"status", "maturity", "due_on"}
    assert [fact.incident_code for fact in row.incidents] == [incident.code]
    assert [finding.answer for finding in row.findings] == ["Corregido 3.2"]
    assert row.verified is not None
    assert row.verified.status == "partial"
    assert sheet["3.3"].incidents == ()
    assert sheet["11.1"].verified is None


def test_a_draft_has_nothing_to_read(session: Session) -> None:
    cast = make_cast(session)
    assert open_plan(cast.officer, cast.entity, 2026).submissions == []
