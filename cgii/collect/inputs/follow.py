"""Follows a growing file through rotation and truncation, and knows its place after a restart."""

import contextlib
import glob
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from secrets import randbelow

from cgii.base import clock, limits
from cgii.collect.inputs.contents import ENDED, Content, Epoch, is_packed, rotated_since
from cgii.collect.inputs.matching import Seen
from cgii.collect.shapes import LINES, Shape

FORGOTTEN = -1  # the offset of a place that need not be kept any longer
GENERATIONS = 10**8
CHUNKS_MAX = 64  # read in one poll while no line ends


@dataclass(frozen=True, slots=True)
class Position:
    """How far a followed file was delivered: the next record is `seq`, it begins at `offset`.

    `epoch` names the file's content: inode, length and hash of its beginning, and a number by
    chance, 0 for the first content. Counted numbers would come again in a folder taken from a
    backup, and with them the names of other records where all contents begin alike (a heading).
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
    neighbour with the same inode, or a packed one with the same beginning, is finished first, then
    what was rotated after it. Where that is not there, `missed` says so; the caller takes it back.
    """

    def __init__(self, path: Path, position: Position | None = None, shape: Shape = LINES) -> None:
        self.path = path
        self.stream = f"file:{path}"
        self._at = position
        self._epoch = ""
        self._offset = self._seq = 0
        self._file: Content | None = None
        self._head = b""
        self.missed = False  # lines that nobody can count
        self.left: Position | None = None  # of a content that ended: to be kept by the caller
        # A content of the run before whose rest was not found yet; where it and others may lie.
        self._owes = position is not None and position.offset < ENDED
        self._earlier: list[Seen] | None = None if position is not None else []
        self._shape = shape
        self._cutter = shape.cutter()
        self._idle_polls = 0
        self._told_damage = False  # of this content
        self._looked_at = clock.now()  # whether the path has another content

    def close(self) -> None:
        """Let go of the file; `poll` would open it again where it was."""
        if self._file is not None:
            self._file.close()
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
            self._leave_rewritten()
            return []
        for _ in range(CHUNKS_MAX):  # a long line has no end in its first chunks
            where = self._offset + self._cutter.pending
            piece = self._file.read(limits.READ_CHUNK_BYTES, where)
            if not piece:
                return self._at_end(self._file)
            self._idle_polls = 0
            if lines := list(self._lines(self._cutter.feed(piece))):
                return lines
        return []

    def _at_end(self, file: Content) -> list[Line]:
        self.missed |= file.is_damaged and not self._told_damage
        self._told_damage |= file.is_damaged
        if not self._was_renamed(file):
            self._looked_at = clock.now()
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
        if self._may_have_missed:
            self._earlier = None
        self._looked_at = clock.now()
        if self._earlier is None:
            self._look_for_earlier()
        while self._earlier:
            if self._open_earlier(self._earlier.pop(0)):
                return True
        for path in self._candidates():
            try:
                if not path.is_file():
                    continue
                file = Content(path, is_packed=is_packed(path))
            except FileNotFoundError:
                continue
            with _kept_if_begun(file) as begun:
                is_rest = self._is_where_we_were(file)
                if self._start(file, is_rest=is_rest, is_new=path == self.path):
                    begun.pop_all()
                    return True
        return False

    def _look_for_earlier(self) -> None:
        """Once the path has another content, find where the one of the run before went."""
        if self._at is None or not self.path.is_file():
            return  # it may not be rotated to its end
        with contextlib.suppress(FileNotFoundError), closing(Content(self.path)) as file:
            self._earlier = []
            if not self._is_where_we_were(file):
                place = self._at
                found, is_in_doubt = rotated_since(self.path, place.epoch, place.offset)
                self.missed |= is_in_doubt and self._owes
                self._earlier = found if self._owes else found[1:]

    def _open_earlier(self, seen: Seen) -> bool:
        is_rest = self._owes
        try:
            file = Content(seen.path, is_packed=is_packed(seen.path))
        except OSError:
            self.missed = True
            return False
        with _kept_if_begun(file) as begun:
            if file.key == seen.key and self._start(file, is_rest=is_rest, is_new=not is_rest):
                begun.pop_all()
                return True
            # It was renamed once more; or there is no line in it.
            self.missed |= file.key != seen.key or (not is_rest and file.read(1, 0) != b"")
        return False

    def _candidates(self) -> Iterator[Path]:
        """The renamed file we had not finished, if there is one; then the path itself."""
        if self._at is not None:
            inode = self._at.epoch.partition(".")[0]
            beside = self.path.parent.glob(f"{glob.escape(self.path.name)}?*")
            for _, path in zip(range(limits.FOLLOW_SIBLINGS_MAX), beside, strict=False):
                with contextlib.suppress(OSError):
                    if f"{path.stat().st_ino:x}" == inode:
                        yield path
        yield self.path

    def _is_where_we_were(self, file: Content) -> bool:
        if self._at is None:
            return False
        epoch, offset = Epoch.read(self._at.epoch), self._at.offset
        if file.is_packed:
            return file.holds(epoch, offset)
        return file.size >= offset and file.is_of(epoch)

    def _start(self, file: Content, *, is_rest: bool, is_new: bool) -> bool:
        """Begin with an open file: where we were if it holds the rest, or as a new one."""
        known = self._at
        if known is not None and is_rest:
            self._owes = False
            if self._epoch == known.epoch and file.size >= self._offset + self.pending:
                self._file = file  # only closed: the cutter knows what explains the next line
                return True
            if not is_new and not file.is_packed and file.size == known.offset:
                return False  # the renamed file was finished
            self._epoch, self._offset, self._seq = known.epoch, known.offset, known.seq
            self._head = file.read(Epoch.read(known.epoch).length, 0)
        elif not is_new:
            return False
        else:
            head = file.read(limits.FOLLOW_HEAD_BYTES, 0)
            if len(head) < limits.FOLLOW_HEAD_BYTES and b"\n" not in head:
                return False  # too little to know it again by
            # Where nothing is known the whole file is read again, and under the same names.
            number = 1 + randbelow(GENERATIONS) if known else 0
            self._epoch = str(file.epoch(len(head), number))
            self._offset = self._seq = 0
            self._head = head
            self.missed |= self._owes
            self._owes = False
        self._cutter = self._shape.cutter()
        self._cutter.resume(self._offset, file.read)
        self._idle_polls = 0
        self._told_damage = False
        self._file = file
        return True

    def _was_rewritten(self, file: Content) -> bool:
        return not file.is_packed and (
            file.size < self._offset + self._cutter.pending
            or file.read(len(self._head), 0) != self._head
        )

    def _was_renamed(self, file: Content) -> bool:
        try:
            there = self.path.stat()
        except FileNotFoundError:
            return False  # the new one does not exist yet; more may come into the old one
        return (there.st_dev, there.st_ino) != file.key

    @property
    def _may_have_missed(self) -> bool:
        """Whether more than one content may have come and gone: it waited for room, or fell behind.

        Nothing is rotated twice between two polls; and what is older must not look new.
        """
        pause = timedelta(seconds=2 * limits.FOLLOW_POLL_SECONDS)
        is_late = abs(clock.now() - self._looked_at) > pause
        return is_late and self._at is not None and not self._earlier

    def _leave(self) -> None:
        # Who dies before the next content was begun knows that this one ended.
        self._at = Position(self.stream, self._epoch, ENDED, self._seq)
        if not self._earlier:  # else who falls before the next one is read looks from here
            self.left = self._at
        if self._may_have_missed:
            self._earlier = None
        self._looked_at = clock.now()
        self.close()

    def _leave_rewritten(self) -> None:
        """It was emptied: a copy of it may have what was not read."""
        if not self._may_have_missed:
            self._leave()
            return
        self._at = Position(self.stream, self._epoch, self._offset, self._seq)
        self._owes, self._earlier = True, None
        self.close()


def _kept_if_begun(file: Content) -> contextlib.ExitStack:
    """Closes the file at its end, also when it cannot be read, unless that is taken back."""
    held = contextlib.ExitStack()
    held.callback(file.close)
    return held
