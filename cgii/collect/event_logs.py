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


class DamagedLog(Exception):  # noqa: N818  named for what it is about
    """A part of the log that could not be read; given out between the records, as it is met."""


def read_event_log(file: BinaryIO) -> Iterator[bytes | DamagedLog]:
    """Each record as nested JSON; what is damaged stands in its place.

    The library passes over a chunk that is cut without a word, so the file is filled up to whole
    chunks first, which gives the records before the cut, and the cut itself is told at the end.
    """
    whole = file.read(limits.EVTX_BYTES_MAX + 1)
    if len(whole) > limits.EVTX_BYTES_MAX:
        yield DamagedLog(f"mide más de {limits.EVTX_BYTES_MAX} bytes; divídalo")
        return
    short, chunks = _missing(whole)
    try:
        records: Iterator[Any] = evtx.PyEvtxParser(io.BytesIO(whole + bytes(short))).records_json()
    except (RuntimeError, ValueError, OSError) as error:
        yield DamagedLog(str(error))
        return
    yield from _records(records)
    if short or chunks:
        yield DamagedLog("le falta el final")


def _records(records: Iterator[Any]) -> Iterator[bytes | DamagedLog]:
    for _ in range(limits.EVTX_DAMAGED_RECORDS_MAX):
        try:
            for record in records:
                yield record["data"].encode(errors="replace")
        except (RuntimeError, ValueError, OSError) as error:
            yield DamagedLog(str(error))
        else:
            return


def _missing(whole: bytes) -> tuple[int, int]:
    """How many bytes the last chunk is short of, and how many chunks its head counts in vain."""
    if len(whole) < HEADER_BYTES:
        return HEADER_BYTES + CHUNK_BYTES - len(whole), 0
    chunks = -(-(len(whole) - HEADER_BYTES) // CHUNK_BYTES)
    (counted,) = struct.unpack_from("<H", whole, CHUNK_COUNT_AT)
    return HEADER_BYTES + chunks * CHUNK_BYTES - len(whole), max(int(counted) - chunks, 0)
