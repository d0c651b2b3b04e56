"""Reads binary Windows event logs (EVTX), also packed, cut or damaged ones.

Run as a program, `python -m cgii.collect.event_logs seconds bytes`, it is the child that reads the
log on its standard input for `cgii scan`: it says each record on a line that begins with `+`, each
damage on one with `!`, and last `{"end": ""}`. It may die at any moment.
"""

import gzip
import io
import struct
import sys
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import evtx

from cgii.base import limits
from cgii.base.confine import GZIP, Progress, give_up_rights
from cgii.base.reasons import why_not_unpacked
from cgii.collect.child import read_in_child

CHILD = "cgii.collect.event_logs"
RECORD, DAMAGE = b"+", b"!"
MAGIC = b"ElfFile\0"
HEADER_BYTES = 4_096
CHUNK_BYTES = 65_536
CHUNK_COUNT_AT = 42
CHUNK_MAGIC = b"ElfChnk\0"
CHUNK_FIRST_AT = 8  # number of the chunk's first record
LIBRARY_ERRORS = (RuntimeError, ValueError, OSError)
UNPACKING_ERRORS = (EOFError, OSError, zlib.error)
PIECE_BYTES = 1_024  # of a packed chunk, of which the last one is lost where the file is damaged


class DamagedLog(Exception):  # noqa: N818  named for what it is about
    """A part of the log that could not be read; given out between the records, as it is met."""


def main() -> None:
    """Say what is in the log that is the standard input."""
    give_up_rights(*map(int, sys.argv[1:]))
    raw, out, progress = sys.stdin.buffer, sys.stdout.buffer, Progress()
    is_packed = raw.read(len(GZIP)) == GZIP
    raw.seek(0)
    for found in read_event_log(cast(BinaryIO, gzip.GzipFile(fileobj=raw)) if is_packed else raw):
        if isinstance(found, DamagedLog):
            out.write(DAMAGE + str(found).replace("\n", " ").encode(errors="replace") + b"\n")
        else:
            out.write(RECORD + found[: limits.LINE_BYTES_MAX + 1] + b"\n")
            if progress.advance(len(found)):
                out.write(b"\n")
                out.flush()
    out.write(b'{"end":""}\n')
    out.flush()


def scan_event_log(
    file: BinaryIO, *, seconds: int | None = None, memory: int = limits.CHILD_MEMORY_BYTES
) -> Iterator[bytes | DamagedLog]:
    """The same as `read_event_log`, by a child. Raises PartialReading after the last one."""
    for line in read_in_child(CHILD, file, seconds=seconds, memory=memory):
        text = line[1:]
        yield text if line.startswith(RECORD) else DamagedLog(text.decode(errors="replace"))


def read_event_log(file: BinaryIO) -> Iterator[bytes | DamagedLog]:
    """Each record as nested JSON; what is damaged stands in its place."""
    for found in read_numbered(file):
        yield found if isinstance(found, DamagedLog) else found[1]


def read_numbered(file: BinaryIO) -> Iterator[tuple[int, bytes] | DamagedLog]:
    """The same with the number that the log gave each record, in the order of these numbers.

    Chunks stand for themselves, so one is in memory at a time, with the head of the file before it.
    A chunk that is cut is filled up, which gives the records before the cut; the cut is told last.
    """
    head, problem = _part(file, 0, HEADER_BYTES)
    try:
        evtx.PyEvtxParser(io.BytesIO(head), number_of_threads=1)
    except LIBRARY_ERRORS as error:
        yield DamagedLog(problem or str(error))
        return
    order, size, problem = _order(file)
    if size > limits.EVTX_BYTES_MAX:
        yield DamagedLog(f"mide más de {limits.EVTX_BYTES_MAX} bytes; divídalo")
        return
    damaged = 0
    for start in order:
        chunk, why = _part(file, start, CHUNK_BYTES)
        problem = problem or why
        for found in _records(head + chunk):
            damaged += isinstance(found, DamagedLog)
            yield found
            if damaged >= limits.EVTX_DAMAGED_RECORDS_MAX:
                yield DamagedLog(f"tiene {damaged} partes dañadas; no se leyó más")
                return
    (counted,) = struct.unpack_from("<H", head, CHUNK_COUNT_AT)
    if problem:
        yield DamagedLog(problem)
    elif size < HEADER_BYTES + CHUNK_BYTES * max(len(order), counted):
        yield DamagedLog("le falta el final")


def _order(file: BinaryIO) -> tuple[list[int], int, str]:
    """Where the chunks begin, the bytes of the file, and why it cannot be read to its end.

    A log that was full goes on over its oldest chunks; here the oldest come first.
    """
    found: list[tuple[int, int]] = []
    number, at, problem = 0, HEADER_BYTES, ""
    try:
        while at <= limits.EVTX_BYTES_MAX:
            file.seek(at)
            head = file.read(CHUNK_FIRST_AT + 8)
            if head.startswith(CHUNK_MAGIC) and len(head) == CHUNK_FIRST_AT + 8:
                # A damaged chunk stays behind the one before it.
                (number,) = struct.unpack_from("<Q", head, CHUNK_FIRST_AT)
            if not head:
                break
            found.append((number, at))
            at += CHUNK_BYTES
        size = at if at > limits.EVTX_BYTES_MAX else file.seek(0, io.SEEK_END)
    except UNPACKING_ERRORS as error:
        size, problem = at, why_not_unpacked(error)
    return [start for _, start in sorted(found)], size, problem


def _part(file: BinaryIO, start: int, size: int) -> tuple[bytes, str]:
    """So many bytes, filled up behind what can be read, and why no more can."""
    found, problem = bytearray(), ""
    try:
        file.seek(start)
        while len(found) < size and (piece := file.read(min(PIECE_BYTES, size - len(found)))):
            found += piece
    except UNPACKING_ERRORS as error:
        problem = why_not_unpacked(error)
    return bytes(found.ljust(size, b"\0")), problem


def _records(log: bytes) -> Iterator[tuple[int, bytes] | DamagedLog]:
    """Those of a log of one chunk."""
    try:
        records: Any = evtx.PyEvtxParser(io.BytesIO(log), number_of_threads=1).records_json()
    except LIBRARY_ERRORS as error:
        yield DamagedLog(str(error))
        return
    for _ in range(limits.EVTX_DAMAGED_RECORDS_MAX):
        try:
            for record in records:
                yield record["event_record_id"], record["data"].encode(errors="replace")
        except LIBRARY_ERRORS as error:
            yield DamagedLog(str(error))
        else:
            return


if __name__ == "__main__":
    main()
