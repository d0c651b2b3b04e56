"""How many incidents: received, closed, open by age, by class, severity, entity, sector, origin."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, case, func, select
from sqlalchemy.orm import Session

from cgii.base.labels import label
from cgii.measure.filters import Filters
from cgii.measure.incident_cases import (
    AGE_BANDS,
    EXCLUDES,
    age_band,
    as_part,
    bucket_of,
    counted,
    joined,
    open_at,
    received,
    within,
)
from cgii.measure.metric import (
    AnySelect,
    Cases,
    Cell,
    Column,
    Figure,
    Row,
    Table,
    count_parts,
    metric,
    share,
)
from cgii.measure.period import Period
from cgii.measure.words import NONE, ORIGINS, SEVERITIES, class_label
from cgii.model.entities import Entity
from cgii.model.incidents import Incident

SEVERITY_COLUMNS = tuple(
    Column(code, name, colour=f"severity-{code}") for code, name in SEVERITIES.items()
)
BAND_LABELS = {
    "0-1": "hasta 1 día",
    "1-3": "1 a 3 días",
    "3-7": "3 a 7 días",
    "7-30": "7 a 30 días",
    "30-90": "30 a 90 días",
    "90+": "más de 90 días",
}


def backlog_cases(period: Period, filters: Filters) -> AnySelect:
    """Incidents open at the end of the period, by age and severity: `7-30:alto`."""
    part = joined(age_band(period.cut), ":", Incident.severity)
    return select(Incident.id.label("id"), part.label("part")).where(*open_at(period.cut, filters))


@metric(
    id="backlog_by_age",
    title="Casos abiertos por antigüedad",
    unit="count",
    definition="Casos abiertos al final del período (o ahora, si no terminó), según los días desde "
    "que se recibieron. Un caso reabierto cuenta como abierto desde su recepción.",
    formula="casos con recepción ≤ corte y sin cierre, o con cierre posterior al corte",
    excludes=EXCLUDES,
    subject="incident",
    cases=backlog_cases,
)
def backlog_by_age(session: Session, period: Period, filters: Filters) -> Figure:
    """The open cases, by age below, by severity across."""
    counts = count_parts(session, backlog_cases(period, filters))
    rows = []
    for band, _ in AGE_BANDS:
        found = [Cell(counts.get(f"{band}:{code}", 0), f"{band}:{code}") for code in SEVERITIES]
        whole = Cell(sum(int(cell.value or 0) for cell in found), f"{band}:*")
        rows.append(Row(band, BAND_LABELS[band], (*found, whole)))
    columns = (*SEVERITY_COLUMNS, Column("total", "Total"))
    total = sum(counts.values())
    before = sum(count_parts(session, backlog_cases(period.previous(), filters)).values())
    table = Table("Antigüedad", columns, tuple(rows), total)
    return Figure(total, total, part="*", previous=before, previous_n=before, table=table)


def flow_cases(period: Period, filters: Filters) -> AnySelect:
    """Receipts and closures of the period by month or day: `received:2026-10`."""
    buckets = period.buckets()
    came = select(
        Incident.id.label("id"),
        joined("received:", bucket_of(Incident.received_at, buckets)).label("part"),
    ).where(*received(period, filters))
    went = select(
        Incident.id.label("id"),
        joined("closed:", bucket_of(Incident.closed_at, buckets)).label("part"),
    ).where(within(Incident.closed_at, period), *counted(filters))
    both = came.union_all(went).subquery()
    return select(both.c.id, both.c.part)


@metric(
    id="received_closed",
    title="Recibidos y cerrados",
    unit="count",
    definition="Casos recibidos y casos cerrados en cada mes (o día, en un período corto). El "
    "despeje es cerrados ÷ recibidos; bajo 100 % crece lo pendiente. De un caso reabierto vale el "
    "último cierre.",
    formula="despeje = cerrados ÷ recibidos",
    excludes=EXCLUDES,
    subject="incident",
    cases=flow_cases,
)
def received_closed(session: Session, period: Period, filters: Filters) -> Figure:
    """Receipts of the period; below, receipts, closures and clearance by month or day."""
    counts = count_parts(session, flow_cases(period, filters))
    rows, came, went = [], 0, 0
    for bucket in period.buckets():
        entered = counts.get(f"received:{bucket.key}", 0)
        left = counts.get(f"closed:{bucket.key}", 0)
        came, went = came + entered, went + left
        cells = (
            Cell(entered, f"received:{bucket.key}"),
            Cell(left, f"closed:{bucket.key}"),
            Cell(share(left, entered)),
        )
        rows.append(Row(bucket.key, bucket.label, cells))
    columns = (
        Column("received", "Recibidos", colour="main"),
        Column("closed", "Cerrados", colour="second"),
        Column("clearance", "Despeje", "percent"),
    )
    before = period.previous()
    earlier = count_parts(session, by_severity_cases(before, filters))
    clearance = share(went, came)
    notes = [] if clearance is None else [f"Cerrados: {went}. Despeje: {clearance:.0f} %."]
    if period.is_partial:
        notes.append("El período no terminó: el último tramo está incompleto.")
    return Figure(
        came,
        came,
        part="received:*",
        previous=sum(earlier.values()),
        previous_n=sum(earlier.values()),
        table=Table("Cuándo", columns, tuple(rows), came, tuple(notes)),
        notes=tuple(notes),
    )


def cases_by_column(column: SQLColumnExpression[Any]) -> Cases:
    """Incidents received in the period, the column's value as the part."""

    def cases(period: Period, filters: Filters) -> AnySelect:
        return select(Incident.id.label("id"), as_part(column).label("part")).where(
            *received(period, filters)
        )

    return cases


by_class_cases = cases_by_column(Incident.rsit_class)
by_severity_cases = cases_by_column(Incident.severity)
by_entity_cases = cases_by_column(Incident.entity_id)
by_origin_cases = cases_by_column(Incident.origin)


def by_sector_cases(period: Period, filters: Filters) -> AnySelect:
    """Incidents received in the period by the sector of their entity."""
    return (
        select(Incident.id.label("id"), as_part(Entity.sector).label("part"))
        .outerjoin(Entity, Entity.id == Incident.entity_id)
        .where(*received(period, filters))
    )


RECEIVED = "Casos recibidos en el período (de todas las clases, también vulnerabilidades), "


@metric(
    id="incidents_by_class",
    title="Casos por clase",
    unit="count",
    definition=RECEIVED + "por clase de la taxonomía RSIT.",
    formula="número de casos; parte = casos de la clase ÷ casos",
    excludes=EXCLUDES,
    subject="incident",
    cases=by_class_cases,
)
def incidents_by_class(session: Session, period: Period, filters: Filters) -> Table:
    """Received cases by RSIT class, most first."""
    counts = count_parts(session, by_class_cases(period, filters))
    before = count_parts(session, by_class_cases(period.previous(), filters))
    return _ranked("Clase", counts, before, class_label, unnamed=NONE["rsit_class"])


@metric(
    id="incidents_by_severity",
    title="Casos por severidad",
    unit="count",
    definition=RECEIVED + "por severidad.",
    formula="número de casos; parte = casos de la severidad ÷ casos",
    excludes=EXCLUDES,
    subject="incident",
    cases=by_severity_cases,
)
def incidents_by_severity(session: Session, period: Period, filters: Filters) -> Table:
    """Received cases by severity, the gravest first."""
    counts = count_parts(session, by_severity_cases(period, filters))
    before = count_parts(session, by_severity_cases(period.previous(), filters))
    total = sum(counts.values())
    rows = tuple(
        _ranked_row(code, name, counts, before, total=total, colour=f"severity-{code}")
        for code, name in SEVERITIES.items()
    )
    return Table("Severidad", RANKED_COLUMNS, rows, total)


@metric(
    id="incidents_by_entity",
    title="Casos por entidad",
    unit="count",
    definition=RECEIVED + "por entidad afectada.",
    formula="número de casos; parte = casos de la entidad ÷ casos",
    excludes=EXCLUDES,
    subject="incident",
    cases=by_entity_cases,
)
def incidents_by_entity(session: Session, period: Period, filters: Filters) -> Table:
    """Received cases by entity, most first."""
    counts = count_parts(session, by_entity_cases(period, filters))
    before = count_parts(session, by_entity_cases(period.previous(), filters))
    query = select(Entity.id, Entity.acronym, Entity.name)
    names = {str(key): acronym or name for key, acronym, name in session.execute(query)}
    return _ranked(
        "Entidad", counts, before, lambda key: names.get(key, key), unnamed=NONE["entity"]
    )


@metric(
    id="incidents_by_sector",
    title="Casos por sector",
    unit="count",
    definition=RECEIVED + "por sector de la entidad afectada.",
    formula="número de casos; parte = casos del sector ÷ casos",
    excludes=EXCLUDES,
    subject="incident",
    cases=by_sector_cases,
)
def incidents_by_sector(session: Session, period: Period, filters: Filters) -> Table:
    """Received cases by sector, most first."""
    counts = count_parts(session, by_sector_cases(period, filters))
    before = count_parts(session, by_sector_cases(period.previous(), filters))
    return _ranked(
        "Sector",
        counts,
        before,
        lambda code: label("entities.sectors", code),
        unnamed=NONE["sector"],
    )


@metric(
    id="incidents_by_origin",
    title="Casos por origen",
    unit="count",
    definition=RECEIVED + "según cómo llegaron: reporte de la entidad, alerta o registro propio.",
    formula="número de casos; parte = casos del origen ÷ casos",
    excludes=EXCLUDES,
    subject="incident",
    cases=by_origin_cases,
)
def incidents_by_origin(session: Session, period: Period, filters: Filters) -> Table:
    """Received cases by how they came, most first."""
    counts = count_parts(session, by_origin_cases(period, filters))
    before = count_parts(session, by_origin_cases(period.previous(), filters))
    return _ranked(
        "Origen", counts, before, lambda code: ORIGINS.get(code, code), unnamed=NONE["origin"]
    )


def _needs(moment: datetime) -> dict[str, ColumnElement[bool]]:
    soon = moment + timedelta(hours=24)
    return {
        "open": Incident.id.is_not(None),
        "unowned": Incident.owner_id.is_(None),
        "untriaged": Incident.triaged_at.is_(None),
        "late": Incident.next_due_at <= moment,
        "due_soon": (Incident.next_due_at > moment) & (Incident.next_due_at <= soon),
        "waiting": Incident.waiting_for != "",
    }


def workload_cases(period: Period, filters: Filters) -> AnySelect:
    """Open cases by what they need; one case may stand in several parts."""
    selects = [
        select(Incident.id.label("id"), joined(part).label("part")).where(
            *open_at(period.cut, filters), need
        )
        for part, need in _needs(period.cut).items()
    ]
    every = selects[0].union_all(*selects[1:]).subquery()
    return select(every.c.id, every.c.part)


@metric(
    id="workload",
    title="Trabajo abierto",
    unit="count",
    definition="Casos abiertos y lo que les falta ahora. Un caso puede estar en varias filas.",
    formula="número de casos abiertos que cumplen cada condición",
    excludes=EXCLUDES,
    subject="incident",
    cases=workload_cases,
)
def workload(session: Session, period: Period, filters: Filters) -> Table:
    """Open cases without owner, late, due soon, waiting."""
    needs = _needs(period.cut)
    sums = [func.coalesce(func.sum(case((need, 1), else_=0)), 0) for need in needs.values()]
    found = session.execute(select(*sums).where(*open_at(period.cut, filters))).one()
    counts = {part: int(count) for part, count in zip(needs, found, strict=True)}
    names = (
        ("open", "Abiertos", "main"),
        ("unowned", "Sin responsable", "second"),
        ("untriaged", "Sin clasificar", "second"),
        ("late", "Con plazo vencido", "bad"),
        ("due_soon", "Vencen en 24 horas", "warn"),
        ("waiting", "Esperan a otro", "neutral"),
    )
    rows = tuple(
        Row(key, name, (Cell(counts.get(key, 0), key),), colour) for key, name, colour in names
    )
    return Table("Estado", (Column("count", "Casos"),), rows, counts.get("open", 0))


RANKED_COLUMNS = (
    Column("count", "Casos", colour="main"),
    Column("share", "Parte", "percent"),
    Column("previous", "Período anterior"),
)


def _ranked(
    head: str,
    counts: dict[str, int],
    before: dict[str, int],
    name: Callable[[str], str],
    *,
    unnamed: str,
) -> Table:
    total = sum(counts.values())
    rows = [
        _ranked_row(key, unnamed if key == "none" else name(key), counts, before, total=total)
        for key in counts
    ]
    rows.sort(key=lambda row: (-(row.cells[0].value or 0), row.label))
    return Table(head, RANKED_COLUMNS, tuple(rows), total)


def _ranked_row(
    key: str,
    label: str,
    counts: dict[str, int],
    before: dict[str, int],
    *,
    total: int,
    colour: str = "",
) -> Row:
    count = counts.get(key, 0)
    cells = (Cell(count, key), Cell(share(count, total)), Cell(before.get(key, 0)))
    return Row(key, label, cells, colour)
