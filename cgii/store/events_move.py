"""Moves the events of month files into another store, so that a kill at any moment does no harm."""

import hashlib
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import orjson
from pydantic import Field, TypeAdapter, ValidationError

from cgii.base import limits
from cgii.base.counters import EVENTS_UNREADABLE, total
from cgii.base.durable import sync_folder
from cgii.model.event import Event
from cgii.store import events_search
from cgii.store.events import EventStore
from cgii.store.events_aside import set_aside
from cgii.store.events_document import event_or_none
from cgii.store.events_files import MonthFiles
from cgii.store.events_month import document_of, pack
from cgii.store.events_scan import gone

_FIRST = -(2**63)
_IDS_TOLD = 10


@dataclass(slots=True)
class Comparison:
    """How the events of one month are in the target; a few ids of what is not as it should be.

    `again` counts those that a sensor had sent to the target by itself: the same record, received
    at another moment. `refused` counts those that the target keeps where no search finds them,
    `unreadable` the documents that are damaged and so were not copied.
    """

    month: str
    events: int = 0
    missing: int = 0
    different: int = 0
    again: int = 0
    refused: int = 0
    unreadable: int = 0
    inode: int = 0  # of the file that was compared
    ids: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the target has everything."""
        return not self.missing and not self.different

    @property
    def found(self) -> int:
        """How many the target has, whatever is in them."""
        return self.events - self.missing


class Move:
    """Copies, compares and deletes month by month; how far it came is kept in a small file."""

    def __init__(self, folder: Path, target: EventStore, marks: "Marks") -> None:
        self._files = MonthFiles(folder)
        self._target = target
        self._marks = marks

    def months(self) -> dict[str, int]:
        """The months that have a file, oldest first, and how many events each says it has."""
        return {month: self._tally(month) for month in self._files.months()}

    def damaged(self) -> tuple[str, ...]:
        """Files that were set aside; what is in them is not moved."""
        return tuple(gap.file for gap in set_aside(self._files.folder))

    def copy(self, month: str) -> Iterator[int]:
        """Write the month's events into the target; gives how many after each batch.

        The mark is set once the target has a batch on disk. What is copied twice is stored once.
        """
        inode = self._files.inode(month)
        for position, events in self._batches(month, inode, self._marks.of(month, inode)):
            self._target.write(events)
            self._marks.set(month, inode, position)
            yield len(events)

    def compare(self, month: str, found: Comparison) -> Iterator[int]:
        """Look up each of the month's events in the target; gives how many after each batch."""
        found.inode = self._files.inode(month)
        before = total(EVENTS_UNREADABLE)
        for _, events in self._batches(month, found.inode, _FIRST):
            ids = [event.id for event in events]
            there = self._target.get_many(ids)
            found.refused += len(self._target.refused(ids))
            for event in events:
                _note(event, there.get(event.id), found)
            yield len(events)
        found.unreadable = total(EVENTS_UNREADABLE) - before
        if not found.is_whole:
            self._marks.forget(month)  # the next run copies it from its beginning

    def delete(self, compared: Comparison) -> bool:
        """Delete a month that was compared; not if a search of the target misses some of it.

        Nor if it has got more events since then, or a process that may still write has it open.
        """
        if not compared.is_whole or compared.refused or compared.unreadable:
            return False
        return self._files.remove_if_whole(compared.month, compared.inode, compared.events)

    def close(self) -> None:
        """Let go of the files."""
        self._files.close()

    def _batches(self, month: str, inode: int, after: int) -> Iterator[tuple[int, list[Event]]]:
        """The events after a position, in batches, each with its last position."""
        while True:
            rows: list[events_search.Row] | None = None
            with self._files.reading(month, _deadline()) as reader:
                if reader is not None and reader.inode == inode:
                    rows = events_search.after(reader, after, limits.BULK_DOCUMENTS_MAX)
            if rows is None:
                raise gone()
            if not rows:
                return
            after = rows[-1][0]
            events = [event_or_none(row[2], row[3]) for row in rows]
            yield after, [event for event in events if event is not None]

    def _tally(self, month: str) -> int:
        count: int | None = None
        with self._files.reading(month, _deadline()) as reader:
            if reader is not None:
                count = events_search.tally(reader)
        if count is None:
            raise gone()
        return count


@dataclass(frozen=True)
class _Kept:
    target: str
    months: dict[str, Annotated[list[int], Field(min_length=2, max_length=2)]]


_KEPT = TypeAdapter(_Kept)


class Marks:
    """How far each month was copied into one target; a new target begins anew.

    So does a file that cannot be read, which `is_damaged` tells.
    """

    def __init__(self, path: Path, target: str) -> None:
        self._path = path
        self._target = target
        self._months, self.is_damaged = _read(path, target)

    def of(self, month: str, inode: int) -> int:
        """The position up to which this very file was copied."""
        known = self._months.get(month)
        return known[1] if known is not None and known[0] == inode else _FIRST

    def set(self, month: str, inode: int, position: int) -> None:
        """Keep a position, on disk."""
        self._months[month] = [inode, position]
        self._save()

    def forget(self, month: str) -> None:
        """Begin this month anew the next time."""
        if self._months.pop(month, None) is not None:
            self._save()

    def drop(self) -> None:
        """Everything is done."""
        self._path.unlink(missing_ok=True)

    def _save(self) -> None:
        fresh = self._path.with_name(f".{self._path.name}-{secrets.token_hex(8)}")
        with fresh.open("xb") as file:
            file.write(orjson.dumps({"target": self._target, "months": self._months}))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._path)
        sync_folder(self._path.parent)


def _read(path: Path, target: str) -> tuple[dict[str, list[int]], bool]:
    """Inode and position by month, and whether the file was damaged; then there are no marks."""
    try:
        kept = _KEPT.validate_json(path.read_bytes())
    except FileNotFoundError:
        return {}, False
    except ValidationError:
        return {}, True
    return (kept.months if kept.target == target else {}), False


def _note(event: Event, there: Event | None, found: Comparison) -> None:
    found.events += 1
    if there is None:
        found.missing += 1
    elif _digest(event) == _digest(there):
        return
    elif _digest(event, received=False) == _digest(there, received=False):
        found.again += 1
        return
    else:
        found.different += 1
    if len(found.ids) < _IDS_TOLD:
        found.ids.append(event.id)


def _digest(event: Event, *, received: bool = True) -> bytes:
    document = document_of(event)
    if not received:
        del document["event.ingested"]
    return hashlib.sha256(pack(document)).digest()


def _deadline() -> float:
    return time.monotonic() + limits.SCAN_SECONDS_MAX
