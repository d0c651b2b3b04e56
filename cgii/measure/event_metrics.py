"""What arrives: events and rejects by source and time, and who has gone silent."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, String, case, cast, func, literal, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.measure.filters import Filters
from cgii.measure.incident_cases import bucket_of, within
from cgii.measure.metric import (
    AnySelect,
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
from cgii.model.records import Sensor, SourceVolume

EXCLUDES = "Lo que se perdió antes de llegar al centro; eso lo cuentan los contadores del sensor."
COUNTED = "Se cuenta por hora, fuente y sensor al confirmar cada lote."


def _volumes(period: Period, filters: Filters) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = [within(SourceVolume.hour, period)]
    if filters.by_entity(Sensor.entity_id):
        keys = select(literal("sensor:", String).concat(cast(Sensor.id, String)))
        chosen = keys.where(*filters.by_entity(Sensor.entity_id))
        found.append(SourceVolume.sensor_key.in_(chosen))
    return found


def source_cases(period: Period, filters: Filters) -> AnySelect:
    """The hourly counts of the period by source."""
    return select(SourceVolume.id.label("id"), SourceVolume.source.label("part")).where(
        *_volumes(period, filters)
    )


@metric(
    id="events_by_source",
    title="Eventos y rechazos por fuente",
    unit="count",
    definition="Registros recibidos de cada fuente: los que se leyeron (eventos) y los que no se "
    "pudieron leer (rechazos, que se guardan con su motivo). " + COUNTED,
    formula="rechazos ÷ (eventos + rechazos)",
    excludes=EXCLUDES,
    subject="volume",
    cases=source_cases,
)
def events_by_source(session: Session, period: Period, filters: Filters) -> Figure:
    """All events of the period; below, events and rejects by source."""
    query = (
        select(
            SourceVolume.source,
            func.sum(SourceVolume.event_count),
            func.sum(SourceVolume.reject_count),
        )
        .where(*_volumes(period, filters))
        .group_by(SourceVolume.source)
    )
    rows, total = [], 0
    for source, events, rejects in session.execute(query):
        total += int(events)
        cells = (
            Cell(int(events), source),
            Cell(int(rejects), source),
            Cell(share(int(rejects), int(events) + int(rejects))),
        )
        rows.append(Row(source, source, cells))
    rows.sort(key=lambda row: (-(row.cells[0].value or 0), row.label))
    columns = (
        Column("events", "Eventos", colour="main"),
        Column("rejects", "Rechazos", colour="bad"),
        Column("share", "Rechazos, parte", "percent"),
    )
    before = _total(session, period.previous(), filters)
    table = Table("Fuente", columns, tuple(rows), total)
    return Figure(total, total, part="*", previous=before, previous_n=before, table=table)


def _total(session: Session, period: Period, filters: Filters) -> int:
    query = select(func.coalesce(func.sum(SourceVolume.event_count), 0))
    return int(session.scalar(query.where(*_volumes(period, filters))) or 0)


def volume_time_cases(period: Period, filters: Filters) -> AnySelect:
    """The hourly counts of the period by month or day."""
    part = bucket_of(SourceVolume.hour, period.buckets())
    return select(
        SourceVolume.id.label("id"),
        part.label("part"),
        SourceVolume.event_count.label("events"),
        SourceVolume.reject_count.label("rejects"),
    ).where(*_volumes(period, filters))


@metric(
    id="events_over_time",
    title="Eventos y rechazos en el tiempo",
    unit="count",
    definition="Registros recibidos por mes (por día, en un período corto). " + COUNTED,
    formula="suma de eventos y suma de rechazos",
    excludes=EXCLUDES,
    subject="volume",
    cases=volume_time_cases,
)
def events_over_time(session: Session, period: Period, filters: Filters) -> Table:
    """One row per month or day."""
    table = volume_time_cases(period, filters).subquery()
    query = select(table.c.part, func.sum(table.c.events), func.sum(table.c.rejects))
    sums = {
        part: (int(events), int(rejects))
        for part, events, rejects in session.execute(query.group_by(table.c.part))
    }
    rows = []
    for bucket in period.buckets():
        events, rejects = sums.get(bucket.key, (0, 0))
        cells = (Cell(events, bucket.key), Cell(rejects, bucket.key))
        rows.append(Row(bucket.key, bucket.label, cells))
    columns = (
        Column("events", "Eventos", colour="main"),
        Column("rejects", "Rechazos", colour="bad"),
    )
    return Table("Cuándo", columns, tuple(rows), sum(events for events, _ in sums.values()))


def _lookback(period: Period) -> Period:
    start = period.cut - timedelta(days=limits.SILENCE_LOOKBACK_DAYS)
    return Period("", "", start, period.cut, period.cut)


def silent_source_cases(period: Period, filters: Filters) -> AnySelect:
    """The hourly counts of the days before the end of the period, by source."""
    return source_cases(_lookback(period), filters)


@metric(
    id="silent_sources",
    title="Fuentes en silencio",
    unit="seconds",
    definition="Fuentes que enviaron algo en los últimos "
    f"{limits.SILENCE_LOOKBACK_DAYS} días y nada en las últimas {limits.SILENCE_HOURS} horas antes "
    "del final del período. El silencio se cuenta desde el fin de la última hora con registros.",
    formula="corte − fin de la última hora con registros",
    excludes="Fuentes que nunca enviaron o callan desde hace más tiempo.",
    subject="volume",
    cases=silent_source_cases,
)
def silent_sources(session: Session, period: Period, filters: Filters) -> Table:
    """One row per silent source, the longest silence first."""
    query = (
        select(SourceVolume.source, func.max(SourceVolume.hour))
        .where(*_volumes(_lookback(period), filters))
        .group_by(SourceVolume.source)
    )
    rows = []
    for source, last in session.execute(query):
        silence = (period.cut - last).total_seconds() - 3600
        if silence > limits.SILENCE_HOURS * 3600:
            rows.append(Row(source, source, (Cell(silence, source),), "bad"))
    rows.sort(key=lambda row: -(row.cells[0].value or 0))
    columns = (Column("silence", "Sin registros desde hace", "seconds"),)
    return Table("Fuente", columns, tuple(rows), len(rows))


def sensor_cases(period: Period, filters: Filters) -> AnySelect:
    """Sensors in service by whether they were heard lately."""
    recently: datetime = period.cut - timedelta(hours=limits.SILENCE_HOURS)
    part = case(
        (Sensor.heard_at.is_(None), "never"),
        (Sensor.heard_at < recently, "silent"),
        else_="heard",
    )
    in_service = Sensor.revoked_at.is_(None) | (Sensor.revoked_at > period.cut)
    return select(Sensor.id.label("id"), part.label("part")).where(
        Sensor.created_at <= period.cut, in_service, *filters.by_entity(Sensor.entity_id)
    )


@metric(
    id="sensors",
    title="Sensores",
    unit="count",
    definition="Sensores en servicio según si se los oyó en las últimas "
    f"{limits.SILENCE_HOURS} horas.",
    formula="número de sensores",
    excludes="Sensores revocados.",
    subject="sensor",
    cases=sensor_cases,
)
def sensors(session: Session, period: Period, filters: Filters) -> Table:
    """Sensors heard, silent, never heard."""
    counts = count_parts(session, sensor_cases(period, filters))
    names = (
        ("heard", "Se los oye", "good"),
        ("silent", "En silencio", "bad"),
        ("never", "Nunca se los oyó", "warn"),
    )
    rows = tuple(
        Row(key, name, (Cell(counts.get(key, 0), key),), colour) for key, name, colour in names
    )
    return Table("Estado", (Column("count", "Sensores"),), rows, sum(counts.values()))
