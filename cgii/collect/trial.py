"""Tries every definition on its own examples and says where one does not hold."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from cgii.base import clock, limits
from cgii.base.errors import ContentError
from cgii.collect.definition import Definition, Definitions, load_definitions, read_definition
from cgii.collect.normalize import normalize
from cgii.collect.rejects import REASONS
from cgii.model.event import Event, Origin, Raw, Rejected

RECEIVED_AT = datetime(2026, 6, 30, 12, tzinfo=UTC)  # of examples that do not name it
KEYS = frozenset({"raw", "expect", "reject", "received_at"})
EXPECTED = frozenset({"at", "ecs", "fields", "logsource", "notes"})
NONE = object()
SUFFIXES = (".yml", ".yaml")
PARSER_KEY = re.compile(rb"^parser\s*:", re.MULTILINE)
RULE_KEY = re.compile(rb"^(?:detection|correlation|filter)\s*:", re.MULTILINE)


def check_collectors(site: Path | None = None) -> list[ContentError]:
    """Everything wrong with our and the site's definitions and their examples; empty is good."""
    definitions = load_definitions(site)
    problems = list(definitions.rejected)
    for definition in definitions.by_name.values():
        problems.extend(try_examples(definition, definitions))
    return problems


def is_definition(path: Path) -> bool:
    """Whether a file elsewhere is a source's definition, by its top-level keys: no rule has them.

    One that is no YAML is known as well, so that its mistake is told as a definition's.
    """
    if path.suffix not in SUFFIXES:
        return False
    try:
        with path.open("rb") as file:
            text = file.read(limits.COLLECTOR_FILE_BYTES_MAX)
    except OSError:
        return False
    return PARSER_KEY.search(text) is not None and RULE_KEY.search(text) is None


def check_definitions(paths: Sequence[Path], site: Path | None = None) -> list[ContentError]:
    """What is wrong with definitions that lie outside of our and the site's content."""
    definitions = load_definitions(site)
    problems: list[ContentError] = []
    for path in paths:
        definition, mistakes = read_definition(path)
        problems += mistakes
        if definition is not None:
            by_name = {**definitions.by_name, definition.name: definition}
            problems += try_examples(definition, replace(definitions, by_name=by_name))
    return problems


def examples_path(definition: Definition) -> Path:
    """`<name>.examples.jsonl` beside the definition."""
    return definition.path.with_suffix(".examples.jsonl")


def try_examples(definition: Definition, definitions: Definitions) -> list[ContentError]:
    """What the examples of one definition say that the definition does not do."""
    path = examples_path(definition)
    try:
        if path.stat().st_size > limits.COLLECTOR_FILE_BYTES_MAX:
            return [ContentError(path, "el archivo de ejemplos es demasiado grande")]
        lines = path.read_bytes().splitlines()
    except OSError:
        return [ContentError(path, "faltan los ejemplos de esta fuente")]
    problems = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                reasons = _try_line(line, definition, definitions)
            except (AttributeError, TypeError, ValueError) as error:
                reasons = [f"el ejemplo no tiene la forma esperada: {error}"]
            problems += [ContentError(path, reason, number) for reason in reasons]
    return problems


def _try_line(line: bytes, definition: Definition, definitions: Definitions) -> list[str]:
    try:
        example = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return [f"no es JSON: {error}"]
    if not isinstance(example, dict) or "raw" not in example or set(example) - KEYS:
        return [f"cada ejemplo lleva raw y expect o reject; claves: {', '.join(sorted(KEYS))}"]
    if ("expect" in example) == ("reject" in example):
        return ["cada ejemplo lleva o bien expect o bien reject"]
    raw = example["raw"]
    data = raw.encode() if isinstance(raw, str) else raw
    received_at = clock.parse(example["received_at"]) if "received_at" in example else RECEIVED_AT
    found = normalize(
        Origin(definition.name, "example", "1"),
        [Raw(0, data)],
        definitions,
        received_at=received_at,
    )
    if "reject" in example:
        return _compare_reject(example["reject"], found.events, found.rejected)
    if found.rejected:
        rejected = found.rejected[0]
        return [f"fue rechazado: {rejected.reason} ({rejected.detail})"]
    return _compare_event(example["expect"], found.events[0])


def _compare_reject(reason: str, events: list[Event], rejected: list[Rejected]) -> list[str]:
    if reason not in REASONS:
        return [f"el motivo «{reason}» no existe"]
    if events:
        return [f"debía rechazarse por «{reason}» y fue aceptado"]
    return [] if rejected[0].reason == reason else [f"el motivo fue «{rejected[0].reason}»"]


def _compare_event(expected: Any, event: Event) -> list[str]:
    if not isinstance(expected, dict) or not expected or set(expected) - EXPECTED:
        return [f"expect lleva alguna de: {', '.join(sorted(EXPECTED))}"]
    problems = []
    if "at" in expected and clock.parse(expected["at"]) != event.at:
        problems.append(f"at: se esperaba {expected['at']} y es {event.at.isoformat()}")
    if "notes" in expected and list(event.notes) != expected["notes"]:
        problems.append(f"notes: se esperaba {expected['notes']} y es {list(event.notes)}")
    logsource = event.logsource
    parts = {
        "product": logsource.product,
        "category": logsource.category,
        "service": logsource.service,
    }
    for name, have in (("ecs", event.ecs), ("fields", event.fields), ("logsource", parts)):
        for key, value in expected.get(name, {}).items():
            got = have.get(key, NONE)
            if got is NONE and value is None:
                continue  # null in an example means: not there
            if got is NONE or got != value or type(got) is not type(value):
                shown = "nada" if got is NONE else repr(got)
                problems.append(f"{name}.{key}: se esperaba {value!r} y hay {shown}")
    return problems
