"""Chooses the source of a syslog line: by its program, by its beginning, or by the JSON in it."""

import orjson

from cgii.base import limits
from cgii.collect.definition import GENERIC, Definition, Definitions
from cgii.collect.parsers.syslog_lines import read_header
from cgii.collect.rejects import Unreadable

JSON_PARSERS = ("json_lines", "windows")


def choose_source(line: bytes, definitions: Definitions) -> str:
    """The name of the source whose definition reads this line best; `syslog` when in doubt."""
    if len(line) > limits.LINE_BYTES_MAX:
        return GENERIC
    text = line.decode(errors="replace").rstrip("\r\n\0 ")
    if text.startswith("{"):
        return _by_content(text, definitions)
    named = _by_program(text, definitions)
    return _by_line(line, definitions) if named == GENERIC else named


def _by_program(text: str, definitions: Definitions) -> str:
    try:
        header = read_header(text)
    except Unreadable:
        return GENERIC
    message: str = header["message"]
    found = message.find("{", 0, 8)  # "{…", "@cee: {…"
    if found >= 0 and (message.startswith(("{", "@cee:"))):
        return _by_content(message[found:], definitions)
    name = definitions.by_program.get(header.get("program", ""), GENERIC)
    return GENERIC if _reads_json(definitions.by_name.get(name)) else name


def _by_line(line: bytes, definitions: Definitions) -> str:
    """For what names no program that is known: many devices write a format of their own."""
    if not definitions.may_be_told(line):
        return GENERIC
    for found in definitions.told_by_line:
        if found.fingerprint.fits_line(line):
            return found.name
    return GENERIC


def _reads_json(definition: Definition | None) -> bool:
    return definition is not None and definition.parser in JSON_PARSERS


def _by_content(text: str, definitions: Definitions) -> str:
    try:
        record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return GENERIC
    if not isinstance(record, dict):
        return GENERIC
    fitting = [
        found
        for found in definitions.by_name.values()
        if _reads_json(found) and found.fingerprint.fits_object(record)
    ]
    return min(fitting, key=lambda found: found.fingerprint.rank).name if fitting else GENERIC
