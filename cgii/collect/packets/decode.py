"""From a frame to its IP packet and ports: links, VLANs, IPv4 and IPv6 with extension headers."""

import struct
from dataclasses import dataclass

from cgii.base import limits

ETHERNET, LINUX_COOKED, LINUX_COOKED_2 = 1, 113, 276
RAW = frozenset({12, 14, 101, 228, 229})
LOOPBACK = frozenset({0, 108})
LINKS = frozenset({ETHERNET, LINUX_COOKED, LINUX_COOKED_2}) | RAW | LOOPBACK
TCP, UDP, ICMP, ICMP6, SCTP = 6, 17, 1, 58, 132
IPV4, IPV6, ARP = 0x0800, 0x86DD, 0x0806
TAGS = frozenset({0x8100, 0x88A8, 0x9100})
FAMILY_6 = frozenset({10, 24, 28, 30})  # what systems write before an IPv6 packet
HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION = 0, 43, 44, 51, 60
HEADERS = frozenset({HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, 135, 139, 140})
WORD = struct.Struct(">H").unpack_from
PORTS = struct.Struct(">HH").unpack_from
TCP_PARTS = struct.Struct(">HHIIBB").unpack_from


class Undecodable(Exception):  # noqa: N818  a verdict on a frame, not a fault of ours
    """The frame does not hold what it says."""


@dataclass(slots=True)
class Packet:
    """An IP packet. Addresses are 4 or 16 bytes; `payload` is what was captured of it."""

    protocol: int
    source: bytes
    destination: bytes
    length: int  # of the IP packet, as its header says
    vlan: int = 0
    source_port: int = 0  # of ICMP: the type
    destination_port: int = 0  # of ICMP: the code
    flags: int = 0
    sequence: int = 0
    acknowledged: int = 0
    payload: bytes = b""
    payload_length: int = 0  # on the wire
    fragment: int = 0  # what names the packet it is a part of; 0 is a whole packet
    is_first: bool = True  # the part that has the ports


@dataclass(slots=True)
class ArpPacket:
    """Who says which hardware address an IPv4 address has."""

    operation: int  # 1 asks, 2 answers
    sender_hardware: bytes
    sender: bytes
    target_hardware: bytes
    target: bytes
    vlan: int = 0


def decode(link: int, frame: bytes) -> Packet | ArpPacket | None:
    """The packet in a frame; None if it is of a protocol that is not looked at.

    Raises Undecodable.
    """
    try:
        kind, start, vlan = _link(link, frame)
        if kind == IPV4:
            return _ipv4(frame, start, vlan)
        if kind == IPV6:
            return _ipv6(frame, start, vlan)
        if kind == ARP:
            return _arp(frame, start, vlan)
    except (struct.error, IndexError) as error:
        raise Undecodable("cut") from error
    return None


def _link(link: int, frame: bytes) -> tuple[int, int, int]:
    """The ethertype, where its packet starts, and the VLAN."""
    if link == ETHERNET:
        kind, start = WORD(frame, 12)[0], 14
    elif link == LINUX_COOKED:
        kind, start = WORD(frame, 14)[0], 16
    elif link == LINUX_COOKED_2:
        kind, start = WORD(frame, 0)[0], 20
    elif link in RAW:
        return _by_version(frame, 0), 0, 0
    elif link in LOOPBACK:
        number = max(frame[0], frame[3])  # in the byte order of the machine, and below 256
        return (IPV6 if number in FAMILY_6 else IPV4 if number == 2 else 0), 4, 0
    else:
        return 0, 0, 0
    vlan = 0
    for _ in range(limits.VLAN_TAGS_MAX):
        if kind not in TAGS:
            break
        vlan = WORD(frame, start)[0] & 0x0FFF
        kind, start = WORD(frame, start + 2)[0], start + 4
    if kind == 0x8864:  # PPP over Ethernet, as ADSL lines have it
        protocol = WORD(frame, start + 6)[0]
        return {0x21: IPV4, 0x57: IPV6}.get(protocol, 0), start + 8, vlan
    return kind, start, vlan


def _by_version(frame: bytes, start: int) -> int:
    return {4: IPV4, 6: IPV6}.get(frame[start] >> 4, 0)


def _ipv4(frame: bytes, start: int, vlan: int) -> Packet:
    first = frame[start]
    head = (first & 15) * 4
    total, name, place = struct.unpack_from(">HHH", frame, start + 2)
    if first >> 4 != 4 or head < 20 or (total and total < head):
        raise Undecodable("header")
    total = total or len(frame) - start  # network cards that cut by themselves leave it at 0
    protocol = frame[start + 9]
    source, destination = frame[start + 12 : start + 16], frame[start + 16 : start + 20]
    packet = Packet(protocol, source, destination, total, vlan)
    packet.is_first = not place & 0x1FFF
    if place & 0x3FFF:
        packet.fragment = name + 1
    end = start + total
    return _transport(packet, frame, start + head, end)


def _ipv6(frame: bytes, start: int, vlan: int) -> Packet:
    if frame[start] >> 4 != 6:
        raise Undecodable("header")
    length, following = struct.unpack_from(">HB", frame, start + 4)
    at, end = start + 40, start + 40 + length
    source, destination = frame[start + 8 : start + 24], frame[start + 24 : at]
    packet = Packet(following, source, destination, 40 + length, vlan)
    for _ in range(limits.EXTENSION_HEADERS_MAX):
        if following not in HEADERS:
            break
        if following == FRAGMENT:
            place, name = struct.unpack_from(">HI", frame, at + 2)
            if place & 0xFFF9:  # else it is whole, and only has the header
                packet.fragment, packet.is_first = name + 1, not place & 0xFFF8
            size = 8
        elif following == AUTHENTICATION:
            size = (frame[at + 1] + 2) * 4
        else:
            size = (frame[at + 1] + 1) * 8
        following, at = frame[at], at + size
        if not packet.is_first:
            break
    else:
        raise Undecodable("too many headers")
    packet.protocol = following
    return _transport(packet, frame, at, end)


def _transport(packet: Packet, frame: bytes, at: int, end: int) -> Packet:
    if len(packet.source) + len(packet.destination) not in (8, 32):
        raise Undecodable("cut")
    start = at
    if packet.is_first:
        if packet.protocol == TCP:
            (packet.source_port, packet.destination_port, packet.sequence, packet.acknowledged,
             size, packet.flags) = TCP_PARTS(frame, at)  # fmt: skip
            if size >> 4 < 5:
                raise Undecodable("header")
            start += (size >> 4) * 4
        elif packet.protocol in (UDP, SCTP):
            packet.source_port, packet.destination_port = PORTS(frame, at)
            start += 8 if packet.protocol == UDP else 12
        elif packet.protocol in (ICMP, ICMP6):
            packet.source_port, packet.destination_port = frame[at], frame[at + 1]
            start += 8
    packet.payload = frame[start:end]
    packet.payload_length = max(end - start, 0)
    return packet


def _arp(frame: bytes, start: int, vlan: int) -> ArpPacket | None:
    kind, protocol, sizes, operation = struct.unpack_from(">HHHH", frame, start)
    if (kind, protocol, sizes) != (1, IPV4, 0x0604):
        return None
    hardware, sender, target_hardware, target = struct.unpack_from("6s4s6s4s", frame, start + 8)
    return ArpPacket(operation, hardware, sender, target_hardware, target, vlan)
