"""Tries a rule that is being written: on records given with it, and on stored events."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.centre import Centre
from cgii.collect.produced import fields_of as fields_in
from cgii.collect.produced import produced_by
from cgii.detect.detector import Detector
from cgii.detect.explain import Explanation, explain
from cgii.detect.lint import Hint, SourceFields, lint
from cgii.detect.rules import SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.detect.trial import examples_path
from cgii.detect.written import Rule, Written, alerts_of
from cgii.model.event import Alert, Event, LogSource
from cgii.store.event_shapes import EventQuery
from cgii.web.hunting import condition
from cgii.web.language import gettext
from cgii.web.pasted import AUTO, PasteForm, try_record

HITS_SHOWN = 20


@dataclass(frozen=True)
class Tried:
    """One given record, or the series of a correlation: what was wanted and what came of it."""

    must_match: bool
    text: str
    matched: bool = False
    problem: str = ""  # it could not be read
    explanation: Explanation | None = None

    @property
    def holds(self) -> bool:
        """Whether it does what it must."""
        return not self.problem and self.matched == self.must_match


@dataclass(frozen=True)
class Hit:
    """A stored event that the rule matches, and why."""

    event: Event
    explanation: Explanation | None


@dataclass(frozen=True)
class Trial:
    """What the rule says about the newest stored events of its kind of log."""

    looked_at: int = 0
    matched: int = 0
    hits: tuple[Hit, ...] = ()
    alerts: tuple[Alert, ...] = field(default=())  # of a correlation
    problem: str = ""


def records_of(text: str) -> list[str]:
    """The records in a field: each line is one; a whole JSON object or list is taken as such."""
    stripped = text.strip()
    if stripped[:1] in ("{", "["):
        try:
            data = json.loads(stripped)
        except ValueError:
            data = None
        if isinstance(data, dict):
            return [json.dumps(data, ensure_ascii=False)]
        if isinstance(data, list):
            return [json.dumps(one, ensure_ascii=False) for one in data]
    return [line for line in text.splitlines() if line.strip()]


def examples_of(
    matching: str, not_matching: str, source: str, *, as_series: bool
) -> list[dict[str, Any]]:  # as they are kept
    """The examples of two fields; a correlation takes each field as one series of records."""
    found: list[dict[str, Any]] = []
    for must_match, text in ((True, matching), (False, not_matching)):
        raws = records_of(text)[: limits.RULE_EXAMPLES_MAX]
        if raws:
            series = [raws] if as_series else [[raw] for raw in raws]
            found += [{"match": must_match, "source": source, "raws": one} for one in series]
    return found


def fields_of(examples: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Kept examples as the editor's fields have them."""

    def text(must_match: bool) -> str:
        kept = (one for one in examples if bool(one.get("match")) is must_match)
        return "\n".join(str(raw) for one in kept for raw in one.get("raws", ()))

    source = next((str(one["source"]) for one in examples if one.get("source")), AUTO)
    return {"matching": text(True), "not_matching": text(False), "source": source}


def examples_beside(rule: Rule) -> list[dict[str, Any]]:  # as they are kept
    """The examples beside a rule's file, as far as the editor's fields can hold them.

    The fields take records as a system writes them, one in a line, all of one source; of a
    correlation they take one series each.
    """
    path = examples_path(Path(rule.path))
    if not path.is_file() or path.stat().st_size > limits.RULE_FILE_BYTES_MAX:
        return []
    found: list[dict[str, Any]] = []
    for example in map(_example, path.read_text(encoding="utf-8").splitlines()):
        raws = example.get("raws") or [example.get("raw")]
        one = {"match": bool(example.get("match")), "source": example.get("source"), "raws": raws}
        fits = all(isinstance(raw, str) and raw and "\n" not in raw for raw in raws)
        is_other = example.get("rule", rule.name) not in (rule.id, rule.name)
        if not fits or is_other or (found and one["source"] != found[0]["source"]):
            continue
        if isinstance(rule, SingleRule) or one["match"] not in [kept["match"] for kept in found]:
            found.append(one)
    return found


def _example(line: str) -> dict[str, Any]:  # as its file has it
    try:
        example = json.loads(line)
    except json.JSONDecodeError:
        return {}
    return example if isinstance(example, dict) else {}


def try_given(
    centre: Centre, written: Written, examples: Sequence[Mapping[str, Any]]
) -> list[Tried]:
    """Each given record, or series, with the rule's answer."""
    rule = written.rule
    if rule is None:
        return []
    detector = Detector(written.rules)
    found = []
    for example in examples:
        raws = [str(raw)[: limits.TEXT_CHARS_MAX] for raw in example["raws"]]
        must_match, shown = bool(example["match"]), "\n".join(raws)
        forms = [PasteForm(raw, str(example["source"])) for raw in raws]
        outcomes = [try_record(form, centre.definitions, now=centre.clock()) for form in forms]
        events = [outcome.event for outcome in outcomes if outcome.event is not None]
        if len(events) < len(raws):
            problem = gettext("Ninguna fuente puede leer el registro.")
            found.append(Tried(must_match, shown, problem=problem))
        elif isinstance(rule, SingleRule):
            told = explain(rule, events[0], written.rules.logsources)
            found.append(Tried(must_match, shown, told.matched, explanation=told))
        else:
            alerts = alerts_of(rule, detector, _numbered(events), until=None)
            found.append(Tried(must_match, shown, bool(alerts)))
    return found


def _numbered(events: Sequence[Event]) -> list[Event]:
    """The same events as records of their own: pasted apart, they all have the same id."""
    for number, event in enumerate(events):
        event.id = f"{number:032x}"
    return list(events)


def try_stored(centre: Centre, written: Written) -> Trial:
    """The rule on the newest stored events of its kind of log."""
    rule = written.rule
    if rule is None:
        return Trial()
    text = stored_query(written.rules)
    query = EventQuery(text=text, size=limits.RULE_TRIAL_EVENTS_MAX)
    try:
        events = list(centre.events.search(query).events)
    except Unavailable as error:
        return Trial(problem=str(error))
    events.reverse()  # the oldest first, as they happened
    detector = Detector(written.rules)
    if isinstance(rule, SingleRule):
        matched = [one.event for one in detector.match(events) if one.rule.id == rule.id]
        newest = matched[: -HITS_SHOWN - 1 : -1]
        table = written.rules.logsources
        hits = tuple(Hit(event, explain(rule, event, table)) for event in newest)
        return Trial(len(events), len(matched), hits)
    alerts = alerts_of(rule, detector, events, until=centre.clock())
    return Trial(len(events), len(alerts), alerts=tuple(alerts[-HITS_SHOWN:]))


def hints_of(centre: Centre, written: Written) -> list[Hint]:
    """What works in a text but was probably not meant, or costs more than it needs to."""
    if written.rule is None:
        return []
    definitions = centre.definitions
    sources = [
        SourceFields(one.name, produced_by(one), fields_in(one, definitions))
        for one in definitions.by_name.values()
    ]
    mine = replace(
        written.rules,
        single=tuple(one for one in written.rules.single if one.id == written.rule.id),
        correlations=tuple(one for one in written.rules.correlations if one.id == written.rule.id),
        filters=(),
    )
    return lint(mine, sources)


def stored_query(rules: RuleSet) -> str:
    """The search for stored events that these rules could be about; empty for all of them."""
    kinds: dict[LogSource, None] = {}
    for rule in rules.single:
        meant = rules.logsources.meaning(rule.logsource)
        kinds |= dict.fromkeys([rule.logsource, *(one.of for one in meant)])
    conditions = [_kind(one) for one in kinds]
    if not conditions or "" in conditions:
        return ""
    return " OR ".join(f"({one})" for one in dict.fromkeys(conditions))


def _kind(source: LogSource) -> str:
    parts = {
        "logsource.product": source.product,
        "logsource.category": source.category,
        "logsource.service": source.service,
    }
    return " AND ".join(condition(name, value) for name, value in parts.items() if value)
