"""What the page of one rule shows: the rule or its last version, examples, alerts, history."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from difflib import unified_diff
from pathlib import Path
from typing import Any

from sqlalchemy import func, literal, type_coerce
from sqlalchemy.orm import Session, joinedload

from cgii.backtest import company_of
from cgii.base import limits
from cgii.base.clock import LA_PAZ, MONTHS, local
from cgii.base.errors import NotFound
from cgii.centre import Centre
from cgii.detect.detector import Detector
from cgii.detect.editing import ACTIVE, RELEASED, RETIRED, newest_version
from cgii.detect.lint import is_always_evaluated
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet, read_placeholders
from cgii.detect.trial import examples_path, try_examples
from cgii.detect.written import Written, read_written
from cgii.measure.percentiles import seconds_between
from cgii.model.alerts import AlertGroup, AlertRow, CorrelationLoss
from cgii.model.detection import RuleTuning, SiteRule
from cgii.model.people import User
from cgii.web.hunting import condition
from cgii.web.language import gettext
from cgii.web.pasted import Reader
from cgii.web.rule_catalogue import (
    HERE,
    Rule,
    catalogue_of,
    facts_of,
    place_of,
    technique_name,
)
from cgii.web.rule_lists import DAYS, Findings, Held, RuleLine, findings_by_rule, held_by_rule
from cgii.web.rule_meaning import meaning_of
from cgii.web.rule_trial import Tried, try_given
from cgii.web.visible import visible
from cgii.web.yaml_marks import coloured

GROUPS_SHOWN = 12
CHART_DAYS = 90
DIFF_LINES_SHOWN = 400


@dataclass(frozen=True)
class Example:
    """A record that stands with the rule: whether it must match, and whether it does so."""

    must_match: bool
    why: str
    text: str
    problem: str  # empty: it does what it must


@dataclass(frozen=True)
class Change:
    """A version with what it changed, as lines that begin with +, - or a space."""

    version: SiteRule
    lines: tuple[str, ...]
    is_newest: bool


def rule_of(session: Session, centre: Centre, rule_id: str) -> Rule:
    """The rule as its last version here wrote it, else as it is in force. Raises NotFound."""
    rule = centre.content.rules.by_id.get(rule_id)
    newest = newest_version(session, rule_id)
    if rule is None and newest is not None and newest.state == RELEASED:
        centre.reload_rules()  # its file holds again, but nobody has looked since
        rule = centre.content.rules.by_id.get(rule_id)
    if newest is not None and newest.state != RELEASED and not _is_same(rule, newest):
        rule = read_here(centre, newest.text, rule_id).rule or rule
    if rule is None:
        raise NotFound("No existe esa regla, o ya no está en vigor.")
    return rule


def _is_same(rule: Rule | None, version: SiteRule) -> bool:
    return rule is not None and rule.text.strip() == version.text.strip()


def read_here(centre: Centre, text: str, own_id: str) -> Written:
    """A text read beside the rules in force."""
    known = read_placeholders(centre.settings.site)
    return read_written(text, centre.content.rules, placeholders=known, own_id=own_id)


def around_rule(
    session: Session, user: User, centre: Centre, rule: Rule
) -> dict[str, Any]:  # what the template names
    """Everything that the page shows beside the trial."""
    now, rules = centre.clock(), centre.content.rules
    catalogue = catalogue_of(rules, centre.settings.site)
    changes = _changes(session, user, rule.id)
    newest = changes[0].version if changes else None
    found = findings_by_rule(session, user, now=now, rule_id=rule.id)
    held = held_by_rule(session, user, now=now).get(rule.id, Held())
    facts = catalogue.facts.get(rule.id) or facts_of(rule, centre.settings.site)
    is_here = newest is not None and newest.state != RELEASED
    is_waiting = (
        newest is not None
        and newest.state == ACTIVE
        and not _is_same(rules.by_id.get(rule.id), newest)
    )
    line = RuleLine(facts, HERE if is_here else facts.origin, found.get(rule.id, Findings()), held)
    counted = rule.rule_ids if isinstance(rule, CorrelationRule) else ()
    return {
        "rule": rule,
        "line": line,
        "findings": line.findings,
        "in_force": rule.id in rules.by_id and not is_waiting,
        "retired": newest is not None and newest.state == RETIRED,
        "newest": newest,
        "changes": changes,
        "tunings": tunings_of(session, user, rule.id),
        "meaning": meaning_of(rule) if isinstance(rule, SingleRule) else None,
        "lines": coloured(rule.text),
        "groups": _groups(session, user, rule.id),
        "chart": alerts_by_day(session, user, rule.id, now=now),
        "chart_days": CHART_DAYS,
        "examples": _examples(centre, rule, newest),
        "counted": [rules.by_id[one] for one in counted if one in rules.by_id],
        "counted_by": catalogue.counted_by.get(rule.id, ()),
        "is_silent": rule.id in catalogue.silent,
        "losses": session.scalar(
            visible(user, CorrelationLoss).where(CorrelationLoss.rule_id == rule.id)
        ),
        "hunt": hunt_of(rule),
        "place": "" if is_here else place_of(rule.path),
        "sources": [(one.name, one.title) for one in centre.definitions.by_name.values()],
        "days": DAYS,
        "cost": _cost(rule),
        "technique_name": technique_name,
    }


def _cost(rule: Rule) -> str:
    """Whether an index can spare the rule's evaluation, in words; "" for a correlation."""
    if not isinstance(rule, SingleRule):
        return ""
    if is_always_evaluated(rule.node):
        return gettext("Alto: nada de lo que pide es raro; se evalúa en casi todos sus registros.")
    return gettext("Bajo: algo de lo que pide es raro y la señala; las demás veces no se evalúa.")


def hunt_of(rule: Rule) -> str:
    """The search for records of the kind that a rule is about; empty when it does not say."""
    if not isinstance(rule, SingleRule):
        return ""
    parts = {
        "logsource.product": rule.logsource.product,
        "logsource.category": rule.logsource.category,
        "logsource.service": rule.logsource.service,
    }
    return " AND ".join(condition(name, value) for name, value in parts.items() if value)


def _groups(session: Session, user: User, rule_id: str) -> Sequence[AlertGroup]:
    query = (
        visible(user, AlertGroup)
        .where(AlertGroup.rule_id == rule_id)
        .options(joinedload(AlertGroup.entity))
        .order_by(AlertGroup.last_at.desc())
        .limit(GROUPS_SHOWN)
    )
    return session.scalars(query).all()


def tunings_of(session: Session, user: User, rule_id: str) -> Sequence[RuleTuning]:
    """How the rule is and was held back; what holds first."""
    query = (
        visible(user, RuleTuning)
        .where(RuleTuning.rule_id == rule_id)
        .options(joinedload(RuleTuning.owner), joinedload(RuleTuning.ended_by))
        .order_by(RuleTuning.ended_at.is_not(None), RuleTuning.id.desc())
        .limit(limits.PAGE_ROWS)
    )
    return session.scalars(query).all()


def alerts_by_day(
    session: Session, user: User, rule_id: str, *, now: datetime
) -> dict[str, Any]:  # data of a chart
    """The rule's alerts per day in La Paz over the last CHART_DAYS days."""
    today = local(now).date()
    first = today - timedelta(days=CHART_DAYS - 1)
    begin = datetime(first.year, first.month, first.day, tzinfo=LA_PAZ)
    day = (
        seconds_between(
            literal(begin, AlertRow.at.type), type_coerce(AlertRow.at, AlertRow.at.type)
        )
        // 86_400
    )
    query = (
        visible(user, AlertRow)
        .join(AlertGroup, AlertGroup.id == AlertRow.group_id)
        .where(AlertGroup.rule_id == rule_id, AlertRow.at >= begin)
        .with_only_columns(day, func.count())
        .group_by(day)
    )
    counts = {int(number): count for number, count in session.execute(query)}
    if not counts:
        return {"categories": []}
    days = [first + timedelta(days=number) for number in range(CHART_DAYS)]
    values = [counts.get(number, 0) for number in range(CHART_DAYS)]
    return {
        "kind": "column",
        "unit": "count",
        "categories": [f"{one.day} {MONTHS[one.month - 1]}" for one in days],
        "series": [{"name": gettext("Alertas"), "color": "--chart-main", "values": values}],
    }


def _changes(session: Session, user: User, rule_id: str) -> list[Change]:
    query = (
        visible(user, SiteRule)
        .where(SiteRule.rule_id == rule_id)
        .options(joinedload(SiteRule.author))
        .order_by(SiteRule.number.desc())
        .limit(limits.RULE_VERSIONS_SHOWN)
    )
    rows = session.scalars(query).all()
    befores = [row.text for row in rows[1:]] + [rows[-1].over if rows else ""]
    return [
        Change(row, difference(before, row.text), is_newest=place == 0)
        for place, (row, before) in enumerate(zip(rows, befores, strict=False))
    ]


def difference(before: str, after: str) -> tuple[str, ...]:
    """What changed between two texts, with two lines around it."""
    found = unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=2)
    lines = [line for line in found if not line.startswith(("---", "+++"))]
    return tuple("⋯" if line.startswith("@@") else line for line in lines[:DIFF_LINES_SHOWN])


# --- examples ---------------------------------------------------------------------------------
def _examples(centre: Centre, rule: Rule, newest: SiteRule | None) -> list[Example]:
    """The examples of the rule, each run now: the version's own, else those beside its file."""
    if newest is not None and newest.state != RELEASED:
        tried = try_given(centre, read_here(centre, newest.text, rule.id), newest.examples)
        return [Example(one.must_match, "", one.text, _problem(one)) for one in tried]
    path = examples_path(Path(rule.path))
    if not path.is_file() or path.stat().st_size > limits.RULE_FILE_BYTES_MAX:
        return []
    rules = [one for one in centre.content.rules.all if one.path == rule.path]
    # A detector of these alone is made at once; the centre's own would plan all rules for them.
    detector = Detector(_together(centre.content.rules, [one.id for one in rules]))
    reader = Reader(centre.definitions, centre.clock())
    problems = {
        error.line: error.reason
        for error in try_examples(path, rules, detector, reader)
        if error.line
    }
    found = []
    for number, text in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            example = json.loads(text) if text.strip() else None
        except json.JSONDecodeError:
            continue
        if not isinstance(example, dict) or example.get("rule", rule.id) not in _names(rule):
            continue
        why = str(example.get("why", ""))
        shown = _shown(example)
        found.append(Example(bool(example.get("match")), why, shown, problems.get(number, "")))
    return found


def _together(rules: RuleSet, ids: Sequence[str]) -> RuleSet:
    sets = [company_of(rules, one) for one in ids]
    single = {one.id: one for kept in sets for one in kept.single}
    correlations = {one.id: one for kept in sets for one in kept.correlations}
    return replace(rules, single=(*single.values(),), correlations=(*correlations.values(),))


def _problem(tried: Tried) -> str:
    if tried.problem or tried.holds:
        return tried.problem
    told = gettext("No coincide y debía."), gettext("Coincide y no debía.")
    return told[0] if tried.must_match else told[1]


def _names(rule: Rule) -> tuple[str, ...]:
    return (rule.id, rule.name) if rule.name else (rule.id,)


def _shown(example: dict[str, Any]) -> str:
    """The example's records as text: lines as they are, anything else as JSON."""
    for key in ("raw", "raws", "event", "events"):
        if key in example:
            records = example[key] if isinstance(example[key], list) else [example[key]]
            return "\n".join(
                one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
                for one in records
            )
    return ""
