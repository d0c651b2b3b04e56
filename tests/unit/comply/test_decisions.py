"""A decision is numbered, reasoned, binds when notified, and replaces the plan before."""

from datetime import date

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, InvalidForm, NotAllowed
from cgii.comply.decisions import DecisionForm, decide, notify_decision, revoke
from cgii.comply.filing import file_plan
from cgii.comply.plans import amend, approve, mark_ready
from cgii.comply.review import FindingForm, end_review, start_review
from cgii.model.plans import ScoreSnapshot
from cgii.model.records import Job
from tests.make import NOW
from tests.make_plans import make_cast, make_filed, make_read, make_valid

ACCEPTED = DecisionForm("accepted", "", date(2027, 12, 31))
OBSERVED = FindingForm("observed", "partial", 1, "No hay bajas registradas.")


def test_an_acceptance_is_numbered_and_binds_when_notified(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    plan = submission.plan
    make_read(cast, submission)
    decision = decide(cast.reviewer, submission, ACCEPTED)
    assert decision.code == "DEC-2026-000001"
    assert (plan.state, plan.outcome, plan.valid_until) == (
        "decided",
        "accepted",
        date(2027, 12, 31),
    )
    assert decision.notified_at is None
    notify_decision(cast.reviewer, decision)
    assert plan.state == "valid"
    assert decision.notified_at == NOW
    job = session.scalars(select(Job).order_by(Job.id.desc())).first()
    assert job is not None
    assert job.arguments == {"plan_id": plan.id, "event": "plan_decided", "detail": decision.code}
    with pytest.raises(Conflict, match="ya fue notificada"):
        notify_decision(cast.reviewer, decision)


def test_a_decision_needs_a_finished_reading(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    with pytest.raises(Conflict):
        decide(cast.reviewer, submission, ACCEPTED)
    review = start_review(cast.reviewer, submission)
    with pytest.raises(Conflict, match="sin terminar"):
        decide(cast.reviewer, submission, ACCEPTED)
    end_review(cast.reviewer, review)
    decide(cast.reviewer, submission, ACCEPTED)
    with pytest.raises(Conflict):
        decide(cast.reviewer, submission, ACCEPTED)


def test_an_entity_does_not_decide(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission)
    with pytest.raises(NotAllowed):
        decide(cast.mae, submission, ACCEPTED)
    decision = decide(cast.reviewer, submission, ACCEPTED)
    with pytest.raises(NotAllowed):
        notify_decision(cast.officer, decision)


def test_open_observations_allow_everything_but_a_plain_acceptance(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission, {"3.2": OBSERVED})
    with pytest.raises(Conflict, match="observaciones abiertas"):
        decide(cast.reviewer, submission, ACCEPTED)
    conditions = DecisionForm("with_conditions", "Registrar bajas en 90 días.", date(2027, 6, 30))
    notify_decision(cast.reviewer, decide(cast.reviewer, submission, conditions))
    assert submission.plan.state == "valid"


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (DecisionForm("perhaps", "x"), "outcome"),
        (DecisionForm("accepted"), "valid_until"),
        (DecisionForm("accepted", "", date(2026, 11, 20)), "valid_until"),
        (DecisionForm("accepted", "", date(2032, 1, 1)), "valid_until"),
        (DecisionForm("with_conditions", "", date(2027, 1, 1)), "reasons"),
        (DecisionForm("returned", " "), "reasons"),
        (DecisionForm("rejected", "Copia de otra entidad.", date(2027, 1, 1)), "valid_until"),
    ],
)
def test_a_decision_at_fault_names_its_field(
    session: Session, form: DecisionForm, field: str
) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission)
    with pytest.raises(InvalidForm) as caught:
        decide(cast.reviewer, submission, form)
    assert list(caught.value.problems) == [field]


@pytest.mark.parametrize("outcome", ["returned", "rejected"])
def test_an_unfavourable_decision_never_becomes_valid(session: Session, outcome: str) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(cast, submission)
    notify_decision(
        cast.reviewer, decide(cast.reviewer, submission, DecisionForm(outcome, "Incompleto."))
    )
    assert (submission.plan.state, submission.plan.valid_until) == ("decided", None)


def test_a_returned_plan_can_be_filed_and_decided_again(session: Session) -> None:
    cast = make_cast(session)
    first = make_filed(cast)
    plan = first.plan
    make_read(cast, first, {"3.2": OBSERVED})
    notify_decision(
        cast.reviewer, decide(cast.reviewer, first, DecisionForm("returned", "Incompleto."))
    )
    amend(cast.officer, plan)
    mark_ready(cast.officer, plan)
    approve(cast.mae, plan, "RM-50/2026")
    second = file_plan(cast.officer, plan)
    assert (second.number, second.previous_sha256) == (2, first.sha256)
    review = start_review(cast.reviewer, second)
    assert [finding.control for finding in review.findings] == ["3.2"]
    with pytest.raises(Conflict, match="más nueva"):
        decide(cast.reviewer, first, ACCEPTED)


def test_a_new_valid_plan_supersedes_the_one_before(session: Session) -> None:
    cast, other = make_cast(session), make_cast(session)
    old, _ = make_valid(cast, 2025)
    foreign, _ = make_valid(other, 2025)
    new, _ = make_valid(cast, 2026)
    assert (old.state, new.state, foreign.state) == ("superseded", "valid", "valid")


def test_an_older_year_decided_late_does_not_replace_a_newer_plan(session: Session) -> None:
    cast = make_cast(session)
    new, _ = make_valid(cast, 2026)
    late, _ = make_valid(cast, 2025)
    assert (late.state, new.state) == ("superseded", "valid")


def test_scores_are_kept_at_filing_and_at_decision(session: Session) -> None:
    make_valid(make_cast(session))
    moments = [
        row.moment for row in session.scalars(select(ScoreSnapshot).order_by(ScoreSnapshot.id))
    ]
    assert moments == ["filed", "decided"]


def test_a_valid_plan_is_revoked_with_a_reason(session: Session) -> None:
    cast = make_cast(session)
    plan, _ = make_valid(cast)
    with pytest.raises(InvalidForm):
        revoke(cast.reviewer, plan, " ")
    with pytest.raises(NotAllowed):
        revoke(cast.officer, plan, "x")
    revoke(cast.reviewer, plan, "Los datos declarados eran falsos.")
    assert plan.state == "revoked"
    with pytest.raises(Conflict):
        revoke(cast.reviewer, plan, "otra vez")
