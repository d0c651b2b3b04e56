"""Reads syslog (RFC 3164, RFC 5424, ISO times), then the definition's patterns on its text."""

import re
from collections.abc import Mapping
from typing import Any

from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.record import Record, as_line, decode
from cgii.collect.rejects import Unreadable

FACILITIES = (
    "kern user mail daemon auth syslog lpr news uucp cron authpriv ftp ntp audit alert clock "
    "local0 local1 local2 local3 local4 local5 local6 local7"
).split()
SEVERITIES = "emergency alert critical error warning notice informational debug".split()

PRIORITY = re.compile(r"<(\d{1,3})>")
HEADER = re.compile(
    r"\*?([A-Z][a-z]{2} [ \d]\d (?:\d{4} )?\d\d:\d\d:\d\d(?:\.\d{1,6})?"
    r"|\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?"
    r"|\d\d-[A-Z][a-z]{2}-\d{4} \d\d:\d\d:\d\d\.\d{3}):?(?: |$)"
)
HOST = re.compile(r"(\S{1,255}) ")
TAG = re.compile(r"([A-Za-z0-9_./@+-]{1,64})(?:\(([\w.-]{1,32})\))?(?:\[([\w.-]{1,20})\])?:(?: |$)")
# What most lines look like, at one go; the same as the parts one after another.
USUAL = re.compile(rf"([A-Z][a-z]{{2}} [ \d]\d \d\d:\d\d:\d\d) (\S{{1,255}}+)(?<!:) {TAG.pattern}")
NOTHING: Mapping[str, Any] = {}
LOOSE_TAG = re.compile(r"([A-Za-z_][A-Za-z0-9_./-]{0,63})(?= )")
NEW_STYLE = re.compile(r"1 (\S{1,64}) (\S{1,255}) (\S{1,64}) (\S{1,128}) (\S{1,64}) ")
ELEMENT = re.compile(r'\[[^ =\]"]{1,64}(?: [^ =\]"]{1,64}="(?:[^"\\]|\\.)*")*\]')
PARAMETER = re.compile(r' ([^ =\]"]{1,64})="((?:[^"\\]|\\.)*)"')


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """Header fields, then what the first fitting pattern finds in the message."""
    _, text, notes = decode(as_line(data))
    fields = read_header(text)
    message: str = fields["message"]
    program = fields.get("program", "")
    patterns = definition.by_program.get(program) or definition.by_program[""]
    found = patterns.read(message.encode(), message)
    if found is None:
        return Record(fields, text, NOTHING, notes)
    fields.update(found[0])
    return Record(fields, text, found[1], notes)


def read_header(text: str) -> dict[str, Any]:
    """The fields of the header and `message`. Raises Unreadable if there is nothing of syslog."""
    fields: dict[str, Any]
    usual = USUAL.match(text)
    if usual is not None:
        timestamp, host_name, program, module, pid = usual.groups()
        fields = {"timestamp": timestamp, "host": host_name, "program": program}
        if module:
            fields["module"] = module
        if pid:
            fields["pid"] = int(pid) if pid.isdecimal() else pid
        fields["message"] = text[usual.end() :].strip(" ")
        return fields
    fields, position = {}, 0
    if text.startswith("<"):
        found = PRIORITY.match(text)
        if found is not None and (priority := int(found[1])) < len(FACILITIES) * 8:
            fields["facility"] = FACILITIES[priority >> 3]
            fields["severity"] = SEVERITIES[priority & 7]
            position = found.end()
            new_style = NEW_STYLE.match(text, position)
            if new_style is not None:
                return _read_new_style(text, new_style, fields)
    header = HEADER.match(text, position)
    if header is not None:
        fields["timestamp"] = header[1]
        position = header.end()
        host = HOST.match(text, position)
        if host is not None and not host[1].endswith(":"):
            fields["host"] = host[1]
            position = host.end()
    elif not position:
        raise Unreadable(rejects.NO_TIME, "ni encabezado de syslog ni prioridad")
    _read_tag(text, position, fields)
    return fields


def _read_tag(text: str, position: int, fields: dict[str, Any]) -> None:
    tag = TAG.match(text, position)
    if tag is not None:
        fields["program"] = tag[1]
        if tag[2]:
            fields["module"] = tag[2]
        if tag[3]:
            fields["pid"] = int(tag[3]) if tag[3].isdecimal() else tag[3]
        position = tag.end()
    elif "timestamp" in fields and (tag := LOOSE_TAG.match(text, position)) is not None:
        fields["program"] = tag[1]
    fields["message"] = text[position:].strip(" ")


def _read_new_style(text: str, header: re.Match[str], fields: dict[str, Any]) -> dict[str, Any]:
    names = ("timestamp", "host", "program", "pid", "message_id")
    for name, value in zip(names, header.groups(), strict=True):
        if value != "-":
            fields[name] = int(value) if name == "pid" and value.isdecimal() else value
    position = header.end()
    if text.startswith("-", position):
        position += 1
    while (element := ELEMENT.match(text, position)) is not None:
        name = element[0][1:-1].partition(" ")[0]
        for key, value in PARAMETER.findall(element[0]):
            fields[f"{name}.{key}"] = re.sub(r'\\(["\\\]])', r"\1", value)
        position = element.end()
    fields["message"] = text[position:].strip(" ").removeprefix("\ufeff")
    return fields
