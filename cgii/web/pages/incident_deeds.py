"""What is done to an incident: deeds of one press, and those with a form in drawer or page."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base.errors import Conflict, InvalidForm
from cgii.model.entities import Entity
from cgii.model.incidents import Entry, Incident
from cgii.model.people import User
from cgii.respond.closing import CloseForm, close, needs_analysis, reopen
from cgii.respond.lifecycle import (
    TriageForm,
    acknowledge,
    assign,
    go_on,
    notify_entity,
    release,
    set_entity,
    take,
    triage,
    wait_for,
)
from cgii.respond.requests import ask
from cgii.respond.severity import SeverityFacts, compute_severity, is_critical
from cgii.respond.stages import stamp
from cgii.store.act import Act
from cgii.web.access import require
from cgii.web.answers import (
    Redo,
    Toast,
    back_to,
    is_htmx,
    nothing,
    redirect,
    redo,
    render,
    sentence,
)
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.forms import Filled, read
from cgii.web.language import gettext
from cgii.web.pages.incident_forms import (
    DEEDS,
    AskForm,
    AssignForm,
    ClassifyForm,
    Deed,
    EndForm,
    EntityForm,
    ReopenForm,
    StageForm,
    TellForm,
    WaitForm,
    choices_for,
    first_values,
    read_rsit,
)
from cgii.web.pages.incidents import find_incident
from cgii.web.visible import find, visible

router = APIRouter(prefix="/incidentes", include_in_schema=False)
LATEST = 3  # entries shown to whoever was overtaken


# --- one press ------------------------------------------------------------------------------------
@router.post("/{code}/tomar", dependencies=[require("incident.work")])
def take_one(request: Request, act: CurrentAct, user: CurrentUser, code: str) -> Response:
    """Make it mine."""
    incident = find_incident(act.session, user, code)
    take(act, incident)
    told = Toast(gettext("El incidente es suyo."), undo=f"/mesa/devolver?row={incident.code}")
    return _done(request, incident, told)


@router.post("/{code}/devolver", dependencies=[require("incident.work")])
def release_one(request: Request, act: CurrentAct, user: CurrentUser, code: str) -> Response:
    """Give it back to the desk."""
    incident = find_incident(act.session, user, code)
    release(act, incident)
    return _done(request, incident, Toast(gettext("Devuelto a la mesa.")))


@router.post("/{code}/acusar", dependencies=[require("incident.work")])
def acknowledge_one(request: Request, act: CurrentAct, user: CurrentUser, code: str) -> Response:
    """Say that a person has seen it."""
    incident = find_incident(act.session, user, code)
    acknowledge(act, incident)
    return _done(request, incident, Toast(gettext("Primera respuesta registrada.")))


@router.post("/{code}/seguir", dependencies=[require("incident.work")])
def go_on_one(request: Request, act: CurrentAct, user: CurrentUser, code: str) -> Response:
    """Nobody is waited for any more."""
    incident = find_incident(act.session, user, code)
    go_on(act, incident)
    return _done(request, incident, Toast(gettext("Los plazos del centro siguen.")))


# --- with a form ----------------------------------------------------------------------------------
@router.get("/{code}/severidad", dependencies=[require("incident.see")])
def preview_severity(
    request: Request, session: CurrentSession, user: CurrentUser, code: str
) -> Response:
    """What the facts typed so far make of it, while the form is filled in."""
    incident = find_incident(session, user, code)
    query = request.query_params
    rsit_class, _, rsit_type = query.get("rsit", "").partition(".")
    count = query.get("affected_count", "")
    facts = SeverityFacts(
        rsit_class=rsit_class,
        rsit_type=rsit_type,
        affected_count=int(count) if count.isdecimal() and len(count) < 10 else None,
        service_impact=query.get("service_impact", "unknown"),
        personal_data=query.get("personal_data", "unknown"),
        is_ongoing="is_ongoing" in query,
        is_critical_entity=is_critical(incident.entity),
    )
    return render(request, "incidents/severity.html", computed=compute_severity(facts))


def _serve(name: str, words: Deed) -> None:
    """Give a deed its three addresses, each behind the deed's own right."""
    guard = require(words.right)

    @router.get(f"/{{code}}/{name}", dependencies=[guard], name=f"show_{name}")
    def show_deed(
        request: Request, session: CurrentSession, user: CurrentUser, code: str
    ) -> Response:
        """The form of a deed on a page of its own."""
        context = _first(request, session, user, code=code, name=name)
        return render(request, "incidents/deed.html", **context)

    @router.get(f"/{{code}}/{name}/panel", dependencies=[guard], name=f"show_{name}_panel")
    def show_deed_panel(
        request: Request, session: CurrentSession, user: CurrentUser, code: str
    ) -> Response:
        """The same form in the drawer."""
        context = _first(request, session, user, code=code, name=name)
        return render(request, "incidents/deed_panel.html", **context)

    @router.post(f"/{{code}}/{name}", dependencies=[guard], name=f"do_{name}")
    def do_deed(
        request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, code: str
    ) -> Response:
        """Do it; what is wrong comes back with what was typed."""
        incident = find_incident(act.session, user, code)
        form = read(sent, words.form)
        with _again(request, act, incident, name=name, form=form):
            text = VERBS[name](act, incident, form.data())
        return redirect(request, f"/incidentes/{incident.code}", toast=Toast(text))


for _name, _words in DEEDS.items():
    _serve(_name, _words)


def _first(
    request: Request, session: Session, user: User, *, code: str, name: str
) -> dict[str, Any]:  # what the template names
    incident = find_incident(session, user, code)
    wanted = {key: text[:2_000] for key, text in request.query_params.items()}
    now = request.app.state.centre.clock()
    form = first_values(name, incident, wanted, now)
    return _context(session, user, incident, name=name) | {"form": form}


def _context(
    session: Session, user: User, incident: Incident, *, name: str
) -> dict[str, Any]:  # what the template names
    return {
        "incident": incident,
        "deed": name,
        "words": DEEDS[name],
        "needs_analysis": needs_analysis(incident, "resolved"),
        "overtaken": (),
    } | choices_for(name, session, user)


@contextmanager
def _again(
    request: Request, act: Act, incident: Incident, *, name: str, form: Filled[Any]
) -> Iterator[None]:  # of any deed
    """Brings the form back, typed text kept: with problems (422), or overtaken (409)."""
    user = act.user
    assert user is not None, "a page has a visitor"
    template = "incidents/deed_panel.html" if is_htmx(request) else "incidents/deed.html"
    context = _context(act.session, user, incident, name=name)
    latest = _latest(act.session, user, incident)
    version = str(incident.version)
    with redo(request, template, form=form, **context):
        try:
            yield
        except Conflict as error:
            # What was typed over an older state may be sent again, knowingly, over the new one.
            typed = form.typed | ({"version": version} if "version" in form.typed else {})
            shown = replace(form, typed=typed, general=sentence(error))
            overtaken = context | {"overtaken": latest}
            answer = render(request, template, status=error.status, form=shown, **overtaken)
            raise Redo(answer) from error


def _latest(session: Session, user: User, incident: Incident) -> list[Entry]:
    query = (
        visible(user, Entry)
        .where(Entry.incident_id == incident.id)
        .order_by(Entry.at.desc(), Entry.id.desc())
        .options(joinedload(Entry.author))
    )
    return list(session.scalars(query.limit(LATEST)))


def _done(request: Request, incident: Incident, told: Toast) -> Response:
    """A key in a list only wants to be told; a button leads back to where it was pressed."""
    if is_htmx(request):
        return nothing(told)
    there = back_to(request, f"/incidentes/{incident.code}", "/mesa", "/incidentes")
    return redirect(request, there, toast=told)


# --- from a form to its verb; each gives back what the person is told ----------------------------
def _assign(act: Act, incident: Incident, form: AssignForm) -> str:
    person = find(act.session, _user(act), User, id=form.owner)
    assign(act, incident, person, reason=form.reason)
    return gettext("Asignado a %(name)s.") % {"name": person.name}


def _classify(act: Act, incident: Incident, form: ClassifyForm) -> str:
    rsit_class, rsit_type = read_rsit(form.rsit)
    facts = SeverityFacts(
        affected_count=form.affected_count,
        service_impact=form.service_impact,
        personal_data=form.personal_data,
        is_ongoing=form.is_ongoing,
        is_critical_entity=is_critical(incident.entity),
    )
    data = TriageForm(
        rsit_class=rsit_class,
        rsit_type=rsit_type,
        facts=facts,
        severity=form.severity or None,
        severity_reason=form.severity_reason,
        tlp=form.tlp,
        pap=form.pap,
        kind=form.kind,
        title=form.title or None,
    )
    triage(act, incident, data, expected_version=form.version)
    return gettext("Clasificación guardada.")


def _wait(act: Act, incident: Incident, form: WaitForm) -> str:
    wait_for(act, incident, form.party, reason=form.reason)
    return gettext("En espera: los plazos propios del centro están detenidos.")


def _tell(act: Act, incident: Incident, form: TellForm) -> str:
    notify_entity(act, incident, form.text)
    return gettext("Se avisó a la entidad.")


def _stamp(act: Act, incident: Incident, form: StageForm) -> str:
    if not form.stage:
        raise InvalidForm({"stage": "Elija la etapa."})
    stamp(act, incident, form.stage, at=form.at, reason=form.reason)
    return gettext("Etapa registrada.")


def _ask(act: Act, incident: Incident, form: AskForm) -> str:
    ask(act, incident, form.question, form.due_at)
    return gettext("Pedido enviado. Los plazos propios del centro esperan la respuesta.")


def _set_entity(act: Act, incident: Incident, form: EntityForm) -> str:
    entity = act.session.scalar(visible(_user(act), Entity).where(Entity.code == form.entity))
    if entity is None:
        raise InvalidForm({"entity": "Elija una entidad de la lista."})
    set_entity(act, incident, entity, reason=form.reason)
    return gettext("Entidad guardada.")


def _close(act: Act, incident: Incident, form: EndForm) -> str:
    data = CloseForm(form.reason, form.note, form.root_cause, form.failed_controls, form.lessons)
    close(act, incident, data, expected_version=form.version)
    return gettext("Incidente cerrado.")


def _reopen(act: Act, incident: Incident, form: ReopenForm) -> str:
    reopen(act, incident, reason=form.reason)
    return gettext("Incidente reabierto.")


def _user(act: Act) -> User:
    assert act.user is not None, "a page has a visitor"
    return act.user


VERBS: Mapping[str, Callable[[Act, Incident, Any], str]] = {
    "asignar": _assign,
    "clasificar": _classify,
    "esperar": _wait,
    "notificar": _tell,
    "etapa": _stamp,
    "pedir": _ask,
    "entidad": _set_entity,
    "cerrar": _close,
    "reabrir": _reopen,
}
