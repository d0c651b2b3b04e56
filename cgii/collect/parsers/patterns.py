"""Reads a line, or the first of a record of several, with a definition's patterns."""

from collections.abc import Mapping
from typing import Any

from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.record import Record, as_line, decode
from cgii.collect.rejects import Unreadable


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The groups of the first pattern that fits. Raises Unreadable when none does.

    Where a definition says how a record begins, its other lines are the field `continued`.
    """
    line, text, notes = decode(as_line(data))
    first, more = text, ""
    if definition.shape.begins is not None:
        line = line.partition(b"\n")[0]
        first, _, more = text.partition("\n")
    found = definition.every.read(line, first)
    if found is None:
        raise Unreadable(rejects.NO_PATTERN)
    fields, ecs = found
    if more:
        fields["continued"] = more
    return Record(fields, text, ecs, notes)
