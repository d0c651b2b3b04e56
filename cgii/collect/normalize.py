"""Raw records in, events out: parse, time, logsource, ECS view. One bad record harms no other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from cgii.base import limits
from cgii.base.ids import event_id, event_ids
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
from cgii.collect.plan import Plan, plan_of
from cgii.collect.rejects import Damage, Unreadable
from cgii.collect.times import RECEIVED, UNREADABLE, Found, settle, zone_named
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
    if definition is None:
        problem = Unreadable(rejects.UNKNOWN_SOURCE, f"no existe {origin.source[:80]!r}")
        return Normalised([], [_reject(origin, raw, problem) for raw in raws])
    reader = _Reader(origin, definition, received_at)
    for raw in raws:
        try:
            events.append(reader.event(raw))
        except Unreadable as problem:
            rejected.append(_reject(origin, raw, problem))
        except MISTAKES as error:
            mistake = Unreadable(rejects.NOT_UNDERSTOOD, f"{type(error).__name__}: {error}"[:500])
            rejected.append(_reject(origin, raw, mistake))
    return Normalised(events, rejected)


class _Reader:
    """Makes events of the records of one batch."""

    def __init__(self, origin: Origin, definition: Definition, received_at: datetime) -> None:
        self._origin = origin
        self._definition = definition
        self._received_at = received_at
        self._zone = zone_named(origin.zone) if origin.zone else definition.zone
        self._parse = PARSERS[definition.parser]
        self._id_of = event_ids(origin.stream, origin.epoch)

    def event(self, raw: Raw) -> Event:
        """The event of one record. Raises Unreadable."""
        definition, origin = self._definition, self._origin
        record = self._parse(raw.data, definition)
        fields, notes, original = record.fields, record.notes, record.original
        if len(original) > limits.FIELD_CHARS_MAX:
            before, fields = fields, cut_long_values(fields)
            if before != fields:
                notes = (*notes, CUT)
        known = record.ecs
        if "\0" in original or "\\u0000" in original:
            fields, known = without_nul(fields), without_nul(known)
        plan = definition.plans.get((*fields,)) or plan_of(definition, fields)
        at, guessed = self._moment(fields, plan)
        if guessed:
            notes += guessed
        ecs, logsource = plan.view(fields)
        if known:
            ecs.update(known)
        if "message" not in ecs:
            ecs["message"] = plan.message.of(fields)
        ecs["event.dataset"] = origin.source
        if raw.peer:
            _add_peer(ecs, raw.peer)
        return Event(  # by place: by name takes three times as long
            self._id_of(raw.seq), at, self._received_at, origin.source, logsource, fields, ecs,
            original, origin.entity_id, origin.sensor_id, notes,
        )  # fmt: skip

    def _moment(self, fields: Mapping[str, Any], plan: Plan) -> Found:
        zone, received_at = self._zone, self._received_at
        tried = ""
        for name, rule in plan.times:
            value = rule.value_in(fields) if name is None else fields[name]
            if value is None:
                continue
            try:
                return settle(rule.read(value, zone, received_at), received_at)
            except UNREADABLE as error:
                tried = tried or f"{rule.field}: {error}"
        if self._definition.time_may_be_missing and not tried:
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
