"""Reads a rule as somebody types it, in the company of the rules in force: what is wrong, where."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cgii.base.errors import ContentError
from cgii.detect.detector import Detector, Window, WindowKey
from cgii.detect.rule_files import Document, parse_documents
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet, compile_rules
from cgii.model.event import Alert, Event

Rule = SingleRule | CorrelationRule
PATH = "aquí"  # what errors name in the place of a file
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


@dataclass(frozen=True)
class Written:
    """A text and what it comes to; `rules` are it and those that it counts, ready to be tried."""

    text: str
    rule: Rule | None = None
    rules: RuleSet = field(default_factory=RuleSet)
    problems: tuple[ContentError, ...] = ()


def read_written(
    text: str,
    rules: RuleSet,
    *,
    placeholders: Mapping[str, Sequence[str]] | None = None,
    own_id: str = "",
) -> Written:
    """The rule in a text. `own_id` is the rule that is being changed; empty for a new one."""
    documents = parse_documents(text, PATH)
    wrong = tuple(one for one in documents if isinstance(one, ContentError))
    if wrong:
        return Written(text, problems=wrong)
    found = [one for one in documents if isinstance(one, Document)]
    if len(found) != 1:
        reason = "escriba la regla" if not found else "escriba una sola regla por texto"
        return _refused(text, reason, found[1].line if len(found) > 1 else 1)
    [document] = found
    if "filter" in document.data:
        return _refused(text, "esto es un filtro: use «Excluir» en la regla", document.line)
    problem = _identity(document, rules, own_id)
    if problem is not None:
        return Written(text, problems=(problem,))
    rule_id = str(document.data["id"])
    company = [one for one in _company(document, rules) if one.id != rule_id]
    kept = [*company, *(one for one in rules.filters)]
    around = [d for one in kept for d in parse_documents(one.text, one.path)]
    compiled = compile_rules(
        [*around, document], logsources=rules.logsources, placeholders=placeholders
    )
    mine = tuple(one for one in compiled.rejected if one.path == PATH)
    rule = compiled.by_id.get(rule_id)
    if rule is None and not mine:
        mine = (ContentError(PATH, "no es una regla Sigma", document.line),)
    return Written(text, rule if not mine else None, compiled, mine)


def _refused(text: str, reason: str, line: int) -> Written:
    return Written(text, problems=(ContentError(PATH, reason, line),))


def _identity(document: Document, rules: RuleSet, own_id: str) -> ContentError | None:
    """What is wrong with the id: it is how versions of a rule are known to be the same rule."""
    rule_id = document.data.get("id")
    line = document.data.lines.get("id", document.line)
    if rule_id is None:
        return ContentError(PATH, "falta el identificador (id)", line)
    if not ID.fullmatch(str(rule_id)):
        reason = "el id solo lleva letras, cifras, puntos y guiones, hasta 80"
        return ContentError(PATH, reason, line)
    if own_id and rule_id != own_id:
        return ContentError(PATH, f"el id de esta regla es {own_id} y no se cambia", line)
    if not own_id and rule_id in rules.by_id:
        return ContentError(PATH, f"el id {rule_id} ya es de otra regla: cámbiela a ella", line)
    return None


def _company(document: Document, rules: RuleSet) -> list[Rule]:
    """The rules that a correlation counts, and those that these count."""
    body = document.data.get("correlation")
    if not isinstance(body, dict):
        return []
    named = {one.name: one for one in rules.all if one.name} | dict(rules.by_id)
    waiting = [str(one) for one in _listed(body.get("rules"))]
    found: dict[str, Rule] = {}
    while waiting:
        rule = named.get(waiting.pop())
        if rule is None or rule.id in found:
            continue
        found[rule.id] = rule
        if isinstance(rule, CorrelationRule):
            waiting.extend(rule.rule_ids)
    return list(found.values())


def _listed(value: Any) -> Iterable[Any]:  # any YAML value
    return value if isinstance(value, list) else [value]


def alerts_of(
    rule: CorrelationRule, detector: Detector, events: Sequence[Event], *, until: datetime | None
) -> list[Alert]:
    """What a correlation says about these events, in their order, if nothing comes until then.

    Without `until` its own time is let pass after the last event, save for a silence, which would
    then always be one.
    """
    windows: dict[WindowKey, Window] = {}
    found = list(detector.run(events, windows).alerts)
    if until is None and events and rule.terms.kind != "silence":
        seconds = rule.terms.timespan_seconds + max(0, rule.lag_seconds) + 1
        until = max(event.at for event in events) + timedelta(seconds=seconds)
    if until is not None:
        found += detector.finish(windows, until).alerts
    # An alert is told again with new figures while it grows: the last word counts.
    return list({one.id: one for one in found if one.rule_id == rule.id}.values())


def left_behind(rule: Rule | None, old: Rule | None, rules: RuleSet) -> list[CorrelationRule]:
    """The correlations that could no longer count a rule: it is gone, or has another name."""
    if old is None:
        return []
    kept = {rule.id, rule.name} if rule is not None else set()
    return [
        one
        for one in rules.correlations
        if old.id in one.rule_ids
        and one.id != old.id
        and not any(name in kept for name in one.rule_names if name in (old.id, old.name))
    ]
