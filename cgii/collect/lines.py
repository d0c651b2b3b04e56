"""Cuts a stream of bytes into lines with bounded memory, whatever the pieces it comes in."""

from cgii.base import limits


class LineCutter:
    """Feed it pieces, get whole lines; a line over the limit becomes its beginning, once.

    The beginning of a too long line is one byte longer than allowed, so that `normalize` rejects
    it as too long; the rest of that line is thrown away as it comes.
    """

    def __init__(self, limit: int = limits.LINE_BYTES_MAX) -> None:
        self._limit = limit
        self._kept = b""  # of the line that has not ended
        self._size = 0  # of that line, also what was thrown away

    @property
    def pending(self) -> int:
        """How many bytes of an unfinished line were taken so far."""
        return self._size

    def feed(self, piece: bytes) -> list[tuple[bytes, int]]:
        """The lines that end in this piece, without their end, and their size with it."""
        parts = piece.split(b"\n")
        last = parts.pop()
        if not parts:
            self._keep(last)
            return []
        self._keep(parts[0])
        found = [(self._kept, self._size + 1)]
        limit = self._limit
        for part in parts[1:]:
            size = len(part) + 1
            found.append((part if size <= limit + 1 else part[: limit + 1], size))
        self._kept, self._size = b"", 0
        self._keep(last)
        return found

    def end(self) -> list[tuple[bytes, int]]:
        """The last line if it had no end."""
        if not self._size:
            return []
        found = [(self._kept, self._size)]
        self._kept, self._size = b"", 0
        return found

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        room = self._limit + 1 - len(self._kept)
        if room > 0:
            self._kept += part[:room]
        self._size += len(part)
