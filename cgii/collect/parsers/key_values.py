"""Reads pairs of a name and a value, as most firewalls write them: `src=10.0.0.1 action="deny"`."""

import re
from collections.abc import Mapping
from typing import Any

from cgii.base import limits
from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.header import split
from cgii.collect.parsers.record import Record, as_line, decode
from cgii.collect.rejects import Unreadable

# A quoted value may hold anything, a quote behind a backslash too; a bare one ends where the pair
# does. Nothing here is tried twice: time grows with the line alone.
NAME = r"([A-Za-z_][A-Za-z0-9_.-]{0,99}+)"
QUOTED = r"""(?:"((?:[^"\\]|\\.)*+)"|'((?:[^'\\]|\\.)*+)'|"""
BARE = {" ": r"(\S*+))", ";": r"([^;\]]*+))"}
PAIRS = {
    (assign, between): re.compile(rf"{NAME}{assign}{QUOTED}{bare}", re.DOTALL)
    for assign in ("=", ":")
    for between, bare in BARE.items()
}
ESCAPED = re.compile(r"\\(.)", re.DOTALL)


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The pairs of the line, and its syslog header's fields. Raises Unreadable.

    Of a name that comes twice the first value stands. What is no pair is passed over.
    """
    _, text, notes = decode(as_line(data))
    fields, message = split(text)
    options = definition.options
    pairs = PAIRS[options.get("assign", "="), options.get("between", " ")]
    found: dict[str, Any] = {}
    for name, double, single, bare in pairs.findall(message):
        if len(found) >= limits.EVENT_FIELDS_MAX and name not in found:
            raise Unreadable(rejects.TOO_MANY_FIELDS, f"más de {limits.EVENT_FIELDS_MAX}")
        value = double or single
        found.setdefault(name, ESCAPED.sub(r"\1", value) if "\\" in value else value or bare)
    if not found:
        raise Unreadable(rejects.NO_PATTERN, "ningún par de nombre y valor")
    missing = [name for name in definition.needs if name not in found]
    if missing:
        raise Unreadable(rejects.NO_PATTERN, f"falta {', '.join(missing)}")
    return Record(finished({**fields, **found}, definition), text, {}, notes)


def finished(fields: dict[str, Any], definition: Definition) -> dict[str, Any]:
    """The same with digits as numbers and with fields made of others, as the definition says."""
    for name, template in definition.composed.items():
        if name not in fields and (text := template.of(fields)):
            fields[name] = text
    for name in definition.numbers:
        value = fields.get(name)
        if type(value) is str and value.isascii() and value.isdigit() and len(value) < 19:
            fields[name] = int(value)
    return fields
