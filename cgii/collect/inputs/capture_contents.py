"""By what a capture is known: its content, packed or not, and what it held before it grew."""

import gzip
import hashlib
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from cgii.base import limits
from cgii.base.confine import GZIP
from cgii.collect.packets.captures import is_capture


@dataclass(frozen=True, slots=True)
class Content:
    """`name` is that of what is in a capture, empty if it is none; `packed` of the file itself.

    `size` is 0 of a packed one. `is_longer` says whether it begins with all that it held before.
    """

    name: str = ""
    packed: str = ""
    size: int = 0
    is_longer: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Each name under which it may have been read."""
        return (self.name, self.packed) if self.packed else (self.name,)


def content_of(path: Path, before: Content) -> Content:
    """What a file holds; `before` is what it held when it was read. Raises OSError."""
    with path.open("rb") as file:
        head = file.read(4)
        file.seek(0)
        if head.startswith(GZIP):
            packed = hashlib.file_digest(file, "sha256").hexdigest()[:32]
            return Content(_unpacked(path) or packed, packed)
        if not is_capture(head):
            return Content()
        found = hashlib.sha256()
        is_longer = False
        if before.size and _feed(found, file, before.size) == before.size:
            is_longer = _short(found) == before.name
        _feed(found, file)
        return Content(_short(found), "", file.tell(), is_longer)


def _unpacked(path: Path) -> str:
    """The name of what is packed in a file; empty if it is no whole capture."""
    found = hashlib.sha256()
    try:
        with gzip.open(path) as file:
            head = file.read(4)
            found.update(head)
            _feed(found, cast(BinaryIO, file), limits.FILE_UNPACKED_BYTES_MAX)
            is_whole = is_capture(head) and not file.read(1)
    except (EOFError, OSError, zlib.error):
        return ""
    return _short(found) if is_whole else ""


def _feed(found: "hashlib._Hash", file: BinaryIO, most: int | None = None) -> int:
    """Take in what follows, up to so many bytes; how many they were."""
    size = 0
    while most is None or size < most:
        wanted = limits.READ_CHUNK_BYTES if most is None else most - size
        piece = file.read(min(wanted, limits.READ_CHUNK_BYTES))
        if not piece:
            break
        found.update(piece)
        size += len(piece)
    return size


def _short(found: "hashlib._Hash") -> str:
    return found.hexdigest()[:32]
