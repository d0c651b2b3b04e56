"""Groups of alerts as JSON, for signed-in people's own programs."""

from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import joinedload

from cgii.base import limits
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.incidents import Incident
from cgii.web.access import require
from cgii.web.alert_lists import alert_list
from cgii.web.answers import JsonResponse
from cgii.web.deps import CurrentSession, CurrentUser
from cgii.web.tables import show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/api/v1", tags=["alerts"])


@router.get("/alerts", dependencies=[require("alert.see")])
def list_alerts(request: Request, session: CurrentSession, user: CurrentUser) -> JsonResponse:
    """One page of groups of alerts.

    Query as in the page /alertas: `severity`, `class`, `state`, `entity`, `owner` (each may be
    repeated), `last_desde`, `last_hasta`, `q`, `orden`, `pagina`.
    """
    query = visible(user, AlertGroup).options(
        joinedload(AlertGroup.entity), joinedload(AlertGroup.owner)
    )
    shown = show(session, alert_list(session), query, request)
    return JsonResponse(
        {
            "total": shown.total,
            "page": shown.page,
            "pages": shown.pages,
            "alerts": [_summary(row) for row in shown.rows],
        }
    )


@router.get("/alerts/{group_id}", dependencies=[require("alert.see")])
def get_alert(session: CurrentSession, user: CurrentUser, group_id: int) -> JsonResponse:
    """One group with its newest alerts, why they fired, and the ids of their events."""
    group = find(session, user, AlertGroup, id=group_id)
    rows = session.scalars(
        visible(user, AlertRow)
        .where(AlertRow.group_id == group.id)
        .order_by(AlertRow.at.desc(), AlertRow.id)
        .limit(limits.ALERT_ROWS_SHOWN)
    )
    incident = session.get(Incident, group.incident_id) if group.incident_id else None
    return JsonResponse(
        _summary(group)
        | {
            "incident": incident.code if incident else None,
            "verdict": group.verdict,
            "verdict_reason": group.verdict_reason,
            "alerts": [
                {
                    "id": row.id,
                    "at": row.at,
                    "summary": row.summary,
                    "event_count": row.event_count,
                    "event_ids": row.event_ids,
                    "explanation": [
                        dict(zip(("selection", "field", "value", "wanted"), why, strict=False))
                        for why in row.explanation
                    ],
                }
                for row in rows
            ],
        }
    )


def _summary(group: AlertGroup) -> dict[str, Any]:  # JSON values
    return {
        "id": group.id,
        "rule_id": group.rule_id,
        "rule_title": group.rule_title,
        "severity": group.severity,
        "state": group.state,
        "key": group.key,
        "summary": group.summary,
        "entity": group.entity.code if group.entity else None,
        "attribution": group.attribution,
        "owner": group.owner.name if group.owner else None,
        "source": group.source,
        "rsit_class": group.rsit_class,
        "rsit_type": group.rsit_type,
        "observables": [{"kind": kind, "value": value} for kind, value in group.observables],
        "alert_count": group.alert_count,
        "event_count": group.event_count,
        "first_at": group.first_at,
        "last_at": group.last_at,
    }
