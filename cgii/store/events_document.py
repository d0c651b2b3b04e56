"""Reads stored documents that may be damaged: such a one is counted, and nothing is raised."""

from collections.abc import Mapping
from typing import Any

import orjson

from cgii.base.counters import EVENTS_UNREADABLE
from cgii.model.event import Event
from cgii.store.events_month import event_of
from cgii.store.query_fields import OWN

_NAMES = OWN | {"fields", "ecs"}


def document_or_none(body: bytes | None) -> Mapping[str, Any] | None:
    """The document as a search tests it; None when it is none. A row without one has None."""
    try:
        document = orjson.loads(body)  # type: ignore[arg-type]  # None is refused like other nonsense
    except ValueError:
        return None
    return document if isinstance(document, dict) and document.keys() >= _NAMES else None


def event_or_none(key: bytes, body: bytes | None) -> Event | None:
    """The event that was stored; None, and counted, when its document is no longer one."""
    try:
        return event_of(key, body)  # type: ignore[arg-type]
    except (ValueError, TypeError, KeyError, OverflowError, AttributeError):
        EVENTS_UNREADABLE.inc()
        return None
