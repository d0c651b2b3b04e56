"""Puts the segments of one side of a TCP conversation in order, within bounds."""

from cgii.base import limits

HALF = 2**31
WHOLE = 2**32


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

    __slots__ = ("_early", "_ledger", "_next", "missed")

    def __init__(self, sequence: int, ledger: Ledger) -> None:
        self._next = sequence
        self._early: dict[int, bytes] = {}
        self._ledger = ledger
        self.missed = False  # whether something was skipped by the last call

    def add(self, sequence: int, data: bytes) -> bytes:
        """The bytes that are next in order now; empty if they must wait or were had before."""
        self.missed = False
        distance = (sequence - self._next) % WHOLE
        if distance >= HALF:  # sent again, perhaps with more behind it
            data = data[WHOLE - distance :]
            distance = 0
        if not data:
            return b""
        if distance:
            return self._keep(sequence, data, distance)
        self._next = (self._next + len(data)) % WHOLE
        return data + self._following() if self._early else data

    def _keep(self, sequence: int, data: bytes, distance: int) -> bytes:
        fits = len(self._early) < limits.EARLY_SEGMENTS_MAX
        if distance < limits.BEGINNING_BYTES_MAX and fits:
            if sequence not in self._early and self._ledger.take(len(data)):
                self._early[sequence] = data
            return b""
        # Too far ahead: what is between was lost by who captured it.
        self.close()
        self.missed = True
        self._next = (sequence + len(data)) % WHOLE
        return data

    def _following(self) -> bytes:
        found = b""
        for sequence in sorted(self._early, key=lambda one: (one - self._next) % WHOLE):
            distance = (sequence - self._next) % WHOLE
            if 0 < distance < HALF:
                continue
            data = self._early.pop(sequence)
            self._ledger.give(len(data))
            rest = data[(WHOLE - distance) % WHOLE :]
            self._next = (self._next + len(rest)) % WHOLE
            found += rest
        return found

    def close(self) -> None:
        """Let go of what waits."""
        for data in self._early.values():
            self._ledger.give(len(data))
        self._early.clear()
