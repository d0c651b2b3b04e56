"""Cuts a TCP stream of syslog into messages: counted (RFC 6587, 3.4.1) or one per line."""

import re

from cgii.base import limits

COUNTED = re.compile(rb"([1-9]\d{0,8}) (?=<)")
MAYBE_COUNTED = re.compile(rb"[1-9]\d{0,8} ?\Z")


class Framer:
    """Feed it what arrives, get whole messages; each message may be framed either way.

    A message over the limit comes out once, cut one byte past it, so that it is rejected as too
    long; what follows of it is thrown away.
    """

    def __init__(self, limit: int = limits.LINE_BYTES_MAX) -> None:
        self._limit = limit
        self._kept = bytearray()
        self._skip = 0  # bytes of a counted message that is too long
        self._skip_line = False  # the same for a line

    def feed(self, piece: bytes) -> list[bytes]:
        """The messages that are complete with this piece, in order."""
        self._kept += piece
        found: list[bytes] = []
        position = 0
        while True:
            moved = self._next(position, found)
            if moved is None:
                break
            position = moved
        del self._kept[:position]
        return found

    def end(self) -> list[bytes]:
        """What is left when the sender closes: its last line needs no end."""
        left = bytes(self._kept)
        skipped = self._skip or self._skip_line
        self._kept.clear()
        return [] if skipped or not left.strip() else [left]

    def _next(self, position: int, found: list[bytes]) -> int | None:
        """Take one step from `position`; the new position, or None to wait for more."""
        kept, size = self._kept, len(self._kept)
        if position >= size:
            return None
        if self._skip:
            taken = min(self._skip, size - position)
            self._skip -= taken
            return position + taken
        if self._skip_line:
            end = kept.find(b"\n", position)
            self._skip_line = end < 0
            return size if end < 0 else end + 1
        if kept[position] in b"\r\n\0":
            return position + 1
        counted = COUNTED.match(kept, position)
        if counted is not None:
            return self._counted(int(counted[1]), counted.end(), found)
        if MAYBE_COUNTED.match(kept, position):
            return None
        return self._line(position, found)

    def _counted(self, length: int, start: int, found: list[bytes]) -> int | None:
        wanted = min(length, self._limit + 1)
        if len(self._kept) - start < wanted:
            return None
        found.append(bytes(self._kept[start : start + wanted]))
        self._skip = length - wanted
        return start + wanted

    def _line(self, position: int, found: list[bytes]) -> int | None:
        end = self._kept.find(b"\n", position)
        length = (end if end >= 0 else len(self._kept)) - position
        if length > self._limit:
            cut = position + self._limit + 1
            found.append(bytes(self._kept[position:cut]))
            self._skip_line = True
            return cut
        if end < 0:
            return None
        found.append(bytes(self._kept[position:end]).rstrip(b"\r"))
        return end + 1
