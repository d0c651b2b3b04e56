"""Reads a line with the definition's patterns; the first that fits wins."""

from collections.abc import Mapping
from typing import Any

from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.record import Record, as_line, decode
from cgii.collect.rejects import Unreadable


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The groups of the first pattern that fits. Raises Unreadable when none does."""
    line, text, notes = decode(as_line(data))
    fields: dict[str, Any] = {}
    for pattern in definition.patterns:
        if pattern.apply(line, fields):
            return Record(fields, text, pattern.ecs, notes)
    raise Unreadable(rejects.NO_PATTERN)
