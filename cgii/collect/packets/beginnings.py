"""Puts the segments of one side of a TCP conversation in order, within bounds."""

from cgii.base import limits

HALF = 2**31
WHOLE = 2**32
SEGMENT_BYTES = 120  # what a segment that waits takes beside its text, about
# How many bytes are missing before a piece, the number of its first byte, and its bytes.
Piece = tuple[int, int, bytes]


class Ledger:
    """Bytes held for all conversations together."""

    def __init__(self) -> None:
        self.held = 0
        self.refused = 0  # pieces for which there was no room

    def take(self, size: int) -> bool:
        """Whether so much more may be held; then it counts."""
        if self.held + size > limits.BEGINNINGS_BYTES_MAX:
            self.refused += 1
            return False
        self.held += size
        return True

    def give(self, size: int) -> None:
        """So much is held no longer."""
        self.held -= size


class Order:
    """Feed it segments, get what follows on what was given before; what never came is skipped."""

    __slots__ = ("_early", "_ledger", "_next")

    def __init__(self, sequence: int, ledger: Ledger) -> None:
        self._next = sequence
        self._early: dict[int, bytes] = {}
        self._ledger = ledger

    def add(self, sequence: int, data: bytes) -> list[Piece]:
        """The pieces that are next in order now; none if they must wait or were had before."""
        distance = (sequence - self._next) % WHOLE
        if distance >= HALF:  # sent again, perhaps with more behind it
            data = data[WHOLE - distance :]
            distance = 0
        if not data:
            return []
        if not distance:
            piece = 0, self._next, data
            self._next = (self._next + len(data)) % WHOLE
            return [piece, *self._following()] if self._early else [piece]
        # However far ahead: one that nobody asked for must not hide what comes then.
        if len(self._early) < limits.EARLY_SEGMENTS_MAX:
            self._keep(sequence, data)
            return []
        # What is between was lost by who captured it.
        found = self.rest()
        skipped = (sequence - self._next) % WHOLE
        if skipped >= HALF:
            return found + self.add(sequence, data)
        self._next = (sequence + len(data)) % WHOLE
        return [*found, (skipped, sequence, data)]

    def _keep(self, sequence: int, data: bytes) -> None:
        known = self._early.get(sequence)
        if known is None:
            if self._ledger.take(SEGMENT_BYTES + len(data)):
                self._early[sequence] = data
        elif len(data) > len(known) and self._ledger.take(len(data) - len(known)):
            self._early[sequence] = data

    def _following(self) -> list[Piece]:
        found = []
        for sequence in sorted(self._early, key=self._ahead):
            distance = self._ahead(sequence)
            if distance > 0:
                break
            data = self._early.pop(sequence)
            self._ledger.give(SEGMENT_BYTES + len(data))
            if rest := data[-distance:]:
                found.append((0, self._next, rest))
                self._next = (self._next + len(rest)) % WHOLE
        return found

    def _ahead(self, sequence: int) -> int:
        """How far behind the next byte a number lies; less than 0 is before it."""
        return (sequence - self._next + HALF) % WHOLE - HALF

    def passed(self, acknowledged: int) -> list[Piece]:
        """What waits behind bytes that whoever they were for has, so that they come no more."""
        return self.rest(acknowledged) if self._early else []

    def rest(self, until: int | None = None) -> list[Piece]:
        """What waits, with its holes; `until` is a number up to which there are some."""
        found: list[Piece] = []
        while self._early:
            nearest = min(self._early, key=self._ahead)
            if until is not None and (until - nearest) % WHOLE >= HALF:
                break
            skipped, self._next = self._ahead(nearest), nearest
            (_, _, data), *more = self._following()
            found += [(skipped, nearest, data), *more]
        return found

    def lose(self, sequence: int, size: int) -> list[Piece]:
        """So many bytes from a number on were not kept: a piece without any, if it was its turn."""
        if sequence % WHOLE != self._next:
            return []
        self._next = (self._next + size) % WHOLE
        return [(size, self._next, b""), *self._following()]

    def close(self) -> None:
        """Let go of what waits."""
        for data in self._early.values():
            self._ledger.give(SEGMENT_BYTES + len(data))
        self._early.clear()
