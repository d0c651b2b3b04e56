"""Makes records of a file's lines: those that a heading explains, and those of several lines.

Under a heading a quoted value may have line breaks; the lines of such a record are joined by CR,
for LF divides it from its heading.

Each line gives one result, in order: a record with the bytes it takes in the file, or nothing and
its bytes, where it is part of another one or only explains others. So whoever counts results
counts lines, and numbers records the same however often and in whatever pieces a file is read.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cgii.base import limits
from cgii.base.counters import EVENTS_DROPPED
from cgii.collect.lines import LineCutter
from cgii.collect.parsers.record import BOM

Matcher = Callable[[bytes], Any]  # of a line: None is no
Cut = list[tuple[bytes, int]]
NOTHING = b""
MORE = "…".encode()  # ends a record whose other lines were too many


@dataclass(frozen=True, slots=True)
class Shape:
    """How lines make records: which explain those after them, which begin one. None: each does.

    `quoted` divides columns whose values may stand in quotes; empty: quotes mean nothing.
    """

    heads: Matcher | None = None
    begins: Matcher | None = None
    quoted: bytes = b""

    def cutter(self) -> "RecordCutter":
        """A cutter at the beginning of a file."""
        return RecordCutter(self)


LINES = Shape()


def indented_lines_continue(line: bytes) -> bytes | None:
    """Begins a record: a line that is not indented."""
    return None if line[:1] in (b" ", b"\t") else line


class RecordCutter:
    """Feed it pieces of a file, get its records. A record with a heading carries it above itself.

    So each can be read alone: in whatever batch it comes, and when it comes again.
    """

    def __init__(self, shape: Shape) -> None:
        self._shape = shape
        self._lines = LineCutter()
        self._heading: list[bytes] = []
        self._is_heading = False  # the line before was part of it
        self._open: list[tuple[bytes, int]] = []  # lines up to one that closes a quote, with sizes
        self._held: list[bytes] = []  # the lines of a record that has not ended
        self._held_size = self._held_lines = self._text_size = 0
        self._cut = ""  # why what continues is dropped: its record was given out without it

    @property
    def pending(self) -> int:
        """How many bytes were taken that no result stands for yet."""
        return self._lines.pending + self._held_size

    def feed(self, piece: bytes) -> Cut:
        """The results that this piece of the file brings."""
        return self._records(self._lines.feed(piece))

    def end(self) -> Cut:
        """The last record, when nothing more can come."""
        found, heads = self._records(self._lines.end()), self._shape.heads
        while self._open and heads is not None:
            found += self._apart(heads)
        return [*found, *self._release()]

    def rest(self) -> Cut:
        """The last record, when nothing came for a while.

        A line that is half written waits, and a quote that is open.
        """
        if self._lines.pending or not self._held:
            return []
        self._cut = "late"
        return self._release()

    def resume(self, offset: int, read: Callable[[int, int], bytes]) -> None:
        """Go on at the place after a record; `read` gives so many bytes of the file from a place.

        What explains the lines from there on stands somewhere before them.
        """
        self._cut = "late" if self._shape.begins is not None and offset > 0 else ""
        if self._shape.heads is None:
            return
        lines, place = LineCutter(), 0
        while place < offset:
            piece = read(min(limits.READ_CHUNK_BYTES, offset - place), place)
            if not piece:
                break
            place += len(piece)
            for line, _ in lines.feed(piece):
                self._explains(_bare(line), self._shape.heads)

    def _records(self, lines: Cut) -> Cut:
        if self._shape.heads is not None:
            heads = self._shape.heads
            return [one for line in lines for one in self._under_heading(*line, heads)]
        if self._shape.begins is not None:
            return [one for line in lines for one in self._joined(*line, self._shape.begins)]
        return lines

    def _under_heading(
        self, line: bytes, size: int, heads: Matcher, *, is_anew: bool = False
    ) -> Cut:
        bare = _bare(line)
        before: Cut = []
        while self._open and heads(bare) is not None:  # which is no part of a value
            before += self._apart(heads)
        if self._open:
            return self._continued(bare, size, heads, is_anew=is_anew)
        if self._explains(bare, heads) or not bare.strip():
            return [*before, (NOTHING, size)]
        if self._shape.quoted and b'"' in bare:
            return [*before, *self._continued(bare, size, heads)]
        return [*before, (self._explained(bare), size)]

    def _continued(self, bare: bytes, size: int, heads: Matcher, *, is_anew: bool = False) -> Cut:
        """Take a line of a record that may have several; the record once its quotes are closed.

        Of a line that is read anew it is known that it leaves a quote open which began before it.
        """
        is_open = (is_anew and bool(self._open)) or stays_open(
            bare, self._shape.quoted, is_open=bool(self._open)
        )
        self._open.append((bare, size))
        self._held_size += size
        if not is_open:
            text = b"\r".join(line for line, _ in self._open)
            found = [(self._explained(text), self._held_size)]
            found += [(NOTHING, 0)] * (len(self._open) - 1)
            self._open, self._held_size = [], 0
            return found
        is_too_much = self._held_size > limits.LINE_BYTES_MAX
        if is_too_much or len(self._open) >= limits.QUOTED_LINES_MAX:
            return self._apart(heads)
        return []

    def _apart(self, heads: Matcher) -> Cut:
        """A quote that nothing closes spoils its own line only; those after it are read anew."""
        (first, size), *others = self._open
        self._open, self._held_size = [], 0
        found = [(self._explained(first), size)]
        for line in others:
            found += self._under_heading(*line, heads, is_anew=True)
        return found

    def _explained(self, text: bytes) -> bytes:
        return b"\n".join((*self._heading, text))

    def _explains(self, bare: bytes, heads: Matcher) -> bool:
        """Whether a line is part of a heading, which is then kept."""
        if heads(bare) is None:
            self._is_heading = self._is_heading and not bare.strip()
            return False
        if not self._is_heading:
            self._heading = []
        self._is_heading = True
        if sum(map(len, self._heading)) + len(bare) <= limits.HEADING_BYTES_MAX:
            self._heading.append(bare)
        return True

    def _joined(self, line: bytes, size: int, begins: Matcher) -> Cut:
        bare = line.rstrip(b"\r")
        if bare.strip() and begins(bare) is not None:
            before = self._release()
            self._hold(bare, size)
            self._cut = ""
            return before
        if self._held and self._held_lines < limits.RECORD_LINES_MAX:
            self._hold(bare, size)
            return []
        if self._held:
            self._cut = "lines"
        if self._cut:
            # Its record has its number already, and the next one's must not depend on when this
            # line was written, or where reading began.
            if bare.strip():
                EVENTS_DROPPED.labels("file", self._cut).inc()
            return [*self._release(), (NOTHING, size)]
        if bare.strip():
            self._hold(bare, size)  # a file that begins in the middle of a record
            return []
        return [(NOTHING, size)]

    def _hold(self, line: bytes, size: int) -> None:
        self._held_size += size
        self._held_lines += 1
        # Bounded: of too many lines the text is let go.
        if not self._held or self._text_size + len(line) < limits.LINE_BYTES_MAX - len(MORE):
            self._held.append(line)
            self._text_size += len(line) + 1
        elif self._held[-1] != MORE:
            self._held.append(MORE)

    def _release(self) -> Cut:
        if not self._held:
            return []
        nothing = [(NOTHING, 0)] * (self._held_lines - 1)
        found = [(b"\n".join(self._held).rstrip(), self._held_size), *nothing]
        self._held = []
        self._held_size = self._held_lines = self._text_size = 0
        return found


def _bare(line: bytes) -> bytes:
    return line.rstrip(b"\r").removeprefix(BOM)


def stays_open(line: bytes, separator: bytes, *, is_open: bool) -> bool:
    """Whether a quoted value goes on in the next line; `is_open`: it began before this one.

    Only at the beginning of a value does a quote open it, and two in it are one that is meant.
    """
    place = 0
    while True:
        if not is_open:
            is_open = line[place : place + 1] == b'"'
            end = place if is_open else line.find(separator, place)
        else:
            end = line.find(b'"', place)
            if end < 0:
                return True
            if line[end + 1 : end + 2] == b'"':
                end += 1
            else:
                is_open = False
                end = line.find(separator, end)
        if end < 0:
            return False
        place = end + 1
