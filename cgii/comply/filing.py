"""Filing a plan with the centre: a legal act with a receipt, a hash and a frozen content."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict
from cgii.base.ids import submission_code
from cgii.comply.content import Change, canonical, compare, content_of, read, sha256_of
from cgii.comply.findings import open_findings
from cgii.comply.letters import notify
from cgii.comply.plans import plan_before, require_complete
from cgii.comply.snapshots import snapshot
from cgii.comply.states import lock, move, require_member, require_state, year_of
from cgii.model.plans import Plan, Submission
from cgii.store.act import Act
from cgii.store.numbering import next_number


def file_plan(act: Act, plan: Plan) -> Submission:
    """File an approved plan; the submission is its receipt.

    Filing what is filed already gives the same receipt again: a second click, or a second
    person at the same moment, makes no second filing.
    """
    require_member(act, plan.entity_id)
    lock(act, plan)
    latest = last_submission(act.session, plan)
    if plan.state == "filed" and latest is not None:
        return latest
    require_state(plan, "approved")
    move(act, plan, "filed")
    return _submit(act, plan, latest)


def resubmit(act: Act, plan: Plan) -> Submission:
    """File an observed plan again, corrected, with an answer to every open finding."""
    require_member(act, plan.entity_id)
    lock(act, plan)
    latest = last_submission(act.session, plan)
    if plan.state == "answered" and latest is not None:
        return latest
    require_state(plan, "observed")
    assert latest is not None, "an observed plan was filed"
    unanswered = [
        finding.control
        for finding in open_findings(act.session, latest)
        if finding.answered_at is None
    ]
    if unanswered:
        raise Conflict(
            "Falta responder las observaciones de los controles {controls}.",
            controls=", ".join(unanswered),
        )
    require_complete(act, plan)
    move(act, plan, "answered")
    return _submit(act, plan, latest)


def last_submission(session: Session, plan: Plan) -> Submission | None:
    """The plan's newest filing, if there is one."""
    return session.scalar(
        select(Submission)
        .where(Submission.plan_id == plan.id)
        .order_by(Submission.number.desc())
        .limit(1)
    )


def previous_submission(session: Session, submission: Submission) -> Submission | None:
    """The filing of the same plan before this one."""
    return session.scalar(
        select(Submission).where(
            Submission.plan_id == submission.plan_id, Submission.number == submission.number - 1
        )
    )


def changes(session: Session, plan: Plan) -> tuple[Change, ...]:
    """What the plan says differently now than its last filing, or than last year's if it has
    none; empty where there is nothing to compare with."""
    earlier = last_submission(session, plan)
    if earlier is None:
        before = plan_before(session, plan)
        earlier = last_submission(session, before) if before else None
    return compare(read(earlier), content_of(session, plan)) if earlier else ()


def _submit(act: Act, plan: Plan, latest: Submission | None) -> Submission:
    year = year_of(act)
    code = submission_code(year, next_number(act.session, "submission", year))
    number = latest.number + 1 if latest else 1
    previous_sha256 = latest.sha256 if latest else ""
    content = content_of(act.session, plan) | {
        "filing": {
            "code": code,
            "number": number,
            "previous_sha256": previous_sha256,
            "filed_at": act.now.isoformat(),
            "filed_by": act.user.name if act.user else "",
        }
    }
    text = canonical(content)
    submission = Submission(
        plan_id=plan.id,
        entity_id=plan.entity_id,
        code=code,
        number=number,
        content=text,
        sha256=sha256_of(text),
        previous_sha256=previous_sha256,
        filed_by_id=act.user_id,
        filed_at=act.now,
    )
    act.session.add(submission)
    plan.filed_at = plan.filed_at or act.now  # the first filing is the one that can be late
    act.session.flush()  # the snapshot and the page need the submission's id
    snapshot(act, plan, submission, moment="filed")
    act.record(
        "plan.filed",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        submission=code,
        sha256=submission.sha256,
    )
    notify(act, plan, "plan_filed", detail=code)
    return submission
