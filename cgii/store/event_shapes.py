"""What is asked of an event store and what it answers; the same for every kind of store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cgii.base import limits
from cgii.model.event import Event


@dataclass(frozen=True, slots=True)
class Access:
    """How to sign in at a server: a user with a password, or an API key.

    `authority` is a PEM file with the certificate that vouches for the server.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    api_key: str = field(default="", repr=False)
    authority: Path | None = None


@dataclass(frozen=True, slots=True)
class EventQuery:
    """Which events are wanted, newest first; times are compared to the millisecond.

    `text` is Lucene syntax, empty for all. `entity_ids` is the tenant guard: None means every
    entity and is for the centre's own people, an empty set finds nothing.
    """

    text: str = ""
    start: datetime | None = None  # the first moment that counts
    end: datetime | None = None  # the first moment that no longer counts
    entity_ids: frozenset[int] | None = None
    size: int = limits.PAGE_ROWS
    after: str = ""  # `Page.after` of the page before; empty for the first


@dataclass(frozen=True, slots=True)
class Page:
    """A page of events; `after` asks for the next one and is empty on the last.

    `unreadable` is how many more belong to it whose documents are damaged.
    """

    events: tuple[Event, ...]
    after: str = ""
    unreadable: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """How many events happened from `start` on, until the next bucket's start."""

    start: datetime
    count: int


@dataclass(frozen=True, slots=True)
class TopValue:
    """A value of a field, folded to lower case, and the number of events that have it."""

    value: str
    count: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Events of a month, such as `2026-11`, are missing: they are in a damaged file, set aside."""

    month: str
    file: str


@dataclass(frozen=True, slots=True)
class StoreStats:
    """How much there is; `product` says what keeps it.

    `set_aside` names what was taken out of use: damaged files, events that an index refused;
    `unusable` the files that cannot be opened, of which nothing is counted, and indices that
    take nothing. `strangers` counts other centres that wrote into the newest month.
    """

    events: int
    size_bytes: int
    oldest: datetime | None  # when the oldest event happened
    newest: datetime | None
    set_aside: tuple[str, ...] = ()
    unusable: tuple[str, ...] = ()
    product: str = "SQLite"
    strangers: int = 0


def months_too_many(sizes: Mapping[str, int], size_bytes: int, now: datetime) -> list[str]:
    """The oldest months, such as `2026-11`, without which the rest fits; none of now or later."""
    dropped: list[str] = []
    left = sum(sizes.values())
    for month in sorted(sizes):
        if left <= size_bytes or month >= f"{now.year:04d}-{now.month:02d}":
            break
        dropped.append(month)
        left -= sizes[month]
    return dropped
