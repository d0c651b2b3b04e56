"""A plan in force: its yearly follow-up, the reminders before its end, and the end itself."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.clock import local
from cgii.base.errors import Conflict
from cgii.comply.fields import Problems
from cgii.comply.filing import last_submission
from cgii.comply.letters import notify
from cgii.comply.snapshots import snapshot
from cgii.comply.statements import today_of
from cgii.comply.states import lock, move, require_member, require_state, year_of
from cgii.model.plans import FollowUp, Plan
from cgii.store.act import Act


@dataclass(frozen=True)
class FollowUpForm:
    """What was done in a year to carry the plan out, as typed."""

    year: int
    progress_percent: int
    note: str
    cite: str = ""  # of the letter that reports it


def follow_up(act: Act, plan: Plan, form: FollowUpForm) -> FollowUp:
    """Record the follow-up of one year of a valid plan; one a year."""
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_state(plan, "valid")
    assert plan.decided_at is not None, "a valid plan was decided"
    problems = Problems()
    problems.number("year", form.year, least=local(plan.decided_at).year, most=year_of(act))
    problems.number("progress_percent", form.progress_percent, least=0, most=100)
    note = problems.required("note", form.note)
    cite = problems.text("cite", form.cite, most=80)
    problems.end()
    if any(row.year == form.year for row in follow_ups_of(act.session, plan)):
        raise Conflict("El seguimiento de la gestión {year} ya está registrado.", year=form.year)
    row = FollowUp(
        plan_id=plan.id,
        entity_id=plan.entity_id,
        year=form.year,
        progress_percent=form.progress_percent,
        note=note,
        cite=cite,
        recorded_by_id=act.user_id,
        recorded_at=act.now,
    )
    act.session.add(row)
    submission = last_submission(act.session, plan)
    assert submission is not None, "a valid plan was filed"
    snapshot(act, plan, submission, moment="follow_up")
    act.record(
        "plan.followed_up",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        year=form.year,
        progress_percent=form.progress_percent,
    )
    return row


def follow_ups_of(session: Session, plan: Plan) -> list[FollowUp]:
    """The plan's follow-ups, oldest year first."""
    return list(
        session.scalars(select(FollowUp).where(FollowUp.plan_id == plan.id).order_by(FollowUp.year))
    )


def expire_plans(act: Act) -> list[Plan]:
    """End the validity of every plan whose last day has passed in La Paz. For a scheduled job."""
    ended = act.session.scalars(
        select(Plan)
        .where(Plan.state == "valid", Plan.valid_until < today_of(act))
        .order_by(Plan.id)
        .with_for_update()
    ).all()
    for plan in ended:
        move(act, plan, "expired")
        act.record("plan.expired", f"plan:{plan.id}", entity_id=plan.entity_id)
    return list(ended)


def remind_expiring(act: Act) -> list[Plan]:
    """Tell entities 90, 30, 7 and 1 days ahead, each once. For a scheduled job.

    When several thresholds passed since the last round, one letter is enough.
    """
    today = today_of(act)
    plans = act.session.scalars(
        select(Plan)
        .where(Plan.state == "valid", Plan.valid_until >= today)
        .order_by(Plan.id)
        .with_for_update()
    ).all()
    told = []
    for plan in plans:
        assert plan.valid_until is not None, "a valid plan has an end"
        due = due_reminders(plan.valid_until, plan.reminded, today=today)
        if due:
            plan.reminded = sorted({*plan.reminded, *due}, reverse=True)
            notify(act, plan, "plan_expiring", detail=str(min(due)))
            told.append(plan)
    return told


def due_reminders(valid_until: date, told: Collection[int], *, today: date) -> list[int]:
    """The thresholds, in days before the end, that are reached and were not told yet. Pure."""
    left = (valid_until - today).days
    return [days for days in limits.PLAN_REMINDER_DAYS if left <= days and days not in told]
