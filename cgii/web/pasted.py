"""Records that somebody pastes to see what comes of them: events, or why they are refused."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import orjson
from pydantic import Field

from cgii.base import limits
from cgii.collect import documents
from cgii.collect.definition import Definition, Definitions
from cgii.collect.normalize import normalize
from cgii.collect.route import JSON_PARSERS, choose_source
from cgii.collect.shapes import LINES
from cgii.model.event import Event, Origin, Raw, Rejected

AUTO = "auto"
RECORDS_MAX = 50  # shown of one paste: each is a table of its fields
XML_EVENTS = re.compile(r"\n(?=\s*<Event[\s>])")


@dataclass(frozen=True)
class PasteForm:
    """Raw records as they stand in a file, and the source that should read them."""

    record: Annotated[str, Field(min_length=1, max_length=limits.TEXT_CHARS_MAX)]
    source: Annotated[str, Field(max_length=80)] = AUTO


@dataclass(frozen=True)
class Outcome:
    """What became of a pasted record: an event or a refusal, and the source that read it."""

    source: str
    event: Event | None
    rejected: Rejected | None


@dataclass(frozen=True)
class Pasted:
    """What became of the records of one paste, in their order; `count` is how many there were."""

    outcomes: tuple[Outcome, ...]
    count: int

    @property
    def read_count(self) -> int:
        """How many of those looked at became events."""
        return sum(one.event is not None for one in self.outcomes)


def try_records(form: PasteForm, definitions: Definitions, *, now: datetime) -> Pasted:
    """Cut what was pasted as a file of its source is cut, and read each record. Stores nothing."""
    text = form.record.replace("\r\n", "\n").strip("\n")
    known = definitions.by_name.get(form.source)
    guessed = known or definitions.by_name.get(choose_source(text.encode(), definitions))
    source = guessed.name if guessed and (known or guessed.shape != LINES) else AUTO
    records = _cut(text, guessed, is_json=None if known is None else _reads_json(known))
    shown = [PasteForm(one, source) for one in records[:RECORDS_MAX]]
    outcomes = (try_record(one, definitions, now=now) for one in shown)
    return Pasted(tuple(outcomes), len(records))


def _reads_json(definition: Definition) -> bool:
    return definition.parser in JSON_PARSERS


def _cut(text: str, definition: Definition | None, *, is_json: bool | None) -> list[str]:
    """The records of a text; `is_json` None: its beginning tells."""
    if text.startswith(("{", "[")) if is_json is None else is_json:
        return _objects(text)
    cutter = (definition.shape if definition else LINES).cutter()
    cut = [*cutter.feed(text.encode()), *cutter.end()]
    return [record.decode() for record, _ in cut if record.strip()] or [text]


def _objects(text: str) -> list[str]:
    """Objects of JSON, one to a line or over several; or events of Windows in XML."""
    if text.lstrip().startswith("<"):
        return XML_EVENTS.split(text)
    lines = [line for line in text.split("\n") if line.strip()]
    if not text.startswith(("{", "[")) or _is_object(lines[0]):
        return lines
    try:
        return [documents.as_json(one.value).decode() for one in documents.records(text)]
    except documents.BrokenDocument:
        return [text]


def _is_object(line: str) -> bool:
    try:
        return isinstance(orjson.loads(line), dict)
    except orjson.JSONDecodeError:
        return False


def try_record(form: PasteForm, definitions: Definitions, *, now: datetime) -> Outcome:
    """Read one record as its source would. Nothing is stored."""
    data = form.record.strip("\n").encode()
    known = form.source in definitions.by_name
    source = form.source if known else choose_source(data, definitions)
    read = normalize(Origin(source, "pasted", "0"), [Raw(0, data)], definitions, received_at=now)
    event = read.events[0] if read.events else None
    return Outcome(source, event, None if event else read.rejected[0])


@dataclass(frozen=True)
class Reader:
    """Reads examples as their source would."""

    definitions: Definitions
    now: datetime

    def __call__(self, source: str, raw: str) -> Event | None:
        """The event, or None."""
        return try_record(PasteForm(raw, source), self.definitions, now=self.now).event
