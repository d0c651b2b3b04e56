"""The centre's numbered decision on a filing, its notification, and what it starts and ends."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import select

from cgii.base import limits
from cgii.base.errors import Conflict, InvalidForm
from cgii.base.ids import decision_code
from cgii.comply.fields import Problems, clean
from cgii.comply.filing import last_submission
from cgii.comply.findings import open_findings
from cgii.comply.letters import notify
from cgii.comply.review import require_read
from cgii.comply.snapshots import snapshot
from cgii.comply.statements import today_of
from cgii.comply.states import lock, move, require_centre, require_state, year_of
from cgii.model.plans import Decision, Plan, Submission
from cgii.store.act import Act
from cgii.store.numbering import next_number

OUTCOMES = ("accepted", "with_conditions", "returned", "rejected")
FAVOURABLE = frozenset({"accepted", "with_conditions"})


@dataclass(frozen=True)
class DecisionForm:
    """A decision as typed: reasons for all but a plain acceptance, validity for an acceptance."""

    outcome: str  # of OUTCOMES
    reasons: str = ""
    valid_until: date | None = None


def decide(act: Act, submission: Submission, form: DecisionForm) -> Decision:
    """Decide on a filing that was read. It binds when it is notified, by `notify_decision`."""
    require_centre(act)
    plan = submission.plan
    lock(act, plan)
    require_state(plan, "in_review")
    latest = last_submission(act.session, plan)
    if latest is None or latest.id != submission.id:
        raise Conflict("Hay una presentación más nueva de este plan; trabaje sobre ella.")
    require_read(act.session, submission)
    form = _check(act, form)
    if form.outcome == "accepted" and open_findings(act.session, submission):
        raise Conflict(
            "Hay observaciones abiertas: acepte con condiciones, devuelva u observe el plan."
        )
    year = year_of(act)
    decision = Decision(
        submission_id=submission.id,
        plan_id=plan.id,
        code=decision_code(year, next_number(act.session, "decision", year)),
        outcome=form.outcome,
        reasons=form.reasons,
        valid_until=form.valid_until,
        decided_by_id=act.user_id,
        decided_at=act.now,
    )
    act.session.add(decision)
    move(act, plan, "decided")
    plan.outcome = form.outcome
    plan.decided_at = act.now
    plan.valid_until = form.valid_until
    act.session.flush()  # the page and the notification need the decision's id
    snapshot(act, plan, submission, moment="decided")
    act.record(
        "plan.decided",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        decision=decision.code,
        submission=submission.code,
        outcome=form.outcome,
    )
    return decision


def notify_decision(act: Act, decision: Decision) -> None:
    """Tell the entity; an accepted plan is valid from now and replaces the one before."""
    require_centre(act)
    plan = act.session.get_one(Plan, decision.plan_id)
    lock(act, plan)
    if decision.notified_at is not None:
        raise Conflict("La decisión {code} ya fue notificada.", code=decision.code)
    require_state(plan, "decided")
    decision.notified_at = act.now
    if decision.outcome in FAVOURABLE:
        move(act, plan, "valid")
        _supersede(act, plan)
    act.record(
        "plan.decision_notified",
        f"plan:{plan.id}",
        entity_id=plan.entity_id,
        decision=decision.code,
    )
    notify(act, plan, "plan_decided", detail=decision.code)


def revoke(act: Act, plan: Plan, reason: str) -> None:
    """End a plan's validity before its time, with a reason."""
    require_centre(act)
    lock(act, plan)
    why = clean(reason)
    if not why:
        raise InvalidForm({"reason": "Indique por qué se revoca el plan."})
    move(act, plan, "revoked")
    act.record("plan.revoked", f"plan:{plan.id}", entity_id=plan.entity_id, reason=why)


def _check(act: Act, form: DecisionForm) -> DecisionForm:
    problems = Problems()
    problems.choice("outcome", form.outcome, OUTCOMES)
    reasons = problems.text("reasons", form.reasons)
    if form.outcome != "accepted" and not reasons:
        problems.add("reasons", "Fundamente la decisión.")
    today = today_of(act)
    if form.outcome in FAVOURABLE:
        if form.valid_until is None or form.valid_until <= today:
            problems.add("valid_until", "Indique hasta cuándo vale el plan, después de hoy.")
        elif form.valid_until.year > today.year + limits.PLAN_VALID_YEARS_MAX:
            problems.add(
                "valid_until",
                f"Un plan vale como máximo {limits.PLAN_VALID_YEARS_MAX} años.",
            )
    elif form.valid_until is not None:
        problems.add("valid_until", "Un plan no aceptado no lleva vigencia.")
    problems.end()
    return DecisionForm(form.outcome, reasons, form.valid_until)


def _supersede(act: Act, plan: Plan) -> None:
    """Of an entity's valid plans only that of the latest year stays valid."""
    valid = act.session.scalars(
        select(Plan)
        .where(Plan.entity_id == plan.entity_id, Plan.state == "valid")
        .order_by(Plan.year)
        .with_for_update()
    ).all()
    for older in valid[:-1]:
        move(act, older, "superseded")
        act.record(
            "plan.superseded",
            f"plan:{older.id}",
            entity_id=older.entity_id,
            by=f"plan:{valid[-1].id}",
        )
