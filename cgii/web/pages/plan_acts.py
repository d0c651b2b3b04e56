"""The steps of a plan that bind: complete, approved, filed, answered, amended, followed up."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base.clock import local
from cgii.base.errors import InvalidForm
from cgii.base.labels import labels
from cgii.comply.controls import load_framework
from cgii.comply.filing import changes, file_plan, resubmit
from cgii.comply.plans import amend, approve, carry_over, mark_ready, return_to_draft
from cgii.comply.review import answer_finding
from cgii.comply.validity import FollowUpForm, follow_up
from cgii.model.people import User
from cgii.model.plans import Finding, FollowUp, Plan
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.forms import Filled, blank, read
from cgii.web.language import gettext, ngettext
from cgii.web.pages.plans import reading
from cgii.web.plan_sheet import observations_seen, submissions_of
from cgii.web.plan_steps import address_of, missing_of, steps_of
from cgii.web.visible import find, visible

router = APIRouter(prefix="/planes/{plan_id}", include_in_schema=False)


@dataclass(frozen=True)
class CiteInput:
    """The resolution by which the MAE approves."""

    cite: str = ""


@dataclass(frozen=True)
class ReasonInput:
    """Why a plan goes back."""

    reason: str = ""


@dataclass(frozen=True)
class AnswerInput:
    """What was done about an observation."""

    answer: str = ""


def _step(session: Session, user: User, plan: Plan, now: datetime, *, here: str) -> dict[str, Any]:
    missing = missing_of(session, plan, now)
    return {
        "plan": plan,
        "here": here,
        "missing": missing,
        "steps": steps_of(user, plan, missing),
        "links": [(item, address_of(plan, item), _title(plan, item.control)) for item in missing],
        "is_officer": user.role == "officer",
        "is_mae": user.role == "mae",
    }


def _title(plan: Plan, control: str) -> str:
    return load_framework(plan.framework).control(control).title if control else ""


@router.get("/revisar", dependencies=[require("own_plan.see")])
def show_check(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """What is missing, and what changed since the last filing."""
    plan = find(session, user, Plan, id=plan_id)
    context = _check_context(session, user, plan, centre.clock())
    return render(request, "plans/check.html", form=blank(), **context)


def _check_context(session: Session, user: User, plan: Plan, now: datetime) -> dict[str, Any]:
    return _step(session, user, plan, now, here="revisar") | {
        "changes": changes(session, plan),
        "fields": labels("plans.fields"),
    }


@router.post("/revisar", dependencies=[require("own_plan.write")])
def hand_over(request: Request, act: CurrentAct, user: CurrentUser, plan_id: int) -> Response:
    """The officer says that the plan is complete."""
    plan = find(act.session, user, Plan, id=plan_id)
    form: Filled[Any] = blank()
    try:
        mark_ready(act, plan)
    except InvalidForm:  # the page lists what is missing, each with its link
        general = gettext("Al plan le faltan datos. Complete lo que se lista abajo.")
        context = _check_context(act.session, user, plan, act.now)
        return render(
            request, "plans/check.html", status=422, form=form.with_general(general), **context
        )
    return redirect(
        request, f"/planes/{plan.id}/aprobar", toast=Toast(gettext("El plan pasó a la MAE."))
    )


@router.post("/copiar", dependencies=[require("own_plan.write")])
def copy_last(request: Request, act: CurrentAct, user: CurrentUser, plan_id: int) -> Response:
    """Fill what is empty from the plan of an earlier year."""
    plan = find(act.session, user, Plan, id=plan_id)
    count = len(carry_over(act, plan))
    told = ngettext("Se copió %(num)s control.", "Se copiaron %(num)s controles.", count)
    return redirect(request, f"/planes/{plan.id}/controles", toast=Toast(told % {"num": count}))


@router.get("/aprobar", dependencies=[require("own_plan.see")])
def show_approval(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """The MAE reads a summary and approves; the others see that it is awaited."""
    plan = find(session, user, Plan, id=plan_id)
    context = _approval(session, user, plan, centre.clock())
    return render(request, "plans/approve.html", form=blank(), **context)


def _approval(session: Session, user: User, plan: Plan, now: datetime) -> dict[str, Any]:
    return reading(session, user, plan, now) | _step(session, user, plan, now, here="aprobar")


@router.post("/aprobar", dependencies=[require("own_plan.approve")])
def approve_plan(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """The MAE approves by a resolution."""
    plan = find(act.session, user, Plan, id=plan_id)
    form = read(sent, CiteInput)
    context = _approval(act.session, user, plan, act.now)
    with redo(request, "plans/approve.html", form=form, **context):
        approve(act, plan, form.data().cite)
    return redirect(request, f"/planes/{plan.id}", toast=Toast(gettext("Plan aprobado.")))


@router.post("/devolver", dependencies=[require("own_plan.approve")])
def send_back(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """The MAE gives the plan back to the officer."""
    return _back_to_draft(request, act, sent, find(act.session, user, Plan, id=plan_id))


@router.post("/retomar", dependencies=[require("own_plan.write")])
def take_up_again(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """The officer takes the plan back to go on writing."""
    return _back_to_draft(request, act, sent, find(act.session, user, Plan, id=plan_id))


def _back_to_draft(request: Request, act: CurrentAct, sent: SentForm, plan: Plan) -> Response:
    return_to_draft(act, plan, read(sent, ReasonInput).data().reason)
    told = Toast(gettext("El plan volvió a elaboración."))
    return redirect(request, f"/planes/{plan.id}", toast=told)


@router.get("/presentar", dependencies=[require("own_plan.see")])
def show_filing(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """What filing means, and the button."""
    plan = find(session, user, Plan, id=plan_id)
    context = _step(session, user, plan, centre.clock(), here="presentar")
    submissions = submissions_of(session, user, plan)
    return render(request, "plans/file.html", submissions=submissions, **context)


@router.post("/presentar", dependencies=[require("own_plan.write")])
def file(request: Request, act: CurrentAct, user: CurrentUser, plan_id: int) -> Response:
    """File the plan, or file it again after observations; the receipt follows."""
    plan = find(act.session, user, Plan, id=plan_id)
    again = plan.state in ("observed", "answered")
    submission = resubmit(act, plan) if again else file_plan(act, plan)
    return redirect(request, f"/portal/constancias/{submission.code}")


@router.get("/observaciones", dependencies=[require("own_plan.see")])
def show_findings(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """What the centre observed, with the entity's answers."""
    plan = find(session, user, Plan, id=plan_id)
    context = _findings(session, user, plan, centre.clock())
    return render(request, "plans/findings.html", form=blank(), wrong=None, **context)


def _findings(session: Session, user: User, plan: Plan, now: datetime) -> dict[str, Any]:
    observed = observations_seen(session, user, plan)
    waiting = [row for row in observed if row.closed_at is None and row.answered_at is None]
    context = _step(session, user, plan, now, here="seguimiento")
    return context | {"findings": observed, "waiting": waiting}


@router.post("/observaciones/{finding_id}", dependencies=[require("own_plan.write")])
def answer(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm,
    plan_id: int, finding_id: int,
) -> Response:  # fmt: skip
    """Answer one observation."""
    plan = find(act.session, user, Plan, id=plan_id)
    finding = find(act.session, user, Finding, id=finding_id)
    form = read(sent, AnswerInput)
    context = _findings(act.session, user, plan, act.now)
    with redo(request, "plans/findings.html", form=form, wrong=finding.id, **context):
        answer_finding(act, finding, form.data().answer)
    return redirect(
        request, f"/planes/{plan.id}/observaciones", toast=Toast(gettext("Respuesta guardada."))
    )


@router.post("/enmendar", dependencies=[require("own_plan.write")])
def open_again(request: Request, act: CurrentAct, user: CurrentUser, plan_id: int) -> Response:
    """Correct a plan that the centre returned or rejected."""
    plan = find(act.session, user, Plan, id=plan_id)
    amend(act, plan)
    told = Toast(gettext("El plan volvió a elaboración."))
    return redirect(request, f"/planes/{plan.id}/controles", toast=told)


@router.get("/seguimiento", dependencies=[require("own_plan.see")])
def show_follow_up(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """The yearly follow-ups, and the form for one more."""
    plan = find(session, user, Plan, id=plan_id)
    context = _follow_ups(session, user, plan, centre.clock())
    form = blank(year=local(centre.clock()).year)
    return render(request, "plans/follow_up.html", form=form, **context)


def _follow_ups(session: Session, user: User, plan: Plan, now: datetime) -> dict[str, Any]:
    rows = visible(user, FollowUp).where(FollowUp.plan_id == plan.id).order_by(FollowUp.year)
    return _step(session, user, plan, now, here="seguimiento") | {
        "follow_ups": session.scalars(rows).all()
    }


@router.post("/seguimiento", dependencies=[require("own_plan.write")])
def record_follow_up(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """Record what was done in a year."""
    plan = find(act.session, user, Plan, id=plan_id)
    form = read(sent, FollowUpForm)
    context = _follow_ups(act.session, user, plan, act.now)
    with redo(request, "plans/follow_up.html", form=form, **context):
        follow_up(act, plan, form.data())
    return redirect(
        request, f"/planes/{plan.id}/seguimiento", toast=Toast(gettext("Seguimiento registrado."))
    )
