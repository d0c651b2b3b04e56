"""Incidents as JSON, for signed-in people's own programs: the list's filters, the page's facts."""

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import joinedload

from cgii.model.deadlines import Deadline
from cgii.model.incidents import STAGES, Incident, Observable
from cgii.respond.lifecycle import status
from cgii.web.access import require
from cgii.web.answers import JsonResponse
from cgii.web.deps import CurrentSession, CurrentUser
from cgii.web.incident_lists import archive_list
from cgii.web.incident_sight import entries_of
from cgii.web.tables import show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/api/v1", tags=["incidents"])


@router.get("/incidents", dependencies=[require("incident.see")])
def list_incidents(request: Request, session: CurrentSession, user: CurrentUser) -> JsonResponse:
    """One page of incidents.

    Query as in the page /incidentes: `severity`, `class`, `state`, `attended`, `entity`, `owner`
    (each may be repeated), `received_desde`, `received_hasta`, `q`, `orden`, `pagina`.
    """
    listing = archive_list(session, user, entities=request.query_params.getlist("entity"))
    query = visible(user, Incident).options(joinedload(Incident.entity), joinedload(Incident.owner))
    shown = show(session, listing, query, request)
    return JsonResponse(
        {
            "total": shown.total,
            "page": shown.page,
            "pages": shown.pages,
            "incidents": [summary(row) for row in shown.rows],
        }
    )


@router.get("/incidents/{code}", dependencies=[require("incident.see")])
def get_incident(session: CurrentSession, user: CurrentUser, code: str) -> JsonResponse:
    """One incident with its stages, deadlines, observables and timeline, newest entry first."""
    incident = find(session, user, Incident, code=code.upper())
    mine = {"incident_id": incident.id}
    observables = session.scalars(visible(user, Observable).filter_by(**mine)).all()
    deadlines = session.scalars(visible(user, Deadline).filter_by(**mine)).all()
    return JsonResponse(
        summary(incident)
        | {
            "summary": incident.summary,
            "stages": {stage: getattr(incident, f"{stage}_at") for stage in STAGES},
            "close_reason": incident.close_reason,
            "root_cause": incident.root_cause,
            "failed_controls": incident.failed_controls,
            "lessons": incident.lessons,
            "version": incident.version,
            "observables": [
                {"kind": row.kind, "value": row.value, "tlp": row.tlp} for row in observables
            ],
            "deadlines": [_deadline(row) for row in deadlines],
            "timeline": [
                {
                    "at": entry.at,
                    "kind": entry.kind,
                    "author": entry.author.name if entry.author else None,
                    "text": entry.text,
                    "is_shared": entry.is_shared,
                }
                for entry in entries_of(session, user, incident, kind="")
            ],
        }
    )


def summary(incident: Incident) -> dict[str, Any]:  # JSON values
    """An incident as it stands in a list."""
    return {
        "code": incident.code,
        "title": incident.title,
        "status": status(incident),
        "severity": incident.severity,
        "rsit_class": incident.rsit_class,
        "rsit_type": incident.rsit_type,
        "tlp": incident.tlp,
        "pap": incident.pap,
        "entity": incident.entity.code if incident.entity else None,
        "owner": incident.owner.name if incident.owner else None,
        "origin": incident.origin,
        "is_exercise": incident.is_exercise,
        "received_at": incident.received_at,
        "closed_at": incident.closed_at,
        "next_due_at": incident.next_due_at,
    }


def _deadline(row: Deadline) -> dict[str, Any]:  # JSON values
    names = ("label", "regime", "stage", "party", "is_statutory", "started_at", "due_at",
             "paused_at", "met_at", "missed_at", "ended_at")  # fmt: skip
    return {name: getattr(row, name) for name in names}
