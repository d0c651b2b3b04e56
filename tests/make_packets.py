"""Frames, conversations and captures for tests, written byte by byte."""

import struct
from collections.abc import Iterable
from ipaddress import ip_address

FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
MAC_1, MAC_2 = b"\x52\x54\0\0\0\1", b"\x52\x54\0\0\0\2"
START = 1_795_183_200  # 20 November 2026, 14:00 UTC


def ethernet(packet: bytes, kind: int | None = None, tags: Iterable[int] = ()) -> bytes:
    """A frame; the kind is told by the packet's version unless it is given."""
    kind = {4: 0x0800, 6: 0x86DD}[packet[0] >> 4] if kind is None else kind
    marks = b"".join(struct.pack(">HH", 0x8100, tag) for tag in tags)
    return MAC_2 + MAC_1 + marks + struct.pack(">H", kind) + packet


def ip(protocol: int, source: str, destination: str, payload: bytes, **more: int) -> bytes:
    """An IPv4 or IPv6 packet; `name`, `place` (in bytes) and `more` (1) make it a fragment."""
    there, here = ip_address(source), ip_address(destination)
    if there.version == 6:
        head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
        return head + there.packed + here.packed + payload
    part = more.get("place", 0) // 8 | (0x2000 if more.get("more") else 0)
    head = struct.pack(
        ">BBHHHBBH", 0x45, 0, 20 + len(payload), more.get("name", 1), part, 64, protocol, 0
    )
    return head + there.packed + here.packed + payload


def udp(source: str, source_port: int, destination: str, port: int, payload: bytes = b"") -> bytes:
    """A UDP datagram in IP."""
    head = struct.pack(">HHHH", source_port, port, 8 + len(payload), 0)
    return ip(17, source, destination, head + payload)


def tcp(
    ends: tuple[str, int, str, int], flags: int, sequence: int = 0, payload: bytes = b"",
    *, acknowledged: int = 0,
) -> bytes:  # fmt: skip
    """A TCP segment in IP; `ends` are source, port, destination, port."""
    source, source_port, destination, port = ends
    head = struct.pack(
        ">HHIIBBHHH", source_port, port, sequence % 2**32, acknowledged, 0x50, flags, 8192, 0, 0
    )
    return ip(6, source, destination, head + payload)


def icmp(source: str, destination: str, kind: int, code: int = 0) -> bytes:
    """An ICMP message, of IPv6 if the addresses are."""
    protocol = 58 if ":" in source else 1
    return ip(protocol, source, destination, bytes((kind, code)) + bytes(6) + b"ping")


def arp(operation: int, sender: str, hardware: bytes, target: str) -> bytes:
    """An ARP frame."""
    body = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + hardware
    body += ip_address(sender).packed + bytes(6) + ip_address(target).packed
    return ethernet(body, 0x0806)


def conversation(
    ends: tuple[str, int, str, int], said: Iterable[tuple[int, bytes]], *, closes: bool = True
) -> list[bytes]:
    """Frames of a TCP conversation; `said` is (0 from the client or 1 back, bytes)."""
    source, source_port, destination, port = ends
    ways = (ends, (destination, port, source, source_port))
    at = [1_000, 70_000]
    found = [tcp(ways[0], SYN, at[0]), tcp(ways[1], SYN | ACK, at[1]), tcp(ways[0], ACK, at[0] + 1)]
    at = [at[0] + 1, at[1] + 1]
    for way, data in said:
        for begin in range(0, len(data), 1_400):
            piece = data[begin : begin + 1_400]
            found.append(tcp(ways[way], PSH | ACK, at[way], piece))
            at[way] += len(piece)
    if closes:
        found += [tcp(ways[0], FIN | ACK, at[0]), tcp(ways[1], FIN | ACK, at[1])]
        found.append(tcp(ways[0], ACK, at[0] + 1))
    return [ethernet(one) for one in found]


def pcap(
    frames: Iterable[bytes | tuple[float, bytes]], *, order: str = "<", nano: bool = False,
    link: int = 1, step: float = 0.01,
) -> bytes:  # fmt: skip
    """A capture; frames without a moment (seconds after START) come `step` after each other."""
    magic = 0xA1B23C4D if nano else 0xA1B2C3D4
    unit = 1_000_000_000 if nano else 1_000_000
    found = [struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 262_144, link)]
    now = 0.0
    for one in frames:
        moment, frame = one if isinstance(one, tuple) else (now, one)
        now = moment + step
        ticks = round(moment * unit)
        head = (START + ticks // unit, ticks % unit, len(frame), len(frame))
        found.append(struct.pack(order + "IIII", *head) + frame)
    return b"".join(found)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """A block of pcapng."""
    body += bytes(-len(body) % 4)
    size = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + size + body + size


def section(order: str = "<") -> bytes:
    """The head of a section."""
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(link: int = 1, resolution: int | None = None, order: str = "<") -> bytes:
    """An interface with a resolution of its clock."""
    option = b""
    if resolution is not None:
        option = struct.pack(order + "HHBxxxI", 9, 1, resolution, 0)
    return block(1, struct.pack(order + "HHI", link, 0, 0) + option, order)


def enhanced(frame: bytes, ticks: int, number: int = 0, order: str = "<") -> bytes:
    """A packet of an interface."""
    head = struct.pack(
        order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame)
    )
    return block(6, head + frame, order)


def dns_name(name: str) -> bytes:
    """A name in labels."""
    labels = b"".join(bytes((len(one),)) + one.encode() for one in name.split(".") if one)
    return labels + b"\0"


def dns_query(number: int, name: str, kind: int = 1) -> bytes:
    """A question."""
    return (
        struct.pack(">6H", number, 0x0100, 1, 0, 0, 0)
        + dns_name(name)
        + struct.pack(">HH", kind, 1)
    )


def dns_answer(
    number: int, name: str, kind: int = 1, answers: Iterable[bytes] = (), code: int = 0
) -> bytes:
    """The question again with answers of its kind, whose name points to it."""
    answers = list(answers)
    head = struct.pack(">6H", number, 0x8180 | code, 1, len(answers), 0, 0)
    body = dns_name(name) + struct.pack(">HH", kind, 1)
    for one in answers:
        body += struct.pack(">HHHIH", 0xC00C, kind, 1, 300, len(one)) + one
    return head + body


def client_hello(
    name: str = "", *, ciphers: Iterable[int] = (0x1301, 0x1302, 0xC02B),
    extensions: Iterable[tuple[int, bytes]] = (), version: int = 0x0303,
) -> bytes:  # fmt: skip
    """A TLS record with a client's hello."""
    parts = list(extensions)
    if name:
        host = struct.pack(">BH", 0, len(name)) + name.encode()
        parts.insert(0, (0, struct.pack(">H", len(host)) + host))
    body = struct.pack(">H", version) + bytes(32) + b"\0" + words(ciphers) + b"\1\0"
    ends = b"".join(struct.pack(">HH", kind, len(value)) + value for kind, value in parts)
    body += struct.pack(">H", len(ends)) + ends
    return tls_record(1, body)


def tls_record(kind: int, body: bytes) -> bytes:
    """A handshake message in a record of its own."""
    message = bytes((kind,)) + len(body).to_bytes(3) + body
    return struct.pack(">BHH", 22, 0x0301, len(message)) + message


def words(numbers: Iterable[int]) -> bytes:
    """A list of two-byte numbers with its length before it."""
    numbers = list(numbers)
    return struct.pack(f">H{len(numbers)}H", 2 * len(numbers), *numbers)


def dhcp(kind: int, hardware: bytes, options: Iterable[tuple[int, bytes]] = ()) -> bytes:
    """A DHCP message."""
    head = struct.pack(">BBBBIHH", 1 if kind in (1, 3) else 2, 1, 6, 0, 0xCAFE, 0, 0)
    body = head + bytes(4) + bytes((10, 1, 2, 3)) + bytes(8) + hardware + bytes(202)
    body += b"\x63\x82\x53\x63" + bytes((53, 1, kind))
    for code, value in options:
        body += bytes((code, len(value))) + value
    return body + b"\xff"
