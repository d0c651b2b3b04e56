"""Institutional plans (PISI): how far each entity has come, scores, and plans about to lapse."""

from datetime import timedelta

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from cgii.base.clock import local
from cgii.measure.filters import Filters
from cgii.measure.goals import target_of
from cgii.measure.incident_cases import joined
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
from cgii.measure.percentiles import percentile
from cgii.measure.period import Period
from cgii.measure.words import PLAN_STATES
from cgii.model.entities import Contact, Entity
from cgii.model.plans import FollowUp, Plan, ScoreSnapshot

# The stages of the national funnel, each including those after it.
STAGES = (
    ("no_rsi", "Sin RSI nombrado"),
    ("rsi", "RSI nombrado"),
    ("draft", "PISI en elaboración"),
    ("filed", "PISI presentado"),
    ("decided", "Con decisión del centro"),
    ("resolution", "Aprobado por resolución de la MAE"),
    ("implementing", "En implementación"),
    ("renewed", "Renovado"),
)
NAMES = tuple(name for name, _ in STAGES)
DEVELOPED = NAMES[NAMES.index("resolution") :]
IMPLEMENTED = NAMES[NAMES.index("implementing") :]
GROUPS = {f"reached:{name}": NAMES[place:] for place, name in enumerate(NAMES)} | {
    "developed": DEVELOPED,
    "not_developed": tuple(name for name in NAMES if name not in DEVELOPED),
    "implemented": IMPLEMENTED,
    "not_implemented": tuple(name for name in NAMES if name not in IMPLEMENTED),
    "all": NAMES,
}
ACCEPTED = ("accepted", "with_conditions")
DENOMINATOR = "Entidades inactivas y de otros niveles del Estado."
EXPIRY_DAYS = (1, 7, 30, 90)


def stage_cases(period: Period, filters: Filters) -> AnySelect:
    """Active entities of the central level, each in the furthest stage of its plans in force."""
    moment = period.cut
    today = local(moment).date()

    def has(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return exists().where(Plan.entity_id == Entity.id, *conditions)

    in_force = and_(
        Plan.filed_at <= moment,
        Plan.state != "revoked",
        or_(Plan.valid_until.is_(None), Plan.valid_until >= today),
    )
    decided = and_(in_force, Plan.decided_at <= moment)
    resolved = and_(
        decided, Plan.outcome.in_(ACCEPTED), Plan.approval_cite != "", Plan.approved_at <= moment
    )
    follow_up = exists().where(
        FollowUp.plan_id == Plan.id,
        FollowUp.recorded_at <= moment,
        FollowUp.recorded_at > moment - timedelta(days=366),
    )
    earlier = aliased(Plan)
    renewal = exists().where(
        earlier.entity_id == Plan.entity_id,
        earlier.year < Plan.year,
        earlier.outcome.in_(ACCEPTED),
        earlier.decided_at <= moment,
    )
    rsi = exists().where(
        Contact.entity_id == Entity.id,
        Contact.duty == "rsi",
        Contact.since <= today,
        or_(Contact.until.is_(None), Contact.until >= today),
    )
    stage = case(
        (has(resolved, follow_up, renewal), "renewed"),
        (has(resolved, follow_up), "implementing"),
        (has(resolved), "resolution"),
        (has(decided), "decided"),
        (has(in_force), "filed"),
        (has(Plan.created_at <= moment, Plan.filed_at.is_(None)), "draft"),
        (rsi, "rsi"),
        else_="no_rsi",
    )
    return select(Entity.id.label("id"), stage.label("part")).where(
        Entity.is_active.is_(True),
        Entity.level == "central",
        *filters.of_entities(),
    )


@metric(
    id="pisi_funnel",
    title="Avance de los PISI",
    unit="count",
    definition="Entidades activas del nivel central según la etapa más lejana que alcanzó su PISI "
    "en vigencia: presentado y no vencido ni revocado. Implementar exige un seguimiento "
    "registrado en los últimos doce meses; renovar, además, un PISI aceptado de una gestión "
    "anterior. Cada etapa incluye a las siguientes.",
    formula="entidades que alcanzaron la etapa ÷ entidades activas del nivel central",
    excludes=DENOMINATOR,
    subject="entity",
    cases=stage_cases,
    groups=GROUPS,
)
def pisi_funnel(session: Session, period: Period, filters: Filters) -> Table:
    """One row per stage: how many reached it, what share, and how many stand there."""
    counts = count_parts(session, stage_cases(period, filters))
    total = sum(counts.values())
    rows = []
    for place, (name, label) in enumerate(STAGES):
        reached = sum(counts.get(later, 0) for later in NAMES[place:])
        shown = "Entidades del nivel central" if name == "no_rsi" else label
        cells = (
            Cell(reached, f"reached:{name}"),
            Cell(share(reached, total), f"reached:{name}"),
            Cell(counts.get(name, 0), name),
        )
        rows.append(Row(name, shown, cells))
    columns = (
        Column("reached", "Alcanzaron", colour="main"),
        Column("share", "Parte", "percent"),
        Column("here", "Se quedaron aquí"),
    )
    notes = (f"Sin RSI nombrado ni PISI: {counts.get('no_rsi', 0)}.",)
    return Table("Etapa", columns, tuple(rows), total, notes, target_of("pisi", period.cut))


@metric(
    id="pisi_developed",
    title="Desarrollan un PISI",
    unit="percent",
    definition="Parte de las entidades activas del nivel central con un PISI en vigencia: "
    "presentado, aceptado por el centro y aprobado por resolución de su MAE.",
    formula="entidades con PISI aprobado en vigencia ÷ entidades activas del nivel central",
    excludes=DENOMINATOR,
    subject="entity",
    cases=stage_cases,
    groups=GROUPS,
)
def pisi_developed(session: Session, period: Period, filters: Filters) -> Figure:
    """Share of central entities that developed a plan, against the national goal."""
    return _reached(session, period, filters, "developed")


@metric(
    id="pisi_implemented",
    title="Implementan su PISI",
    unit="percent",
    definition="Parte de las entidades activas del nivel central con un PISI en vigencia y un "
    "seguimiento de su ejecución registrado en los últimos doce meses.",
    formula="entidades que implementan ÷ entidades activas del nivel central",
    excludes=DENOMINATOR,
    subject="entity",
    cases=stage_cases,
    groups=GROUPS,
)
def pisi_implemented(session: Session, period: Period, filters: Filters) -> Figure:
    """Share of central entities that carry their plan out, against the national goal."""
    return _reached(session, period, filters, "implemented")


def _reached(session: Session, period: Period, filters: Filters, group: str) -> Figure:
    figures = []
    for one in (period, period.previous()):
        counts = count_parts(session, stage_cases(one, filters))
        n, reached = sum(counts.values()), sum(counts.get(name, 0) for name in GROUPS[group])
        rows = (
            Row("yes", "Sí", (Cell(reached, group),), "good"),
            Row("no", "Todavía no", (Cell(n - reached, f"not_{group}"),), "bad"),
        )
        table = Table("Entidades", (Column("count", "Entidades"),), rows, n)
        target = target_of("pisi", one.cut)
        figures.append(Figure(share(reached, n), n, part="all", target=target, table=table))
    return figures[0].against(figures[1])


def score_cases(period: Period, filters: Filters) -> AnySelect:
    """Plans with a score, the newest snapshot of each entity before the end of the period."""
    newest = (
        select(func.max(ScoreSnapshot.id))
        .join(Entity, Entity.id == ScoreSnapshot.entity_id)
        .where(
            ScoreSnapshot.taken_at <= period.cut,
            Entity.is_active.is_(True),
            *filters.of_entities(),
        )
        .group_by(ScoreSnapshot.entity_id)
    )
    return select(
        ScoreSnapshot.plan_id.label("id"),
        joined("scored").label("part"),
        ScoreSnapshot.scores.label("scores"),
    ).where(ScoreSnapshot.id.in_(newest))


SCORES = (
    ("coverage", "Cobertura"),
    ("strict", "Cumplimiento declarado, estricto"),
    ("optimistic", "Cumplimiento declarado, de lo evaluado"),
    ("verified", "Cumplimiento verificado"),
    ("gap", "Brecha: declarado − verificado"),
)


@metric(
    id="plan_scores",
    title="Puntajes de los PISI",
    unit="percent",
    definition="Último puntaje guardado de cada entidad, tal como era al presentar, al decidir o "
    "en el seguimiento. Promedio y mediana simples entre entidades, con n.",
    formula="suma de puntajes ÷ número de entidades con ese puntaje",
    excludes="Entidades inactivas y entidades sin puntaje guardado.",
    subject="plan",
    cases=score_cases,
)
def plan_scores(session: Session, period: Period, filters: Filters) -> Table:
    """One row per kind of score, over entities of every level."""
    table = score_cases(period, filters).subquery()
    found = [scores for (scores,) in session.execute(select(table.c.scores))]
    rows = []
    for key, label in SCORES:
        values = sorted(
            100 * scores["whole"][key]["value"]
            for scores in found
            if scores["whole"][key]["value"] is not None
        )
        mean = sum(values) / len(values) if values else None
        cells = (Cell(mean), Cell(percentile(values, 50)), Cell(len(values)))
        rows.append(Row(key, label, cells))
    columns = (
        Column("mean", "Promedio", "percent", "main"),
        Column("median", "Mediana", "percent"),
        Column("n", "n"),
    )
    return Table("Puntaje", columns, tuple(rows), len(found))


def expiry_cases(period: Period, filters: Filters) -> AnySelect:
    """Accepted plans in force at the end of the period, by how soon their validity ends."""
    today = local(period.cut).date()
    branches = [
        (Plan.valid_until <= today + timedelta(days=days), f"{days}") for days in EXPIRY_DAYS
    ]
    part = case((Plan.valid_until < today, "expired"), *branches, else_="later")
    newer = aliased(Plan)
    replaced = exists().where(
        newer.entity_id == Plan.entity_id,
        newer.year > Plan.year,
        newer.outcome.in_(ACCEPTED),
        newer.decided_at <= period.cut,
    )
    return (
        select(Plan.id.label("id"), part.label("part"))
        .join(Entity, Entity.id == Plan.entity_id)
        .where(
            Plan.valid_until.is_not(None),
            Plan.outcome.in_(ACCEPTED),
            Plan.decided_at <= period.cut,
            Plan.state != "revoked",
            ~replaced,
            Entity.is_active.is_(True),
            *filters.of_entities(),
        )
    )


@metric(
    id="plans_expiring",
    title="PISI por vencer",
    unit="count",
    definition="PISI aceptados según cuándo termina su vigencia. Cada plan está en un solo tramo.",
    formula="número de PISI cuya vigencia termina dentro del tramo",
    excludes="PISI revocados y PISI que otro más nuevo ya reemplazó; entidades inactivas.",
    subject="plan",
    cases=expiry_cases,
)
def plans_expiring(session: Session, period: Period, filters: Filters) -> Table:
    """One row per stretch of days until the validity ends."""
    counts = count_parts(session, expiry_cases(period, filters))
    names = (
        ("expired", "Ya vencidos, sin renovar", "worst"),
        ("1", "Vencen hoy o mañana", "bad"),
        ("7", "En 2 a 7 días", "bad"),
        ("30", "En 8 a 30 días", "warn"),
        ("90", "En 31 a 90 días", "second"),
        ("later", "Más adelante", "neutral"),
    )
    rows = tuple(
        Row(key, name, (Cell(counts.get(key, 0), key),), colour) for key, name, colour in names
    )
    return Table("Vigencia", (Column("count", "PISI"),), rows, sum(counts.values()))


def state_cases(period: Period, filters: Filters) -> AnySelect:
    """Plans of active entities by their present state."""
    return (
        select(Plan.id.label("id"), Plan.state.label("part"))
        .join(Entity, Entity.id == Plan.entity_id)
        .where(Plan.created_at <= period.cut, Entity.is_active.is_(True), *filters.of_entities())
    )


@metric(
    id="plans_by_state",
    title="PISI por estado",
    unit="count",
    definition="PISI de todas las gestiones y niveles creados hasta el final del período, según su "
    "estado de hoy.",
    formula="número de PISI",
    excludes="Entidades inactivas.",
    subject="plan",
    cases=state_cases,
)
def plans_by_state(session: Session, period: Period, filters: Filters) -> Table:
    """One row per state that any plan is in."""
    counts = count_parts(session, state_cases(period, filters))
    rows = tuple(
        Row(code, name, (Cell(counts[code], code),))
        for code, name in PLAN_STATES.items()
        if counts.get(code)
    )
    columns = (Column("count", "PISI", colour="main"),)
    return Table("Estado", columns, rows, sum(counts.values()))
