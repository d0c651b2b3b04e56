"""Incidents: the archive, the drawer, the page with its sections, and registering one by hand."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import NotFound
from cgii.centre import Centre
from cgii.model.entities import Entity
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.respond.lifecycle import status
from cgii.respond.opening import NewIncident, open_incident
from cgii.respond.severity import SeverityFacts, compute_severity, is_critical
from cgii.respond.views import clocks
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.incident_lists import archive_list
from cgii.web.incident_sight import ALL, ENTRY_FILTERS, SECTIONS, counts_of, section_of
from cgii.web.language import gettext
from cgii.web.pages.incident_forms import (
    control_titles,
    entity_choices,
    read_rsit,
    rsit_choices,
)
from cgii.web.row_marks import incident_marks
from cgii.web.tables import show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/incidentes", include_in_schema=False)


@dataclass(frozen=True)
class NewForm:
    """What is typed when an incident is registered by hand: by phone, from a partner."""

    title: Annotated[str, Field(min_length=1, max_length=limits.SHORT_TEXT_CHARS_MAX)]
    entity: str = ""
    rsit: str = ""
    severity: str = ""
    summary: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""
    occurred_at: datetime | None = None
    aware_at: datetime | None = None
    tlp: str = "AMBER"
    is_exercise: bool = False


@router.get("", dependencies=[require("incident.see")])
def incidents(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """All incidents that were ever opened."""
    listing = archive_list(session, user, entities=request.query_params.getlist("entity"))
    query = visible(user, Incident).options(joinedload(Incident.entity), joinedload(Incident.owner))
    file = export(session, listing, query, request, name="incidentes")
    if file is not None:
        return file
    shown = show(session, listing, query, request)
    return render(request, "incidents/list.html", list=shown, status_of=status)


@router.get("/nuevo", dependencies=[require("incident.work")])
def show_new(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """The form to register an incident by hand."""
    return render(request, "incidents/new.html", form=blank(tlp="AMBER"), **_for_new(session, user))


@router.post("/nuevo", dependencies=[require("incident.work")])
def register(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Open it; whoever registers it owns it."""
    form = read(sent, NewForm)
    with redo(request, "incidents/new.html", form=form, **_for_new(act.session, user)):
        data = form.data()
        entity = _entity(act.session, user, data.entity)
        rsit_class, rsit_type = read_rsit(data.rsit) if data.rsit else ("", "")
        facts = SeverityFacts(rsit_class, rsit_type, is_critical_entity=is_critical(entity))
        incident = open_incident(
            act,
            NewIncident(
                title=data.title,
                origin="manual",
                entity_id=entity.id if entity else None,
                severity=data.severity or compute_severity(facts).severity,
                summary=data.summary,
                severity_facts=facts.as_data(),
                rsit_class=rsit_class,
                rsit_type=rsit_type,
                tlp=data.tlp,
                occurred_at=data.occurred_at,
                aware_at=data.aware_at,
                is_exercise=data.is_exercise,
            ),
        )
    told = Toast(gettext("Se registró el incidente %(code)s.") % {"code": incident.code})
    return redirect(request, f"/incidentes/{incident.code}", toast=told)


@router.get("/{code}", dependencies=[require("incident.see")])
def incident_page(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    code: str,
    ver: str = "cronologia",
    tipo: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """One incident, opened at one of its sections."""
    if ver not in SECTIONS and ver != ALL:
        raise NotFound("La página no existe, o su cuenta no puede verla.")
    incident = find_incident(session, user, code)
    context = sight(session, user, centre, incident, section=ver, kind=tipo)
    return render(request, "incidents/incident.html", form=blank(), **context)


@router.get("/{code}/panel", dependencies=[require("incident.see")])
def incident_panel(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, code: str
) -> Response:
    """The incident in the drawer: what it is, what is due, what happened last."""
    incident = find_incident(session, user, code)
    context = sight(session, user, centre, incident, section="cronologia")
    marks = incident_marks(session, [incident])
    return render(request, "incidents/panel.html", form=blank(), mark=marks[incident.id], **context)


def find_incident(session: Session, user: User, code: str) -> Incident:
    """The incident with this number, with its entity and owner. Raises NotFound."""
    return find(session, user, Incident, code=code.upper())


def sight(
    session: Session,
    user: User,
    centre: Centre,
    incident: Incident,
    *,
    section: str,
    kind: str = "",
) -> dict[str, Any]:  # what the templates name
    """What the frame of an incident's page needs, and the rows of one of its sections."""
    running = [clock for clock in clocks(session, incident) if clock.ended_at is None]
    return {
        "incident": incident,
        "state_code": status(incident),
        "section": section,
        "sections": SECTIONS,
        "kind": kind if kind in ENTRY_FILTERS else "",
        "kinds": ENTRY_FILTERS,
        "counts": counts_of(session, user, incident),
        "clocks": running,
        "merged_into": _merged_into(session, user, incident),
        "control_titles": control_titles(),
        "max_bytes": limits.UPLOAD_BYTES_MAX,
    } | section_of(session, user, centre, incident, name=section, kind=kind)


def _for_new(session: Session, user: User) -> dict[str, Any]:  # what the template names
    return {
        "rsit": rsit_choices(),
        "entities": entity_choices(session, user),
    }


def _entity(session: Session, user: User, code: str) -> Entity | None:
    return find(session, user, Entity, code=code) if code else None


def _merged_into(session: Session, user: User, incident: Incident) -> Incident | None:
    if incident.merged_into_id is None:
        return None
    return session.scalar(visible(user, Incident).where(Incident.id == incident.merged_into_id))
