"""Contents of followed files: read at any place, packed or not, and found after a rotation."""

import glob
import gzip
import io
import os
import re
import zlib
from contextlib import closing, suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cgii.base import limits
from cgii.base.ids import digest
from cgii.collect.inputs.matching import Seen, looked_at

ENDED = 2**62  # larger than any file: nothing there is "where we were"
PACKED = ".gz"
# What rotation adds to a name: a number or a date, perhaps with what packed it.
ROTATED = re.compile(r"[.-]\d[\d.-]*(\.gz)?")
PACKED_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What a content is known by: inode, length and hash of its beginning, and a chance number."""

    inode: str
    length: int
    beginning: str
    generation: int

    @staticmethod
    def read(text: str) -> "Epoch":
        """The parts of an epoch's name; of a name that is not ours, an epoch of no file."""
        found = re.fullmatch(r"([0-9a-f]+)\.(\d{1,4})\.([0-9a-f]+)\.(\d{1,9})", text)
        if found is None:
            return Epoch("", 0, "", -1)
        return Epoch(found[1], int(found[2]), found[3], int(found[4]))

    def __str__(self) -> str:
        return f"{self.inode}.{self.length}.{self.beginning}.{self.generation}"


class Content:
    """An open regular file. Raises OSError if it cannot be opened."""

    def __init__(self, path: Path, *, is_packed: bool = False) -> None:
        self.descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
        self._unpacked: gzip.GzipFile | None = None
        self._readable = limits.FILE_UNPACKED_BYTES_MAX
        self.is_damaged = False  # packed, and not all of it can be had
        if is_packed:
            self._unpacked = gzip.GzipFile(fileobj=os.fdopen(self.descriptor, "rb", closefd=False))

    def close(self) -> None:
        """Let go of the file."""
        os.close(self.descriptor)

    @property
    def is_packed(self) -> bool:
        """Whether it is read unpacked; nothing is added to it then."""
        return self._unpacked is not None

    @property
    def key(self) -> tuple[int, int]:
        """Device and inode."""
        known = os.fstat(self.descriptor)
        return known.st_dev, known.st_ino

    @property
    def size(self) -> int:
        """Bytes on disk: of a packed file not those that it holds."""
        return os.fstat(self.descriptor).st_size

    def read(self, size: int, place: int) -> bytes:
        """So many bytes from a place, fewer at the end."""
        if self._unpacked is None:
            return os.pread(self.descriptor, size, place)
        found = b""
        try:
            self._unpacked.seek(place)
            # In small pieces: the one before the damage is given.
            while place + len(found) < self._readable and len(found) < size:
                piece = self._unpacked.read1(min(size - len(found), io.DEFAULT_BUFFER_SIZE))
                if not piece:
                    return found
                found += piece
        except PACKED_ERRORS:
            self._readable = place + len(found)
        self.is_damaged |= place + len(found) >= self._readable
        return found

    def is_of(self, epoch: Epoch) -> bool:
        """Whether it has the inode and the beginning that an epoch names."""
        return f"{self.key[1]:x}" == epoch.inode and self.begins(epoch)

    def begins(self, epoch: Epoch) -> bool:
        """Whether its beginning is the one of an epoch."""
        return _hash(self.read(epoch.length, 0)) == epoch.beginning

    def epoch(self, length: int, generation: int) -> Epoch:
        """Its name, by so many bytes of its beginning."""
        return Epoch(f"{self.key[1]:x}", length, _hash(self.read(length, 0)), generation)

    def holds(self, epoch: Epoch, offset: int) -> bool:
        """Whether it is a copy of what an epoch names: a record ended in it at the offset."""
        if offset >= ENDED or not self.begins(epoch):
            return False
        around = self.read(2, offset - 1) if offset else b"\n"
        return around[:1] == b"\n" or len(around) == 1


def holds(seen: Seen, epoch: str, offset: int) -> bool:
    """As `Content.holds`, of a file, packed or not; of an ended content the beginning is enough."""
    with suppress(OSError), closing(Content(seen.path, is_packed=is_packed(seen.path))) as content:
        known = Epoch.read(epoch)
        has_it = content.begins(known) if offset >= ENDED else content.holds(known, offset)
        return content.key == seen.key and has_it
    return False


def is_packed(path: Path) -> bool:
    """Whether a rotated file's name says so."""
    return path.suffix == PACKED


def rotated_since(path: Path, epoch: str, offset: int) -> tuple[list[Seen], bool]:
    """Where the content is that `path` had, and what it had between that one and now, in order.

    Its old contents lie beside it, packed or not. Ours has the inode, or else the beginning; what
    rotation named and what changed later was never seen. Empty if ours is not there. Then whether
    ours is in doubt: its inode is gone, and the one before it would do as well (a long heading and
    records of one length).
    """
    names = islice(path.parent.glob(f"{glob.escape(path.name)}?*"), limits.FOLLOW_LOOKED_AT_MAX)
    beside = looked_at(map(str, names))
    plain = {seen.path for seen in beside}
    beside = [
        seen
        for seen in beside
        if not is_packed(seen.path) or seen.path.with_suffix("") not in plain
    ]
    inode = Epoch.read(epoch).inode
    likely = sorted(beside, key=lambda seen: (f"{seen.inode:x}" != inode, -seen.changed_ns))
    likely = likely[: limits.FOLLOW_SIBLINGS_MAX]  # each is opened
    at = next((at for at, seen in enumerate(likely) if holds(seen, epoch, offset)), None)
    if at is None:
        return [], False
    ours, before = likely[at], likely[at + 1 : at + 2]
    is_ours = offset >= ENDED or f"{ours.inode:x}" == inode
    is_in_doubt = not is_ours and any(holds(seen, epoch, offset) for seen in before)
    later = [
        seen for seen in likely
        if seen.changed_ns > ours.changed_ns and ROTATED.fullmatch(seen.path.name, len(path.name))
    ]  # fmt: skip
    return [ours, *sorted(later, key=lambda seen: seen.changed_ns)], is_in_doubt


def _hash(beginning: bytes) -> str:
    return digest(beginning.hex())[:16]
