"""The sensor's queue on disk: a batch waits here until the centre has said that it keeps it.

Segments of entries; an entry is a header (magic, records, bytes, CRC-32) and the body as it will be
sent. `append` returns once the entry is on disk. What a fall left unfinished at the end is cut off;
what is damaged is set aside, and told; what follows it is sent.
"""

import contextlib
import errno
import fcntl
import io
import os
import struct
import threading
import zlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cgii.base import clock, limits, logs
from cgii.base.durable import private_folder, sync_folder, write_file
from cgii.base.errors import Unavailable
from cgii.base.reasons import why

MAGIC = b"CGS1"
HEAD = struct.Struct(">4sIII")
SUFFIX = ".seg"
DAMAGED = "damaged"  # the folder for what is set aside

log = logs.logger("collect")


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where an entry begins; places are in the order of their entries."""

    segment: int
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """One batch: its place, the place after it, how many records, the body."""

    at: Place
    after: Place
    records: int
    body: bytes


class Spool:
    """Bounded in bytes. One thread appends, another one takes what is oldest."""

    def __init__(
        self,
        folder: Path,
        *,
        bytes_max: int = limits.SPOOL_BYTES_MAX,
        segment_bytes: int = limits.SPOOL_SEGMENT_BYTES,
    ) -> None:
        self.folder = folder
        self._bytes_max = bytes_max
        self._segment_bytes = segment_bytes
        self._lock = threading.Condition()
        self._sizes: dict[int, int] = {}  # of the segments, the oldest first
        self._file: int | None = None  # the one that is written to
        self.records = 0  # that wait
        self.damaged_bytes = 0  # set aside since the start
        self._next = Place(0, 0)
        self._times: deque[tuple[Place, float]] = deque()  # when some of the entries were appended
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._owner = _own(folder / "lock")
            self._recover()
            if self.records:
                oldest = self._path(min(self._sizes)).stat().st_mtime
                self._times.append((self._next, oldest))
        except OSError as error:
            raise Unavailable(
                "El sensor no puede usar su cola en {folder}: {reason}.",
                folder=folder,
                reason=why(error),
            ) from error

    def close(self) -> None:
        """Let go of the files; what waits stays."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
            os.close(self._owner)

    @property
    def bytes_max(self) -> int:
        """How many bytes may wait."""
        return self._bytes_max

    @property
    def size(self) -> int:
        """How many bytes wait."""
        return sum(self._sizes.values()) - self._next.offset

    @property
    def oldest_at(self) -> float | None:
        """When the oldest batch that waits was appended, to some seconds; None while none waits.

        After a start it is when the oldest segment was last written to.
        """
        with self._lock:
            return self._times[0][1] if self.records and self._times else None

    def append(self, body: bytes, records: int) -> None:
        """Keep one batch; on disk when this returns. Raises Unavailable without room."""
        data = HEAD.pack(MAGIC, records, len(body), zlib.crc32(body)) + body
        with self._lock:
            if self.size and self.size + len(data) > self._bytes_max:
                raise Unavailable("La cola en disco del sensor está llena.")
            segment = self._writable()
            size = self._sizes[segment]
            try:
                _write(self._file, data)
            except OSError as error:
                self._undo(segment, size)
                raise Unavailable(
                    "El sensor no puede escribir su cola: {reason}.", reason=why(error)
                ) from error
            self._sizes[segment] = size + len(data)
            self._stamp(Place(segment, size))
            self.records += records
            self._lock.notify_all()

    def peek(self) -> Entry | None:
        """The oldest batch that is not done; None while there is none."""
        with self._lock:
            while self._next.segment in self._sizes:
                segment, offset = self._next.segment, self._next.offset
                if offset < self._sizes[segment]:
                    entry = self._read(segment, offset)
                    if entry is not None:
                        return entry
                    self._skip(segment, offset)
                elif not self._pass(segment):
                    break
            return None

    def after(self, entry: Entry) -> Entry | None:
        """The next one, if it can be had without leaving the segment."""
        segment, offset = entry.after.segment, entry.after.offset
        with self._lock:
            if offset >= self._sizes.get(segment, 0):
                return None
            return self._read(segment, offset)

    def wait(self, seconds: float) -> None:
        """Return when something was appended, or after `seconds`."""
        with self._lock:
            self._lock.wait(seconds)

    def done(self, *entries: Entry) -> None:
        """The centre has the oldest, and those that `after` gave: they need not be kept longer."""
        last = entries[-1]
        with self._lock:
            self._next = last.after
            self.records -= sum(entry.records for entry in entries)
            while self._times and (not self.records or self._is_next_passed()):
                self._times.popleft()
            if last.after.offset >= self._sizes[last.at.segment]:
                self._pass(last.at.segment)
            self._remember()

    def _stamp(self, at: Place) -> None:
        now = clock.now().timestamp()
        if not self._times or abs(now - self._times[-1][1]) >= limits.SPOOL_STAMP_SECONDS:
            self._times.append((at, now))

    def _is_next_passed(self) -> bool:
        """Whether all before the second stamp was sent, so that the first says nothing more."""
        return len(self._times) > 1 and self._times[1][0] <= self._next

    def _writable(self) -> int:
        """The number of the segment to be written to, begun if need be."""
        newest = max(self._sizes, default=-1)
        if self._file is not None and self._sizes[newest] < self._segment_bytes:
            return newest
        # A number is never given again: of a part of it might be known that it was sent.
        number = max(newest + 1, self._next.segment + (self._next.offset > 0))
        try:
            file = os.open(self._path(number), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            sync_folder(self.folder)
        except OSError as error:
            raise Unavailable(
                "El sensor no puede escribir su cola: {reason}.", reason=why(error)
            ) from error
        if self._file is not None:
            os.close(self._file)
        self._file = file
        self._sizes[number] = 0
        if len(self._sizes) == 1:
            self._next = Place(number, 0)
        return number

    def _undo(self, segment: int, size: int) -> None:
        """Nothing half written may stay before what comes next."""
        try:
            os.truncate(self._path(segment), size)
        except OSError:
            # It cannot be cut now: begin another segment, and cut this one when it is read.
            os.close(self._file) if self._file is not None else None
            self._file = None

    def _read(self, segment: int, offset: int) -> Entry | None:
        """The entry there; None if it is damaged. Raises OSError when that cannot be seen now."""
        with self._opened(segment) as file:
            return _entry(file, segment, offset)

    def _skip(self, segment: int, offset: int) -> None:
        """Set what is damaged there aside and go on with the next whole entry."""
        end = self._whole_after(segment, offset) or self._sizes[segment]
        self._keep_damaged(segment, offset, end)
        self._next = Place(segment, end)
        self.records = self._count()

    def _keep_damaged(self, segment: int, begin: int, end: int) -> None:
        self.damaged_bytes += end - begin
        log.error("a damaged part of the spool was set aside", segment=segment, bytes=end - begin)
        folder = self.folder / DAMAGED
        with contextlib.suppress(OSError):  # it is lost to us in any case
            private_folder(folder)
            data = self._bytes(segment, begin)[: end - begin]
            write_file(folder / f"{segment:012d}-{begin:09d}", data, mode=0o600)

    def _whole_after(self, segment: int, offset: int) -> int | None:
        """Where the next entry begins that can be read."""
        data, at = self._bytes(segment, offset), 0
        while (at := data.find(MAGIC, at + 1)) > 0:
            if self._read(segment, offset + at) is not None:
                return offset + at
        return None

    def _bytes(self, segment: int, offset: int) -> bytes:
        """What stands from there on, as far as it can be read at all."""
        with self._opened(segment) as file:
            return _part(file, offset, -1)

    @contextlib.contextmanager
    def _opened(self, segment: int) -> Iterator[BinaryIO]:
        """A segment's file; where there is none, or the disk is broken, it is empty."""
        try:
            file: BinaryIO = self._path(segment).open("rb")
        except OSError as error:
            if error.errno not in (errno.EIO, errno.ENOENT):
                raise
            file = io.BytesIO()
        with file:
            yield file

    def _pass(self, segment: int) -> bool:
        """Leave a segment that was read to its end, if another one follows."""
        if segment == max(self._sizes) and self._file is not None:
            return False
        with contextlib.suppress(OSError):  # it is then found, and passed over, at the next start
            self._path(segment).unlink(missing_ok=True)
        del self._sizes[segment]
        self._next = Place(min(self._sizes, default=segment + 1), 0)
        return True

    def _count(self) -> int:
        total = 0
        for number in self._sizes:
            begin = self._next.offset if number == self._next.segment else 0
            total += sum(records for _, records in self._heads(number, begin))
        return total

    def _heads(self, number: int, begin: int) -> Iterator[tuple[int, int]]:
        """The end and the number of records of each entry, as their heads say; damage apart."""
        size, offset = self._sizes[number], begin
        # Opened once: a sensor that was alone for weeks has a million entries.
        with self._opened(number) as file:
            while len(head := _part(file, offset, HEAD.size)) == HEAD.size:
                magic, records, length, _ = HEAD.unpack(head)
                if magic == MAGIC and offset + HEAD.size + length <= size:
                    offset += HEAD.size + length
                    yield offset, records
                elif (whole := self._whole_after(number, offset)) is not None:
                    offset = whole
                else:
                    return

    def _recover(self) -> None:
        """Find what waits; cut off what a fall left unfinished at the end of a segment."""
        for path in sorted(self.folder.glob(f"*{SUFFIX}")):
            if path.stem.isdecimal():
                self._sizes[int(path.stem)] = path.stat().st_size
        # The place counts even where nothing waits: numbers before it are never given again.
        at = _place(self.folder / "sent") or Place(min(self._sizes, default=0), 0)
        self._next = at
        if not self._sizes:
            return
        oldest, newest = min(self._sizes), max(self._sizes)
        for number in [one for one in self._sizes if one < at.segment]:
            self._path(number).unlink()
            del self._sizes[number]
        self._next = at if at.segment in self._sizes else Place(min(self._sizes, default=oldest), 0)
        if newest in self._sizes:
            self._cut(newest)
        if self._next.offset > self._sizes.get(self._next.segment, 0):
            self._next = Place(self._next.segment, 0)
        self.records = self._count()

    def _cut(self, number: int) -> None:
        """Nobody was told that an unfinished end was kept, so nothing is lost with it."""
        end, size = 0, self._sizes[number]
        with self._opened(number) as file:
            while end < size:
                entry = _entry(file, number, end)
                after = entry.after.offset if entry else self._whole_after(number, end)
                if after is None:
                    break
                end = after
        if end == size:
            return
        head = self._bytes(number, end)[: HEAD.size]
        if len(head) == HEAD.size and size - end >= HEAD.size + HEAD.unpack(head)[2]:
            self._keep_damaged(number, end, size)  # it was finished, and has changed since
        log.warning("an unfinished end of the spool was cut off", segment=number)
        os.truncate(self._path(number), end)
        self._sizes[number] = end

    def _remember(self) -> None:
        """Lost with a fall, it only means that some batches are sent twice, which does no harm."""
        text = f"{self._next.segment} {self._next.offset}\n"
        written = self.folder / "sent.new"
        try:
            written.write_text(text)
            written.replace(self.folder / "sent")
        except OSError as error:
            log.warning("the spool's place was not kept", reason=error.strerror)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:012d}{SUFFIX}"


def _entry(file: BinaryIO, segment: int, offset: int) -> Entry | None:
    head = _part(file, offset, HEAD.size)
    if len(head) < HEAD.size:
        return None
    magic, records, size, checksum = HEAD.unpack(head)
    if magic != MAGIC or size > limits.SPOOL_ENTRY_BYTES_MAX:
        return None
    body = _part(file, offset + HEAD.size, size)
    if len(body) < size or zlib.crc32(body) != checksum:
        return None
    after = Place(segment, offset + HEAD.size + size)
    return Entry(Place(segment, offset), after, records, body)


def _part(file: BinaryIO, offset: int, size: int) -> bytes:
    """What stands there, as far as it can be read at all; a broken disk gives nothing."""
    try:
        file.seek(offset)
        return file.read(size)
    except OSError as error:
        if error.errno != errno.EIO:
            raise
        log.error("the spool cannot be read", file=file.name, reason=error.strerror)
        return b""


def _own(path: Path) -> int:
    """Hold the folder for this process. Raises Unavailable if another one holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(file)
        raise Unavailable(
            "Otro proceso usa la cola del sensor en {folder}.", folder=path.parent
        ) from error
    return file


def _write(file: int | None, data: bytes) -> None:
    if file is None:
        raise OSError("no segment is open")
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(file, rest) :]
    os.fsync(file)


def _place(path: Path) -> Place | None:
    try:
        segment, offset = path.read_text().split()
        return Place(int(segment), int(offset))
    except (OSError, ValueError):
        return None
