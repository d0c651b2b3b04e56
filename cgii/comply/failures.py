"""Controls that incidents showed to have failed, which the entity's next plan must answer."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.model.incidents import Incident, IncidentControl
from cgii.model.plans import Plan, Submission


@dataclass(frozen=True)
class NamedControl:
    """One incident of the entity that named one control."""

    control: str
    incident_id: int
    incident_code: str
    title: str
    named_at: datetime
    note: str


def controls_named(
    session: Session, entity_id: int, *, after: datetime | None = None
) -> dict[str, tuple[NamedControl, ...]]:
    """Control → the incidents of this entity that named it, oldest first.

    Exercises and merged incidents don't count. `after` leaves out what was named before it.
    """
    query = (
        select(IncidentControl, Incident)
        .join(Incident, Incident.id == IncidentControl.incident_id)
        .where(
            IncidentControl.entity_id == entity_id,
            Incident.is_exercise.is_(False),
            Incident.merged_into_id.is_(None),
        )
        .order_by(IncidentControl.named_at, IncidentControl.id)
    )
    if after is not None:
        query = query.where(IncidentControl.named_at > after)
    named: dict[str, tuple[NamedControl, ...]] = {}
    for row, incident in session.execute(query):
        fact = NamedControl(
            control=row.control,
            incident_id=incident.id,
            incident_code=incident.code,
            title=incident.title,
            named_at=row.named_at,
            note=row.note,
        )
        named[row.control] = (*named.get(row.control, ()), fact)
    return named


def must_answer(session: Session, plan: Plan) -> dict[str, tuple[NamedControl, ...]]:
    """Control → incidents that this plan must answer: all since the entity's plan before it
    was last filed, for that filing answered what came earlier."""
    filed_before = session.scalar(
        select(Submission.filed_at)
        .join(Plan, Plan.id == Submission.plan_id)
        .where(Plan.entity_id == plan.entity_id, Plan.year < plan.year)
        .order_by(Submission.filed_at.desc())
        .limit(1)
    )
    return controls_named(session, plan.entity_id, after=filed_before)
