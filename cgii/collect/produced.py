"""What a source gives: the values that each part of its logsource can have, and its fields."""

import orjson

from cgii.collect.definition import Definition, Definitions
from cgii.collect.definition_parts import Choice
from cgii.collect.normalize import normalize
from cgii.collect.trial import RECEIVED_AT
from cgii.model.event import Origin, Raw

Values = frozenset[str] | None  # None: whatever the producer writes
CLOSED = frozenset({"syslog_lines", "patterns"})  # parsers that make no field we don't name


def produced_by(definition: Definition) -> tuple[Values, Values, Values]:
    """The values of product, category and service of the events of a source."""
    rule = definition.logsource
    return _values(rule.product), _values(rule.category), _values(rule.service)


def _values(part: str | Choice) -> Values:
    if isinstance(part, str):
        return frozenset({part.lower()})
    if part.table is None:
        return None
    told = {str(value or "").lower() for value in part.table.values()}
    return frozenset({*told, str(part.default or "").lower()})


def fields_of(definition: Definition, definitions: Definitions) -> frozenset[str] | None:
    """Every field that events of the source can have; None when the record itself names them.

    What the parser takes from a line's header is learnt from the examples of the source.
    """
    if definition.parser not in CLOSED:
        return None
    ecs = definition.ecs
    targets = [*(one[0] for one in ecs.plain), *(one[0] for one in ecs.chosen)]
    names = {*ecs.fixed, *targets, "message"}
    for pattern in definition.patterns:
        names.update(filter(None, pattern.names), pattern.fields, pattern.ecs)
    path = definition.path.with_suffix(".examples.jsonl")
    origin = Origin(definition.name, "example", "1")
    for line in path.read_bytes().splitlines() if path.is_file() else ():
        try:
            raw = orjson.loads(line)["raw"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            continue  # `check_collectors` says what is wrong with it
        raws = [Raw(0, raw.encode() if isinstance(raw, str) else raw)]
        for event in normalize(origin, raws, definitions, received_at=RECEIVED_AT).events:
            names.update(event.fields, event.ecs)
    return frozenset(names)
