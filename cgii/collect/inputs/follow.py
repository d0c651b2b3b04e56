"""Follows a growing file through rotation and truncation, and knows its place after a restart."""

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cgii.base import limits
from cgii.base.ids import digest
from cgii.collect.shapes import LINES, Shape

FORGOTTEN = -1  # the offset of a place that need not be kept any longer
CHUNKS_MAX = 64  # read in one poll while no line ends


@dataclass(frozen=True, slots=True)
class Position:
    """How far a followed file was delivered: the next record is `seq`, it begins at `offset`.

    `epoch` names the file's content: inode, length and hash of its beginning, and a count of the
    contents that this path had before.
    """

    stream: str
    epoch: str
    offset: int
    seq: int


@dataclass(frozen=True, slots=True)
class Line:
    """One record and the position after it."""

    data: bytes
    seq: int
    after: Position


class FollowedFile:
    """One path. `poll` gives what is new; nothing is kept on disk, the caller keeps positions.

    Renamed away: the open file is read to its end, then the new one from its start. Truncated or
    written anew in place: read from the start under a new epoch. Renamed while nobody looked: its
    neighbour with the same inode is finished first.
    """

    def __init__(self, path: Path, position: Position | None = None, shape: Shape = LINES) -> None:
        self.path = path
        self.stream = f"file:{path}"
        self._at = position
        self._epoch = ""
        self._offset = self._seq = 0
        self._file: int | None = None
        self._head = b""
        self._shape = shape
        self._cutter = shape.cutter()
        self._idle_polls = 0

    def close(self) -> None:
        """Let go of the file; `poll` would open it again where it was."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._file is not None

    @property
    def pending(self) -> int:
        """Bytes that were read of a record that has not ended."""
        return self._cutter.pending

    def idle(self) -> list[Line]:
        """Tell that there was nothing new; at last a record of several lines has ended."""
        self._idle_polls += 1
        is_over = self._idle_polls == limits.FOLLOW_IDLE_POLLS
        return list(self._lines(self._cutter.rest())) if is_over else []

    def poll(self) -> list[Line]:
        """The next whole lines, at most one chunk of them; empty when there is nothing new.

        Raises OSError if the file may not be read.
        """
        if self._file is None and not self._open():
            return []
        if self._file is None:
            return []
        if self._was_rewritten(self._file):
            self._leave()
            return []
        for _ in range(CHUNKS_MAX):  # a long line has no end in its first chunks
            where = self._offset + self._cutter.pending
            piece = os.pread(self._file, limits.READ_CHUNK_BYTES, where)
            if not piece:
                return self._at_end(self._file)
            self._idle_polls = 0
            if lines := list(self._lines(self._cutter.feed(piece))):
                return lines
        return []

    def _at_end(self, file: int) -> list[Line]:
        if not self._was_renamed(file):
            return self.idle()
        rest = list(self._lines(self._cutter.end()))
        self._leave()
        return rest

    def _lines(self, found: list[tuple[bytes, int]]) -> Iterator[Line]:
        for data, size in found:
            self._offset += size
            if data.strip():  # an empty line is no record and has no number
                self._seq += 1
                self._at = Position(self.stream, self._epoch, self._offset, self._seq)
                yield Line(data.rstrip(b"\r"), self._seq - 1, self._at)

    def _open(self) -> bool:
        for path in self._candidates():
            try:
                if not stat.S_ISREG(path.stat().st_mode):
                    continue
                file = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            except FileNotFoundError:
                continue
            if self._start(file, is_ours=path == self.path):
                return True
            os.close(file)
        return False

    def _candidates(self) -> Iterator[Path]:
        """The renamed file we had not finished, if there is one; then the path itself."""
        if self._at is not None:
            inode = self._at.epoch.partition(".")[0]
            beside = self.path.parent.glob(f"{self.path.name}?*")
            for _, path in zip(range(limits.FOLLOW_SIBLINGS_MAX), beside, strict=False):
                with contextlib.suppress(OSError):
                    if f"{path.stat().st_ino:x}" == inode:
                        yield path
        yield self.path

    def _start(self, file: int, *, is_ours: bool) -> bool:
        """Begin with an open file: where we were if it is known, else at its start."""
        known = self._at
        size = os.fstat(file).st_size
        if known is not None and is_of(file, known.epoch) and size >= known.offset:
            if self._epoch == known.epoch and size >= self._offset + self.pending:
                self._file = file  # only closed: the cutter knows what explains the next line
                return True
            if not is_ours and size == known.offset:
                return False  # the renamed file was finished
            self._epoch, self._offset, self._seq = known.epoch, known.offset, known.seq
            self._head = os.pread(file, _Epoch.read(known.epoch).length, 0)
        elif not is_ours:
            return False
        else:
            head = os.pread(file, limits.FOLLOW_HEAD_BYTES, 0)
            if len(head) < limits.FOLLOW_HEAD_BYTES and b"\n" not in head:
                return False  # too little to know it again by
            before = _Epoch.read(known.epoch).generation + 1 if known else 0
            inode, beginning = _identity(file, len(head))
            self._epoch = f"{inode}.{len(head)}.{beginning}.{before}"
            self._offset = self._seq = 0
            self._head = head
        self._cutter = self._shape.cutter()
        self._cutter.resume(self._offset, lambda size, place: os.pread(file, size, place))
        self._idle_polls = 0
        self._file = file
        return True

    def _was_rewritten(self, file: int) -> bool:
        return (
            os.fstat(file).st_size < self._offset + self._cutter.pending
            or os.pread(file, len(self._head), 0) != self._head
        )

    def _was_renamed(self, file: int) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False  # the new one does not exist yet; more may come into the old one
        here = os.fstat(file)
        return (there.st_dev, there.st_ino) != (here.st_dev, here.st_ino)

    def _leave(self) -> None:
        # The place stays known: the same content under the same path is then a new generation.
        self._at = Position(self.stream, self._epoch, ENDED, self._seq)
        self.close()


ENDED = 2**62  # larger than any file: nothing there is "where we were"


@dataclass(frozen=True, slots=True)
class _Epoch:
    inode: str
    length: int
    beginning: str
    generation: int

    @staticmethod
    def read(text: str) -> "_Epoch":
        """The parts of an epoch's name; of a name that is not ours, an epoch of no file."""
        found = re.fullmatch(r"([0-9a-f]+)\.(\d{1,4})\.([0-9a-f]+)\.(\d{1,9})", text)
        if found is None:
            return _Epoch("", 0, "", -1)
        return _Epoch(found[1], int(found[2]), found[3], int(found[4]))


def is_of(file: int, epoch: str) -> bool:
    """Whether an open file has the content that an epoch names."""
    parts = _Epoch.read(epoch)
    return _identity(file, parts.length) == (parts.inode, parts.beginning)


def _identity(file: int, length: int) -> tuple[str, str]:
    inode = f"{os.fstat(file).st_ino:x}"
    return inode, digest(os.pread(file, length, 0).hex())[:16]
