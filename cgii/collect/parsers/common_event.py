"""Reads CEF and LEEF, the two formats in which products of many makers tell their events."""

import re
from collections.abc import Mapping
from typing import Any

from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.header import split_before
from cgii.collect.parsers.key_values import finished
from cgii.collect.parsers.record import Record, as_line, decode, expect_few
from cgii.collect.rejects import Unreadable

CEF_NAMES = ("deviceVendor", "deviceProduct", "deviceVersion", "deviceEventClassId", "name")
LEEF_NAMES = ("deviceVendor", "deviceProduct", "deviceVersion", "eventId")
PART = re.compile(r"((?:[^|\\]|\\.)*+)\|", re.DOTALL)
# A value goes on to the next name; a space, a name and `=` begin one.
NAME = re.compile(r"(?:^|(?<=\s))([A-Za-z0-9_.\[\]-]{1,100}+)=")
ESCAPED = re.compile(r"\\(.)", re.DOTALL)
CONTROLS = {"n": "\n", "r": "\r", "t": "\t"}
DELIMITER = re.compile(r"(?:0?x)([0-9A-Fa-f]{1,4})", re.IGNORECASE)
LABEL = "Label"
LABELLED = re.compile(
    r"(?:c[ns6]|cfp|flexString|flexNumber|flexDate|deviceCustomDate)\w{1,20}Label"
)
# No label may pass for one of CEF's own keys, which are words such as `src` and `requestMethod`.
NOT_A_KEY = re.compile(r"[^A-Za-z0-9]|^[A-Z]")


def read_cef(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The header's seven parts and the extension's pairs; `cs1` also under its own label."""
    _, text, notes = decode(as_line(data))
    fields, parts, rest = _header(text, "CEF:", len(CEF_NAMES) + 2)
    found: dict[str, Any] = {
        "cefVersion": parts[0],
        **dict(zip(CEF_NAMES, parts[1:], strict=False)),
    }
    found["severity"] = parts[-1]
    names = list(NAME.finditer(rest))
    expect_few(len(names))
    ends = [*(one.start() for one in names[1:]), len(rest)]
    for here, end in zip(names, ends, strict=False):
        found.setdefault(here[1], _plain(rest[here.end() : end].strip()))
    for name in [one for one in found if LABELLED.fullmatch(one)]:
        value, label = found.get(name.removesuffix(LABEL)), found[name]
        if value is not None and label and NOT_A_KEY.search(label):
            found.setdefault(label, value)
    return Record(finished({**fields, **found}, definition), text, {}, notes)


def read_leef(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The header's parts and the pairs, which the header may say what divides."""
    _, text, notes = decode(as_line(data))
    fields, parts, rest = _header(text, "LEEF:", len(LEEF_NAMES) + 1)
    found: dict[str, Any] = {
        "leefVersion": parts[0],
        **dict(zip(LEEF_NAMES, parts[1:], strict=True)),
    }
    divider = "\t"
    if parts[0].startswith("2"):
        told, bar, after = rest.partition("|")
        if bar and len(told) <= len("0x0009"):
            divider, rest = _divider(told), after
    pairs = rest.split(divider)
    expect_few(len(pairs))
    for pair in pairs:
        name, assigned, value = pair.partition("=")
        if assigned and name.strip():
            found.setdefault(name.strip(), value.strip())
    return Record(finished({**fields, **found}, definition), text, {}, notes)


def _header(text: str, mark: str, count: int) -> tuple[dict[str, Any], list[str], str]:
    """The syslog header's fields, the parts between bars, and what follows them."""
    begun = split_before(text, mark)
    if begun is None:
        raise Unreadable(rejects.NO_PATTERN, f"falta {mark}")
    fields, message = begun
    position = len(mark)
    parts: list[str] = []
    for _ in range(count):
        part = PART.match(message, position)
        if part is None:
            raise Unreadable(rejects.NO_PATTERN, f"{len(parts)} de {count} partes tras {mark}")
        parts.append(_plain(part[1]).strip())
        position = part.end()
    return fields, parts, message[position:]


def _plain(value: str) -> str:
    if "\\" not in value:
        return value
    return ESCAPED.sub(lambda found: CONTROLS.get(found[1], found[1]), value)


def _divider(told: str) -> str:
    coded = DELIMITER.fullmatch(told)
    return chr(int(coded[1], 16)) if coded is not None else told or "\t"
