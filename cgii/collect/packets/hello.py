"""TLS hellos: names, versions, and the fingerprints JA3, JA3S and JA4."""

import hashlib
import struct
from dataclasses import dataclass, field

VERSIONS = {
    0x0300: "SSLv3", 0x0301: "TLSv10", 0x0302: "TLSv11", 0x0303: "TLSv12", 0x0304: "TLSv13",
}  # fmt: skip
JA4_VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
SERVER_NAME, GROUPS, POINTS, ALGORITHMS, PROTOCOLS, VERSION = 0, 10, 11, 13, 16, 43


class NotHello(Exception):  # noqa: N818  a verdict on bytes, not a fault of ours
    """The bytes are not the hello that they should be."""


@dataclass(slots=True)
class Hello:
    """What a client offers or a server chose; numbers as they came, GREASE included."""

    version: int
    ciphers: list[int]
    extensions: list[int] = field(default_factory=list)
    server_name: str = ""
    groups: list[int] = field(default_factory=list)
    points: list[int] = field(default_factory=list)
    algorithms: list[int] = field(default_factory=list)
    protocols: list[bytes] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)

    @property
    def newest(self) -> int:
        """The newest version it speaks."""
        return max(_without_grease(self.versions), default=self.version)


def read_client_hello(body: bytes) -> Hello:
    """The body of handshake message 1. Raises NotHello."""
    try:
        (version,) = struct.unpack_from(">H", body)
        at = 35 + body[34]
        ciphers, at = _words(body, at)
        at += 1 + body[at]
        hello = Hello(version, ciphers)
        _read_extensions(hello, body, at)
    except (struct.error, IndexError) as error:
        raise NotHello from error
    return hello


def read_server_hello(body: bytes) -> Hello:
    """The body of handshake message 2. Raises NotHello."""
    try:
        (version,) = struct.unpack_from(">H", body)
        at = 35 + body[34]
        hello = Hello(version, list(struct.unpack_from(">H", body, at)))
        _read_extensions(hello, body, at + 3)
    except (struct.error, IndexError) as error:
        raise NotHello from error
    return hello


def _read_extensions(hello: Hello, body: bytes, at: int) -> None:
    if at + 2 > len(body):
        return  # an old hello has none
    end = min(at + 2 + struct.unpack_from(">H", body, at)[0], len(body))
    at += 2
    while at + 4 <= end:
        kind, size = struct.unpack_from(">HH", body, at)
        value = body[at + 4 : at + 4 + size]
        if len(value) < size:
            raise NotHello
        hello.extensions.append(kind)
        _read_extension(hello, kind, value)
        at += 4 + size


def _read_extension(hello: Hello, kind: int, value: bytes) -> None:
    if kind == SERVER_NAME and len(value) > 5 and value[2] == 0:
        size = struct.unpack_from(">H", value, 3)[0]
        hello.server_name = value[5 : 5 + size].decode("ascii", "backslashreplace")
    elif kind == GROUPS and value:
        hello.groups = _words(value, 0)[0]
    elif kind == POINTS and value:
        hello.points = list(value[1 : 1 + value[0]])
    elif kind == ALGORITHMS and value:
        hello.algorithms = _words(value, 0)[0]
    elif kind == PROTOCOLS and len(value) > 2:
        at = 2
        while at < len(value):
            hello.protocols.append(value[at + 1 : at + 1 + value[at]])
            at += 1 + value[at]
    elif kind == VERSION and len(value) == 2:  # a server's
        hello.versions = list(struct.unpack(">H", value))
    elif kind == VERSION and value:
        count = min(value[0], len(value) - 1) // 2
        hello.versions = list(struct.unpack_from(f">{count}H", value, 1))


def _words(data: bytes, at: int) -> tuple[list[int], int]:
    (size,) = struct.unpack_from(">H", data, at)
    return list(struct.unpack_from(f">{size // 2}H", data, at + 2)), at + 2 + size


def _is_grease(word: int) -> bool:
    """Numbers that mean nothing, by which clients keep servers from being narrow (RFC 8701)."""
    return word & 0x0F0F == 0x0A0A and word >> 8 == word & 0xFF


def _without_grease(words: list[int]) -> list[int]:
    return [word for word in words if not _is_grease(word)]


def ja3(hello: Hello) -> str:
    """The MD5 of what the client offers, in its order."""
    return _md5(ja3_text(hello))


def ja3_text(hello: Hello) -> str:
    """What JA3 is the hash of."""
    lists = (hello.ciphers, hello.extensions, hello.groups)
    parts = ["-".join(map(str, _without_grease(words))) for words in lists]
    return ",".join((str(hello.version), *parts, "-".join(map(str, hello.points))))


def ja3s(hello: Hello) -> str:
    """The same of what the server chose."""
    extensions = "-".join(map(str, hello.extensions))
    return _md5(f"{hello.version},{hello.ciphers[0]},{extensions}")


def ja4(hello: Hello) -> str:
    """The fingerprint of a client over TCP, which does not depend on the order of its offers."""
    ciphers = _without_grease(hello.ciphers)
    extensions = _without_grease(hello.extensions)
    first = _alpn_letters(hello.protocols[0]) if hello.protocols else "00"
    head = (
        f"t{JA4_VERSIONS.get(hello.newest, '00')}{'d' if SERVER_NAME in extensions else 'i'}"
        f"{min(len(ciphers), 99):02}{min(len(extensions), 99):02}{first}"
    )
    hashed = sorted(f"{one:04x}" for one in extensions if one not in (SERVER_NAME, PROTOCOLS))
    algorithms = ",".join(f"{one:04x}" for one in _without_grease(hello.algorithms))
    offers = ",".join(hashed) + (f"_{algorithms}" if algorithms else "")
    return f"{head}_{_short(','.join(sorted(f'{one:04x}' for one in ciphers)))}_" + (
        _short(offers) if hashed else _short("")
    )


def _alpn_letters(name: bytes) -> str:
    if not name:
        return "00"
    both = name[:1] + name[-1:]
    if all(chr(one).isascii() and chr(one).isalnum() for one in both):
        return both.decode()
    return name.hex()[0] + name.hex()[-1]


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else "0" * 12


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
