"""The shapes that travel from a socket to an alert: Raw, Event, Rejected, Match, Alert facts."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a stream of records comes from; the same for every record of one batch.

    `stream` and `epoch` name the numbering: (stream, epoch, seq) is one record, for ever.
    """

    source: str  # name of the definition in collectors/, such as "linux_auth"
    stream: str  # who numbers the records: "sensor:7/linux_auth", "file:/var/log/auth.log", …
    epoch: str  # changes when the numbering starts again
    sensor_id: int | None = None
    entity_id: int | None = None  # known when the sensor belongs to an entity
    zone: str = ""  # of lines that name none (IANA); empty: the one of the source's definition


class Raw(NamedTuple):
    """One record as it arrived: a line or a JSON object in bytes, or one already parsed.

    A tuple, because it is made in half the time: there is one for every record.
    """

    seq: int
    data: bytes | Mapping[str, Any]
    peer: str = ""  # address of the sender, or `file:line`


@dataclass(frozen=True, slots=True)
class LogSource:
    """Which kind of log an event is, in Sigma's words; empty means not known."""

    product: str = ""
    category: str = ""
    service: str = ""


@dataclass(slots=True)
class Event:
    """One normalised record.

    `fields` has the producer's own names and values (`CommandLine`, `id.orig_h`) as they came,
    `ecs` the same facts under Elastic Common Schema names, flat and dotted (`source.ip`).
    """

    id: str  # base.ids.event_id: 32 hex digits
    at: datetime  # when it happened, UTC
    received_at: datetime
    source: str
    logsource: LogSource
    fields: dict[str, Any]
    ecs: dict[str, Any]
    original: str
    entity_id: int | None = None
    sensor_id: int | None = None
    notes: tuple[str, ...] = ()  # what the reader had to guess: "year", "invalid UTF-8", "cut"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that could not be read; kept with its reason so that it can be replayed."""

    id: str  # the id its event would have had
    source: str
    seq: int
    reason: str  # a short stable English phrase, such as "not JSON"
    detail: str
    sample: str  # its beginning, limits.REJECT_SAMPLE_CHARS_MAX at most
    peer: str = ""  # as its Raw had it


@dataclass(frozen=True, slots=True)
class MatchedField:
    """Why one part of a rule was true: this field had this value and the rule wanted that."""

    selection: str
    field: str  # "" for a keyword
    value: str
    wanted: str  # the pattern as the rule writes it, with modifiers: "contains 'mimikatz'"


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule's verdict over one event (single) or over several (correlation).

    `id` is deterministic in the rule and its events, so examining twice finds the same alert.
    `key` is what alerts are grouped by, as (field, value) pairs.
    """

    id: str
    rule_id: str
    rule_title: str
    rule_kind: str  # "sigma" "correlation" "indicator" "silence" "yara"
    level: str  # informational low medium high critical
    at: datetime  # of the event that completed it
    entity_id: int | None
    sensor_id: int | None
    source: str
    key: tuple[tuple[str, str], ...]
    event_ids: tuple[str, ...]  # newest last, limits.ALERT_SAMPLES_MAX at most
    event_count: int  # how many events in all
    explanation: tuple[MatchedField, ...]
    tags: tuple[str, ...] = ()  # attack.t1110, rsit.intrusion-attempts.brute-force
    summary: str = ""  # one Spanish sentence: "6 eventos en 300 s para source.ip=203.0.113.9"
    observables: tuple[tuple[str, str], ...] = field(default=())  # ("ip", "203.0.113.9"), …
