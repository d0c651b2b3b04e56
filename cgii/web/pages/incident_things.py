"""What gathers around an incident: comments, observables, requests, evidence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.centre import Centre
from cgii.model.incidents import EntityRequest, Entry, Evidence, Incident
from cgii.respond import evidence as evidence_verbs
from cgii.respond import requests as request_verbs
from cgii.respond.observables import observe
from cgii.respond.stages import touch
from cgii.respond.timeline import comment, share_entry
from cgii.store.act import Act
from cgii.store.files import save
from cgii.web.access import require
from cgii.web.answers import Redo, Toast, redirect, redo, render, sentence
from cgii.web.deps import CurrentAct, CurrentUser, SentForm, TheCentre
from cgii.web.forms import Filled, file_of, read
from cgii.web.language import gettext
from cgii.web.pages.incidents import find_incident, sight
from cgii.web.visible import find

router = APIRouter(prefix="/incidentes", include_in_schema=False)
Text = Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)]
Short = Annotated[str, Field(max_length=limits.SHORT_TEXT_CHARS_MAX)]


@dataclass(frozen=True)
class CommentForm:
    """A comment; shared with the entity only on purpose."""

    text: Text = ""
    shared: bool = False


@dataclass(frozen=True)
class ObserveForm:
    """A technical fact."""

    kind: str = ""
    value: Short = ""
    note: Short = ""


@dataclass(frozen=True)
class EvidenceForm:
    """What is said of a file; the file itself is read apart."""

    note: Short = ""
    is_shared: bool = False


@dataclass(frozen=True)
class ReasonForm:
    """Why something is withdrawn."""

    reason: Text = ""


@router.post("/{code}/comentarios", dependencies=[require("incident.work")])
def add_comment(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    code: str,
) -> Response:
    """Write into the timeline."""
    incident = find_incident(act.session, user, code)
    form = read(sent, CommentForm)
    with _again(request, act, centre, incident, section="cronologia", form=form):
        data = form.data()
        comment(act, incident, data.text, shared=data.shared)
        if incident.closed_at is None:
            touch(act, incident)
    text = gettext("Compartido con la entidad.") if data.shared else gettext("Comentario guardado.")
    return _to(request, incident, "cronologia", text)


@router.post("/{code}/anotaciones/{entry_id}/compartir", dependencies=[require("incident.work")])
def share_one(
    request: Request, act: CurrentAct, user: CurrentUser, code: str, entry_id: int
) -> Response:
    """Show an entry to the entity from now on."""
    incident = find_incident(act.session, user, code)
    entry = find(act.session, user, Entry, id=entry_id, incident_id=incident.id)
    share_entry(act, incident, entry)
    return _to(request, incident, "cronologia", gettext("Compartido con la entidad."))


@router.post("/{code}/observables", dependencies=[require("incident.work")])
def add_observable(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    code: str,
) -> Response:
    """Add a technical fact by hand."""
    incident = find_incident(act.session, user, code)
    form = read(sent, ObserveForm)
    with _again(request, act, centre, incident, section="observables", form=form):
        data = form.data()
        observe(act, incident, data.kind, data.value, note=data.note)
    return _to(request, incident, "observables", gettext("Observable agregado."))


@router.post("/{code}/pedidos/{request_id}/retirar", dependencies=[require("incident.work")])
def withdraw_request(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    code: str,
    request_id: int,
) -> Response:
    """Take a request back: the entity no longer owes it."""
    incident = find_incident(act.session, user, code)
    asked = find(act.session, user, EntityRequest, id=request_id, incident_id=incident.id)
    request_verbs.withdraw(act, asked, reason=read(sent, ReasonForm).data().reason)
    return _to(request, incident, "pedidos", gettext("Pedido retirado."))


@router.post(
    "/{code}/evidencias",
    dependencies=[require("incident.work", body_bytes=limits.UPLOAD_BYTES_MAX)],
)
def add_evidence(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    code: str,
) -> Response:
    """Keep a file under its SHA-256."""
    incident = find_incident(act.session, user, code)
    form = read(sent, EvidenceForm)
    with _again(request, act, centre, incident, section="evidencias", form=form):
        data = form.data()
        file = file_of(sent, "file")
        if file is None:
            raise Invalid("Elija el archivo.", field="file")
        stored = save(file.file, centre.files_folder)
        kept = evidence_verbs.attach(
            act,
            stored,
            file.filename or "",
            incident=incident,
            note=data.note,
            is_shared=data.is_shared,
        )
        touch(act, incident)
    told = gettext("Evidencia guardada. SHA-256 %(digest)s…") % {"digest": kept.sha256[:16]}
    return _to(request, incident, "evidencias", told)


@router.post("/{code}/evidencias/{evidence_id}/retirar", dependencies=[require("incident.work")])
def withdraw_evidence(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    code: str,
    evidence_id: int,
) -> Response:
    """Mark a file as withdrawn; it stays, for the chain of custody."""
    incident = find_incident(act.session, user, code)
    kept = find(act.session, user, Evidence, id=evidence_id, incident_id=incident.id)
    evidence_verbs.withdraw(act, kept, reason=read(sent, ReasonForm).data().reason)
    return _to(request, incident, "evidencias", gettext("Evidencia retirada."))


@router.post("/{code}/evidencias/{evidence_id}/compartir", dependencies=[require("incident.work")])
def share_evidence(
    request: Request, act: CurrentAct, user: CurrentUser, code: str, evidence_id: int
) -> Response:
    """Let the entity download a file of the centre's."""
    incident = find_incident(act.session, user, code)
    kept = find(act.session, user, Evidence, id=evidence_id, incident_id=incident.id)
    evidence_verbs.share(act, kept)
    return _to(request, incident, "evidencias", gettext("La entidad ya puede descargarla."))


def _to(request: Request, incident: Incident, section: str, text: str) -> Response:
    return redirect(request, f"/incidentes/{incident.code}?ver={section}", toast=Toast(text))


@contextmanager
def _again(
    request: Request,
    act: Act,
    centre: Centre,
    incident: Incident,
    *,
    section: str,
    form: Filled[Any],  # of any of the forms above
) -> Iterator[None]:
    """What is wrong with a form comes back on its section of the page, typed text kept."""
    user = act.user
    assert user is not None, "a page has a visitor"
    context = sight(act.session, user, centre, incident, section=section)
    with redo(request, "incidents/incident.html", form=form, **context):
        try:
            yield
        except Conflict as error:
            shown = replace(form, general=sentence(error))
            answer = render(
                request, "incidents/incident.html", status=error.status, form=shown, **context
            )
            raise Redo(answer) from error
