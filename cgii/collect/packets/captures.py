"""Reads captures: pcap (micro- and nanoseconds, both byte orders) and pcapng, also damaged ones."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from cgii.base import limits

SECOND = 1_000_000_000
SECTION = b"\x0a\x0d\x0d\x0a"
# magic → byte order and nanoseconds in the smallest part of a moment
CLASSIC = {
    b"\xd4\xc3\xb2\xa1": ("<", 1_000),
    b"\xa1\xb2\xc3\xd4": (">", 1_000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
MAGICS = (*CLASSIC, SECTION)
# Nanoseconds since 1970, kind of link, bytes on the wire, what was captured of them. A plain tuple:
# there is one for every packet.
Frame = tuple[int, int, int, bytes]
MOMENT_MAX = 2**32 * SECOND  # later than the year 2106 is no moment of a capture
# What the child that reads a capture says between the records of packets and those of its end.
NO_MORE_PACKETS = {"ends": True}
CUT = "se corta antes de su final"


class DamagedCapture(Exception):  # noqa: N818  named for what it is about
    """The capture cannot be read further; what came before stands. The text is for people."""


def is_capture(head: bytes) -> bool:
    """Whether a file that begins so is a capture."""
    return head.startswith(MAGICS)


def read_capture(file: BinaryIO) -> Iterator[Frame]:
    """Every frame in the order of the file. Raises DamagedCapture after the last readable one."""
    magic = file.read(4)
    if magic == SECTION:
        yield from _Blocks(file).frames()
    elif magic in CLASSIC:
        yield from _classic(file, *CLASSIC[magic])
    else:
        raise DamagedCapture("no es una captura pcap ni pcapng")


def _classic(file: BinaryIO, order: str, unit: int) -> Iterator[Frame]:
    head = file.read(20)
    if len(head) < 20:
        raise DamagedCapture(CUT)
    link = struct.unpack(order + "I", head[16:])[0] & 0xFFFF  # above it: length of a checksum
    unpack = struct.Struct(order + "IIII").unpack_from
    rest = b""
    while piece := file.read(limits.READ_CHUNK_BYTES):
        data = rest + piece if rest else piece
        at, size = 0, len(data)
        while at + 16 <= size:
            second, part, kept, wire = unpack(data, at)
            if kept > limits.FRAME_BYTES_MAX:
                raise DamagedCapture(f"un paquete dice medir {kept} bytes")
            end = at + 16 + kept
            if end > size:
                break
            yield second * SECOND + part * unit, link, wire, data[at + 16 : end]
            at = end
        rest = data[at:]
    if rest:
        raise DamagedCapture(CUT)


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    snap: int
    per_second: int
    offset: int  # seconds

    def moment(self, ticks: int) -> int:
        """Nanoseconds since 1970. Raises DamagedCapture."""
        found = self.offset * SECOND + ticks * SECOND // self.per_second
        if not 0 <= found < MOMENT_MAX:
            raise DamagedCapture("un paquete tiene una hora imposible")
        return found


class _Blocks:
    """The blocks of a pcapng file; several sections, each with its byte order and interfaces."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._order = "<"
        self._interfaces: list[_Interface] = []
        self._last = 0  # simple packets have no moment of their own
        self._strange = 0

    def frames(self) -> Iterator[Frame]:
        """The first block's kind has been read already."""
        self._section()
        while len(head := self._file.read(8)) == 8:
            if head.startswith(SECTION):
                self._section(head[4:])
                continue
            kind, length = struct.unpack(self._order + "II", head)
            body = self._body(length)
            if kind == 1:
                self._interface(body)
            elif kind in (2, 3, 6):
                frame = self._frame(kind, body)
                if frame is None:
                    self._strange += 1
                else:
                    self._last = frame[0]
                    yield frame
        if head:
            raise DamagedCapture(CUT)
        if self._strange:
            raise DamagedCapture(f"{self._strange} paquetes son de una interfaz sin describir")

    def _body(self, length: int) -> bytes:
        if not 12 <= length <= limits.CAPTURE_BLOCK_BYTES_MAX or length % 4:
            raise DamagedCapture(f"un bloque dice medir {length} bytes")
        body = self._file.read(length - 8)
        if len(body) < length - 8:
            raise DamagedCapture(CUT)
        if struct.unpack(self._order + "I", body[-4:])[0] != length:
            raise DamagedCapture("un bloque no termina donde dice")
        return body[:-4]

    def _section(self, length: bytes = b"") -> None:
        head = length or self._file.read(4)
        order = self._file.read(4)
        if order not in (b"\x4d\x3c\x2b\x1a", b"\x1a\x2b\x3c\x4d"):
            raise DamagedCapture(CUT if len(order) < 4 else "una sección no dice su orden de bytes")
        self._order = "<" if order[0] == 0x4D else ">"
        size = struct.unpack(self._order + "I", head)[0]
        if not 28 <= size <= limits.CAPTURE_BLOCK_BYTES_MAX or size % 4:
            raise DamagedCapture(f"un bloque dice medir {size} bytes")
        if len(self._file.read(size - 12)) < size - 12:
            raise DamagedCapture(CUT)
        self._interfaces = []

    def _interface(self, body: bytes) -> None:
        if len(body) < 8 or len(self._interfaces) >= limits.CAPTURE_INTERFACES_MAX:
            raise DamagedCapture("describe mal sus interfaces")
        link, snap = struct.unpack(self._order + "HxxI", body[:8])
        per_second, offset, at = 1_000_000, 0, 8
        while at + 4 <= len(body):
            code, size = struct.unpack_from(self._order + "HH", body, at)
            value = body[at + 4 : at + 4 + size]
            if code == 0:
                break
            if code == 9 and value:
                per_second = (2 if value[0] & 0x80 else 10) ** (value[0] & 0x7F)
            elif code == 14 and len(value) == 8:
                offset = struct.unpack(self._order + "q", value)[0]
            at += 4 + (size + 3 & ~3)
        self._interfaces.append(_Interface(link, snap, per_second, offset))

    def _frame(self, kind: int, body: bytes) -> Frame | None:
        if len(body) < (4 if kind == 3 else 20):
            raise DamagedCapture("un bloque de paquete es demasiado corto")
        if kind == 3:
            (size,) = struct.unpack_from(self._order + "I", body)
            if not self._interfaces:
                return None
            here = self._interfaces[0]
            kept = min(size, here.snap or size, len(body) - 4)
            return self._last, here.link, size, body[4 : 4 + kept]
        form = "IIIII" if kind == 6 else "HxxIIII"
        number, high, low, kept, size = struct.unpack_from(self._order + form, body)
        if number >= len(self._interfaces):
            return None
        if kept > len(body) - 20 or kept > limits.FRAME_BYTES_MAX:
            raise DamagedCapture(f"un paquete dice medir {kept} bytes")
        here = self._interfaces[number]
        return here.moment(high << 32 | low), here.link, size, body[20 : 20 + kept]
