"""The centre reads a filing control by control, observes it, and the entity answers."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict, NotAllowed, NotFound
from cgii.comply.content import Change, compare, read, statements_by_control
from cgii.comply.failures import NamedControl, controls_named
from cgii.comply.fields import Problems
from cgii.comply.filing import last_submission, previous_submission
from cgii.comply.findings import VERDICTS, Verified, findings_of, open_findings, verified
from cgii.comply.letters import notify
from cgii.comply.statements import STATUSES
from cgii.comply.states import lock, move, require_centre, require_member, require_state
from cgii.model.plans import Finding, Plan, Review, Submission
from cgii.store.act import Act


@dataclass(frozen=True)
class FindingForm:
    """A verdict on one control as typed."""

    verdict: str  # of VERDICTS
    verified_status: str = ""  # empty with "conforms": as declared
    verified_maturity: int | None = None
    note: str = ""


@dataclass(frozen=True)
class SheetRow:
    """All that a reviewer needs about one control, side by side."""

    control: str
    declared: dict[str, Any]  # the statement as filed
    changes: tuple[Change, ...]  # against the filing before
    incidents: tuple[NamedControl, ...]  # that named this control, ever
    findings: tuple[Finding, ...]  # of this filing, oldest first
    verified: Verified | None


def start_review(act: Act, submission: Submission) -> Review:
    """Begin to read the plan's newest filing, or go on with one's own reading of it.

    What was found in the filing before is carried over: open observations with their answers,
    and verdicts on controls that did not change.
    """
    require_centre(act)
    assert act.user is not None, "a review has a reviewer"
    plan = _locked(act, submission)
    mine = act.session.scalar(
        select(Review).where(
            Review.submission_id == submission.id, Review.reviewer_id == act.user.id
        )
    )
    if mine is not None:
        return mine
    is_first = plan.state in ("filed", "answered")
    if is_first:
        move(act, plan, "in_review")
    require_state(plan, "in_review")
    review = Review(submission_id=submission.id, reviewer_id=act.user.id, started_at=act.now)
    act.session.add(review)
    act.session.flush()  # findings that are carried over need its id
    if is_first:
        _carry_over(act, submission, review)
    act.record("plan.review_started", f"plan:{plan.id}", entity_id=plan.entity_id, review=review.id)
    return review


def record_finding(act: Act, review: Review, control: str, form: FindingForm) -> Finding:
    """Write or replace the reviewer's verdict on one control."""
    plan, submission = _reading(act, review)
    declared = statements_by_control(read(submission)).get(control)
    if declared is None:
        raise NotFound("Este plan no tiene el control {control}.", control=control)
    form = _check(form, declared["status"])
    finding = act.session.scalar(
        select(Finding).where(Finding.review_id == review.id, Finding.control == control)
    )
    if finding is None:
        finding = Finding(review_id=review.id, control=control)
        act.session.add(finding)
    finding.verdict = form.verdict
    finding.verified_status = form.verified_status
    finding.verified_maturity = form.verified_maturity
    finding.note = form.note
    finding.made_at = act.now
    finding.closed_at = None if form.verdict == "observed" else act.now
    act.session.flush()  # the page answers with the finding's id
    act.record(
        "plan.finding_recorded",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        control=control,
        verdict=form.verdict,
    )
    return finding


def take_back_findings(act: Act, review: Review, controls: Collection[str]) -> int:
    """Take one's own verdicts on these controls back while reading; how many there were."""
    plan, _ = _reading(act, review)
    rows = act.session.scalars(
        select(Finding).where(Finding.review_id == review.id, Finding.control.in_(controls))
    ).all()
    for row in rows:
        act.session.delete(row)
    act.record(
        "plan.findings_taken_back",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        controls=[row.control for row in rows],
    )
    return len(rows)


def end_review(act: Act, review: Review, note: str = "") -> None:
    """The reviewer has read it all; a control without a verdict is "not verified" from now on."""
    plan, submission = _reading(act, review)
    problems = Problems()
    review.note = problems.text("note", note)
    problems.end()
    seen = {finding.control for finding in findings_of(act.session, submission)}
    for control in statements_by_control(read(submission)).keys() - seen:
        act.session.add(
            Finding(
                review_id=review.id,
                control=control,
                verdict="not_verified",
                made_at=act.now,
                closed_at=act.now,
            )
        )
    review.ended_at = act.now
    act.record("plan.review_ended", f"plan:{plan.id}", entity_id=plan.entity_id, review=review.id)


def observe(act: Act, submission: Submission) -> None:
    """Send the plan back to the entity with what is observed, to be corrected and answered."""
    require_centre(act)
    plan = _locked(act, submission)
    require_read(act.session, submission)
    found = open_findings(act.session, submission)
    if not found:
        raise Conflict("No hay observaciones abiertas; decida sobre el plan.")
    move(act, plan, "observed")
    act.record(
        "plan.observed",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        controls=[finding.control for finding in found],
    )
    notify(act, plan, "plan_observed", detail=submission.code)


def answer_finding(act: Act, finding: Finding, text: str) -> None:
    """The entity says what it did about an observation."""
    submission = act.session.get_one(Submission, finding.review.submission_id)
    require_member(act, submission.entity_id)
    plan = _locked(act, submission)
    require_state(plan, "observed")
    if finding.closed_at is not None:
        raise Conflict("Esta observación ya está cerrada.")
    problems = Problems()
    answer = problems.required("answer", text)
    problems.end()
    finding.answer = answer
    finding.answered_at = act.now
    act.record(
        "plan.finding_answered",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        control=finding.control,
    )


def review_sheet(session: Session, submission: Submission) -> tuple[SheetRow, ...]:
    """Every control of a filing: declared beside incidents, changes and verdicts."""
    content = read(submission)
    before = previous_submission(session, submission)
    changed: dict[str, list[Change]] = {}
    for change in compare(read(before), content) if before else ():
        changed.setdefault(change.control, []).append(change)
    findings = findings_of(session, submission)
    seen = verified(findings)
    named = controls_named(session, submission.entity_id)
    return tuple(
        SheetRow(
            control=statement["control"],
            declared=statement,
            changes=tuple(changed.get(statement["control"], ())),
            incidents=named.get(statement["control"], ()),
            findings=tuple(row for row in findings if row.control == statement["control"]),
            verified=seen.get(statement["control"]),
        )
        for statement in content["statements"]
    )


def require_read(session: Session, submission: Submission) -> None:
    """Raise Conflict unless at least one review of the filing was made and all have ended."""
    reviews = session.scalars(select(Review).where(Review.submission_id == submission.id)).all()
    if not reviews:
        raise Conflict("Nadie revisó todavía esta presentación.")
    if any(review.ended_at is None for review in reviews):
        raise Conflict("Hay revisiones sin terminar de esta presentación.")


def _locked(act: Act, submission: Submission) -> Plan:
    plan = submission.plan
    lock(act, plan)
    latest = last_submission(act.session, plan)
    if latest is None or latest.id != submission.id:
        raise Conflict("Hay una presentación más nueva de este plan; trabaje sobre ella.")
    return plan


def _reading(act: Act, review: Review) -> tuple[Plan, Submission]:
    require_centre(act)
    if act.user is not None and act.user.id != review.reviewer_id:
        raise NotAllowed("Solo quien revisa puede escribir en su revisión.")
    submission = act.session.get_one(Submission, review.submission_id)
    plan = _locked(act, submission)
    require_state(plan, "in_review")
    if review.ended_at is not None:
        raise Conflict("Esta revisión ya terminó.")
    return plan, submission


def _check(form: FindingForm, declared: str) -> FindingForm:
    problems = Problems()
    problems.choice("verdict", form.verdict, VERDICTS)
    problems.choice("verified_status", form.verified_status, ("", *STATUSES))
    if form.verified_maturity is not None:
        problems.number(
            "verified_maturity", form.verified_maturity, least=0, most=limits.MATURITY_MAX
        )
    note = problems.text("note", form.note)
    if form.verdict == "observed" and not note:
        problems.add("note", "Escriba qué se observa.")
    if form.verdict == "not_verified" and form.verified_status:
        problems.add("verified_status", "Un control sin verificar no lleva estado verificado.")
    problems.end()
    status = form.verified_status or (declared if form.verdict == "conforms" else "")
    return FindingForm(form.verdict, status, form.verified_maturity, note)


def _carry_over(act: Act, submission: Submission, review: Review) -> None:
    before = previous_submission(act.session, submission)
    if before is None:
        return
    changed = {change.control for change in compare(read(before), read(submission))}
    newest = {finding.control: finding for finding in findings_of(act.session, before)}
    for control, finding in newest.items():
        is_open = finding.verdict == "observed" and finding.closed_at is None
        if not is_open and (finding.verdict != "conforms" or control in changed):
            continue
        act.session.add(
            Finding(
                review_id=review.id,
                control=control,
                verdict=finding.verdict,
                verified_status=finding.verified_status,
                verified_maturity=finding.verified_maturity,
                note=finding.note,
                answer=finding.answer,
                answered_at=finding.answered_at,
                made_at=finding.made_at,
                closed_at=finding.closed_at,
            )
        )
        if is_open:
            finding.closed_at = act.now  # goes on in the new review
