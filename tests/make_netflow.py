"""NetFlow and IPFIX datagrams for tests, written byte by byte."""

import struct
from collections.abc import Iterable
from ipaddress import ip_address

from tests.make_packets import START

UPTIME = 100_000  # milliseconds, when the datagrams below are sent


def flow_5(source: str, destination: str, port: int = 443, size: int = 900) -> bytes:
    """A record of version 5: ten packets over two seconds that ended a second ago."""
    return struct.pack(
        ">4s4s4sHHIIIIHHxBBBHHBBxx",
        ip_address(source).packed, ip_address(destination).packed, bytes(4), 1, 2, 10, size,
        UPTIME - 3_000, UPTIME - 1_000, 50_000, port, 0x1B, 6, 0, 64_512, 64_513, 24, 24,
    )  # fmt: skip


def version_5(flows: Iterable[bytes], sequence: int = 0, sampling: int = 0) -> bytes:
    """A datagram of version 5."""
    flows = list(flows)
    head = struct.pack(">HHIIIIBBH", 5, len(flows), UPTIME, START, 0, sequence, 0, 0, sampling)
    return head + b"".join(flows)


def version_9(*sets: bytes, sequence: int = 0, domain: int = 0) -> bytes:
    """A datagram of version 9."""
    return struct.pack(">HHIIII", 9, 1, UPTIME, START, sequence, domain) + b"".join(sets)


def ipfix(*sets: bytes, sequence: int = 0, domain: int = 0) -> bytes:
    """A message of IPFIX."""
    body = b"".join(sets)
    return struct.pack(">HHIII", 10, 16 + len(body), START, sequence, domain) + body


def one_set(number: int, body: bytes) -> bytes:
    """A set of templates or records."""
    body += bytes(-len(body) % 4)
    return struct.pack(">HH", number, 4 + len(body)) + body


def template(number: int, fields: Iterable[tuple[int, int]], kind: int = 0) -> bytes:
    """A set with one template."""
    fields = list(fields)
    listed = b"".join(struct.pack(">HH", *one) for one in fields)
    return one_set(kind, struct.pack(">HH", number, len(fields)) + listed)


FIELDS = ((8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (1, 4), (2, 4), (22, 4), (21, 4))


def record(source: str = "10.20.1.44", destination: str = "203.0.113.9", port: int = 443) -> bytes:
    """A record laid out by FIELDS."""
    ends = ip_address(source).packed + ip_address(destination).packed
    rest = (50_000, port, 6, 900, 10, UPTIME - 3_000, UPTIME - 1_000)
    return ends + struct.pack(">HHBIIII", *rest)
