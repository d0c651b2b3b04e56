"""Checks rules: reads them all, runs the examples that stand beside them, and looks for slips."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from cgii.base import content, ids, limits
from cgii.base.errors import ContentError
from cgii.detect.detector import Detector
from cgii.detect.examine import Examiner
from cgii.detect.logsources import read_logsource
from cgii.detect.rule_cache import RuleCache
from cgii.detect.rule_files import RuleError, rule_files
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import IMPORTED, load_rules
from cgii.detect.windows import Window, WindowKey
from cgii.model.event import Event

Reader = Callable[[str, str], Event | None]  # (source, raw line) → the event, None if unreadable
Rule = SingleRule | CorrelationRule
BEGINNING = datetime(2026, 6, 30, 12, tzinfo=UTC)  # of examples that do not say when
KEYS = frozenset(
    {"match", "why", "rule", "source", "raw", "raws", "event", "events", "ecs", "logsource"}
    | {"repeat", "every_seconds"}
)
FORMS = ("raw", "raws", "event", "events")


class ExampleError(Exception):
    """An example that cannot be run."""


def check_rules(
    site: Path | None = None,
    paths: Sequence[Path] = (),
    *,
    reader: Reader | None = None,
    cache: RuleCache | None = None,
) -> list[ContentError]:
    """What is wrong with the rules and their examples; empty is good.

    With `paths`, only those files and folders are judged, beside all others. Our and the site's
    rules must have examples; those in `paths` may. Raw examples are left out without a `reader`.
    """
    rules = load_rules(site, extra=paths, cache=cache)
    asked = {str(path.resolve()) for path in rule_files(paths)}
    own = {
        str(file.path.resolve())
        for file in content.find("rules", "*/**/*.yml", site)
        if not file.name.startswith(IMPORTED)  # others wrote those, and gave no examples
    }
    problems = list(rules.rejected)
    classes = _rsit_codes()
    for rule in rules.all:
        problems += _slips(rule, classes)
    detector = Detector(rules)
    by_file: dict[str, list[Rule]] = {}
    for rule in rules.all:
        by_file.setdefault(rule.path, []).append(rule)
    for path, written in by_file.items():
        if asked and str(Path(path).resolve()) not in asked:
            continue
        examples = examples_path(Path(path))
        if examples.is_file():
            problems += try_examples(examples, written, detector, reader)
        elif str(Path(path).resolve()) in own:
            problems.append(ContentError(path, f"faltan los ejemplos ({examples.name})"))
    if asked:
        problems = [p for p in problems if _rule_path(p.path) in asked]
    return problems


def _rule_path(path: str) -> str:
    name = path.removesuffix(".examples.jsonl")
    return str(Path(path if name == path else f"{name}.yml").resolve())


def examples_path(rule_file: Path) -> Path:
    """`<rule>.examples.jsonl` beside the rule."""
    return rule_file.with_suffix(".examples.jsonl")


def _rsit_codes() -> frozenset[tuple[str, str]]:
    table = yaml.safe_load(content.reference("taxonomy.yml").read_text(encoding="utf-8"))
    return frozenset((c["code"], t["code"]) for c in table["classes"] for t in c["types"])


def _slips(rule: Rule, classes: frozenset[tuple[str, str]]) -> Iterator[ContentError]:
    if rule.rsit is not None and rule.rsit not in classes:
        reason = f"la clase y el tipo RSIT «{'.'.join(rule.rsit)}» no existen"
        yield ContentError(rule.path, reason, rule.line)


def try_examples(
    path: Path, rules: Sequence[Rule], detector: Detector, reader: Reader | None
) -> list[ContentError]:
    """What the examples in one file say that the rules of its rule file do not do."""
    if path.stat().st_size > limits.RULE_FILE_BYTES_MAX:
        return [ContentError(path, f"pesa más de {limits.RULE_FILE_BYTES_MAX} bytes")]
    problems: list[ContentError] = []
    seen: set[bool] = set()
    lines = path.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            example = _read(line)
            seen.add(example["match"])
            problem = _try(example, rules, detector, reader)
        except ExampleError as error:
            problem = str(error)
        if problem:
            problems.append(ContentError(path, problem, number))
    if seen != {True, False}:
        problems.append(ContentError(path, "hace falta un ejemplo que coincida y uno que no"))
    return problems


def _read(line: str) -> Mapping[str, Any]:
    try:
        example = json.loads(line)
    except json.JSONDecodeError as error:
        raise ExampleError(f"no es JSON: {error}") from error
    if not isinstance(example, dict) or set(example) - KEYS:
        raise ExampleError(f"un ejemplo solo lleva las claves {', '.join(sorted(KEYS))}")
    if not isinstance(example.get("match"), bool) or not example.get("why"):
        raise ExampleError("un ejemplo lleva match (true o false) y why (por qué)")
    if sum(form in example for form in FORMS) != 1:
        raise ExampleError(f"un ejemplo lleva uno de {', '.join(FORMS)}")
    return example


def _try(
    example: Mapping[str, Any], rules: Sequence[Rule], detector: Detector, reader: Reader | None
) -> str:
    rule = _meant(example, rules)
    raws = example.get("raws", [example["raw"]] if "raw" in example else None)
    if raws is None:
        events = _direct(example)
    elif reader is None:
        return ""
    else:
        events = _normalised(str(example.get("source", "")), raws, reader)
    found = _found(rule, events, detector)
    if found == example["match"]:
        return ""
    verb = "coincide y no debía" if found else "no coincide y debía"
    return f"la regla «{rule.title}» {verb}: {example['why']}"


def _meant(example: Mapping[str, Any], rules: Sequence[Rule]) -> Rule:
    if "rule" in example:
        for rule in rules:
            if example["rule"] in (rule.id, rule.name):
                return rule
        raise ExampleError(f"la regla «{example['rule']}» no está en el archivo")
    return next((rule for rule in rules if isinstance(rule, CorrelationRule)), rules[0])


def _found(rule: Rule, events: Sequence[Event], detector: Detector) -> bool:
    if isinstance(rule, SingleRule):
        matched = {match.rule.id for match in detector.match(events)}
        return rule.id in matched
    # Without those that count it and would silence it.
    others = [one for one in detector.rules.correlations if rule.id not in one.rule_ids]
    examiner = Examiner(replace(detector.rules, correlations=tuple(others)))
    windows: dict[WindowKey, Window] = {}
    told = examiner.follow(detector.match(events), windows).alerts
    # What only time decides is told as of the newest record, of whatever kind it is.
    told += examiner.finish(windows, max(event.at for event in events)).alerts if events else ()
    return any(alert.rule_id == rule.id for alert in told)


def _normalised(source: str, raws: object, reader: Reader) -> list[Event]:
    if not isinstance(raws, list):
        raise ExampleError("raws tiene que ser una lista")
    events: list[Event] = []
    for number, raw in enumerate(raws):
        text = raw if isinstance(raw, str) else json.dumps(raw, ensure_ascii=False)
        event = reader(source, text)
        if event is None:
            raise ExampleError(f"la fuente «{source}» no puede leer el registro {number + 1}")
        events.append(replace(event, id=ids.event_id("example", "1", number)))
    return events


def _direct(example: Mapping[str, Any]) -> list[Event]:
    written = example.get("events", [example["event"]] if "event" in example else [])
    if not isinstance(written, list) or not all(isinstance(one, dict) for one in written):
        raise ExampleError("event tiene que ser un mapa; events, una lista de mapas")
    try:
        logsource = read_logsource(example.get("logsource"))
    except RuleError as error:
        raise ExampleError(error.reason) from error
    step = timedelta(seconds=float(example.get("every_seconds", 1)))
    return [
        Event(
            id=ids.event_id("example", "1", number),
            at=BEGINNING + step * number,
            received_at=BEGINNING + step * number,
            source=str(example.get("source", "example")),
            logsource=logsource,
            fields=dict(fields),
            ecs=dict(example.get("ecs", {})),
            original=json.dumps(fields, ensure_ascii=False),
        )
        for number, fields in enumerate(written * int(example.get("repeat", 1)))
    ]
