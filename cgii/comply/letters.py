"""Tells an entity what happened to its plan: the job to do it, and the facts of the mail."""

from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from cgii.base.clock import MONTHS
from cgii.base.errors import NotFound
from cgii.base.labels import label
from cgii.model.entities import Contact
from cgii.model.people import Role, User
from cgii.model.plans import Decision, Plan, Submission
from cgii.model.records import Job
from cgii.store.act import Act
from cgii.store.queue import enqueue

EVENTS = ("plan_filed", "plan_observed", "plan_decided", "plan_expiring")
JOB = "notify_plan"


@dataclass(frozen=True)
class Letter:
    """A mail to be written: `template` is a file of playbooks/messages, filled by `facts`."""

    dedupe_key: str  # sending the same letter twice is found by it
    template: str  # "plan_filed.txt.j2"
    entity_id: int
    plan_id: int
    recipients: tuple[str, ...]
    facts: dict[str, Any]  # texts and numbers for the template
    tlp: str = "AMBER"


def notify(act: Act, plan: Plan, event: str, *, detail: str) -> Job:
    """Enqueue the job `notify_plan`; `detail` tells two letters of one event apart."""
    assert event in EVENTS, event
    return enqueue(
        act.session,
        JOB,
        now=act.now,
        created_by_id=act.user_id,
        plan_id=plan.id,
        event=event,
        detail=detail,
    )


def plan_letter(
    session: Session, plan_id: int, event: str, *, detail: str, public_url: str
) -> Letter:
    """The letter that the job `notify_plan` has to write, from what is committed."""
    plan = session.get(Plan, plan_id)
    if plan is None:
        raise NotFound("No existe ese plan.")
    submission = session.scalar(
        select(Submission)
        .where(Submission.plan_id == plan.id)
        .order_by(Submission.number.desc())
        .limit(1)
    )
    facts: dict[str, Any] = {
        "entity": plan.entity.name,
        "plan_year": plan.year,
        "code": submission.code if submission else "",
        "sha256": submission.sha256 if submission else "",
        "outcome": "",
        "decision_code": "",
        "reasons": "",
        "valid_until": _show(plan.valid_until),
        "url": f"{public_url.rstrip('/')}/planes/{plan.id}",
    }
    if event == "plan_filed":
        facts |= _filing(session, detail)
    elif event == "plan_decided":
        facts |= _decision(session, detail)
    return Letter(
        dedupe_key=f"plan:{plan.id}:{event}:{detail}",
        template=f"{event}.txt.j2",
        entity_id=plan.entity_id,
        plan_id=plan.id,
        recipients=_recipients(session, plan.entity_id),
        facts=facts,
    )


def _filing(session: Session, code: str) -> dict[str, Any]:
    # The job may run after the next filing: the letter is about the one it was enqueued for.
    filed = session.scalars(select(Submission).where(Submission.code == code)).one()
    return {"code": filed.code, "sha256": filed.sha256}


def _decision(session: Session, code: str) -> dict[str, Any]:
    decision = session.scalars(select(Decision).where(Decision.code == code)).one()
    decided = session.get(Submission, decision.submission_id)
    assert decided is not None, "a decision is about a filing"
    return {
        "code": decided.code,
        "sha256": decided.sha256,
        "outcome": label("plans.outcomes", decision.outcome),
        "decision_code": decision.code,
        "reasons": decision.reasons,
        "valid_until": _show(decision.valid_until),
    }


def _show(day: date | None) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}" if day else ""


def _recipients(session: Session, entity_id: int) -> tuple[str, ...]:
    contacts = session.scalars(
        select(Contact.email).where(
            Contact.entity_id == entity_id,
            Contact.duty.in_(("mae", "rsi")),
            Contact.until.is_(None),
            Contact.email != "",
        )
    )
    users = session.scalars(
        select(User.email).where(
            User.entity_id == entity_id,
            User.is_active.is_(True),
            or_(User.role == Role.OFFICER, User.role == Role.MAE),
        )
    )
    return tuple(sorted({address.strip().casefold() for address in (*contacts, *users)}))
