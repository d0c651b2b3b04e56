"""Reads records of the Linux audit daemon, with the values that it writes in hexadecimal."""

import re
from collections.abc import Mapping
from typing import Any

from cgii.base import limits
from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.header import split
from cgii.collect.parsers.key_values import PAIRS, finished
from cgii.collect.parsers.record import Record, as_line, decode
from cgii.collect.rejects import Unreadable

BEGINNING = re.compile(
    r"(?:node=(?P<node>\S{1,255}) )?type=(?P<type>[A-Z0-9_]{1,40}|UNKNOWN\[\d+\]) "
    r"msg=audit\((?P<time>\d{1,12}\.\d{1,6}):(?P<serial>\d{1,20})\): ?"
)
PAIR = PAIRS["=", " "]
INSIDE = "msg"  # holds more pairs, in single quotes
ENRICHED = "\x1d"  # what follows it is the same with names in the place of numbers
# What people and programs choose is written in hexadecimal when it holds a space, a quote or more.
CHOSEN = frozenset("acct cmd comm cwd data exe hostname name path proctitle root_dir".split())
ARGUMENT = re.compile(r"a\d{1,4}")
HEX = re.compile(r"(?:[0-9A-F]{2}){1,8192}")


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """The record's pairs, its `type`, `time`, `serial` and `node`. Raises Unreadable."""
    _, text, notes = decode(as_line(data))
    fields, message = split(text)
    begun = BEGINNING.match(message)
    if begun is None:
        raise Unreadable(rejects.NO_PATTERN, "falta type=… msg=audit(…)")
    found = {name: value for name, value in begun.groupdict().items() if value is not None}
    _add(found, message[begun.end() :].replace(ENRICHED, " "))
    return Record(finished({**fields, **found}, definition), text, {}, notes)


def _add(found: dict[str, Any], text: str) -> None:
    for name, double, single, bare in PAIR.findall(text):
        if len(found) >= limits.EVENT_FIELDS_MAX:
            raise Unreadable(rejects.TOO_MANY_FIELDS, f"más de {limits.EVENT_FIELDS_MAX}")
        if name == INSIDE and single:
            _add(found, single)
        else:
            value = double or single or _plain(name, bare, found["type"])
            found.setdefault(name, value)


def _plain(name: str, bare: str, kind: str) -> str:
    chosen = name in CHOSEN or (kind == "EXECVE" and ARGUMENT.fullmatch(name))
    if not chosen or HEX.fullmatch(bare) is None:
        return bare
    # The words of a command line are divided by NUL.
    return bytes.fromhex(bare).replace(b"\0", b" ").decode(errors="replace").rstrip(" ")
