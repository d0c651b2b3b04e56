"""What people and programs send of a notice, and how it becomes a NoticeForm."""

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Annotated, Any

from pydantic import Field

from cgii.base import limits
from cgii.respond.notices import NoticeForm

Line = Annotated[str, Field(max_length=limits.SHORT_TEXT_CHARS_MAX)]
Text = Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)]
# Kinds of technical facts by their form; the first that fits. Addresses are tried before.
_SHAPES = (
    ("url", re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)),
    ("hash", re.compile(r"[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", re.IGNORECASE)),
    ("mail", re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")),
    ("domain", re.compile(r"([a-z0-9_-]+\.)+[a-z]{2,24}", re.IGNORECASE)),
)


@dataclass(frozen=True)
class NoticeInput:
    """The notice as a person types it: what, when noticed, what is affected and who must be."""

    title: Annotated[Line, Field(min_length=1)]
    description: Annotated[Text, Field(min_length=1)]
    noticed_at: datetime
    affected: Annotated[Text, Field(min_length=1)]
    contact_name: Annotated[Line, Field(min_length=1)]
    contact_email: Line = ""
    contact_phone: Line = ""
    contact_position: Line = ""
    occurred_at: datetime | None = None
    rsit_class: str = ""
    affected_count: Annotated[int | None, Field(ge=0)] = None
    service_impact: str = "unknown"
    personal_data: str = "unknown"
    is_ongoing: bool = False
    actions_taken: Text = ""
    help_needed: Text = ""
    complaint: Line = ""
    cite: Line = ""
    observables: Text = ""
    tlp: str = "AMBER"
    request_key: Annotated[str, Field(max_length=100)] = ""

    def as_form(self, entity_id: int) -> NoticeForm:
        """As the room files it."""
        values: dict[str, Any] = asdict(self)
        del values["request_key"]
        values["observables"] = tuple(observables(self.observables))
        return NoticeForm(entity_id=entity_id, **values)


def observables(text: str) -> Iterator[tuple[str, str]]:
    """One technical fact per line, with the kind that its form shows."""
    for line in text.splitlines():
        value = refanged(line.strip())[: limits.SHORT_TEXT_CHARS_MAX]
        if value:
            yield kind_of(value), value


def refanged(value: str) -> str:
    """An address written so that nobody clicks on it, as it really is."""
    for written, real in (("hxxp", "http"), ("[.]", "."), ("(.)", "."), ("[at]", "@")):
        value = value.replace(written, real)
    return value


def kind_of(value: str) -> str:
    """The kind of a technical fact, of incidents.observable_kinds; what fits none is a file."""
    try:
        ip_address(value)
    except ValueError:
        return next((kind for kind, shape in _SHAPES if shape.fullmatch(value)), "file")
    return "ip"
