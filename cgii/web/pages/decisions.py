"""The centre observes a plan that was read, decides on it, tells the entity, or revokes it."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base.clock import local
from cgii.comply.decisions import DecisionForm, decide, notify_decision, revoke
from cgii.comply.findings import open_findings
from cgii.comply.review import observe
from cgii.model.people import User
from cgii.model.plans import Decision, Plan, Submission
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.forms import blank, read
from cgii.web.language import gettext
from cgii.web.plan_sheet import newest_of, reviews_of, sheet_of
from cgii.web.visible import find, visible

router = APIRouter(prefix="/planes/{plan_id}", include_in_schema=False)
PROPOSED_YEARS = 2  # of validity; the reviewer may choose another day


@dataclass(frozen=True)
class DecisionInput:
    """A decision as typed, and whether the entity is told at once."""

    outcome: str = ""
    reasons: str = ""
    valid_until: date | None = None
    tell: bool = False


@dataclass(frozen=True)
class ReasonInput:
    """Why a plan is revoked."""

    reason: str = ""


def _context(session: Session, user: User, plan: Plan) -> dict[str, Any]:
    submission = newest_of(session, user, plan)
    decisions = visible(user, Decision).where(Decision.submission_id == submission.id)
    sheet = sheet_of(session, user, plan, submission=submission)
    return {
        "plan": plan,
        "submission": submission,
        "reviews": reviews_of(session, user, submission),
        "sheet": sheet,
        "open": open_findings(session, submission),
        "titles": {line.control: line.title for line in sheet.lines},
        "decision": session.scalar(decisions),
    }


@router.get("/decision", dependencies=[require("plan.see")])
def show_decision(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """What was found, and the forms to observe or decide."""
    plan = find(session, user, Plan, id=plan_id)
    form = blank(valid_until=_proposed(centre.clock()), tell=True)
    return render(request, "reviews/decision.html", form=form, **_context(session, user, plan))


def _proposed(now: datetime) -> date:
    return date(local(now).year + PROPOSED_YEARS, 12, 31)


@router.post("/decision", dependencies=[require("plan.decide")])
def decide_plan(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """Decide, and tell the entity if asked to."""
    plan = find(act.session, user, Plan, id=plan_id)
    context = _context(act.session, user, plan)
    submission: Submission = context["submission"]
    form = read(sent, DecisionInput)
    with redo(request, "reviews/decision.html", form=form, **context):
        data = form.data()
        favourable = data.outcome in ("accepted", "with_conditions")
        until = data.valid_until if favourable else None
        decision = decide(act, submission, DecisionForm(data.outcome, data.reasons, until))
        if data.tell:
            notify_decision(act, decision)
    told = gettext("Decisión {code} registrada.").format(code=decision.code)
    return redirect(request, f"/planes/{plan.id}", toast=Toast(told))


@router.post("/notificar", dependencies=[require("plan.decide")])
def tell(request: Request, act: CurrentAct, user: CurrentUser, plan_id: int) -> Response:
    """Tell the entity what was decided."""
    plan = find(act.session, user, Plan, id=plan_id)
    submission = newest_of(act.session, user, plan)
    notify_decision(act, find(act.session, user, Decision, submission_id=submission.id))
    told = Toast(gettext("Se notificó la decisión a la entidad."))
    return redirect(request, f"/planes/{plan.id}", toast=told)


@router.post("/observar", dependencies=[require("plan.review")])
def send_observations(
    request: Request, act: CurrentAct, user: CurrentUser, plan_id: int
) -> Response:
    """Send the plan back with what is observed."""
    plan = find(act.session, user, Plan, id=plan_id)
    observe(act, newest_of(act.session, user, plan))
    told = Toast(gettext("Se enviaron las observaciones a la entidad."))
    return redirect(request, f"/planes/{plan.id}", toast=told)


@router.post("/revocar", dependencies=[require("plan.decide")])
def revoke_plan(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """End a plan's validity before its time."""
    plan = find(act.session, user, Plan, id=plan_id)
    revoke(act, plan, read(sent, ReasonInput).data().reason)
    return redirect(request, f"/planes/{plan.id}", toast=Toast(gettext("Plan revocado.")))
