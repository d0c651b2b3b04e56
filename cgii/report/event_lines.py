"""Events as lines of a file: JSON of our own, CSV of chosen fields, ECS and OCSF documents."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice

import orjson

from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.report.ocsf import ocsf_document
from cgii.report.tables import csv_lines, to_csv
from cgii.store.elastic_document import ecs_document
from cgii.store.events_month import document_of
from cgii.store.query_fields import TIMES, named, values
from cgii.store.words import shown

# Columns of a CSV when none are chosen: those of the search page, and what leads back to it.
FIELDS = (
    "@timestamp",
    "event.ingested",
    "id",
    "source",
    "entity_id",
    "host.name",
    "user.name",
    "source.ip",
    "destination.ip",
    "event.action",
    "event.outcome",
    "message",
    "event.original",
)
_BETWEEN = "; "  # of several values in one cell
_ROWS_AT_ONCE = 500

Lines = Callable[[Iterable[Event]], Iterator[bytes]]


def event_json(event: Event) -> dict[str, object]:
    """An event as programs read it."""
    return {
        "id": event.id,
        "@timestamp": event.at,
        "event.ingested": event.received_at,
        "source": event.source,
        "entity_id": event.entity_id,
        "sensor_id": event.sensor_id,
        "logsource": event.logsource,
        "ecs": event.ecs,
        "fields": event.fields,
        "notes": event.notes,
        "event.original": event.original,
    }


def jsonl(events: Iterable[Event]) -> Iterator[bytes]:
    """One JSON object per line, as the API gives it."""
    for event in events:
        yield orjson.dumps(event_json(event)) + b"\n"


def ecs(events: Iterable[Event]) -> Iterator[bytes]:
    """One ECS document per line, as Elasticsearch keeps it."""
    for event in events:
        yield ecs_document(event) + b"\n"


def ocsf(events: Iterable[Event]) -> Iterator[bytes]:
    """One OCSF document per line."""
    for event in events:
        yield orjson.dumps(ocsf_document(event)) + b"\n"


def csv_of(fields: Sequence[str]) -> Lines:
    """CSV with these columns; no cell is a formula. Raises Invalid."""
    if not fields or not all(fields):
        raise Invalid("Falta el nombre de un campo; escriba por ejemplo @timestamp,source.ip.")

    def lines(events: Iterable[Event]) -> Iterator[bytes]:
        yield to_csv(fields, ())
        rows = (_row(event, fields) for event in events)
        while some := csv_lines(islice(rows, _ROWS_AT_ONCE)):
            yield some

    return lines


FORMATS: Mapping[str, Lines] = {
    "jsonl": jsonl,
    "csv": csv_of(FIELDS),
    "ecs": ecs,
    "ocsf": ocsf,
}


def _row(event: Event, fields: Sequence[str]) -> list[str]:
    document = document_of(event)
    return [_cell(event, document, field) for field in fields]


def _cell(event: Event, document: Mapping[str, object], field: str) -> str:
    if field == "id":
        return event.id
    if field in TIMES:
        return _moment(event.at if field == "@timestamp" else event.received_at)
    found = (shown(one) for name in named(field) for one in values(document, name))
    return _BETWEEN.join(dict.fromkeys(found))


def _moment(moment: datetime) -> str:
    """UTC to the microsecond, as in the JSON lines."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
