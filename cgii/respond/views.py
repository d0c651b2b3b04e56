"""Read-only answers that pages need: clocks, timeline, doubtful stamps, similar cases with why."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from sqlalchemy import Select, select
from sqlalchemy.orm import Session, joinedload

from cgii.base import limits
from cgii.base.labels import label
from cgii.model.alerts import AlertGroup
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Entry, Incident, Observable
from cgii.respond.deadlines import used_share

AMBER_FROM = 0.5  # a clock is green while more than half of its time is left
# Stages that cannot come one before the other (research: instants of an incident).
ORDERS = (
    ("occurred", "detected", "aware"),
    ("received", "acknowledged", "triaged"),
    ("contained", "eradicated", "recovered", "resolved", "closed"),
)


@dataclass(frozen=True)
class Similar:
    """Another incident and why it is shown, in Spanish."""

    incident: Incident
    reasons: tuple[str, ...]
    score: int


def clock_fraction(deadline: Deadline, now: datetime) -> float:
    """Share of a clock's time that is used; above 1 when late. Working clocks count work only."""
    return used_share(deadline, now)


def deadline_state(deadline: Deadline, now: datetime) -> str:
    """met, late, missed, released, paused, green, amber or red: what the clock bar shows.

    late: met after its time; missed: past due and still owed; released: no longer owed.
    """
    if deadline.met_at is not None:
        return "late" if deadline.missed_at is not None else "met"
    if deadline.ended_at is not None:
        return "missed" if deadline.missed_at is not None else "released"
    if deadline.paused_at is not None:
        return "paused"
    if deadline.missed_at is not None or deadline.due_at < now:
        return "missed"
    share = used_share(deadline, now)
    if share < AMBER_FROM:
        return "green"
    warned = [percent / 100 for percent in deadline.policy["warn_percent"]]
    return "red" if share >= max(warned, default=0.9) else "amber"


def clocks(session: Session, incident: Incident) -> list[Deadline]:
    """An incident's deadlines: open ones first, then by due time."""
    query = select(Deadline).where(Deadline.incident_id == incident.id)
    return sorted(session.scalars(query), key=lambda one: (one.ended_at is not None, one.due_at))


def timeline(session: Session, incident: Incident) -> list[Entry]:
    """All entries of an incident, oldest first, with their authors."""
    return list(session.scalars(_entries(incident.id)))


def shared_timeline(session: Session, incident: Incident) -> list[Entry]:
    """The entries that the entity may read, oldest first."""
    return list(session.scalars(_entries(incident.id).where(Entry.is_shared)))


def order_faults(incident: Incident) -> list[str]:
    """Stages whose moments contradict each other, in words. They are shown, never repaired."""
    faults = []
    for order in ORDERS:
        known = [(stage, getattr(incident, f"{stage}_at")) for stage in order]
        dated = [(stage, at) for stage, at in known if at is not None]
        for (first, before), (second, after) in pairwise(dated):
            if after < before:
                names = (label("incidents.stages", second), label("incidents.stages", first))
                faults.append(f"«{names[0]}» es anterior a «{names[1]}».")
    return faults


def similar(session: Session, incident: Incident) -> list[Similar]:
    """Incidents that may be the same matter, most alike first, each with its reasons.

    For people of the centre: it looks at all entities.
    """
    reasons: dict[int, list[str]] = {}
    scores: dict[int, int] = {}

    def add(incident_ids: Iterable[int], reason: str, score: int) -> None:
        for incident_id in dict.fromkeys(incident_ids):
            if incident_id != incident.id:
                reasons.setdefault(incident_id, []).append(reason)
                scores[incident_id] = scores.get(incident_id, 0) + score

    for kind, value, incident_id in _sharing_observables(session, incident):
        add([incident_id], f"mismo dato: {label('incidents.observable_kinds', kind)} {value}", 3)
    for title, incident_id in _sharing_rules(session, incident):
        add([incident_id], f"misma regla: {title}", 2)
    add(_same_entity_and_class(session, incident), "misma entidad y clase en 90 días", 1)
    best = sorted(scores, key=lambda one: (-scores[one], -one))[: limits.SIMILAR_INCIDENTS_MAX]
    query = select(Incident).where(Incident.id.in_(best)).options(joinedload(Incident.entity))
    rows = {row.id: row for row in session.scalars(query)}
    return [Similar(rows[one], tuple(dict.fromkeys(reasons[one])), scores[one]) for one in best]


def seen_before(session: Session, values: Iterable[str]) -> dict[str, int]:
    """In how many incidents each value stands; values that stand in none are left out."""
    wanted = list(dict.fromkeys(values))[: limits.QUERY_VALUES_MAX]
    found: dict[str, set[int]] = {}
    query = select(Observable.value, Observable.incident_id).where(Observable.value.in_(wanted))
    for value, incident_id in session.execute(query):
        found.setdefault(value, set()).add(incident_id)
    return {value: len(incidents) for value, incidents in found.items()}


def _entries(incident_id: int) -> Select[Entry]:
    return (
        select(Entry)
        .where(Entry.incident_id == incident_id)
        .order_by(Entry.at, Entry.id)
        .options(joinedload(Entry.author))
    )


def _sharing_observables(session: Session, incident: Incident) -> list[tuple[str, str, int]]:
    mine = select(Observable.kind, Observable.value).where(Observable.incident_id == incident.id)
    pairs = [(kind, value) for kind, value in session.execute(mine)]
    query = (
        select(Observable.kind, Observable.value, Observable.incident_id)
        .where(
            Observable.value.in_([value for _, value in pairs[: limits.QUERY_VALUES_MAX]]),
            Observable.incident_id != incident.id,
        )
        .order_by(Observable.incident_id.desc())
        .limit(limits.QUERY_VALUES_MAX)
    )
    known = set(pairs)
    rows = [(row[0], row[1], row[2]) for row in session.execute(query)]
    return [row for row in rows if (row[0], row[1]) in known]


def _sharing_rules(session: Session, incident: Incident) -> list[tuple[str, int]]:
    mine = select(AlertGroup.rule_id).where(AlertGroup.incident_id == incident.id)
    query = (
        select(AlertGroup.rule_title, AlertGroup.incident_id)
        .where(
            AlertGroup.rule_id.in_(mine),
            AlertGroup.incident_id.is_not(None),
            AlertGroup.incident_id != incident.id,
            AlertGroup.last_at >= incident.received_at - timedelta(days=limits.SIMILAR_DAYS),
        )
        .order_by(AlertGroup.last_at.desc())
        .limit(limits.QUERY_VALUES_MAX)
    )
    return [(row[0], row[1]) for row in session.execute(query) if row[1] is not None]


def _same_entity_and_class(session: Session, incident: Incident) -> list[int]:
    if incident.entity_id is None or not incident.rsit_class:
        return []
    query = (
        select(Incident.id)
        .where(
            Incident.entity_id == incident.entity_id,
            Incident.rsit_class == incident.rsit_class,
            Incident.received_at >= incident.received_at - timedelta(days=limits.SIMILAR_DAYS),
            Incident.id != incident.id,
        )
        .order_by(Incident.received_at.desc())
        .limit(limits.SIMILAR_INCIDENTS_MAX)
    )
    return list(session.scalars(query))
