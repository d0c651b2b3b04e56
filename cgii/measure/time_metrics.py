"""How long it takes to acknowledge, contain, resolve: percentiles with n, open ones censored."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.measure.filters import Filters
from cgii.measure.incident_cases import EXCLUDES, bucket_of, joined, received
from cgii.measure.metric import (
    AnySelect,
    Cases,
    Cell,
    Column,
    Figure,
    Row,
    Table,
    metric,
    remembered,
)
from cgii.measure.percentiles import (
    censored_median,
    percentile,
    percentile_90,
    seconds_between,
)
from cgii.measure.period import Period
from cgii.measure.words import SEVERITIES, written
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Incident

DEFINITION = (
    "Cohorte de los casos recibidos en el período. P50, P75 y P90 son de los casos que ya llegaron "
    "a la etapa («solo terminados»), en tiempo bruto de calendario; «P50 neto» descuenta las "
    "pausas del plazo. «Mediana con abiertos» (Kaplan–Meier) incluye los casos que siguen abiertos."
)
FORMULA = "percentil con interpolación de ({stage} − {start}); P90 solo con n ≥ {least}"
CASES_LEFT_OUT = (
    EXCLUDES + " Casos cerrados sin pasar por la etapa y casos con momentos en orden imposible; "
    "se dice cuántos son."
)
COLUMNS = (
    Column("n", "n"),
    Column("p50", "P50", "seconds", "main"),
    Column("p75", "P75", "seconds"),
    Column("p90", "P90", "seconds", "second"),
    Column("net", "P50 neto", "seconds"),
    Column("open", "Abiertos"),
    Column("censored", "Mediana con abiertos", "seconds"),
)
# name → (stage reached, moment it is counted from, label)
CLOCKS = {
    "acknowledged": ("acknowledged", "received", "Primera respuesta"),
    "contained": ("contained", "received", "Contener, desde el reporte"),
    "contained_detected": ("contained", "detected", "Contener, desde la detección"),
    "resolved": ("resolved", "received", "Resolver"),
}


@dataclass
class Durations:
    """The seconds of one group of cases while they are gathered."""

    steady: list[int] = field(default_factory=list)  # ended, and the centre's clock never paused
    paused: list[tuple[int, int]] = field(default_factory=list)  # ended: gross and net
    still_open: list[int] = field(default_factory=list)
    skipped: int = 0  # closed without the stage, or stages in impossible order

    def gross(self) -> list[int]:
        """Seconds from start to stage, sorted."""
        return sorted([*self.steady, *(gross for gross, _ in self.paused)])

    def net(self) -> list[int]:
        """The same without the pauses of the centre's clock, sorted."""
        return sorted([*self.steady, *(net for _, net in self.paused)])

    @property
    def n(self) -> int:
        """How many reached the stage."""
        return len(self.steady) + len(self.paused)


class Clock(NamedTuple):
    """The expressions that one clock adds to a query over Incident."""

    part: ColumnElement[str]  # ended open skipped unknown
    seconds: ColumnElement[int]


def _clock(clock: str, period: Period) -> Clock:
    stage_name, start_name, _ = CLOCKS[clock]
    stage = getattr(Incident, f"{stage_name}_at")
    start = getattr(Incident, f"{start_name}_at")
    known = func.coalesce(stage <= period.as_of, False)
    open_still = func.coalesce(Incident.closed_at > period.as_of, True)
    part = case(
        (start.is_(None), "unknown"),
        (and_(known.is_(True), stage >= start), "ended"),
        (and_(known.is_(False), open_still.is_(True), start <= period.as_of), "open"),
        else_="skipped",
    )
    end = case((known.is_(True), stage), else_=period.as_of)
    return Clock(part, seconds_between(start, end))


def _pauses(session: Session) -> dict[str, dict[int, int]]:
    """Seconds that the centre's clocks stood still, by stage and incident; most never did."""
    stages = {stage for stage, _, _ in CLOCKS.values()}
    query = (
        select(Deadline.incident_id, Deadline.stage, func.max(Deadline.paused_seconds))
        .where(
            Deadline.stage.in_(stages),
            Deadline.party == "centre",
            Deadline.regime == "centre",
            Deadline.paused_seconds > 0,
        )
        .group_by(Deadline.incident_id, Deadline.stage)
    )
    found: dict[str, dict[int, int]] = {stage: {} for stage in stages}
    for incident, stage, seconds in session.execute(query):
        found[stage][incident] = seconds
    return found


def cases_by(clock: str, column: str) -> Cases:
    """A function that selects the cases of a clock by severity or month: `alto:ended`."""

    def cases(period: Period, filters: Filters) -> AnySelect:
        by: dict[str, ColumnElement[Any]] = {
            "severity": Incident.severity.expression,
            "month": bucket_of(Incident.received_at, period.months()),
        }
        part = joined(by[column], ":", _clock(clock, period).part)
        return select(Incident.id.label("id"), part.label("part")).where(*received(period, filters))

    return cases


def all_clock_cases(period: Period, filters: Filters) -> AnySelect:
    """The cases of every clock, with the clock's name before the part: `resolved:open`."""
    selects = [
        select(
            Incident.id.label("id"),
            joined(clock, ":", _clock(clock, period).part).label("part"),
        ).where(*received(period, filters))
        for clock in CLOCKS
    ]
    every = selects[0].union_all(*selects[1:]).subquery()
    return select(every.c.id, every.c.part)


class Group(NamedTuple):
    """What durations are told apart by."""

    clock: str
    severity: str
    month: str


def gather(session: Session, period: Period, filters: Filters) -> dict[Group, Durations]:
    """The durations of every clock by severity and month: one query for all metrics of a board."""

    def read() -> dict[Group, Durations]:
        # Only numbers and short codes are fetched: 20,000 cases take a tenth of a second.
        pieces = [piece for clock in CLOCKS for piece in _clock(clock, period)]
        month = bucket_of(Incident.received_at, period.months())
        query: AnySelect = select(Incident.id, Incident.severity, month, *pieces)
        pauses = _pauses(session)
        found: dict[Group, Durations] = {}
        rows = session.execute(query.where(*received(period, filters))).all()
        for place, (clock, (stage, _, _)) in enumerate(CLOCKS.items()):
            groups: dict[tuple[str, str], Durations] = defaultdict(Durations)
            stopped = pauses[stage]
            for row in rows:
                part, seconds = row[3 + 2 * place], row[4 + 2 * place]
                group = groups[row[1], row[2]]
                if part == "ended":
                    if row[0] in stopped:
                        group.paused.append((seconds, max(0, seconds - stopped[row[0]])))
                    else:
                        group.steady.append(seconds)
                elif part == "open":
                    group.still_open.append(seconds)
                elif part == "skipped":
                    group.skipped += 1
            for (severity, key), durations in groups.items():
                found[Group(clock, severity, key)] = durations
        return found

    return remembered(session, ("durations", period, filters), read)


def of_clock(
    groups: dict[Group, Durations], clock: str, *, severity: str = "", month: str = ""
) -> Durations:
    """All durations of a clock, or those of one severity or month, in one group."""
    return pooled(
        durations
        for group, durations in groups.items()
        if group.clock == clock and severity in ("", group.severity) and month in ("", group.month)
    )


def earlier_medians(
    session: Session, period: Period, filters: Filters
) -> dict[str, tuple[float | None, int]]:
    """The median and n of each clock from receipt, in the period before."""

    def read() -> dict[str, tuple[float | None, int]]:
        before = period.previous()
        names = [name for name, (_, start, _) in CLOCKS.items() if start == "received"]
        clocks = [_clock(name, before) for name in names]
        ended = [case((clock.part == "ended", clock.seconds)) for clock in clocks]
        rows = session.execute(select(*ended).where(*received(before, filters))).all()
        found = {}
        for place, name in enumerate(names):
            known = sorted(row[place] for row in rows if row[place] is not None)
            found[name] = (percentile(known, 50), len(known))
        return found

    return remembered(session, ("medians", period, filters), read)


def pooled(groups: Iterable[Durations]) -> Durations:
    """One group of all: percentiles are never averaged over groups."""
    whole = Durations()
    for group in groups:
        whole.steady += group.steady
        whole.paused += group.paused
        whole.still_open += group.still_open
        whole.skipped += group.skipped
    return whole


def _row(key: str, label: str, durations: Durations, prefix: str) -> Row:
    gross = durations.gross()
    net = durations.net() if durations.paused else gross
    cells = (
        Cell(len(gross), f"{prefix}ended"),
        Cell(percentile(gross, 50)),
        Cell(percentile(gross, 75)),
        Cell(percentile_90(gross)),
        Cell(percentile(net, 50)),
        Cell(len(durations.still_open), f"{prefix}open"),
        Cell(censored_median(gross, durations.still_open)),
    )
    return Row(key, label, cells)


def _notes(durations: Durations) -> tuple[str, ...]:
    notes = [f"Solo terminados: n = {written(durations.n)}."]
    if durations.still_open:
        still_open = written(len(durations.still_open))
        notes.append(f"{still_open} casos siguen abiertos sin llegar a la etapa.")
    if durations.skipped:
        left_out = written(durations.skipped)
        notes.append(f"{left_out} casos quedan fuera: cerrados sin la etapa u orden imposible.")
    if durations.n < limits.PERCENTILE_90_MIN:
        notes.append(f"P90 no se muestra con n < {limits.PERCENTILE_90_MIN}.")
    return tuple(notes)


def _time_figure(session: Session, clock: str, period: Period, filters: Filters) -> Figure:
    groups = gather(session, period, filters)
    whole = of_clock(groups, clock)
    rows = [
        _row(code, name, of_clock(groups, clock, severity=code), f"{code}:")
        for code, name in SEVERITIES.items()
    ]
    rows.append(_row("all", "Todas", whole, "*:"))
    table = Table("Severidad", COLUMNS, tuple(rows), whole.n)
    median, n = earlier_medians(session, period, filters)[clock]
    return Figure(
        percentile(whole.gross(), 50),
        whole.n,
        part="*:ended",
        previous=median,
        previous_n=n,
        table=table,
        notes=_notes(whole),
    )


def _formula(clock: str) -> str:
    stage, start, _ = CLOCKS[clock]
    return FORMULA.format(stage=stage, start=start, least=limits.PERCENTILE_90_MIN)


@metric(
    id="time_to_acknowledge",
    title="Tiempo hasta la primera respuesta",
    unit="seconds",
    definition="Mediana del tiempo desde la recepción hasta la primera respuesta de una persona "
    "del centro. " + DEFINITION,
    formula=_formula("acknowledged"),
    excludes=CASES_LEFT_OUT,
    subject="incident",
    cases=cases_by("acknowledged", "severity"),
)
def time_to_acknowledge(session: Session, period: Period, filters: Filters) -> Figure:
    """Median time to the first human response, by severity below."""
    return _time_figure(session, "acknowledged", period, filters)


@metric(
    id="time_to_contain",
    title="Tiempo hasta contener",
    unit="seconds",
    definition="Mediana del tiempo desde la recepción hasta la contención. " + DEFINITION,
    formula=_formula("contained"),
    excludes=CASES_LEFT_OUT,
    subject="incident",
    cases=cases_by("contained", "severity"),
)
def time_to_contain(session: Session, period: Period, filters: Filters) -> Figure:
    """Median time to containment, by severity below."""
    return _time_figure(session, "contained", period, filters)


@metric(
    id="time_to_resolve",
    title="Tiempo hasta resolver",
    unit="seconds",
    definition="Mediana del tiempo desde la recepción hasta la resolución. " + DEFINITION,
    formula=_formula("resolved"),
    excludes=CASES_LEFT_OUT,
    subject="incident",
    cases=cases_by("resolved", "severity"),
)
def time_to_resolve(session: Session, period: Period, filters: Filters) -> Figure:
    """Median time to resolution, by severity below."""
    return _time_figure(session, "resolved", period, filters)


@metric(
    id="times",
    title="Tiempos de atención",
    unit="seconds",
    definition=DEFINITION,
    formula=FORMULA.format(stage="etapa", start="inicio", least=limits.PERCENTILE_90_MIN),
    excludes=CASES_LEFT_OUT,
    subject="incident",
    cases=all_clock_cases,
)
def times(session: Session, period: Period, filters: Filters) -> Table:
    """One row per clock: acknowledge, contain (two starts), resolve."""
    groups = gather(session, period, filters)
    rows, notes, n = [], [], 0
    for clock, (_, _, label) in CLOCKS.items():
        whole = of_clock(groups, clock)
        rows.append(_row(clock, label, whole, f"{clock}:"))
        n = max(n, whole.n + len(whole.still_open) + whole.skipped)
        if whole.skipped:
            left_out = written(whole.skipped)
            notes.append(f"{label}: {left_out} casos fuera (sin la etapa u orden imposible).")
    return Table("Tiempo", COLUMNS, tuple(rows), n, ("Percentiles: solo terminados.", *notes))


def _monthly(session: Session, clock: str, period: Period, filters: Filters) -> Table:
    groups = gather(session, period, filters)
    rows = tuple(
        _row(month.key, month.label, of_clock(groups, clock, month=month.key), f"{month.key}:")
        for month in period.months()
    )
    whole = of_clock(groups, clock)
    return Table("Mes de recepción", COLUMNS, rows, whole.n, _notes(whole))


@metric(
    id="acknowledge_by_month",
    title="Primera respuesta por mes",
    unit="seconds",
    definition="Tiempo hasta la primera respuesta, por mes de recepción. " + DEFINITION,
    formula=_formula("acknowledged"),
    excludes=CASES_LEFT_OUT,
    subject="incident",
    cases=cases_by("acknowledged", "month"),
)
def acknowledge_by_month(session: Session, period: Period, filters: Filters) -> Table:
    """Percentiles of the first response by month of receipt."""
    return _monthly(session, "acknowledged", period, filters)


@metric(
    id="resolve_by_month",
    title="Resolución por mes",
    unit="seconds",
    definition="Tiempo hasta resolver, por mes de recepción. " + DEFINITION,
    formula=_formula("resolved"),
    excludes=CASES_LEFT_OUT,
    subject="incident",
    cases=cases_by("resolved", "month"),
)
def resolve_by_month(session: Session, period: Period, filters: Filters) -> Table:
    """Percentiles of the resolution by month of receipt."""
    return _monthly(session, "resolved", period, filters)
