"""A plan as people read it: declared beside what incidents and reviewers showed, and its scores."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session, joinedload

from cgii.base.errors import NotFound
from cgii.comply.content import Change, Content, compare, content_of, read
from cgii.comply.controls import Section, in_order, load_framework
from cgii.comply.failures import NamedControl, controls_named
from cgii.comply.filing import last_submission, previous_submission
from cgii.comply.findings import Verified, verified
from cgii.comply.plans import plan_before
from cgii.comply.score import PlanScores, score_plan
from cgii.comply.snapshots import draft_scores, standings
from cgii.model.incidents import Evidence, Incident
from cgii.model.people import User
from cgii.model.plans import Finding, Plan, Review, Submission
from cgii.web.visible import visible


@dataclass(frozen=True)
class Line:
    """One control, side by side: declared, changed, named by incidents, found by reviewers."""

    control: str
    title: str
    declared: Mapping[str, Any]  # the statement as filed, or as drafted now
    changes: tuple[Change, ...]
    incidents: tuple[NamedControl, ...]
    findings: tuple[Finding, ...]  # oldest first
    verified: Verified | None

    @property
    def finding(self) -> Finding | None:
        """The newest verdict."""
        return self.findings[-1] if self.findings else None

    @property
    def is_open(self) -> bool:
        """Whether an observation on it waits to be answered or closed."""
        finding = self.finding
        return finding is not None and finding.verdict == "observed" and finding.closed_at is None


@dataclass(frozen=True)
class Sheet:
    """A plan's newest filing, or its draft while there is none, as this person may see it."""

    content: Content
    submission: Submission | None
    sections: tuple[tuple[Section, tuple[Line, ...]], ...]
    general_changes: tuple[Change, ...]
    compared_with: Submission | None
    scores: PlanScores
    evidence: Mapping[str, list[Evidence]]  # by control
    told: Mapping[str, Incident]  # incidents by code that this person may open

    @property
    def lines(self) -> list[Line]:
        """All controls in order."""
        return [line for _, lines in self.sections for line in lines]

    @property
    def content_sections(self) -> list[Section]:
        """The sections of its framework."""
        return [section for section, _ in self.sections]

    @property
    def all_changes(self) -> tuple[Change, ...]:
        """Every field that differs from the filing that it is compared with."""
        return (*self.general_changes, *(one for line in self.lines for one in line.changes))

    @property
    def changed(self) -> int:
        """How many fields differ from the filing that it is compared with."""
        return len(self.general_changes) + sum(len(line.changes) for line in self.lines)


def sheet_of(session: Session, user: User, plan: Plan, *, submission: Submission | None) -> Sheet:
    """The sheet of a filing, or of the draft when `submission` is None."""
    content = read(submission) if submission else content_of(session, plan)
    findings = findings_seen(session, user, submission) if submission else []
    earlier = _earlier(session, plan, submission)
    changes = compare(read(earlier), content) if earlier else ()
    named = controls_named(session, plan.entity_id)
    seen = verified(findings)
    scores = score_plan(standings(submission, seen, named)) if submission else draft_scores(plan)
    codes = {fact.incident_code for facts in named.values() for fact in facts}
    incidents = session.scalars(visible(user, Incident).where(Incident.code.in_(codes)))
    return Sheet(
        content=content,
        submission=submission,
        sections=_sections(plan, content, changes, named=named, findings=findings, seen=seen),
        general_changes=tuple(change for change in changes if not change.control),
        compared_with=earlier,
        scores=scores,
        evidence=evidence_seen(session, user, plan),
        told={row.code: row for row in incidents},
    )


def findings_seen(session: Session, user: User, submission: Submission) -> list[Finding]:
    """The filing's findings that this person may see, oldest first."""
    query = (
        visible(user, Finding)
        .join(Review, Review.id == Finding.review_id)
        .where(Review.submission_id == submission.id)
        .order_by(Finding.made_at, Finding.id)
        .options(joinedload(Finding.review).joinedload(Review.reviewer))
    )
    return list(session.scalars(query))


def observations_seen(session: Session, user: User, plan: Plan) -> list[Finding]:
    """What was ever observed in a plan, as this person may see it: the newest of each control.

    An observation that goes on in the next review stands there again, with its answer.
    """
    query = (
        visible(user, Finding)
        .join(Review, Review.id == Finding.review_id)
        .join(Submission, Submission.id == Review.submission_id)
        .where(Submission.plan_id == plan.id, Finding.verdict == "observed")
        .order_by(Submission.number, Finding.made_at, Finding.id)
    )
    newest = {finding.control: finding for finding in session.scalars(query)}
    return sorted(newest.values(), key=lambda row: in_order(row.control))


def evidence_seen(session: Session, user: User, plan: Plan) -> dict[str, list[Evidence]]:
    """Control → evidence of the plan that this person may download, oldest first."""
    found: dict[str, list[Evidence]] = {}
    query = visible(user, Evidence).where(
        Evidence.plan_id == plan.id, Evidence.withdrawn_at.is_(None)
    )
    for row in session.scalars(query.order_by(Evidence.id)):
        found.setdefault(row.control, []).append(row)
    return found


def submissions_of(session: Session, user: User, plan: Plan) -> Sequence[Submission]:
    """The plan's filings, newest first."""
    query = visible(user, Submission).where(Submission.plan_id == plan.id)
    return session.scalars(query.order_by(Submission.number.desc())).all()


def newest_of(session: Session, user: User, plan: Plan) -> Submission:
    """The plan's newest filing. Raises NotFound while there is none."""
    submissions = submissions_of(session, user, plan)
    if not submissions:
        raise NotFound("Este plan todavía no fue presentado.")
    return submissions[0]


def _earlier(session: Session, plan: Plan, submission: Submission | None) -> Submission | None:
    before = previous_submission(session, submission) if submission else None
    if before is None:
        last = plan_before(session, plan)
        before = last_submission(session, last) if last else None
    return before


def _sections(
    plan: Plan, content: Content, changes: Sequence[Change], *,
    named: Mapping[str, tuple[NamedControl, ...]], findings: Sequence[Finding],
    seen: Mapping[str, Verified],
) -> tuple[tuple[Section, tuple[Line, ...]], ...]:  # fmt: skip
    statements = {row["control"]: row for row in content["statements"]}
    lines: dict[str, Line] = {
        code: Line(
            control=code,
            title=row["title"],
            declared=_dated(row),
            changes=tuple(change for change in changes if change.control == code),
            incidents=named.get(code, ()),
            findings=tuple(finding for finding in findings if finding.control == code),
            verified=seen.get(code),
        )
        for code, row in statements.items()
    }
    return tuple(
        (
            section,
            tuple(lines[control.code] for control in section.controls if control.code in lines),
        )
        for section in load_framework(plan.framework).sections
    )


def _dated(row: Mapping[str, Any]) -> dict[str, Any]:
    """A statement whose days and moments are no longer texts, so that pages can write them."""
    proofs = [
        proof | {"valid_until": until and datetime.fromisoformat(until)}
        for proof in row["evidence"]
        for until in (proof["valid_until"],)
    ]
    due_on = row["due_on"] and date.fromisoformat(row["due_on"])
    return {**row, "due_on": due_on, "evidence": proofs}


def reviews_of(session: Session, user: User, submission: Submission) -> Sequence[Review]:
    """The readings of a filing that this person may see."""
    query = visible(user, Review).where(Review.submission_id == submission.id)
    return session.scalars(
        query.order_by(Review.started_at).options(joinedload(Review.reviewer))
    ).all()


def named_titles(
    session: Session, user: User, facts: Sequence[NamedControl]
) -> dict[str, Incident]:
    """Incidents by code that this person may open, of those that named a control."""
    codes = [fact.incident_code for fact in facts]
    query = visible(user, Incident).where(Incident.code.in_(codes))
    return {row.code: row for row in session.scalars(query)}
