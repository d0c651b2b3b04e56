"""The child that reads a capture: `python -m cgii.collect.packets.dissect seconds bytes`.

It may die at any moment; what it says is checked by child.py. The capture is its standard input.
Before it looks at it, it gives up the right to open files or connections, to write, to start
processes, and to more memory and time than it was granted.
"""

import gzip
import io
import resource
import sys
import zlib
from collections.abc import Iterator
from typing import BinaryIO, cast

import orjson

from cgii.base import limits
from cgii.collect.packets.captures import DamagedCapture, Frame, read_capture
from cgii.collect.packets.observe import Observer

GZIP = b"\x1f\x8b"
OUT_BYTES = 64 * 1024  # said at once


def main() -> None:
    """Read, say each record on a line of its own, and last how it ended."""
    seconds, memory = map(int, sys.argv[1:])
    _give_up_rights(seconds, memory)
    damage: list[str] = []
    waiting, size = [], 0
    observer = Observer()
    frames = _frames(sys.stdin.buffer, damage)
    for records in (observer.see(frames), observer.end()):
        for record in records:
            line = orjson.dumps(record)
            waiting.append(line)
            size += len(line)
            if size > OUT_BYTES:
                _say(waiting)
                waiting, size = [], 0
    _say([*waiting, orjson.dumps({"end": damage[0] if damage else ""})])


def _give_up_rights(seconds: int, memory: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    for nothing in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
        resource.setrlimit(nothing, (0, 0))
    # Every descriptor there will ever be is open now: no file, socket or pipe can follow.
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))


def _frames(raw: BinaryIO, damage: list[str]) -> Iterator[Frame]:
    """The frames, and into `damage` why they end before the file does."""
    head = raw.read(2)
    file = cast(BinaryIO, io.BufferedReader(_Whole(head, raw)))
    if head == GZIP:
        file = cast(BinaryIO, io.BufferedReader(gzip.GzipFile(fileobj=file)))
    try:
        yield from read_capture(file)
    except DamagedCapture as problem:
        damage.append(str(problem))
    except (EOFError, OSError, zlib.error) as error:
        damage.append(f"el archivo empaquetado está dañado: {error}")


class _Whole(io.RawIOBase):
    """A stream with what was read of it before put back; a pipe cannot be wound back."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest
        self._left = limits.FILE_UNPACKED_BYTES_MAX

    def readable(self) -> bool:
        """Nothing else."""
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        """As much as there is."""
        piece = self._head or self._rest.read(min(len(buffer), self._left))
        self._head = b""
        self._left -= len(piece)
        buffer[: len(piece)] = piece
        return len(piece)


def _say(lines: list[bytes]) -> None:
    sys.stdout.buffer.write(b"\n".join(lines) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
