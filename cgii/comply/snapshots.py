"""Scores of real plans, and the snapshots of them that are kept and never recomputed."""

from collections.abc import Iterable, Mapping

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.comply.content import read
from cgii.comply.failures import NamedControl, controls_named
from cgii.comply.findings import Verified, findings_of, verified
from cgii.comply.score import PlanScores, Standing, score_plan
from cgii.comply.statements import statements_in_order
from cgii.model.plans import Plan, ScoreSnapshot, Submission
from cgii.store.act import Act


def draft_scores(plan: Plan) -> PlanScores:
    """The scores of what the entity has written so far; nothing of it is verified."""
    return score_plan(
        Standing(
            control=statement.control,
            section=_section(statement.control),
            applies=statement.applies,
            declared=statement.status,
        )
        for statement in statements_in_order(plan)
    )


def submission_scores(session: Session, submission: Submission) -> PlanScores:
    """The scores of a filing as it stands now: verdicts and later incidents included."""
    return score_plan(
        standings(
            submission,
            verified(findings_of(session, submission)),
            controls_named(session, submission.entity_id),
        )
    )


def standings(
    submission: Submission,
    seen: Mapping[str, Verified],
    named: Mapping[str, tuple[NamedControl, ...]],
) -> Iterable[Standing]:
    """How each control of a filing stands. Pure."""
    for statement in read(submission)["statements"]:
        control = statement["control"]
        verdict = seen.get(control)
        yield Standing(
            control=control,
            section=_section(control),
            applies=statement["applies"],
            declared=statement["status"],
            verified=verdict.status if verdict else "",
            has_failed=verdict is not None
            and any(fact.named_at > verdict.made_at for fact in named.get(control, ())),
        )


def snapshot(act: Act, plan: Plan, submission: Submission, *, moment: str) -> ScoreSnapshot:
    """Keep the scores of a filing as they are now; `moment` is filed, decided or follow_up."""
    row = ScoreSnapshot(
        plan_id=plan.id,
        entity_id=plan.entity_id,
        moment=moment,
        taken_at=act.now,
        scores=submission_scores(act.session, submission).as_json()
        | {"framework": plan.framework, "submission": submission.code},
    )
    act.session.add(row)
    return row


def snapshots_of(session: Session, plan: Plan) -> list[ScoreSnapshot]:
    """The plan's snapshots, oldest first."""
    return list(
        session.scalars(
            select(ScoreSnapshot).where(ScoreSnapshot.plan_id == plan.id).order_by(ScoreSnapshot.id)
        )
    )


def _section(control: str) -> str:
    return control.split(".")[0]
