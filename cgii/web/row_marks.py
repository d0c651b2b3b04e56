"""What stands in a row beside its own columns, by a few queries for all rows of a page at once."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, defer

from cgii.base import limits
from cgii.model.alerts import AlertGroup
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Incident, Observable

SHOWN = 2  # observables of one row
# What tells most about who attacks comes first.
ORDER = ("ip", "domain", "url", "hash", "mail", "host", "user", "file")
RANKS = {kind: place for place, kind in enumerate(ORDER)}


@dataclass(frozen=True)
class Seen:
    """An observable, and how many other incidents know it."""

    kind: str
    value: str
    before: int


@dataclass(frozen=True)
class Mark:
    """One row's additions."""

    alerts: int = 0
    observables: tuple[Seen, ...] = ()
    more: int = 0  # observables that are not shown
    clock: Deadline | None = None


def incident_marks(session: Session, incidents: Sequence[Incident]) -> dict[int, Mark]:
    """Alert counts, first observables and the centre's next clock, by incident id."""
    ids = [incident.id for incident in incidents]
    alerts = alert_counts(session, ids)
    clocks = _clocks(session, incidents)
    first, totals = _first_observables(session, ids)
    known = times_known(session, [value for pairs in first.values() for _, value in pairs])
    return {
        incident.id: Mark(
            alerts=alerts.get(incident.id, 0),
            observables=tuple(
                Seen(kind, value, known.get((kind, value), 1) - 1)
                for kind, value in first[incident.id]
            ),
            more=totals.get(incident.id, 0) - len(first[incident.id]),
            clock=clocks.get(incident.id),
        )
        for incident in incidents
    }


def group_marks(session: Session, groups: Sequence[AlertGroup]) -> dict[int, Mark]:
    """First observables of alert groups with how many incidents know them, by group id."""
    first = {group.id: _by_weight(group.observables)[:SHOWN] for group in groups}
    known = times_known(session, [value for pairs in first.values() for _, value in pairs])
    return {
        group.id: Mark(
            alerts=group.alert_count,
            observables=tuple(
                Seen(kind, value, known.get((kind, value), 0)) for kind, value in first[group.id]
            ),
            more=len(group.observables) - len(first[group.id]),
        )
        for group in groups
    }


def alert_counts(session: Session, incident_ids: Sequence[int]) -> dict[int, int]:
    """How many alerts the groups of each incident have together."""
    rows = session.execute(
        select(AlertGroup.incident_id, func.sum(AlertGroup.alert_count))
        .where(AlertGroup.incident_id.in_(incident_ids))
        .group_by(AlertGroup.incident_id)
    )
    return {incident_id: int(count) for incident_id, count in rows if incident_id is not None}


def times_known(session: Session, values: Iterable[str]) -> dict[tuple[str, str], int]:
    """In how many incidents each observable stands, by (kind, value)."""
    wanted = list(dict.fromkeys(values))[: limits.QUERY_VALUES_MAX]
    rows = session.execute(
        select(Observable.kind, Observable.value, func.count())
        .where(Observable.value.in_(wanted))
        .group_by(Observable.kind, Observable.value)
    )
    return {(kind, value): count for kind, value, count in rows}


def _by_weight(observables: Iterable[Any]) -> list[tuple[str, str]]:  # [kind, value] pairs, as JSON
    pairs = [(str(kind), str(value)) for kind, value in observables]
    return sorted(pairs, key=lambda pair: RANKS.get(pair[0], len(RANKS)))


def _first_observables(
    session: Session, ids: Sequence[int]
) -> tuple[dict[int, list[tuple[str, str]]], dict[int, int]]:
    weight = case(RANKS, value=Observable.kind, else_=len(RANKS))
    window: dict[str, Any] = {"partition_by": Observable.incident_id}  # SQLAlchemy's own options
    numbered = (
        select(
            Observable.incident_id,
            Observable.kind,
            Observable.value,
            func.row_number().over(order_by=(weight, Observable.id), **window).label("place"),
            func.count().over(**window).label("total"),
        )
        .where(Observable.incident_id.in_(ids))
        .subquery()
    )
    first: dict[int, list[tuple[str, str]]] = defaultdict(list)
    totals: dict[int, int] = {}
    query = select(numbered).where(numbered.c.place <= SHOWN).order_by(numbered.c.place)
    for row in session.execute(query):
        first[row.incident_id].append((row.kind, row.value))
        totals[row.incident_id] = row.total
    return first, totals


def _clocks(session: Session, incidents: Sequence[Incident]) -> dict[int, Deadline]:
    """Of each incident the centre's open clock that is due first; a paused one if all are."""
    found: dict[int, Deadline] = {}
    query = (
        select(Deadline)
        .where(
            Deadline.incident_id.in_([incident.id for incident in incidents]),
            Deadline.party == "centre",
            Deadline.ended_at.is_(None),
        )
        .order_by(Deadline.paused_at.is_not(None), Deadline.due_at)
        .options(defer(Deadline.policy))
    )
    for clock in session.scalars(query):
        found.setdefault(clock.incident_id, clock)
    return found
