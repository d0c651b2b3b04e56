"""Compares what is stored with the senders' ledgers; a byte for each line, so millions fit."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from cgii.store.events import EventQuery, EventStore

_LINE = re.compile(r".{15} (\S+) sshd\[77\]: Failed password for invalid user u(\d+) from ")
_MANY = 255  # a byte counts no further


class Numbered(Protocol):
    """Whoever sends lines that are numbered from 0 on."""

    host: str

    def line(self, number: int) -> str:
        """The line of a number."""


class Stored:
    """How often each numbered line of some senders is stored."""

    def __init__(self, senders: Iterable[Numbered]) -> None:
        self._senders: Mapping[str, Numbered] = {one.host: one for one in senders}
        self._counts = {host: bytearray() for host in self._senders}
        self.total = 0
        self.strange = 0  # lines that nobody sent, or that were changed on the way

    def enter(self, lines: Iterable[str]) -> "Stored":
        """Count these."""
        for line in lines:
            self.total += 1
            found = _LINE.match(line)
            sender = self._senders.get(found[1]) if found else None
            if found is None or sender is None or sender.line(int(found[2])) != line:
                self.strange += 1
                continue
            counts, number = self._counts[found[1]], int(found[2])
            if number >= len(counts):
                counts.extend(bytes(number + 1 - len(counts)))
            counts[number] = min(counts[number] + 1, _MANY)
        return self

    def lost(self, sender: Numbered, acknowledged: int) -> int:
        """How many of its first lines, which were acknowledged, are not stored."""
        counts = self._counts[sender.host]
        return acknowledged - len(counts[:acknowledged]) + counts.count(0, 0, acknowledged)

    @property
    def twice(self) -> int:
        """How many lines are stored more than once."""
        return sum(
            len(counts) - counts.count(0) - counts.count(1) for counts in self._counts.values()
        )


def originals(events: EventStore) -> Iterator[str]:
    """Every stored line, as often as it is stored."""
    after = ""
    while True:
        page = events.search(EventQuery(size=500, after=after))
        yield from (event.original for event in page.events)
        after = page.after
        if not after:
            return
