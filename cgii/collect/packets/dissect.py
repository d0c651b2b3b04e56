"""The child that reads a capture: `python -m cgii.collect.packets.dissect seconds bytes`.

It may die at any moment; what it says is checked by collect/child.py. The capture is its standard
input.
"""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

import orjson

from cgii.base import limits
from cgii.base.confine import GZIP, Progress, give_up_rights
from cgii.base.reasons import why_not_unpacked
from cgii.collect.packets.captures import NO_MORE_PACKETS, DamagedCapture, Frame, read_capture
from cgii.collect.packets.observe import Observer

OUT_BYTES = 64 * 1024  # said at once


def main() -> None:
    """Read, say each record on a line of its own, and last how it ended."""
    seconds, memory = map(int, sys.argv[1:])
    give_up_rights(seconds, memory)
    damage: list[str] = []
    waiting, size = [], 0
    observer, progress = Observer(), Progress()
    frames = _frames(cast(io.BufferedReader, sys.stdin.buffer), damage, progress)
    for records in (observer.see(frames), [NO_MORE_PACKETS], observer.end()):
        for record in records:
            line = orjson.dumps(record)
            waiting.append(line)
            size += len(line)
            if size > OUT_BYTES:
                _say(waiting)
                progress.advance(size)  # a scan of all ports says more than it reads
                waiting, size = [], 0
    _say([*waiting, orjson.dumps({"end": damage[0] if damage else ""})])


def _frames(raw: io.BufferedReader, damage: list[str], progress: Progress) -> Iterator[Frame]:
    """The frames, and into `damage` why they end before the file does."""
    is_packed = raw.peek(len(GZIP)).startswith(GZIP)
    content = cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_packed else raw
    try:
        yield from read_capture(cast(BinaryIO, io.BufferedReader(_Measured(content, progress))))
    except DamagedCapture as problem:
        damage.append(str(problem))
    except (EOFError, OSError, zlib.error) as error:
        damage.append(why_not_unpacked(error))


class _Measured(io.RawIOBase):
    """What is in a capture, up to the limit; whoever waits is told how far it was read."""

    def __init__(self, content: BinaryIO, progress: Progress) -> None:
        self._content = content
        self._left = limits.FILE_UNPACKED_BYTES_MAX
        self._progress = progress

    def readable(self) -> bool:
        """Nothing else."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """As much as there is. Raises DamagedCapture past the limit."""
        piece = self._content.read(len(buffer))
        self._left -= len(piece)
        if self._left < 0:
            raise DamagedCapture(f"mide más de {limits.FILE_UNPACKED_BYTES_MAX} bytes; divídala")
        if self._progress.advance(len(piece)):
            _say([])
        buffer[: len(piece)] = piece
        return len(piece)


def _say(lines: list[bytes]) -> None:
    sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
