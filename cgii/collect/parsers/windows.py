"""Reads Windows events: flat JSON, Winlogbeat's, the nested form of binary event logs, and XML."""

from collections.abc import Mapping
from typing import Any

from cgii.collect import rejects
from cgii.collect.definition import Definition
from cgii.collect.parsers.json_lines import read_object
from cgii.collect.parsers.record import Record, as_line, decode
from cgii.collect.parsers.windows_shapes import CHANNELS, fields_of, moment_text
from cgii.collect.parsers.windows_xml import HEADER_CHARS_MAX, nested, xml_in
from cgii.collect.rejects import Unreadable


def read(data: bytes | Mapping[str, Any], definition: Definition) -> Record:
    """Channel, EventID, Provider_Name, Computer, TimeCreated and the event's own data, all flat."""
    if isinstance(data, bytes) and b"<Event" in data[:HEADER_CHARS_MAX]:
        _, text, notes = decode(as_line(data))
        xml = xml_in(text)
        if xml is not None:
            return Record(named(nested(xml)), text, {}, notes)
    found, text, notes = read_object(data, embedded=True)
    return Record(named(found), text, {}, notes)


def named(found: dict[str, Any]) -> dict[str, Any]:
    """The fields of a decoded record, flat and under their usual names. Raises Unreadable."""
    fields = found if is_flat(found) else fields_of(found)
    event_id = fields.get("EventID")
    if type(event_id) is not int:
        event_id = fields["EventID"] = _whole(event_id)
    moment = fields.get("TimeCreated")
    if moment is not None and (type(moment) is not str or moment[:1] == "/"):
        fields["TimeCreated"] = moment_text(moment)
    channel = fields.get("Channel")
    if not channel or type(channel) is not str:
        channel = CHANNELS.get(str(fields.get("Provider_Name")).lower())
        if channel is not None:
            fields["Channel"] = channel
    if event_id is None or not channel:
        raise Unreadable(rejects.NO_PATTERN, "no es un suceso de Windows: falta Channel o EventID")
    return fields


def is_settled(found: Mapping[str, Any]) -> bool:
    """Whether `named` has nothing to do for records with these names and types of values.

    But for an empty Channel, which it refuses, and a TimeCreated that begins with a slash.
    """
    return (
        is_flat(found)
        and type(found["EventID"]) is int
        and type(found["Channel"]) is str
        and type(found.get("TimeCreated")) in (str, type(None))
    )


def is_flat(found: Mapping[str, Any]) -> bool:
    """Whether the record has its names already as the public rules use them."""
    return (
        "Channel" in found
        and "EventID" in found
        and "Provider_Name" in found
        and "Computer" in found
        and "EventData" not in found
        and "event_data" not in found
    )


def _whole(value: Any) -> Any:
    """A number that came as text, or as an object with a text; anything else stays as it is."""
    if type(value) is str and len(value) < 10 and value.strip().isdecimal():
        return int(value)
    if type(value) is float and value.is_integer():
        return int(value)
    return value
