"""Frames of every kind of link become packets with their ports; bad ones never do harm."""

import contextlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.packets.decode import LINKS, ArpPacket, Packet, Undecodable, decode
from tests.make_packets import (
    ACK,
    MAC_1,
    SYN,
    arp,
    ethernet,
    icmp,
    ip,
    tcp,
    udp,
)

V4 = udp("10.0.0.1", 4000, "10.0.0.2", 53, b"hello")
V6 = udp("2001:db8::1", 4000, "2001:db8::2", 53, b"hello")


def packet(link: int, frame: bytes) -> Packet:
    found = decode(link, frame)
    assert isinstance(found, Packet)
    return found


def told(found: Packet) -> tuple[object, ...]:
    return found.protocol, found.source_port, found.destination_port, found.payload


@pytest.mark.parametrize(
    ("link", "frame"),
    [
        (1, ethernet(V4)),
        (1, ethernet(V6)),
        (1, ethernet(V4, tags=[7])),
        (1, ethernet(V4) + b"padding"),
        (1, ethernet(b"\x11\0\0\1\0\x40\0\x21" + V4, 0x8864)),
        (113, bytes(14) + b"\x08\0" + V4),
        (276, b"\x86\xdd" + bytes(18) + V6),
        (101, V4),
        (101, V6),
        (228, V4),
        (229, V6),
        (0, b"\2\0\0\0" + V4),
        (0, b"\0\0\0\2" + V4),
        (0, b"\x1e\0\0\0" + V6),
        (108, b"\0\0\0\x18" + V6),
    ],
)
def test_every_kind_of_link_is_known(link: int, frame: bytes) -> None:
    assert told(packet(link, frame)) == (17, 4000, 53, b"hello")


def test_the_inner_vlan_is_told() -> None:
    assert packet(1, ethernet(V4, tags=[100, 7])).vlan == 7


def test_a_segment_has_its_flags_and_sequence() -> None:
    found = packet(1, ethernet(tcp(("10.0.0.1", 5, "10.0.0.2", 6), SYN | ACK, 77, b"x")))

    assert (found.flags, found.sequence, found.payload, found.length) == (18, 77, b"x", 41)


def test_extension_headers_are_passed_over() -> None:
    inner = V6[40:]
    chain = b"\x2b\0" + bytes(6) + b"\x3c\0" + bytes(6) + b"\x33\0" + bytes(6)
    chain += b"\x11\1" + bytes(10)  # the authentication header counts in four bytes
    data = ip(0, "2001:db8::1", "2001:db8::2", chain + inner)

    assert told(packet(101, data)) == (17, 4000, 53, b"hello")


def test_only_the_first_fragment_has_ports() -> None:
    first = packet(101, ip(17, "10.0.0.1", "10.0.0.2", V4[20:28], more=1, name=9))
    later = packet(101, ip(17, "10.0.0.1", "10.0.0.2", b"rest", place=8, name=9))

    assert (first.fragment, first.is_first, first.destination_port) == (10, True, 53)
    assert (later.fragment, later.is_first, later.destination_port) == (10, False, 0)


def test_fragments_of_ipv6_are_known() -> None:
    head = struct.pack(">BBHI", 17, 0, 8, 5)
    later = packet(101, ip(44, "2001:db8::1", "2001:db8::2", head + b"rest"))

    assert (later.protocol, later.fragment, later.is_first) == (17, 6, False)


def test_a_packet_that_only_has_the_header_of_fragments_is_whole() -> None:
    head = struct.pack(">BBHI", 17, 0, 0, 5)
    datagram = struct.pack(">HHHH", 5_000, 53, 12, 0) + b"name"
    whole = packet(101, ip(44, "2001:db8::1", "2001:db8::2", head + datagram))

    assert (whole.destination_port, whole.fragment, whole.payload) == (53, 0, b"name")


def test_a_packet_cut_by_the_capture_keeps_its_true_length() -> None:
    whole = ethernet(udp("10.0.0.1", 1, "10.0.0.2", 2, bytes(1_000)))
    found = packet(1, whole[:100])

    assert (found.length, found.payload_length, len(found.payload)) == (1_028, 1_000, 58)


def test_icmp_has_type_and_code_for_ports() -> None:
    found = packet(1, ethernet(icmp("10.0.0.1", "10.0.0.2", 3, 1)))

    assert (found.source_port, found.destination_port) == (3, 1)


def test_arp_is_read() -> None:
    found = decode(1, arp(2, "10.0.0.1", MAC_1, "10.0.0.2"))

    assert isinstance(found, ArpPacket)
    assert (found.operation, found.sender, found.sender_hardware) == (2, b"\x0a\0\0\1", MAC_1)


@pytest.mark.parametrize(
    "frame",
    [
        ethernet(V4)[:20],
        ethernet(b"\x41" + V4[1:]),  # a header shorter than headers are
        ethernet(V4[:2] + b"\0\x05" + V4[4:]),  # a packet shorter than its header
        ethernet(ip(0, "2001:db8::1", "2001:db8::2", bytes(200))),  # headers without end
    ],
)
def test_what_does_not_hold_what_it_says_is_refused(frame: bytes) -> None:
    with pytest.raises(Undecodable):
        decode(1, frame)


@given(st.sampled_from([*sorted(LINKS), 147]), st.binary(max_size=120))
def test_no_bytes_make_the_decoder_fail(link: int, data: bytes) -> None:
    with contextlib.suppress(Undecodable):
        decode(link, data)


@given(st.integers(0, 200), st.integers(0, 255), st.sampled_from([V4, V6]))
def test_no_changed_byte_makes_the_decoder_fail(at: int, value: int, inner: bytes) -> None:
    frame = bytearray(ethernet(inner, tags=[3]))
    frame[at % len(frame)] = value
    with contextlib.suppress(Undecodable):
        decode(1, bytes(frame))
