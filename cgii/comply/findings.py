"""Reads what reviewers found: open findings, and the last verdict on each control."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.model.plans import Finding, Review, Submission

VERDICTS = ("conforms", "observed", "not_verified")


@dataclass(frozen=True)
class Verified:
    """What the centre itself saw of one control, and when."""

    control: str
    verdict: str
    status: str  # of statements.STATUSES, or empty
    maturity: int | None
    made_at: datetime


def findings_of(session: Session, submission: Submission) -> list[Finding]:
    """All findings of a filing's reviews, oldest first."""
    return list(
        session.scalars(
            select(Finding)
            .join(Review, Review.id == Finding.review_id)
            .where(Review.submission_id == submission.id)
            .order_by(Finding.made_at, Finding.id)
        )
    )


def open_findings(session: Session, submission: Submission) -> list[Finding]:
    """What is observed in a filing and not closed yet."""
    return [
        finding
        for finding in findings_of(session, submission)
        if finding.verdict == "observed" and finding.closed_at is None
    ]


def verified(findings: Sequence[Finding]) -> dict[str, Verified]:
    """Control → the newest verdict of somebody who looked; "not verified" never hides one."""
    latest: dict[str, Finding] = {}
    for finding in sorted(findings, key=lambda row: (row.made_at, row.id)):
        if finding.verdict != "not_verified" or finding.control not in latest:
            latest[finding.control] = finding
    return {
        control: Verified(
            control=control,
            verdict=finding.verdict,
            status=finding.verified_status,
            maturity=finding.verified_maturity,
            made_at=finding.made_at,
        )
        for control, finding in latest.items()
    }
