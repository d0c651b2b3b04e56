"""Playbooks at work: start one for an incident, finish its steps, stop it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.datastructures import FormData
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.incidents import Incident
from cgii.model.runs import Run, Step
from cgii.respond.runner import StepForm, finish_step, playbook_of, questions, start_run, stop_run
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo
from cgii.web.deps import CurrentAct, CurrentUser, SentForm, TheCentre
from cgii.web.forms import Filled, read
from cgii.web.language import gettext
from cgii.web.pages.incidents import find_incident, sight
from cgii.web.visible import find

router = APIRouter(prefix="/incidentes", include_in_schema=False)
RESULTS: Mapping[str, Literal["done", "failed"]] = {"hecho": "done", "no-logrado": "failed"}


@dataclass(frozen=True)
class StartForm:
    """Which playbook begins."""

    playbook: str = ""


@dataclass(frozen=True)
class EndedForm:
    """How a step ended, in words."""

    result: str = ""
    outcome: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""


@dataclass(frozen=True)
class StopForm:
    """Why a run is stopped."""

    reason: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""


@router.post("/{code}/guia", dependencies=[require("incident.work")])
def start(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    code: str,
) -> Response:
    """Begin a playbook."""
    incident = find_incident(act.session, user, code)
    form = read(sent, StartForm)
    context = sight(act.session, user, centre, incident, section="guia")
    with redo(request, "incidents/incident.html", form=form, **context):
        playbook = centre.content.playbooks.by_id.get(form.data().playbook)
        if playbook is None:
            raise Invalid("Elija una guía de la lista.", field="playbook")
        start_run(act, incident, playbook)
    return _to_guide(request, incident, gettext("Guía iniciada."))


@router.post("/{code}/guia/{run_id}/pasos/{step_id}", dependencies=[require("incident.work")])
def finish(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    code: str,
    run_id: int,
    step_id: int,
) -> Response:
    """Finish a step with its answers; the run goes on by itself to the next one."""
    incident = find_incident(act.session, user, code)
    find(act.session, user, Run, id=run_id, incident_id=incident.id)
    step = find(act.session, user, Step, id=step_id, run_id=run_id)
    form = _typed(sent, step)
    context = sight(act.session, user, centre, incident, section="guia")
    with redo(request, "incidents/incident.html", form=form, **context):
        data = form.data()
        if data.result not in RESULTS:
            raise Invalid("Diga si el paso se logró.", field="result")
        ended = StepForm(RESULTS[data.result], data.outcome, _answers(sent))
        run = finish_step(act, step, ended)
    words = {
        "running": gettext("Paso registrado."),
        "done": gettext("Guía terminada."),
        "failed": gettext("La guía terminó sin lograrse."),
    }
    return _to_guide(request, incident, words.get(run.state, words["running"]))


@router.post("/{code}/guia/{run_id}/detener", dependencies=[require("incident.work")])
def stop(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    code: str,
    run_id: int,
) -> Response:
    """Stop a run; what was done stays."""
    incident = find_incident(act.session, user, code)
    run = find(act.session, user, Run, id=run_id, incident_id=incident.id)
    stop_run(act, run, reason=read(sent, StopForm).data().reason)
    return _to_guide(request, incident, gettext("Guía detenida."))


def _typed(sent: FormData, step: Step) -> Filled[EndedForm]:
    """The form with the answers to the step's own questions, so that they are given back too."""
    form = read(sent, EndedForm)
    asked = [variable.name for variable in questions(playbook_of(step.run), step)]
    answers = _answers(sent)
    form.typed.update({name: answers[name] for name in asked if name in answers})
    return form


def _answers(sent: FormData) -> Mapping[str, str]:
    return {name: value for name, value in sent.items() if isinstance(value, str)}


def _to_guide(request: Request, incident: Incident, text: str) -> Response:
    return redirect(request, f"/incidentes/{incident.code}?ver=guia", toast=Toast(text))
