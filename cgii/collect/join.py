"""Makes few requests of the batches that wait in the spool: a small one costs as much as a large.

Batches of one stream, epoch and zone whose numbers follow each other become one. That changes
nothing of what is kept: a record is known by its stream, epoch and number, however it was cut.
"""

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from cgii.base import limits
from cgii.collect.send import packed
from cgii.collect.spool import Entry


@dataclass(frozen=True, slots=True)
class Request:
    """A body to be sent, and the batches that are in it."""

    body: bytes
    entries: Sequence[Entry]

    def apart(self) -> list["Request"]:
        """The same batches one by one, as they were gathered."""
        return [Request(entry.body, [entry]) for entry in self.entries]


@dataclass
class _Group:
    """Batches that follow each other."""

    entries: list[Entry] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)
    records: int = 0
    size: int = 0  # bytes, unpacked

    def has_room(self, body: dict[str, Any], size: int) -> bool:
        return (
            body["seq"] == self.bodies[0]["seq"] + self.records
            and self.records + len(body["records"]) <= limits.LISTEN_BATCH_RECORDS
            and self.size + size <= limits.JOINED_BYTES_MAX
        )

    def add(self, entry: Entry, body: dict[str, Any], size: int) -> None:
        self.entries.append(entry)
        self.bodies.append(body)
        self.records += len(body["records"])
        self.size += size

    def request(self) -> Request:
        if len(self.entries) == 1:
            return Request(self.entries[0].body, self.entries)
        whole = {**self.bodies[0], "records": _all(self.bodies, "records")}
        if any("peers" in body for body in self.bodies):
            nobody = [{"peers": [""] * len(body["records"]), **body} for body in self.bodies]
            whole["peers"] = _all(nobody, "peers")
        return Request(packed(whole), self.entries)


def waiting(first: Entry, after: Callable[[Entry], Entry | None]) -> Iterator[Entry]:
    """The oldest batch and some of those that `after` gives; a large one is alone."""
    entry: Entry | None = first
    records = size = 0
    while entry is not None:
        yield entry
        records += entry.records
        size += len(entry.body)
        if records >= limits.LISTEN_BATCH_RECORDS or size >= limits.JOINED_BYTES_MAX:
            return
        entry = after(entry)


def requests_of(entries: Sequence[Entry]) -> list[Request]:
    """What to send for these batches, of each stream in its order."""
    if len(entries) == 1:
        return [Request(entries[0].body, entries)]
    groups: list[_Group] = []
    last: dict[object, _Group] = {}  # of each stream
    for entry in entries:
        try:
            text = gzip.decompress(entry.body)
            body = orjson.loads(text)
            stream = (body["source"], body["stream"], body["epoch"], body.get("zone"))
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
            return Request(b"", entries).apart()  # not as we pack them: the centre shall judge
        group = last.get(stream)
        if group is None or not group.has_room(body, len(text)):
            group = last[stream] = _Group()
            groups.append(group)
        group.add(entry, body, len(text))
    return [group.request() for group in groups]


def _all(bodies: Sequence[dict[str, Any]], name: str) -> list[Any]:
    return [one for body in bodies for one in body[name]]
