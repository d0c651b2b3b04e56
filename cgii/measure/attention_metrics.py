"""Whether incidents were attended and resolved in time, and who kept the deadlines."""

from collections.abc import Callable
from typing import NamedTuple

from sqlalchemy import ColumnElement, case, func, or_, select
from sqlalchemy.orm import Session

from cgii.measure.filters import Filters
from cgii.measure.goals import target_of
from cgii.measure.incident_cases import EXCLUDES, against_clock, counted, joined, of_counted, within
from cgii.measure.metric import (
    AnySelect,
    Cell,
    Column,
    Figure,
    Row,
    Table,
    count_parts,
    metric,
    remembered,
    share,
)
from cgii.measure.period import Period
from cgii.measure.words import PARTIES, SEVERITIES, STAGES
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Incident

MISSED = ("late", "overdue")
DUE = ("in_time", *MISSED)
GROUPS = {"missed": MISSED, "due": DUE}
ONLY_INCIDENTS = EXCLUDES + " Las vulnerabilidades y los eventos no cuentan aquí."
RUNNING = " Los que aún están dentro del plazo quedan fuera y se muestran aparte."
COUNTS = (
    Column("in_time", "En plazo", colour="good"),
    Column("late", "Fuera de plazo", colour="bad"),
    Column("overdue", "Vencidos sin atender", colour="worst"),
)
PARTS = (
    ("in_time", "En plazo", "good"),
    ("late", "Fuera de plazo", "bad"),
    ("overdue", "Vencidos y sin hacer", "worst"),
    ("running", "Aún dentro del plazo (no cuentan)", "neutral"),
    ("no_clock", "Sin plazo asignado (no cuentan)", "neutral"),
)


def _is_incident() -> ColumnElement[bool]:
    return Incident.kind == "incidente"


def attention_cases(period: Period, filters: Filters) -> AnySelect:
    """Incidents by the state of their first response."""
    return against_clock("acknowledged", period, filters, _is_incident())


def resolution_cases(period: Period, filters: Filters) -> AnySelect:
    """Incidents by the state of their resolution."""
    return against_clock("resolved", period, filters, _is_incident())


def attention_by_month_cases(period: Period, filters: Filters) -> AnySelect:
    """The same, with the month of receipt before the state: `2026-10:late`."""
    table = attention_cases(period, filters).subquery()
    return select(table.c.id, joined(table.c.month, ":", table.c.part).label("part"))


def attention_by_severity_cases(period: Period, filters: Filters) -> AnySelect:
    """The same, with the severity before the state: `alto:late`."""
    table = attention_cases(period, filters).subquery()
    return select(table.c.id, joined(table.c.severity, ":", table.c.part).label("part"))


class _Case(NamedTuple):
    part: str
    month: str
    severity: str


def _attention(session: Session, period: Period, filters: Filters) -> dict[_Case, int]:
    """How many incidents stand in each part, month and severity: one query for three metrics."""

    def count() -> dict[_Case, int]:
        table = attention_cases(period, filters).subquery()
        keys = (table.c.part, table.c.month, table.c.severity)
        query = select(*keys, func.count()).group_by(*keys)
        rows = session.execute(query).all()
        return {_Case(part, month, grade): count for part, month, grade, count in rows}

    return remembered(session, ("attention", period, filters), count)


def _sum_by(counts: dict[_Case, int], key: Callable[[_Case], str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for one, count in counts.items():
        found[key(one)] = found.get(key(one), 0) + count
    return found


@metric(
    id="attended_in_time",
    title="Atendidos oportunamente",
    unit="percent",
    definition="Parte de los incidentes recibidos en el período cuya primera respuesta de una "
    "persona del centro llegó dentro del plazo del centro para su severidad. Una respuesta "
    "automática no cuenta." + RUNNING,
    formula="en plazo ÷ (en plazo + fuera de plazo + vencidos sin atender)",
    excludes=ONLY_INCIDENTS,
    subject="incident",
    cases=attention_cases,
    groups=GROUPS,
)
def attended_in_time(session: Session, period: Period, filters: Filters) -> Figure:
    """Share of first responses in time, against the national goal."""
    counts = _attention(session, period, filters)
    now = _in_time(_sum_by(counts, lambda case: case.part), period, "attention")
    before = period.previous()
    earlier = count_parts(session, attention_cases(before, filters))
    return now.against(_in_time(earlier, before, "attention"))


@metric(
    id="resolved_in_time",
    title="Resueltos en plazo",
    unit="percent",
    definition="Parte de los incidentes recibidos en el período que se resolvieron dentro del "
    "plazo del centro." + RUNNING,
    formula="resueltos en plazo ÷ (en plazo + fuera de plazo + vencidos sin resolver)",
    excludes=ONLY_INCIDENTS,
    subject="incident",
    cases=resolution_cases,
    groups=GROUPS,
)
def resolved_in_time(session: Session, period: Period, filters: Filters) -> Figure:
    """Share of resolutions in time; the country has set no goal for it."""
    now = _in_time(count_parts(session, resolution_cases(period, filters)), period, "")
    before = period.previous()
    return now.against(
        _in_time(count_parts(session, resolution_cases(before, filters)), before, "")
    )


@metric(
    id="attended_by_month",
    title="Atendidos oportunamente por mes",
    unit="percent",
    definition="La misma medida que «Atendidos oportunamente», por mes de recepción.",
    formula="en plazo ÷ (en plazo + fuera de plazo + vencidos sin atender), por mes",
    excludes=ONLY_INCIDENTS,
    subject="incident",
    cases=attention_by_month_cases,
)
def attended_by_month(session: Session, period: Period, filters: Filters) -> Table:
    """One row per month of receipt."""
    names = [(bucket.key, bucket.label) for bucket in period.months()]
    found = _attention(session, period, filters)
    counts = _sum_by(found, lambda case: f"{case.month}:{case.part}")
    return _split("Mes de recepción", names, counts, target_of("attention", period.cut))


@metric(
    id="attended_by_severity",
    title="Atendidos oportunamente por severidad",
    unit="percent",
    definition="La misma medida que «Atendidos oportunamente», por severidad.",
    formula="en plazo ÷ (en plazo + fuera de plazo + vencidos sin atender), por severidad",
    excludes=ONLY_INCIDENTS,
    subject="incident",
    cases=attention_by_severity_cases,
)
def attended_by_severity(session: Session, period: Period, filters: Filters) -> Table:
    """One row per severity, the gravest first."""
    found = _attention(session, period, filters)
    counts = _sum_by(found, lambda case: f"{case.severity}:{case.part}")
    return _split("Severidad", list(SEVERITIES.items()), counts, target_of("attention", period.cut))


def deadline_cases(period: Period, filters: Filters) -> AnySelect:
    """Deadlines that fell due in the period, by party and outcome: `entity:missed`."""
    missed = or_(
        Deadline.missed_at <= period.as_of,
        Deadline.met_at > Deadline.due_at,
        (Deadline.due_at <= period.as_of)
        & or_(Deadline.met_at.is_(None), Deadline.met_at > period.as_of),
    )
    no_longer_owed = (
        Deadline.ended_at.is_not(None)
        & Deadline.met_at.is_(None)
        & Deadline.missed_at.is_(None)
        & (Deadline.ended_at <= Deadline.due_at)
    )
    paused = Deadline.paused_at.is_not(None) & Deadline.ended_at.is_(None)
    outcome = case((missed, "missed"), else_="met")
    return select(
        Deadline.id.label("id"),
        joined(Deadline.party, ":", Deadline.stage, ":", outcome).label("part"),
    ).where(
        within(Deadline.due_at, period),
        ~no_longer_owed,
        ~paused,
        *of_counted(Deadline.incident_id, filters),
    )


@metric(
    id="deadlines_by_party",
    title="Plazos cumplidos e incumplidos",
    unit="count",
    definition="Plazos que vencieron en el período, según quién los debía y para qué etapa. Lo "
    "hecho tarde y lo que sigue sin hacerse cuentan como incumplidos.",
    formula="cumplidos ÷ (cumplidos + incumplidos)",
    excludes="Plazos en pausa o que dejaron de deberse antes de vencer. " + EXCLUDES,
    subject="deadline",
    cases=deadline_cases,
)
def deadlines_by_party(session: Session, period: Period, filters: Filters) -> Table:
    """One row per party and stage."""
    counts = count_parts(session, deadline_cases(period, filters))
    keys = sorted({part.rpartition(":")[0] for part in counts})
    rows = []
    for key in sorted(keys, key=_party_order):
        party, stage = key.split(":", 1)
        met, missed = counts.get(f"{key}:met", 0), counts.get(f"{key}:missed", 0)
        cells = (
            Cell(met, f"{key}:met"),
            Cell(missed, f"{key}:missed"),
            Cell(share(met, met + missed), f"{key}:*"),
        )
        rows.append(Row(key, f"{PARTIES.get(party, party)} · {STAGES.get(stage, stage)}", cells))
    columns = (
        Column("met", "Cumplidos", colour="good"),
        Column("missed", "Incumplidos", colour="bad"),
        Column("share", "Cumplimiento", "percent"),
    )
    return Table("Quién y qué", columns, tuple(rows), sum(counts.values()))


def _party_order(key: str) -> tuple[int, str]:
    party = key.split(":")[0]
    return (list(PARTIES).index(party) if party in PARTIES else len(PARTIES), key)


def reopened_cases(period: Period, filters: Filters) -> AnySelect:
    """Incidents received in the period and closed at least once, by whether they came back."""
    part = case((Incident.reopened_count > 0, "reopened"), else_="stayed")
    closed_once = or_(Incident.reopened_count > 0, Incident.closed_at <= period.as_of)
    return select(Incident.id.label("id"), part.label("part")).where(
        within(Incident.received_at, period), closed_once, *counted(filters)
    )


@metric(
    id="reopened",
    title="Reabiertos",
    unit="percent",
    definition="Parte de los casos recibidos en el período y cerrados alguna vez que se volvieron "
    "a abrir.",
    formula="reabiertos ÷ cerrados alguna vez",
    excludes=EXCLUDES,
    subject="incident",
    cases=reopened_cases,
)
def reopened(session: Session, period: Period, filters: Filters) -> Figure:
    """Share of closed cases that came back."""
    figures = []
    for one in (period, period.previous()):
        counts = count_parts(session, reopened_cases(one, filters))
        n = sum(counts.values())
        back = counts.get("reopened", 0)
        rows = (
            Row("reopened", "Reabiertos", (Cell(back, "reopened"),), "bad"),
            Row("stayed", "Siguieron cerrados", (Cell(n - back, "stayed"),), "good"),
        )
        table = Table("Después del cierre", (Column("count", "Casos"),), rows, n)
        figures.append(Figure(share(back, n), n, part="*", table=table))
    return figures[0].against(figures[1])


def _in_time(counts: dict[str, int], period: Period, goal: str) -> Figure:
    n = sum(counts.get(part, 0) for part in DUE)
    rows = tuple(
        Row(part, name, (Cell(counts.get(part, 0), part),), colour) for part, name, colour in PARTS
    )
    table = Table("Estado", (Column("count", "Incidentes"),), rows, sum(counts.values()))
    notes = []
    if counts.get("no_clock"):
        notes.append(f"{counts['no_clock']} incidentes no tienen plazo asignado.")
    if counts.get("running"):
        notes.append(f"{counts['running']} incidentes aún están dentro del plazo.")
    return Figure(
        share(counts.get("in_time", 0), n),
        n,
        part="due",
        target=target_of(goal, period.cut) if goal else None,
        table=table,
        notes=tuple(notes),
    )


def _split(
    head: str, names: list[tuple[str, str]], counts: dict[str, int], target: float | None
) -> Table:
    rows, total = [], 0
    for key, name in names:
        found = [counts.get(f"{key}:{part}", 0) for part in DUE]
        n = sum(found)
        total += n
        cells = [Cell(share(found[0], n))]
        cells += [Cell(count, f"{key}:{part}") for count, part in zip(found, DUE, strict=True)]
        rows.append(
            Row(key, name, (*cells, Cell(counts.get(f"{key}:running", 0), f"{key}:running")))
        )
    columns = (
        Column("share", "Oportunos", "percent", colour="main"),
        *COUNTS,
        Column("running", "En curso"),
    )
    return Table(head, columns, tuple(rows), total, target=target)
