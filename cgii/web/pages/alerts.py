"""Groups of alerts: the list, why one fired, and what becomes of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.centre import Centre
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.event import Event
from cgii.model.incidents import Incident
from cgii.model.people import Role, User
from cgii.web.access import require, rights_of
from cgii.web.alert_lists import alert_list
from cgii.web.answers import render
from cgii.web.deps import CurrentSession, CurrentUser, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank
from cgii.web.related import open_incidents_like
from cgii.web.row_marks import Seen, group_marks, times_known
from cgii.web.tables import show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/alertas", include_in_schema=False)
FALSE_POSITIVE = "false_positive"
USUAL_REASON = "Revisada: falso positivo."


@dataclass(frozen=True)
class SeenEvent:
    """One event of an alert; None when the store has let it go."""

    id: str
    event: Event | None


@router.get("", dependencies=[require("alert.see")])
def alerts(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """All groups, the latest first."""
    listing = alert_list(session)
    query = visible(user, AlertGroup).options(
        joinedload(AlertGroup.entity), joinedload(AlertGroup.owner)
    )
    file = export(session, listing, query, request, name="alertas")
    if file is not None:
        return file
    shown = show(session, listing, query, request)
    return render(request, "alerts/list.html", list=shown, marks=group_marks(session, shown.rows))


@router.get("/{group_id}", dependencies=[require("alert.see")])
def alert(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    group_id: int,
) -> Response:
    """Everything about one group."""
    group = find(session, user, AlertGroup, id=group_id)
    form = blank(verdict=FALSE_POSITIVE, reason=USUAL_REASON)
    return render(request, "alerts/alert.html", form=form, **around(session, user, centre, group))


@router.get("/{group_id}/panel", dependencies=[require("alert.see")])
def alert_panel(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    group_id: int,
) -> Response:
    """The group in the drawer."""
    group = find(session, user, AlertGroup, id=group_id)
    form = blank(verdict=FALSE_POSITIVE, reason=USUAL_REASON)
    return render(request, "alerts/panel.html", form=form, **around(session, user, centre, group))


@router.get("/{group_id}/registros/{alert_id}", dependencies=[require("search.see")])
def records(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    group_id: int,
    alert_id: str,
) -> Response:
    """The raw events of one alert, asked for when it is unfolded."""
    row = find(session, user, AlertRow, id=alert_id, group_id=group_id)
    return render(request, "alerts/records.html", alert=row, events=events_of(centre, row))


def around(
    session: Session, user: User, centre: Centre, group: AlertGroup
) -> dict[str, Any]:  # what the templates name
    """What the page and the drawer of a group show of it."""
    rows = session.scalars(
        visible(user, AlertRow)
        .where(AlertRow.group_id == group.id)
        .order_by(AlertRow.at.desc(), AlertRow.id)
        .limit(limits.ALERT_ROWS_SHOWN)
    ).all()
    known = times_known(session, [value for _, value in group.observables])
    mine = 1 if group.incident_id else 0
    can_read = "search.see" in rights_of(Role(user.role))
    return {
        "group": group,
        "alerts": rows,
        "events": events_of(centre, rows[0]) if rows and can_read else [],
        "observables": [
            Seen(kind, value, max(0, known.get((kind, value), 0) - mine))
            for kind, value in group.observables
        ],
        "rule": centre.content.rules.by_id.get(group.rule_id),
        "related": open_incidents_like(session, user, group),
        "incident": session.get(Incident, group.incident_id) if group.incident_id else None,
        "open_codes": _open_codes(session, user),
    }


def events_of(centre: Centre, row: AlertRow) -> list[SeenEvent]:
    """The events of an alert, in its order; what the store has let go is said, not hidden."""
    found = centre.events.get_many(row.event_ids)
    return [SeenEvent(event_id, found.get(event_id)) for event_id in row.event_ids]


def _open_codes(session: Session, user: User) -> Sequence[tuple[str, str]]:
    query = (
        visible(user, Incident)
        .where(Incident.closed_at.is_(None))
        .order_by(Incident.received_at.desc())
        .limit(limits.PAGE_ROWS)
        .with_only_columns(Incident.code, Incident.title)
    )
    return [(code, title) for code, title in session.execute(query)]
