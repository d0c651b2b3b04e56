"""Open incidents that a group of alerts may belong to, each with the reasons in words."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session, joinedload

from cgii.base import limits
from cgii.base.labels import label
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import Incident, Observable
from cgii.model.people import User
from cgii.web.visible import visible


@dataclass(frozen=True)
class Related:
    """An open incident and why it is proposed."""

    incident: Incident
    reasons: tuple[str, ...]


def open_incidents_like(session: Session, user: User, group: AlertGroup) -> list[Related]:
    """Those that share an observable, the rule, or the entity; the most alike first."""
    reasons: dict[int, list[str]] = {}
    scores: dict[int, int] = {}

    def add(incident_id: int, reason: str, score: int) -> None:
        known = reasons.setdefault(incident_id, [])
        if reason not in known:
            known.append(reason)
            scores[incident_id] = scores.get(incident_id, 0) + score

    for incident_id, kind, value in _sharing(session, group):
        add(incident_id, f"{label('incidents.observable_kinds', kind)} {value}", 3)
    of_rule = select(AlertGroup.incident_id).where(AlertGroup.rule_id == group.rule_id)
    for incident_id in _open_ids(session, user, Incident.id.in_(of_rule)):
        add(incident_id, "la misma regla", 2)
    if group.entity_id is not None:
        for incident_id in _open_ids(session, user, Incident.entity_id == group.entity_id):
            add(incident_id, "la misma entidad", 2)
    best = sorted(scores, key=lambda one: (-scores[one], -one))
    query = visible(user, Incident).where(Incident.id.in_(best), Incident.closed_at.is_(None))
    rows = {row.id: row for row in session.scalars(query.options(joinedload(Incident.entity)))}
    found = [Related(rows[one], tuple(reasons[one])) for one in best if one in rows]
    return found[: limits.SIMILAR_INCIDENTS_MAX]


def _sharing(session: Session, group: AlertGroup) -> list[tuple[int, str, str]]:
    pairs = {(kind, value) for kind, value in group.observables}
    query = (
        select(Observable.incident_id, Observable.kind, Observable.value)
        .join(Incident, Incident.id == Observable.incident_id)
        .where(
            Observable.value.in_([value for _, value in pairs]),
            Incident.closed_at.is_(None),
        )
        .order_by(Observable.incident_id.desc())
        .limit(limits.QUERY_VALUES_MAX)
    )
    rows = session.execute(query)
    return [(one, kind, value) for one, kind, value in rows if (kind, value) in pairs]


def _open_ids(session: Session, user: User, condition: ColumnElement[bool]) -> list[int]:
    query = (
        visible(user, Incident)
        .where(Incident.closed_at.is_(None), condition)
        .order_by(Incident.received_at.desc())
        .limit(limits.SIMILAR_INCIDENTS_MAX)
        .with_only_columns(Incident.id)
    )
    return list(session.scalars(query))
