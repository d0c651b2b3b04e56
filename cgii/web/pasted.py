"""A record that somebody pastes to see what comes of it: the event, or why it is refused."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from cgii.base import limits
from cgii.collect.definition import Definitions
from cgii.collect.normalize import normalize
from cgii.collect.route import choose_source
from cgii.model.event import Event, Origin, Raw, Rejected

AUTO = "auto"


@dataclass(frozen=True)
class PasteForm:
    """A raw record, and the source that should read it."""

    record: Annotated[str, Field(min_length=1, max_length=limits.TEXT_CHARS_MAX)]
    source: Annotated[str, Field(max_length=80)] = AUTO


@dataclass(frozen=True)
class Outcome:
    """What became of a pasted record: an event or a refusal, and the source that read it."""

    source: str
    event: Event | None
    rejected: Rejected | None


def try_record(form: PasteForm, definitions: Definitions, *, now: datetime) -> Outcome:
    """Read a pasted record as its source would. Nothing is stored."""
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
