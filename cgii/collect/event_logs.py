"""Reads binary Windows event logs (EVTX), also packed, cut or damaged ones."""

import io
import struct
from collections.abc import Iterator
from typing import Any, BinaryIO

import evtx

from cgii.base import limits

MAGIC = b"ElfFile\0"
HEADER_BYTES = 4_096
CHUNK_BYTES = 65_536
CHUNK_COUNT_AT = 42
CHUNK_MAGIC = b"ElfChnk\0"
CHUNK_FIRST_AT = 8  # number of the chunk's first record


class DamagedLog(Exception):  # noqa: N818  named for what it is about
    """A part of the log that could not be read; given out between the records, as it is met."""


def read_event_log(file: BinaryIO) -> Iterator[bytes | DamagedLog]:
    """Each record as nested JSON; what is damaged stands in its place.

    The library passes over a chunk that is cut without a word, so the file is filled up to whole
    chunks first, which gives the records before the cut, and the cut itself is told at the end.
    """
    for found in read_numbered(file):
        yield found if isinstance(found, DamagedLog) else found[1]


def read_numbered(file: BinaryIO) -> Iterator[tuple[int, bytes] | DamagedLog]:
    """The same with the number that the log gave each record, in the order of these numbers."""
    whole = _read(file)
    if len(whole) > limits.EVTX_BYTES_MAX:
        yield DamagedLog(f"mide más de {limits.EVTX_BYTES_MAX} bytes; divídalo")
        return
    short, chunks = _missing(whole)
    try:
        records: Iterator[Any] = evtx.PyEvtxParser(
            io.BytesIO(_in_order(whole + bytes(short)))
        ).records_json()
    except (RuntimeError, ValueError, OSError) as error:
        yield DamagedLog(str(error))
        return
    yield from _records(records)
    if short or chunks:
        yield DamagedLog("le falta el final")


def _read(file: BinaryIO) -> bytes:
    """All of it, or more than is allowed; piece by piece, for memory is taken before it is read."""
    pieces, size = [], 0
    while size <= limits.EVTX_BYTES_MAX and (piece := file.read(limits.READ_CHUNK_BYTES)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _records(records: Iterator[Any]) -> Iterator[tuple[int, bytes] | DamagedLog]:
    for _ in range(limits.EVTX_DAMAGED_RECORDS_MAX):
        try:
            for record in records:
                yield record["event_record_id"], record["data"].encode(errors="replace")
        except (RuntimeError, ValueError, OSError) as error:
            yield DamagedLog(str(error))
        else:
            return


def _in_order(whole: bytes) -> bytes:
    """A log that was full goes on over its oldest chunks; here the oldest come first."""
    starts = range(HEADER_BYTES, len(whole), CHUNK_BYTES)
    numbers, number = [], 0
    for start in starts:
        if whole.startswith(CHUNK_MAGIC, start):  # a damaged chunk stays behind the one before it
            (number,) = struct.unpack_from("<Q", whole, start + CHUNK_FIRST_AT)
        numbers.append(number)
    if numbers == sorted(numbers):
        return whole
    ordered = sorted(zip(numbers, starts, strict=True))
    chunks = [whole[start : start + CHUNK_BYTES] for _, start in ordered]
    return b"".join([whole[:HEADER_BYTES], *chunks])


def _missing(whole: bytes) -> tuple[int, int]:
    """How many bytes the last chunk is short of, and how many chunks its head counts in vain."""
    if len(whole) < HEADER_BYTES:
        return HEADER_BYTES + CHUNK_BYTES - len(whole), 0
    chunks = -(-(len(whole) - HEADER_BYTES) // CHUNK_BYTES)
    (counted,) = struct.unpack_from("<H", whole, CHUNK_COUNT_AT)
    return HEADER_BYTES + chunks * CHUNK_BYTES - len(whole), max(int(counted) - chunks, 0)
