"""Unpacks the source of Office macros (the compression of [MS-OVBA] 2.4.1), however broken."""

import re
from collections.abc import Iterator
from mmap import mmap

from cgii.base import limits

# Every module begins with `Attribute VB_…`: a container's mark (1), a chunk's head, then the text
# in groups of eight behind a byte of flags.
MODULE = re.compile(rb"\x01..\x00Attribut\x00e ", re.DOTALL)
CHUNK_BYTES = 4_096


def macros(data: bytes | mmap) -> Iterator[bytes]:
    """The source of each macro module in an OLE file, as far as it can be read."""
    for found in MODULE.finditer(data):
        yield _container(data, found.start())


def _container(data: bytes | mmap, start: int) -> bytes:
    source = bytearray()
    place = start + 1
    while place + 2 <= len(data) and len(source) < limits.YARA_MEMBER_BYTES_MAX:
        head = int.from_bytes(data[place : place + 2], "little")
        if (head >> 12) & 0b111 != 0b011:
            break  # no chunk: the container is over, or its sectors lie elsewhere
        end = min(place + (head & 0xFFF) + 3, len(data))
        place += 2
        if head & 0x8000:
            _chunk(data[place:end], source)
            place = end
        else:
            source += data[place : place + CHUNK_BYTES]
            place += CHUNK_BYTES
    return bytes(source)


def _chunk(packed: bytes, source: bytearray) -> None:
    """Append what one chunk holds; a token that points before its chunk ends it."""
    begin, place = len(source), 0
    while place < len(packed):
        flags = packed[place]
        place += 1
        for bit in range(8):
            if place >= len(packed):
                return
            if not flags >> bit & 1:
                source.append(packed[place])
                place += 1
                continue
            token = int.from_bytes(packed[place : place + 2], "little")
            place += 2
            done = len(source) - begin
            bits = max((done - 1).bit_length(), 4)
            length, offset = (token & (0xFFFF >> bits)) + 3, (token >> (16 - bits)) + 1
            if offset > done:
                return
            for _ in range(length):
                source.append(source[-offset])
