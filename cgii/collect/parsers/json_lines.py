"""Reads one JSON object per record, bounded in depth and in number of fields."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from cgii.base import limits
from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.record import BOM, Record, as_bytes, decode
from cgii.collect.rejects import Unreadable

HEADER_BYTES_MAX = 512  # a syslog header before the object is shorter
NESTED = frozenset({list, dict})


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The object's own fields, as they are. Raises Unreadable."""
    fields, original, notes = read_object(data, embedded=bool(definition.options.get("embedded")))
    return Record(fields, original, {}, notes)


def read_object(
    data: bytes | Mapping[str, Any], *, embedded: bool
) -> tuple[dict[str, Any], str, tuple[str, ...]]:
    """The object, its text and notes. Raises Unreadable.

    With `embedded` the object may stand behind a syslog header.
    """
    line = as_bytes(data).strip(b" \t\r\n\0").removeprefix(BOM)
    if not line:
        raise Unreadable(rejects.EMPTY)
    line, text, notes = decode(line)
    start = 0
    if embedded and not line.startswith(b"{"):
        start = max(line.find(b"{", 0, HEADER_BYTES_MAX), 0)
    if _may_be_deep(line) and _depth(line) > limits.JSON_DEPTH_MAX:
        raise Unreadable(rejects.TOO_DEEP, f"más de {limits.JSON_DEPTH_MAX} niveles")
    try:
        # A parsed object is read again from its text: one way for all, and nobody else holds it.
        found = orjson.loads(line[start:] if start else line)
    except orjson.JSONDecodeError as error:
        reason = rejects.TOO_DEEP if "ecursion" in str(error) else rejects.NOT_JSON
        where = f"línea {error.lineno}, columna {error.colno}"
        raise Unreadable(reason, where) from error
    if type(found) is not dict:
        raise Unreadable(rejects.NOT_JSON, "no es un objeto")
    if not found:
        raise Unreadable(rejects.EMPTY, "un objeto sin campos")
    if line.count(b",") >= limits.EVENT_FIELDS_MAX and _count(found) > limits.EVENT_FIELDS_MAX:
        raise Unreadable(rejects.TOO_MANY_FIELDS, f"más de {limits.EVENT_FIELDS_MAX}")
    return found, text, notes


def are_small(lists: Sequence[list[Any]], others: int) -> bool:
    """Whether flat lists and so many other values are within the bounds of a record."""
    for each in lists:
        if not NESTED.isdisjoint(map(type, each)):
            return False  # it may be, but it takes the long way
        others += len(each)
    return others <= limits.EVENT_FIELDS_MAX


def _may_be_deep(line: bytes) -> bool:
    return line.count(b"{") + line.count(b"[") > limits.JSON_DEPTH_MAX


def _depth(line: bytes) -> int:
    depth = deepest = 0
    in_text = escaped = False
    for byte in line:
        if in_text:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_text = False
        elif byte == 0x22:
            in_text = True
        elif byte in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"}]":
            depth -= 1
    return deepest


def _count(value: Any) -> int:
    """How many leaves the value has; stops being exact past the limit."""
    seen, waiting = 0, [value]
    while waiting and seen <= limits.EVENT_FIELDS_MAX:
        here = waiting.pop()
        if type(here) is dict:
            waiting.extend(here.values())
        elif type(here) is list:
            waiting.extend(here)
        else:
            seen += 1
    return seen
