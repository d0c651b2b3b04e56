"""What the rules found and what analysts said of it: verdicts, false positives per rule."""

from sqlalchemy import ColumnElement, case, func, select
from sqlalchemy.orm import Session

from cgii.measure.filters import Filters
from cgii.measure.incident_cases import bucket_of, joined, within
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
from cgii.measure.words import ALERT_STATES
from cgii.model.alerts import AlertGroup

EXCLUDES = "Nada: cada grupo de alertas cuenta una vez, por su primera llegada al centro."


def _born(period: Period, filters: Filters) -> list[ColumnElement[bool]]:
    found = [within(AlertGroup.created_at, period), *filters.by_entity(AlertGroup.entity_id)]
    if filters.severity:
        found.append(AlertGroup.severity == filters.severity)
    if filters.rsit_class:
        found.append(AlertGroup.rsit_class == filters.rsit_class)
    return found


def rule_cases(period: Period, filters: Filters) -> AnySelect:
    """Alert groups by rule and verdict: `3f2a…:false_positive`; undecided ones end in `open`."""
    verdict = case((AlertGroup.verdict == "", "open"), else_=AlertGroup.verdict)
    return select(
        AlertGroup.id.label("id"), joined(AlertGroup.rule_id, ":", verdict).label("part")
    ).where(*_born(period, filters))


@metric(
    id="alerts_by_rule",
    title="Alertas y falsos positivos por regla",
    unit="count",
    definition="Grupos de alertas nacidos en el período por regla, y lo que las personas dijeron "
    "de ellos. La precisión compara los verdaderos positivos con todo lo que ya tiene veredicto.",
    formula="falsos positivos ÷ con veredicto; precisión = verdaderos positivos ÷ con veredicto",
    excludes=EXCLUDES,
    subject="alert",
    cases=rule_cases,
)
def alerts_by_rule(session: Session, period: Period, filters: Filters) -> Table:
    """One row per rule, most groups first."""
    query = (
        select(
            AlertGroup.rule_id,
            func.max(AlertGroup.rule_title),
            func.sum(AlertGroup.alert_count),
            *(
                func.sum(case((AlertGroup.verdict == verdict, 1), else_=0))
                for verdict in ("", "true_positive", "false_positive")
            ),
            func.count(),
        )
        .where(*_born(period, filters))
        .group_by(AlertGroup.rule_id)
    )
    rows, n = [], 0
    for rule, title, alerts, undecided, true, false, groups in session.execute(query):
        decided = groups - undecided
        n += groups
        cells = (
            Cell(groups, f"{rule}:*"),
            Cell(int(alerts)),
            Cell(decided),
            Cell(false, f"{rule}:false_positive"),
            Cell(share(false, decided)),
            Cell(share(true, decided)),
        )
        rows.append(Row(rule, title, cells))
    rows.sort(key=lambda row: (-(row.cells[0].value or 0), row.label))
    columns = (
        Column("groups", "Grupos", colour="main"),
        Column("alerts", "Alertas"),
        Column("decided", "Con veredicto"),
        Column("false", "Falsos positivos", colour="bad"),
        Column("false_share", "Falsos positivos, parte", "percent"),
        Column("precision", "Precisión", "percent"),
    )
    return Table("Regla", columns, tuple(rows), n)


def alert_state_cases(period: Period, filters: Filters) -> AnySelect:
    """Alert groups born in the period by their present state."""
    return select(AlertGroup.id.label("id"), AlertGroup.state.label("part")).where(
        *_born(period, filters)
    )


@metric(
    id="alerts_by_state",
    title="Grupos de alertas",
    unit="count",
    definition="Grupos de alertas nacidos en el período, según su estado de hoy.",
    formula="número de grupos",
    excludes=EXCLUDES,
    subject="alert",
    cases=alert_state_cases,
)
def alerts_by_state(session: Session, period: Period, filters: Filters) -> Figure:
    """All groups born in the period; below, by state."""
    counts = count_parts(session, alert_state_cases(period, filters))
    total = sum(counts.values())
    before = sum(count_parts(session, alert_state_cases(period.previous(), filters)).values())
    rows = tuple(
        Row(code, name, (Cell(counts.get(code, 0), code),)) for code, name in ALERT_STATES.items()
    )
    table = Table("Estado", (Column("count", "Grupos", colour="main"),), rows, total)
    return Figure(total, total, part="*", previous=before, previous_n=before, table=table)


def alert_time_cases(period: Period, filters: Filters) -> AnySelect:
    """Alert groups by the month or day of their birth."""
    part = bucket_of(AlertGroup.created_at, period.buckets())
    return select(AlertGroup.id.label("id"), part.label("part")).where(*_born(period, filters))


@metric(
    id="alerts_over_time",
    title="Grupos de alertas en el tiempo",
    unit="count",
    definition="Grupos de alertas por mes de llegada (por día, en un período corto).",
    formula="número de grupos",
    excludes=EXCLUDES,
    subject="alert",
    cases=alert_time_cases,
)
def alerts_over_time(session: Session, period: Period, filters: Filters) -> Table:
    """One row per month or day."""
    counts = count_parts(session, alert_time_cases(period, filters))
    rows = tuple(
        Row(bucket.key, bucket.label, (Cell(counts.get(bucket.key, 0), bucket.key),))
        for bucket in period.buckets()
    )
    columns = (Column("count", "Grupos", colour="main"),)
    return Table("Cuándo", columns, rows, sum(counts.values()))
