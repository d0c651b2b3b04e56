"""Reads columns: comma-separated, as some firewalls write them, or divided as IIS does."""

import csv
from collections.abc import Mapping
from typing import Any

from cgii.base import limits
from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.header import split
from cgii.collect.parsers.key_values import finished
from cgii.collect.parsers.record import Record, as_line, decode, expect_few
from cgii.collect.rejects import Unreadable

HEADING = "#"  # begins a line that speaks of the file, not of an event
COMMA = ","
NOTHING = frozenset({"", "-"})
csv.field_size_limit(limits.LINE_BYTES_MAX)  # for every reader of the process


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The columns that are not empty, by the names of the first layout that fits."""
    _, text, notes = decode(as_line(data))
    if text.startswith(HEADING):
        raise Unreadable(rejects.HEADING)
    embedded = definition.options.get("embedded")
    fields, message = split(text) if embedded else ({}, text)
    values = _divided(message, definition.options.get("separator", COMMA))
    expect_few(len(values))
    for layout in definition.columns:
        if layout.fits(values):
            pairs = zip(layout.names, values, strict=False)
            fields.update((name, value) for name, value in pairs if name and value not in NOTHING)
            return Record(finished(fields, definition), text, {}, notes)
    raise Unreadable(rejects.NO_PATTERN, f"nada describe {len(values)} columnas")


def _divided(message: str, separator: str) -> list[str]:
    if separator != COMMA or '"' not in message:  # only where there are commas are values quoted
        return message.split(separator)
    try:
        return next(csv.reader([message], delimiter=separator))
    except (csv.Error, StopIteration) as error:
        raise Unreadable(rejects.NO_PATTERN, f"columnas: {error}") from error
