"""Raw records in, events out: parse, time, logsource, ECS view. One bad record harms no other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from cgii.base import limits
from cgii.base.ids import event_id
from cgii.collect import rejects
from cgii.collect.convert import bare_ip
from cgii.collect.definition import Definition, Definitions
from cgii.collect.parsers import (
    auditd,
    columns,
    common_event,
    headed,
    json_lines,
    key_values,
    patterns,
    syslog_lines,
    windows,
)
from cgii.collect.parsers.record import Record, cut_long_values, without_nul
from cgii.collect.rejects import Damage, Unreadable
from cgii.collect.times import RECEIVED, Found, settle
from cgii.model.event import Event, Origin, Raw, Rejected

Parser = Callable[[bytes | Mapping[str, Any], Definition], Record]

PARSERS: dict[str, Parser] = {
    "json_lines": json_lines.read,
    "syslog_lines": syslog_lines.read,
    "patterns": patterns.read,
    "windows": windows.read,
    "key_values": key_values.read,
    "columns": columns.read,
    "auditd": auditd.read,
    "headed": headed.read,
    "cef": common_event.read_cef,
    "leef": common_event.read_leef,
}
CUT = "cut"

# A record that trips over a mistake of ours must not hold up its batch for ever.
MISTAKES = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)

UNREADABLE_TIME = (ValueError, OverflowError, OSError, TypeError)


@dataclass(frozen=True, slots=True)
class Normalised:
    """What became of the raw records of one batch."""

    events: list[Event]
    rejected: list[Rejected]


def normalize(
    origin: Origin, raws: Sequence[Raw], definitions: Definitions, *, received_at: datetime
) -> Normalised:
    """Read every record of a batch; never raises, each record becomes an event or a reject."""
    events: list[Event] = []
    rejected: list[Rejected] = []
    definition = definitions.by_name.get(origin.source)
    for raw in raws:
        try:
            if definition is None:
                raise Unreadable(rejects.UNKNOWN_SOURCE, f"no existe {origin.source[:80]!r}")
            events.append(_event(origin, raw, definition, received_at))
        except Unreadable as problem:
            rejected.append(_reject(origin, raw, problem))
        except MISTAKES as error:
            mistake = Unreadable(rejects.NOT_UNDERSTOOD, f"{type(error).__name__}: {error}"[:500])
            rejected.append(_reject(origin, raw, mistake))
    return Normalised(events, rejected)


def _event(origin: Origin, raw: Raw, definition: Definition, received_at: datetime) -> Event:
    record = PARSERS[definition.parser](raw.data, definition)
    fields, notes = record.fields, record.notes
    if len(record.original) > limits.FIELD_CHARS_MAX:
        before, fields = fields, cut_long_values(fields)
        if before != fields:
            notes = (*notes, CUT)
    known = record.ecs
    if "\0" in record.original or "\\u0000" in record.original:
        fields, known = without_nul(fields), without_nul(known)
    at, guessed = _moment(fields, definition, received_at)
    if guessed:
        notes += guessed
    ecs = definition.ecs.apply(fields)
    if known:
        ecs.update(known)
    if "message" not in ecs:
        ecs["message"] = definition.message.of(fields)
    ecs["event.dataset"] = origin.source
    if raw.peer:
        _add_peer(ecs, raw.peer)
    return Event(
        id=event_id(origin.stream, origin.epoch, raw.seq),
        at=at,
        received_at=received_at,
        source=origin.source,
        logsource=definition.logsource.of(fields),
        fields=fields,
        ecs=ecs,
        original=record.original,
        entity_id=origin.entity_id,
        sensor_id=origin.sensor_id,
        notes=notes,
    )


def _moment(fields: Mapping[str, Any], definition: Definition, received_at: datetime) -> Found:
    zone = definition.zone
    tried = ""
    for rule in definition.times:
        value = rule.value_in(fields)
        if value is None:
            continue
        try:
            return settle(rule.read(value, zone, received_at), received_at)
        except UNREADABLE_TIME as error:
            tried = tried or f"{rule.field}: {error}"
    if definition.time_may_be_missing and not tried:
        return received_at, (RECEIVED,)
    raise Unreadable(rejects.NO_TIME, tried[:200])


def _add_peer(ecs: dict[str, Any], peer: str) -> None:
    address = bare_ip(peer)
    if address is not None:
        ecs["log.source.address"] = ecs["observer.ip"] = address
        return
    path, colon, line = peer.rpartition(":")
    if colon and line.isdecimal():
        ecs["log.file.path"] = path
        ecs["log.file.line"] = int(line)
    else:
        ecs["log.file.path"] = peer


def _reject(origin: Origin, raw: Raw, problem: Unreadable) -> Rejected:
    return Rejected(
        id=event_id(origin.stream, origin.epoch, raw.seq),
        source=origin.source,
        seq=raw.seq,
        reason=problem.reason,
        detail=problem.detail,
        sample=_sample(raw.data),
        peer=raw.peer,
    )


def _sample(data: object) -> str:
    if isinstance(data, bytes):
        return data[: limits.REJECT_SAMPLE_CHARS_MAX].decode(errors="replace")
    if isinstance(data, Damage):
        return ""
    if not isinstance(data, Mapping):  # against its type, but nothing may raise here
        return repr(data)[: limits.REJECT_SAMPLE_CHARS_MAX]
    try:
        return orjson.dumps(data).decode()[: limits.REJECT_SAMPLE_CHARS_MAX]
    except TypeError:  # too deep, a key that is no text, a value that JSON has not
        pass
    beginning = list(data.items())[:20]  # the whole may be enormous
    try:
        return repr(dict(beginning))[: limits.REJECT_SAMPLE_CHARS_MAX]
    except RecursionError:
        return ""
