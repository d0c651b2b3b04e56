"""Reads columns that a heading names: Zeek's TSV, W3C's `#Fields:`, CSV with names on top.

The record carries its heading above itself, and a CR for each line break in a quoted value
(cgii/collect/shapes.py). Zeek's types are kept, so that
an event is the same as from Zeek's JSON.
"""

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers import columns
from cgii.collect.parsers.key_values import finished
from cgii.collect.parsers.record import Record, as_line, decode, expect_few
from cgii.collect.rejects import Unreadable

Read = Callable[[str], Any]
HEADINGS_KEPT = 512  # read ones; a file has one
ZEEK, W3C = "#fields", "#Fields:"
HEADER_FIELD = re.compile(r"(\w{1,8})\(([^()]+)\)\Z", re.ASCII)
ESCAPED = re.compile(r"\\x([0-9A-Fa-f]{2})")
WHOLE = re.compile(r"-?\d{1,18}\Z", re.ASCII)
BROKEN = re.compile(r"-?\d{1,18}(?:\.\d{1,18})?(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)
TRUTHS = {"T": True, "F": False}


@dataclass(frozen=True, slots=True)
class Heading:
    """What a heading says of the lines below it."""

    separator: str
    names: tuple[str, ...]
    readers: tuple[Read, ...] = ()  # of values by column; none: all are text
    path: str = ""  # which of Zeek's logs it is
    empty: frozenset[str] = frozenset({"", "-"})
    is_quoted: bool = False


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The columns that are not empty, by the names above them."""
    _, text, notes = decode(as_line(data))
    above, _, line = text.rpartition("\n")
    if line.startswith("#"):
        raise Unreadable(rejects.HEADING)
    if not above:
        return _without_heading(data, definition)
    heading = _heading(above, definition.options.get("separator", ","))
    values = _divided(line, heading)
    expect_few(len(values))
    if len(values) != len(heading.names):
        wanted = f"{len(values)} columns, the heading names {len(heading.names)}"
        raise Unreadable(rejects.NO_PATTERN, wanted)
    if heading.is_quoted and "\r" in line:
        line = line.replace("\r", "\n")
        values = [value.replace("\r", "\n") for value in values]
    fields: dict[str, Any] = {"_path": heading.path} if heading.path else {}
    readers: Sequence[Read] = heading.readers or (str,) * len(values)
    for name, value, reader in zip(heading.names, values, readers, strict=True):
        if value not in heading.empty and name:
            fields[name] = reader(value)
    return Record(finished(fields, definition), line, {}, notes)


def _without_heading(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """A line whose look leaves no doubt about its columns. Raises Unreadable for all others."""
    if not definition.columns:
        raise Unreadable(rejects.NO_HEADING)
    try:
        return columns.read(data, definition)
    except Unreadable as error:
        if error.reason != rejects.NO_PATTERN:
            raise
        raise Unreadable(rejects.NO_HEADING, error.detail) from error


def _divided(line: str, heading: Heading) -> list[str]:
    if not heading.is_quoted or '"' not in line:
        return line.split(heading.separator)
    try:
        return next(csv.reader([line], delimiter=heading.separator))
    except (csv.Error, StopIteration) as error:
        raise Unreadable(rejects.NO_PATTERN, f"columnas: {error}") from error


@lru_cache(maxsize=HEADINGS_KEPT)
def _heading(text: str, separator: str) -> Heading:
    """The heading's lines as one. Raises Unreadable when they name no columns."""
    lines = text.split("\n")
    last = lines[-1]
    for line in reversed(lines):
        if line.startswith(W3C):
            names = line.removeprefix(W3C).strip().split(separator)
            # Between spaces nothing is quoted: the server writes a space in a value as `+`.
            return _named(list(map(_of_w3c, names)), separator, is_quoted=separator != " ")
        if line.startswith(ZEEK):
            return _of_zeek(lines)
    if last.startswith("#"):
        raise Unreadable(rejects.NO_HEADING)
    names = _divided(last, Heading(separator, (), is_quoted=True))
    return _named([name.strip() for name in names], separator, is_quoted=True)


def _named(names: Sequence[str], separator: str, *, is_quoted: bool) -> Heading:
    expect_few(len(names))
    return Heading(separator, tuple(names), is_quoted=is_quoted)


def _of_w3c(name: str) -> str:
    """A field's name as our definitions have it: `cs(User-Agent)` is `cs-user-agent`."""
    return HEADER_FIELD.sub(r"\1-\2", name.strip()).lower()


def _of_zeek(lines: Sequence[str]) -> Heading:
    found: dict[str, str] = {}
    separator = "\t"
    for line in lines:
        if line.startswith("#separator "):
            separator = _unescaped(line.removeprefix("#separator ").strip()) or "\t"
            continue
        key, _, value = line.partition(separator)
        found[key] = value
    names = found.get(ZEEK, "").split(separator)
    expect_few(len(names))
    types = found.get("#types", "").split(separator)
    unset, empty = found.get("#unset_field", "-"), found.get("#empty_field", "(empty)")
    inner = _unescaped(found.get("#set_separator", ",")) or ","
    return Heading(
        separator,
        tuple(names),
        tuple(_reader(kind, inner) for kind in types) if len(types) == len(names) else (),
        found.get("#path", ""),
        frozenset({unset, empty, ""}),
    )


def _reader(kind: str, inner: str) -> Read:
    """How a value of one of Zeek's types is read; as Zeek's JSON has it."""
    kind = kind.strip()
    if kind.startswith(("set[", "vector[")):
        of_one = _reader(kind.partition("[")[2].rstrip("]"), inner)
        return lambda value: [of_one(one) for one in value.split(inner)]
    if kind in ("count", "int", "port"):
        return lambda value: int(value) if WHOLE.match(value) else _unescaped(value)
    if kind in ("double", "interval", "time"):
        return lambda value: float(value) if BROKEN.match(value) else _unescaped(value)
    if kind == "bool":
        return lambda value: TRUTHS.get(value, value)
    return _unescaped


def _unescaped(value: str) -> str:
    r"""Zeek writes what would divide columns, and bytes that are no text, as `\x09`."""
    if "\\x" not in value:
        return value
    raw = ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)
    try:
        return raw.encode("latin-1").decode()
    except UnicodeError:
        return raw
