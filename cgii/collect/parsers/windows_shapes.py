"""The many shapes of one Windows event in JSON, each brought to the producer's flat names."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from cgii.base import limits
from cgii.collect import rejects
from cgii.collect.parsers.record import are_usual
from cgii.collect.rejects import Unreadable

# Tools that turn XML into JSON put an element's attributes and its text under these names.
ATTRIBUTES = ("#attributes", "@attributes", "$", "attributes")
TEXTS = ("#text", "_", "$text", "__text", "text", "Value", "value", "content")
MARKS = "@-"  # before an attribute's own name: @Name, -Name
DATA_DEPTH_MAX = 4  # UserData nests its names two or three deep

# Winlogbeat's names, old and new, and the ones which Windows itself and public rules use.
WINLOGBEAT = {
    "channel": "Channel",
    "log_name": "Channel",
    "event_id": "EventID",
    "provider_name": "Provider_Name",
    "source_name": "Provider_Name",
    "provider_guid": "ProviderGuid",
    "computer_name": "Computer",
    "record_id": "EventRecordID",
    "record_number": "EventRecordID",
    "task": "Task",
    "opcode": "Opcode",
    "keywords": "Keywords",
    "version": "Version",
    "activity_id": "ActivityID",
}
FLAT = {
    "Provider_Name": (
        "SourceName", "ProviderName", "Provider", "provider_name", "source_name", "Source",
    ),
    "Computer": ("Hostname", "ComputerName", "MachineName", "computer_name", "computer"),
    "EventRecordID": ("RecordNumber", "RecordId", "EventRecordId", "record_id"),
    "EventID": ("EventId", "event_id", "EventCode", "eventid", "event_code", "Id"),
    "Channel": ("LogName", "channel", "log_name", "EventLog"),
    "TimeCreated": ("SystemTime", "TimeGenerated", "timestamp", "Timestamp"),
}  # fmt: skip
# Where a producer writes to one channel only, its name tells the channel.
CHANNELS = {
    "microsoft-windows-sysmon": "Microsoft-Windows-Sysmon/Operational",
    "linux-sysmon": "Linux-Sysmon/Operational",
    "microsoft-windows-security-auditing": "Security",
    "microsoft-windows-powershell": "Microsoft-Windows-PowerShell/Operational",
    "powershellcore": "PowerShellCore/Operational",
    "powershell": "Windows PowerShell",
    "service control manager": "System",
    "microsoft-windows-taskscheduler": "Microsoft-Windows-TaskScheduler/Operational",
    "microsoft-windows-windows defender": "Microsoft-Windows-Windows Defender/Operational",
    "microsoft-windows-wmi-activity": "Microsoft-Windows-WMI-Activity/Operational",
    "microsoft-windows-bits-client": "Microsoft-Windows-Bits-Client/Operational",
    "microsoft-windows-codeintegrity": "Microsoft-Windows-CodeIntegrity/Operational",
    "microsoft-windows-ntlm": "Microsoft-Windows-NTLM/Operational",
    "microsoft-windows-dns-client": "Microsoft-Windows-DNS-Client/Operational",
}
KEPT = frozenset({"Channel", "EventID", "Provider_Name", "Computer", "TimeCreated"})
DATA = ("EventData", "UserData", "event_data", "user_data")
NOT_FLAT = frozenset({"_source", "Event", "System", "winlog", "event_data"})
ROOTS = ("Event.", "System.", "EventData.", "UserData.", "winlog.")
MILLISECONDS = re.compile(r"/Date\((-?\d{1,15})(?:[+-]\d{4})?\)/")


class Names(NamedTuple):
    """What the names of a flat record's fields tell of it."""

    own: tuple[str, ...]  # of fields that may hold the event's own data, as DATA has them
    moved: tuple[tuple[str, tuple[str, ...]], ...]  # names, and others that stand for them


_known: dict[tuple[str, ...], Names | None] = {}


def fields_of(found: dict[str, Any]) -> dict[str, Any]:
    """The event's fields under their producer's names. Raises Unreadable."""
    names = (*found,)
    try:
        told = _known[names]
    except KeyError:
        told = _names(names)
        if are_usual(names):
            if len(_known) >= limits.RECORD_PLANS_MAX:
                _known.clear()
            _known[names] = told
    return _fields_in(found) if told is None else _flat(found, told)


def _names(names: tuple[str, ...]) -> Names | None:
    """What they tell; None if the record may not be flat."""
    if not NOT_FLAT.isdisjoint(names) or any(name.startswith(ROOTS) for name in names):
        return None
    moved = [(name, tuple(o for o in others if o in names)) for name, others in FLAT.items()]
    own = tuple(name for name in DATA if name in names)
    return Names(own, tuple((name, others) for name, others in moved if others))


def _fields_in(found: dict[str, Any]) -> dict[str, Any]:
    if isinstance(found.get("_source"), dict):  # an export of Elasticsearch
        found = found["_source"]
    if any(name.startswith(ROOTS) for name in found):
        found = _nested_names(found)
    event = found.get("Event")
    if isinstance(event, list) and len(event) == 1:
        event = event[0]
    if isinstance(event, dict):
        return _nested(event)
    if isinstance(found.get("System"), dict):
        return _nested(found)
    if isinstance(found.get("winlog"), dict):
        return _winlogbeat(found, found["winlog"])
    if isinstance(found.get("event_data"), dict):
        return _winlogbeat(found, found)
    moved = tuple(FLAT.items())
    return _flat(found, Names(tuple(name for name in DATA if name in found), moved))


def moment_text(value: Any) -> Any:
    """A moment as its producer wrote it, those in milliseconds or seconds as ISO 8601 text."""
    if isinstance(value, dict):
        value = next((value[name] for name in ("SystemTime", *TEXTS) if name in value), None)
    if type(value) is str and (found := MILLISECONDS.search(value)):
        value = int(found[1])
    if type(value) not in (int, float):
        return value
    seconds = value / 1_000 if abs(value) > 1e11 else value
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat()
    except (ValueError, OverflowError, OSError):
        return None


def _flat(found: dict[str, Any], names: Names) -> dict[str, Any]:
    fields = dict(found)
    own = [name for name in names.own if isinstance(found[name], dict | list)]
    for name in own:
        del fields[name]
    for name, others in names.moved:
        if fields.get(name) is None:
            for other in others:
                if fields.get(other) is not None:
                    fields[name] = fields[other]
                    break
    provider = fields.get("Provider_Name")
    if isinstance(provider, dict):
        fields["Provider_Name"] = attributes_of(provider).get("Name") or text_of(provider)
    for name in ("EventID", "Channel", "Computer"):
        if isinstance(fields.get(name), dict):
            fields[name] = text_of(fields[name])
    for name in own:
        _add_own(fields, found[name])
    return fields


def _winlogbeat(found: dict[str, Any], winlog: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for theirs, name in WINLOGBEAT.items():
        if winlog.get(theirs) is not None:
            fields.setdefault(name, winlog[theirs])
    _add_own(fields, winlog.get("event_data"))
    _add_own(fields, winlog.get("user_data"))
    event, host = found.get("event"), found.get("host")
    if isinstance(event, dict):
        fields.setdefault("EventID", event.get("code"))
        fields.setdefault("Provider_Name", event.get("provider"))
        if "created" in event:
            fields.setdefault("EventReceivedTime", event["created"])
    if isinstance(host, dict):
        fields.setdefault("Computer", host.get("name"))
    if type(found.get("message")) is str:
        fields["Message"] = found["message"]
    if "@timestamp" in found:
        fields["TimeCreated"] = found["@timestamp"]
    return fields


def _nested(event: dict[str, Any]) -> dict[str, Any]:
    system = event.get("System")
    fields: dict[str, Any] = {}
    if isinstance(system, dict):
        for name, value in system.items():
            _add_system(fields, name, value)
    _add_own(fields, event.get("EventData"))
    _add_own(fields, event.get("UserData"))
    rendering = event.get("RenderingInfo")
    if isinstance(rendering, dict) and type(rendering.get("Message")) is str:
        fields["Message"] = rendering["Message"]
    elif type(event.get("Message")) is str:
        fields["Message"] = event["Message"]
    return fields


def _add_system(fields: dict[str, Any], name: str, value: Any) -> None:
    # Two forms: {"#attributes": {…}, "#text": …} inside, or "<name>_attributes" beside.
    if name.endswith("_attributes") and isinstance(value, dict):
        _add_attributes(fields, name.removesuffix("_attributes"), value)
        return
    if isinstance(value, dict):
        _add_attributes(fields, name, attributes_of(value))
        value = text_of(value)
    elif name == "Provider" and type(value) is str:
        fields["Provider_Name"] = value
    if value is not None:
        fields[name] = value


def _add_attributes(fields: dict[str, Any], name: str, attributes: Mapping[str, Any]) -> None:
    if name == "Provider":
        fields["Provider_Name"] = attributes.get("Name") or attributes.get("EventSourceName")
        if "Guid" in attributes:
            fields["ProviderGuid"] = attributes["Guid"]
    elif name == "TimeCreated":
        fields["TimeCreated"] = attributes.get("SystemTime")
    elif name in ("Execution", "Security", "Correlation"):
        for key, value in attributes.items():
            if value is not None:
                fields.setdefault(key, value)


def _add_own(fields: dict[str, Any], data: Any, depth: int = 0) -> None:
    """The event's own data under its producer's names; who wrote it is never overwritten by it."""
    if isinstance(data, list):
        _add_listed(fields, data)
        return
    if not isinstance(data, dict):
        return
    for name, value in data.items():
        if name in ATTRIBUTES or name.endswith("_attributes") or name[:1] in MARKS:
            continue
        if name == "Data" and isinstance(value, list | dict):
            _add_listed(fields, value if isinstance(value, list) else [value])
            continue
        if isinstance(value, dict):
            if any(text in value for text in TEXTS[:2]):
                value = text_of(value)
            elif depth < DATA_DEPTH_MAX:
                _add_own(fields, value, depth + 1)
                continue
        if name in KEPT and fields.get(name) is not None:
            continue
        fields[name] = value


def _add_listed(fields: dict[str, Any], listed: list[Any]) -> None:
    """`<Data Name="Image">…</Data>` one after another; those without a name stay together."""
    unnamed: list[Any] = []
    for one in listed:
        if not isinstance(one, dict):
            unnamed.append(one)
            continue
        name = attributes_of(one).get("Name")
        if type(name) is str and name:
            if name not in KEPT or fields.get(name) is None:
                fields[name] = text_of(one)
            continue
        text = text_of(one)
        unnamed.extend(text if isinstance(text, list) else [text])
    if unnamed:
        fields["Data"] = unnamed[0] if len(unnamed) == 1 else unnamed


def attributes_of(value: Mapping[str, Any]) -> Mapping[str, Any]:
    """The attributes of an element; without a mark of their own, all that stands in it."""
    for name in ATTRIBUTES:
        found = value.get(name)
        if isinstance(found, dict):
            return found
    marked = {name[1:]: inner for name, inner in value.items() if name[:1] in MARKS}
    return marked or value


def text_of(value: Mapping[str, Any]) -> Any:
    """The text of an element, or None."""
    return next((value[name] for name in TEXTS if name in value), None)


def _nested_names(found: Mapping[str, Any]) -> dict[str, Any]:
    """`winlog.event_data.Image` as objects in objects, for the roots that events are read by."""
    whole: dict[str, Any] = {}
    for name, value in found.items():
        here = whole
        *inner, last = list(_parts(name)) if name.startswith(ROOTS) else [name]
        for part in inner:
            below = here.setdefault(part, {})
            if not isinstance(below, dict):
                raise Unreadable(rejects.NOT_UNDERSTOOD, f"{name!r} es un valor y un objeto")
            here = below
        here[last] = value
    return whole


def _parts(name: str) -> Iterator[str]:
    """At most the five levels that events have; what follows is part of the last name."""
    yield from name.split(".", 4)
