"""The rows behind a number: exactly the cases that it counted, as a page of plain cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.clock import show
from cgii.measure.catalogue import metric_named
from cgii.measure.filters import Filters
from cgii.measure.metric import AnySelect, Subject, case_ids
from cgii.measure.period import Period
from cgii.measure.show import show_number
from cgii.measure.words import PARTIES, PLAN_STATES, SEVERITIES, class_label
from cgii.model.alerts import AlertGroup
from cgii.model.deadlines import Deadline
from cgii.model.entities import Entity
from cgii.model.incidents import Incident
from cgii.model.plans import Plan
from cgii.model.records import Sensor, SourceVolume


@dataclass(frozen=True)
class RowsPage:
    """One page of rows. `keys` names for each row what it opens: a code or an id of `subject`."""

    subject: Subject
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    keys: tuple[str, ...]
    total: int


@dataclass(frozen=True)
class Listing:
    """How cases of one subject are listed; the first column selected is what the row opens."""

    columns: tuple[str, ...]
    query: Callable[[], AnySelect]
    id: Any  # the mapped id column
    line: Callable[[Sequence[Any]], tuple[str, ...]]


def list_rows(
    session: Session,
    metric: str,
    period: Period,
    filters: Filters,
    *,
    part: str,
    limit: int = limits.PAGE_ROWS,
    offset: int = 0,
) -> RowsPage:
    """A page of the rows behind one part of a metric; `total` is how many there are in all."""
    chosen = metric_named(metric)
    listing = LISTINGS[chosen.subject]
    ids = case_ids(chosen, period, filters, part)
    total = session.scalar(select(func.count()).select_from(ids.subquery())) or 0
    query = listing.query().where(listing.id.in_(ids)).limit(limit).offset(offset)
    found = session.execute(query).all()
    return RowsPage(
        subject=chosen.subject,
        columns=listing.columns,
        rows=tuple(listing.line(row) for row in found),
        keys=tuple(str(row[0]) for row in found),
        total=total,
    )


def _when(moment: datetime | None) -> str:
    return show(moment) if moment else "—"


def _incident_query() -> AnySelect:
    return (
        select(
            Incident.code,
            Incident.title,
            Entity.acronym,
            Incident.rsit_class,
            Incident.severity,
            Incident.received_at,
            Incident.acknowledged_at,
            Incident.resolved_at,
            Incident.closed_at,
        )
        .outerjoin(Entity, Entity.id == Incident.entity_id)
        .order_by(Incident.received_at.desc(), Incident.id.desc())
    )


def _incident_line(row: Sequence[Any]) -> tuple[str, ...]:
    code, title, entity, rsit_class, severity, *moments = row
    named = class_label(rsit_class) if rsit_class else "Sin clasificar"
    grade = SEVERITIES.get(severity, severity)
    return (code, title, entity or "—", named, grade, *(_when(one) for one in moments))


def _deadline_query() -> AnySelect:
    return (
        select(
            Incident.code,
            Deadline.label,
            Deadline.party,
            Incident.severity,
            Deadline.due_at,
            Deadline.met_at,
        )
        .join(Incident, Incident.id == Deadline.incident_id)
        .order_by(Deadline.due_at.desc(), Deadline.id.desc())
    )


def _deadline_line(row: Sequence[Any]) -> tuple[str, ...]:
    code, label, party, severity, due, met = row
    grade = SEVERITIES.get(severity, severity)
    return (code, label, PARTIES.get(party, party), grade, _when(due), _when(met))


def _alert_query() -> AnySelect:
    return (
        select(
            AlertGroup.id,
            AlertGroup.rule_title,
            AlertGroup.key_text,
            Entity.acronym,
            AlertGroup.severity,
            AlertGroup.alert_count,
            AlertGroup.created_at,
        )
        .outerjoin(Entity, Entity.id == AlertGroup.entity_id)
        .order_by(AlertGroup.created_at.desc(), AlertGroup.id.desc())
    )


def _alert_line(row: Sequence[Any]) -> tuple[str, ...]:
    _, title, key, entity, severity, count, created = row
    grade = SEVERITIES.get(severity, severity)
    return (title, key, entity or "—", grade, show_number(count), _when(created))


def _volume_query() -> AnySelect:
    return select(
        SourceVolume.source,
        SourceVolume.hour,
        SourceVolume.sensor_key,
        SourceVolume.event_count,
        SourceVolume.reject_count,
    ).order_by(SourceVolume.hour.desc(), SourceVolume.id.desc())


def _volume_line(row: Sequence[Any]) -> tuple[str, ...]:
    source, hour, sensor, events, rejects = row
    return (source, _when(hour), sensor, show_number(events), show_number(rejects))


def _sensor_query() -> AnySelect:
    return (
        select(Sensor.id, Sensor.name, Entity.acronym, Sensor.heard_at, Sensor.event_count)
        .outerjoin(Entity, Entity.id == Sensor.entity_id)
        .order_by(Sensor.heard_at, Sensor.id)
    )


def _sensor_line(row: Sequence[Any]) -> tuple[str, ...]:
    _, name, entity, heard, events = row
    return (name, entity or "—", _when(heard), show_number(events))


def _entity_query() -> AnySelect:
    return select(Entity.id, Entity.code, Entity.name, Entity.acronym, Entity.sector).order_by(
        Entity.name, Entity.id
    )


def _plan_query() -> AnySelect:
    return (
        select(Plan.id, Entity.name, Plan.year, Plan.state, Plan.filed_at, Plan.valid_until)
        .join(Entity, Entity.id == Plan.entity_id)
        .order_by(Plan.valid_until, Entity.name, Plan.id)
    )


def _plan_line(row: Sequence[Any]) -> tuple[str, ...]:
    _, entity, year, state, filed, until = row
    named = PLAN_STATES.get(state, state)
    return (entity, str(year), named, _when(filed), until.isoformat() if until else "—")


LISTINGS: dict[Subject, Listing] = {
    "incident": Listing(
        (
            "Código",
            "Título",
            "Entidad",
            "Clase",
            "Severidad",
            "Recibido",
            "Primera respuesta",
            "Resuelto",
            "Cerrado",
        ),
        _incident_query,
        Incident.id,
        _incident_line,
    ),
    "deadline": Listing(
        ("Incidente", "Plazo", "Quién lo debe", "Severidad", "Vence", "Cumplido"),
        _deadline_query,
        Deadline.id,
        _deadline_line,
    ),
    "alert": Listing(
        ("Regla", "Clave", "Entidad", "Severidad", "Alertas", "Llegó"),
        _alert_query,
        AlertGroup.id,
        _alert_line,
    ),
    "volume": Listing(
        ("Fuente", "Hora", "Sensor", "Eventos", "Rechazos"),
        _volume_query,
        SourceVolume.id,
        _volume_line,
    ),
    "sensor": Listing(
        ("Sensor", "Entidad", "Oído por última vez", "Eventos"),
        _sensor_query,
        Sensor.id,
        _sensor_line,
    ),
    "entity": Listing(
        ("Código", "Entidad", "Sigla", "Sector"),
        _entity_query,
        Entity.id,
        lambda row: tuple(row[1:]),
    ),
    "plan": Listing(
        ("Entidad", "Gestión", "Estado", "Presentado", "Vigente hasta"),
        _plan_query,
        Plan.id,
        _plan_line,
    ),
}
