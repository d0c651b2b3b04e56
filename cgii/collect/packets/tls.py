"""TLS: the hellos of both sides and the certificate that the server shows in the clear."""

import struct
from collections.abc import Iterator
from typing import Any

from cgii.base import limits
from cgii.collect.packets.beginnings import Ledger
from cgii.collect.packets.certificates import NotCertificate, read_certificate
from cgii.collect.packets.flows import seconds
from cgii.collect.packets.hello import (
    JA4_VERSIONS,
    VERSIONS,
    Hello,
    NotHello,
    ja3,
    ja3s,
    ja4,
    read_client_hello,
    read_server_hello,
)

CLIENT_HELLO, SERVER_HELLO, CERTIFICATE, SERVER_DONE = 1, 2, 11, 14
HANDSHAKE = 0x16
START = b"\x16\x03"
TLS_13 = 0x0304


class Tls:
    """One conversation; its single record is given once the server's side is known or it ends."""

    service = "ssl"

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._raw: list[bytes] = [b"", b""]  # records that are not whole
        self._messages: list[bytes] = [b"", b""]
        self._told: dict[str, Any] = {}
        self._seen = [0, 0]  # bytes of each side
        self.is_done = False

    def feed(self, way: int, data: bytes, at: int) -> Iterator[dict[str, Any]]:
        """What follows on what this side said before."""
        if self.is_done:
            return
        self._told.setdefault("ts", seconds(at))
        self._seen[way] += len(data)
        if not self._ledger.take(len(data)):
            yield from self.end()
            return
        self._raw[way] += data
        ended = self._unwrap(way)
        ended = self._read(way) or ended
        if (way == 1 and (ended or self._seen[1] > limits.BEGINNING_BYTES_MAX)) or self._seen[
            0
        ] > limits.BEGINNING_BYTES_MAX:
            yield from self.end()

    def end(self) -> Iterator[dict[str, Any]]:
        """Tell what there is, if anything."""
        for kept in (self._raw, self._messages):
            self._ledger.give(len(kept[0]) + len(kept[1]))
            kept[:] = [b"", b""]
        if not self.is_done and len(self._told) > 1:
            self.is_done = True
            yield {"network_traffic": "ssl", **self._told}
        self.is_done = True

    def _unwrap(self, way: int) -> bool:
        """Move whole records' contents to the messages; whether something else than these came."""
        raw, at, ended = self._raw[way], 0, False
        while at + 5 <= len(raw):
            kind, version, size = struct.unpack_from(">BHH", raw, at)
            if kind != HANDSHAKE or version >> 8 != 3:
                ended = True  # encrypted from here, or an alert
                break
            if at + 5 + size > len(raw):
                break
            self._messages[way] += raw[at + 5 : at + 5 + size]
            self._ledger.give(5)
            at += 5 + size
        self._raw[way] = raw[at:]
        return ended

    def _read(self, way: int) -> bool:
        """Read whole messages; whether the side has said all that is wanted."""
        data, at, ended = self._messages[way], 0, False
        while at + 4 <= len(data) and not ended:
            kind, size = data[at], int.from_bytes(data[at + 1 : at + 4])
            if at + 4 + size > len(data):
                break
            ended = self._message(way, kind, data[at + 4 : at + 4 + size])
            at += 4 + size
        self._messages[way] = data[at:]
        self._ledger.give(at)
        return ended

    def _message(self, way: int, kind: int, body: bytes) -> bool:
        try:
            if kind == CLIENT_HELLO and way == 0:
                self._told |= _of_client(read_client_hello(body))
            elif kind == SERVER_HELLO and way == 1:
                hello = read_server_hello(body)
                self._told |= _of_server(hello)
                return hello.newest >= TLS_13  # the rest is encrypted
            elif kind == CERTIFICATE and way == 1:
                self._told |= _of_certificates(body)
                return True
        except (NotHello, NotCertificate):
            self._told["malformed"] = True
            return True
        return kind == SERVER_DONE


def _of_client(hello: Hello) -> dict[str, Any]:
    told: dict[str, Any] = {"ja3": ja3(hello), "ja4": ja4(hello)}
    if hello.server_name:
        told["server_name"] = hello.server_name
    if hello.protocols:
        told["client_alpn"] = [one.decode("ascii", "backslashreplace") for one in hello.protocols]
    offered = sorted({one for one in hello.versions if one in JA4_VERSIONS} or {hello.version})
    told["client_versions"] = [VERSIONS.get(one, f"{one:#06x}") for one in offered]
    return told


def _of_server(hello: Hello) -> dict[str, Any]:
    told: dict[str, Any] = {
        "version": VERSIONS.get(hello.newest, f"{hello.newest:#06x}"),
        "cipher": f"{hello.ciphers[0]:#06x}",
        "ja3s": ja3s(hello),
    }
    if hello.protocols:
        told["next_protocol"] = hello.protocols[0].decode("ascii", "backslashreplace")
    return told


def _of_certificates(body: bytes) -> dict[str, Any]:
    """The facts of the first, which is the server's; how many follow. Raises NotCertificate."""
    found: list[bytes] = []
    at = 3
    while at + 3 <= len(body) and len(found) < limits.CERTIFICATES_MAX:
        size = int.from_bytes(body[at : at + 3])
        found.append(body[at + 3 : at + 3 + size])
        at += 3 + size
    if not found:
        return {}
    return read_certificate(found[0]) | {"cert_count": len(found)}
