"""Lists of rules: what each found lately, how it is held back here, columns and filters."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, case, func
from sqlalchemy.orm import Session

from cgii.base.labels import label, labels
from cgii.model.alerts import AlertGroup
from cgii.model.detection import RuleTuning, SiteRule
from cgii.model.people import User
from cgii.web.language import gettext
from cgii.web.rule_catalogue import HERE, LEVELS, Catalogue, Rule, RuleFacts, technique_name
from cgii.web.tables import Column, Filter, Listing
from cgii.web.visible import visible

DAYS = 30  # that counts and precision look back
GRADES = {level: place for place, level in enumerate(LEVELS)}
TEXT_CHARS = 60  # of a kind of log in a menu


@dataclass(frozen=True)
class Findings:
    """What a rule found in the last DAYS days, and what people decided about it."""

    groups: int = 0
    alerts: int = 0
    confirmed: int = 0
    false: int = 0
    benign: int = 0

    @property
    def decided(self) -> int:
        """Groups with a verdict."""
        return self.confirmed + self.false + self.benign

    @property
    def precision(self) -> float | None:
        """Confirmed attacks among the decided; None while nobody decided."""
        return self.confirmed / self.decided if self.decided else None


@dataclass(frozen=True)
class Held:
    """How a rule is held back here: what is in force, what watches, what the first has hidden."""

    in_force: int = 0
    watching: int = 0
    hidden: int = 0
    is_off: bool = False


@dataclass(frozen=True)
class RuleLine:
    """A rule as a row."""

    facts: RuleFacts
    origin: str
    findings: Findings
    held: Held

    @property
    def rule(self) -> Rule:
        """The rule itself."""
        return self.facts.rule

    @property
    def id(self) -> str:
        """The rule's id."""
        return self.facts.rule.id


def findings_by_rule(
    session: Session, user: User, *, now: datetime, rule_id: str = ""
) -> dict[str, Findings]:
    """What every rule, or the one, found lately, in one query."""

    def with_verdict(code: str) -> ColumnElement[int]:
        return func.sum(case((AlertGroup.verdict == code, 1), else_=0))

    query = visible(user, AlertGroup).where(AlertGroup.created_at >= now - timedelta(days=DAYS))
    if rule_id:
        query = query.where(AlertGroup.rule_id == rule_id)
    counted = query.with_only_columns(
        AlertGroup.rule_id,
        func.count(),
        func.sum(AlertGroup.alert_count),
        with_verdict("true_positive"),
        with_verdict("false_positive"),
        with_verdict("benign"),
    ).group_by(AlertGroup.rule_id)
    return {row[0]: Findings(*map(int, row[1:])) for row in session.execute(counted)}


def held_by_rule(session: Session, user: User, *, now: datetime) -> dict[str, Held]:
    """How each rule is held back at this moment."""
    rows = session.execute(
        visible(user, RuleTuning)
        .where(RuleTuning.ended_at.is_(None))
        .with_only_columns(
            RuleTuning.rule_id,
            RuleTuning.kind,
            RuleTuning.is_watching,
            RuleTuning.until,
            RuleTuning.hidden_count,
        )
    )
    found: dict[str, Held] = {}
    for rule_id, kind, is_watching, until, hidden in rows:
        if until is not None and until <= now:
            continue
        old = found.get(rule_id, Held())
        found[rule_id] = Held(
            old.in_force + (not is_watching),
            old.watching + bool(is_watching),
            old.hidden + (0 if is_watching else hidden),
            old.is_off or (kind == "off" and not is_watching),
        )
    return found


def written_here(session: Session, user: User) -> frozenset[str]:
    """The ids of rules that have a version written in the browser."""
    query = visible(user, SiteRule).with_only_columns(SiteRule.rule_id).distinct()
    return frozenset(session.scalars(query))


def rule_lines(
    session: Session, user: User, catalogue: Catalogue, *, now: datetime
) -> list[RuleLine]:
    """All rules in force; those that found most first, then the gravest."""
    found = findings_by_rule(session, user, now=now)
    held = held_by_rule(session, user, now=now)
    own = written_here(session, user)
    lines = [
        RuleLine(
            facts,
            HERE if rule_id in own else facts.origin,
            found.get(rule_id, Findings()),
            held.get(rule_id, Held()),
        )
        for rule_id, facts in catalogue.facts.items()
    ]
    lines.sort(key=lambda line: (-line.findings.groups, GRADES[line.rule.level]))
    return lines


def rule_listing(lines: Sequence[RuleLine], *, is_noisy: bool, technique: str) -> Listing:
    """Columns and filters; `technique` is one that the URL names beside those of the menu."""
    columns = _noisy_columns() if is_noisy else _columns()
    return Listing(
        columns=columns,
        filters=_filters(lines, technique),
        default_sort="-alerts" if is_noisy else "",
        text=lambda line: line.facts.text,
        search_label="Título, etiqueta, fuente o técnica",
    )


def _columns() -> tuple[Column, ...]:
    return (
        Column("title", "Regla", order=lambda line: line.rule.title.casefold(),
               value=lambda line: line.rule.title),
        Column("id", "Id", is_extra=True, value=lambda line: line.id),
        Column("level", "Nivel", order=lambda line: -GRADES[line.rule.level],
               value=lambda line: label("detection.levels", line.rule.level)),
        Column("kind", "Tipo", order=lambda line: line.facts.kind,
               value=lambda line: label("detection.rule_kinds", line.facts.kind)),
        Column("source", "Fuente", order=lambda line: line.facts.source,
               value=lambda line: line.facts.source),
        Column("tactics", "Tácticas", is_extra=True, value=lambda line: _tactic_words(line)),
        Column("techniques", "Técnicas", order=lambda line: line.facts.techniques,
               value=lambda line: ", ".join(line.facts.techniques)),
        Column("origin", "Origen", order=lambda line: line.origin,
               value=lambda line: label("detection.origins", line.origin)),
        Column("status", "Estado", is_extra=True, order=lambda line: line.rule.status,
               value=lambda line: label("detection.statuses", line.rule.status)),
        Column("groups", "Grupos, 30 d", is_number=True, order=lambda line: line.findings.groups,
               value=lambda line: line.findings.groups),
        Column("alerts", "Alertas, 30 d", is_number=True, is_extra=True,
               order=lambda line: line.findings.alerts, value=lambda line: line.findings.alerts),
        Column("precision", "Precisión", is_number=True, order=_precision_order,
               value=_precision_percent),
        Column("decided", "Con veredicto", is_number=True, is_extra=True,
               order=lambda line: line.findings.decided,
               value=lambda line: line.findings.decided),
    )  # fmt: skip


def _noisy_columns() -> tuple[Column, ...]:
    kept = {column.key: column for column in _columns()}
    return (
        kept["title"],
        kept["level"],
        Column("alerts", "Alertas, 30 d", is_number=True,
               order=lambda line: line.findings.alerts, value=lambda line: line.findings.alerts),
        kept["groups"],
        kept["precision"],
        Column("confirmed", "Ataques", is_number=True, order=lambda line: line.findings.confirmed,
               value=lambda line: line.findings.confirmed),
        Column("false", "Falsos", is_number=True, order=lambda line: line.findings.false,
               value=lambda line: line.findings.false),
        Column("benign", "Benignos", is_number=True, order=lambda line: line.findings.benign,
               value=lambda line: line.findings.benign),
        Column("held", "Ajustes", is_number=True, order=lambda line: line.held.in_force,
               value=lambda line: line.held.in_force),
        Column("hidden", "Ocultas", is_number=True, order=lambda line: line.held.hidden,
               value=lambda line: line.held.hidden),
        Column("source", "Fuente", is_extra=True, order=lambda line: line.facts.source,
               value=lambda line: line.facts.source),
    )  # fmt: skip


def _precision_order(line: RuleLine) -> tuple[float, int]:
    precision = line.findings.precision
    return (-1.0 if precision is None else precision, line.findings.decided)


def _precision_percent(line: RuleLine) -> float | None:
    precision = line.findings.precision
    return None if precision is None else round(100 * precision, 1)


def _tactic_words(line: RuleLine) -> str:
    return ", ".join(label("detection.tactics", one) for one in line.facts.tactics)


Codes = Callable[[RuleLine], Iterable[str]]


def _filters(lines: Sequence[RuleLine], technique: str) -> tuple[Filter, ...]:
    def filter_on(key: str, words: str, codes: Codes, table: Mapping[str, str]) -> Filter:
        counts = Counter(code for line in lines for code in codes(line))

        def keep(line: RuleLine, chosen: list[str]) -> bool:
            return any(code in chosen for code in codes(line))

        return Filter(key, words, lambda: table, keep=keep, counts=counts)

    def techniques(line: RuleLine) -> Iterable[str]:
        return {*line.facts.parents, *line.facts.techniques}

    sources = sorted({line.facts.source for line in lines if line.facts.source})
    used = {code for line in lines for code in line.facts.parents} | {technique.upper()}
    named = {code: f"{code} {technique_name(code)}".strip() for code in sorted(used) if code}
    return (
        filter_on("nivel", "Nivel", lambda line: (line.rule.level,),
                  {level: labels("detection.levels")[level] for level in LEVELS}),
        filter_on("tipo", "Tipo", lambda line: (line.facts.kind,), labels("detection.rule_kinds")),
        filter_on("origen", "Origen", lambda line: (line.origin,), labels("detection.origins")),
        filter_on("tactica", "Táctica", lambda line: line.facts.tactics,
                  labels("detection.tactics")),
        filter_on("tecnica", "Técnica", techniques, named),
        filter_on("fuente", "Fuente", lambda line: (line.facts.source,),
                  {source: source[:TEXT_CHARS] for source in sources}),
    )  # fmt: skip


@dataclass(frozen=True)
class Technique:
    """A technique of the matrix: how many rules look for it, what they found lately."""

    code: str
    name: str
    rules: int
    alerts: int
    step: int  # 0 to 4: how much colour it gets, by its rules


@dataclass(frozen=True)
class Tactic:
    """A column of the matrix."""

    code: str
    name: str
    rules: int
    alerts: int
    techniques: tuple[Technique, ...]


def matrix_of(lines: Sequence[RuleLine]) -> list[Tactic]:
    """Tactics in the order of an attack, with the techniques of the rules tagged with both."""
    rules: dict[str, Counter[str]] = {}
    alerts: dict[str, Counter[str]] = {}
    for line in lines:
        for tactic in line.facts.tactics:
            of_tactic = ("", *line.facts.parents)
            rules.setdefault(tactic, Counter()).update(of_tactic)
            found = dict.fromkeys(of_tactic, line.findings.alerts)
            alerts.setdefault(tactic, Counter()).update(found)
    return [
        Tactic(
            code,
            gettext(name),
            rules[code][""],
            alerts[code][""],
            tuple(
                Technique(one, technique_name(one), count, alerts[code][one], _step(count))
                for one, count in sorted(rules[code].items(), key=lambda pair: (-pair[1], pair[0]))
                if one
            ),
        )
        for code, name in labels("detection.tactics").items()
        if code in rules
    ]


def _step(count: int) -> int:
    return sum(count >= bound for bound in (2, 5, 15, 50))
