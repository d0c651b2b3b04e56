"""Builders of cases with clocks, and of a small year that every metric has something to say of."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from cgii.measure.period import Period, parse_period
from cgii.model.alerts import AlertGroup
from cgii.model.deadlines import Deadline
from cgii.model.entities import Contact, Entity
from cgii.model.incidents import Entry, Incident, Notice
from cgii.model.plans import FollowUp, Plan, ScoreSnapshot, Submission
from cgii.model.records import Sensor, SourceVolume
from tests.make import NOW, make_entity, make_incident

OCTOBER = parse_period("2026-10", now=NOW)
YEAR = parse_period("2026", now=NOW)
START = datetime(2026, 10, 12, 14, 0, tzinfo=UTC)


def hours(count: float) -> timedelta:
    """That many hours."""
    return timedelta(hours=count)


def october_as_of(moment: datetime) -> Period:
    """October as it was known at a moment."""
    return parse_period("2026-10", now=moment)


def make_clock(
    session: Session,
    incident: Incident,
    *,
    due_hours: float = 4,
    stage: str = "acknowledged",
    **given: Any,
) -> Deadline:
    """The centre's own clock for a stage, running from the receipt."""
    values: dict[str, Any] = {
        "incident_id": incident.id,
        "policy_id": f"centro-{stage}",
        "policy": {},
        "regime": "centre",
        "stage": stage,
        "party": "centre",
        "label": "Primera respuesta del centro",
        "started_at": incident.received_at,
        "due_at": incident.received_at + hours(due_hours),
        "warned": [],
    }
    clock = Deadline(**values | given)
    session.add(clock)
    session.flush()  # the metrics read the rows
    return clock


def make_case(
    session: Session,
    *,
    received: datetime = START,
    due_hours: float = 4,
    after_hours: dict[str, float] | None = None,
    **given: Any,
) -> Incident:
    """A case with its first-response clock; `after_hours` stamps stages after the receipt."""
    stages = {
        f"{stage}_at": received + hours(count) for stage, count in (after_hours or {}).items()
    }
    incident = make_incident(session, received_at=received, **stages | given)
    clock: dict[str, Any] = {}
    acknowledged = incident.acknowledged_at
    if acknowledged is not None:
        clock = {"met_at": acknowledged, "ended_at": acknowledged}
    make_clock(session, incident, due_hours=due_hours, **clock)
    return incident


def make_plan_row(session: Session, entity: Entity, **given: Any) -> Plan:
    """A plan as a bare row, whatever its state."""
    values: dict[str, Any] = {
        "entity_id": entity.id,
        "year": 2026,
        "framework": "bo-pisi:1",
        "created_at": START,
        "updated_at": START,
        "roles": {},
        "assets": [],
        "risks": [],
    }
    plan = Plan(**values | given)
    session.add(plan)
    session.flush()  # follow-ups and scores want the id
    return plan


ACCEPTED: dict[str, Any] = {
    "state": "valid",
    "filed_at": START,
    "decided_at": START + hours(24),
    "outcome": "accepted",
    "approval_cite": "RM-12/2026",
    "approved_at": START - hours(24),
    "valid_until": date(2027, 10, 1),
}


def make_follow_up(session: Session, plan: Plan, at: datetime, **given: Any) -> FollowUp:
    """What the entity did in a year."""
    values: dict[str, Any] = {
        "plan_id": plan.id,
        "entity_id": plan.entity_id,
        "year": at.year,
        "progress_percent": 40,
        "recorded_at": at,
    }
    row = FollowUp(**values | given)
    session.add(row)
    session.flush()  # the metrics read the rows
    return row


def make_rsi(session: Session, entity: Entity, **given: Any) -> Contact:
    """The person named to security at an entity."""
    values: dict[str, Any] = {
        "entity_id": entity.id,
        "duty": "rsi",
        "name": "Luis Mamani",
        "since": date(2026, 1, 1),
    }
    row = Contact(**values | given)
    session.add(row)
    session.flush()  # the metrics read the rows
    return row


def make_group(session: Session, rule: str, **given: Any) -> AlertGroup:
    """A group of alerts of one rule."""
    values: dict[str, Any] = {
        "rule_id": rule,
        "rule_title": f"Regla {rule}",
        "rule_kind": "sigma",
        "level": "high",
        "severity": "alto",
        "key_hash": "0",
        "key": [],
        "key_text": "source.ip=203.0.113.9",
        "tags": [],
        "observables": [],
        "first_at": START,
        "last_at": START,
        "created_at": START,
        "alert_count": 3,
    }
    row = AlertGroup(**values | given)
    session.add(row)
    session.flush()  # the metrics read the rows
    return row


def make_volume(session: Session, source: str, hour: datetime, **given: Any) -> SourceVolume:
    """An hour's count of a source."""
    values: dict[str, Any] = {
        "source": source,
        "hour": hour,
        "sensor_key": "local",
        "event_count": 90,
        "reject_count": 10,
    }
    row = SourceVolume(**values | given)
    session.add(row)
    session.flush()  # the metrics read the rows
    return row


def scores(coverage: float, strict: float, verified: float) -> dict[str, Any]:
    """Scores as a snapshot keeps them."""
    values = {
        "coverage": coverage,
        "strict": strict,
        "optimistic": strict,
        "verified": verified,
        "gap": strict - verified,
    }
    return {"whole": {key: {"value": value, "n": 4} for key, value in values.items()}}


def make_small_year(session: Session) -> None:
    """A year with cases of all kinds, plans in all stages, alerts, events, sensors."""
    severities, classes = ("bajo", "alto", "critico"), ("malicious-code", "fraud", "")
    entities = [make_entity(session, sector="health") for _ in range(3)]
    entities.append(make_entity(session, level="territorial", sector="local"))
    for number in range(36):
        received = datetime(2026, 1 + number % 10, 3 + number % 20, 15, tzinfo=UTC)
        stages = {"acknowledged": 1.0 + number % 7, "contained": 20.0 + number}
        if number % 5:
            stages |= {"resolved": 40.0 + number, "closed": 44.0 + number}
        incident = make_case(
            session,
            received=received,
            after_hours=stages,
            severity=severities[number % 3],
            rsit_class=classes[number % 3],
            origin="notice" if number % 2 else "alert",
            entity_id=entities[number % 4].id if number % 6 else None,
            detected_at=received - hours(5),
            reopened_count=1 if number % 11 == 0 else 0,
            next_due_at=received + hours(100),
        )
        make_clock(
            session,
            incident,
            stage="resolved",
            due_hours=60,
            met_at=incident.resolved_at,
            ended_at=incident.resolved_at,
            paused_seconds=3600 * (number % 3),
        )
    make_small_plans(session, entities)
    make_group(session, "r1", verdict="false_positive", state="dismissed", alert_count=7)
    make_group(session, "r1", verdict="true_positive", state="joined")
    make_group(session, "r2")
    make_volume(session, "openssh", START)
    make_volume(session, "suricata", NOW - hours(2))
    session.add(Sensor(name="s1", token_hash="1", created_at=START))
    session.add(Sensor(name="s2", token_hash="2", created_at=START, heard_at=NOW))
    session.flush()  # the metrics read the rows


def make_small_plans(session: Session, entities: list[Entity]) -> None:
    """One plan in implementation, one accepted, one draft."""
    first = make_plan_row(session, entities[0], **ACCEPTED)
    make_follow_up(session, first, NOW - hours(48))
    make_plan_row(session, entities[1], **ACCEPTED | {"valid_until": date(2026, 12, 1)})
    make_plan_row(session, entities[2])
    session.add(
        ScoreSnapshot(
            plan_id=first.id,
            entity_id=first.entity_id,
            moment="decided",
            taken_at=START,
            scores=scores(1.0, 0.8, 0.5),
        )
    )
    session.flush()  # the metrics read the rows


def make_entry(session: Session, incident: Incident, text: str, **given: Any) -> Entry:
    """A line of an incident's timeline."""
    values: dict[str, Any] = {
        "incident_id": incident.id,
        "kind": "comment",
        "at": START,
        "text": text,
        "data": {},
    }
    row = Entry(**values | given)
    session.add(row)
    session.flush()  # the documents read the rows
    return row


def make_notice_row(session: Session, entity: Entity, **given: Any) -> Notice:
    """A notice as filed."""
    values: dict[str, Any] = {
        "code": "REP-2026-000007",
        "entity_id": entity.id,
        "title": "Correo con enlace falso",
        "content": {},
        "content_sha256": "ab" * 32,
        "received_at": START,
    }
    row = Notice(**values | given)
    session.add(row)
    session.flush()  # the documents read the rows
    return row


def make_submission_row(session: Session, plan: Plan) -> Submission:
    """A filing as a bare row."""
    row = Submission(
        plan_id=plan.id,
        entity_id=plan.entity_id,
        code="PISI-2026-000003",
        number=1,
        content="{}",
        sha256="cd" * 32,
        filed_at=START,
    )
    session.add(row)
    session.flush()  # the documents read the rows
    return row
