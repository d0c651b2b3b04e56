"""Captures in every shape are read; what is damaged is told after what was readable."""

import io
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.packets.captures import DamagedCapture, Frame, read_capture
from tests.make_packets import START, block, enhanced, ethernet, interface, pcap, section, udp

FRAMES = [ethernet(udp("10.0.0.1", 4000 + n, "10.0.0.2", 53, b"x" * n)) for n in range(5)]
AT = START * 10**9


def read(data: bytes) -> tuple[list[Frame], str]:
    found, damage = [], ""
    try:
        for frame in read_capture(io.BytesIO(data)):
            found.append(frame)
    except DamagedCapture as problem:
        damage = str(problem)
    return found, damage


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nano", [False, True])
def test_a_classic_capture_is_read_in_both_byte_orders_and_resolutions(
    order: str, nano: bool
) -> None:
    moments = [0.000001 * n for n in range(5)]
    data = pcap(list(zip(moments, FRAMES, strict=True)), order=order, nano=nano)

    found, damage = read(data)

    assert damage == ""
    assert found == [(AT + 1_000 * n, 1, len(f), f) for n, f in enumerate(FRAMES)]


def test_nanoseconds_are_kept() -> None:
    data = pcap([(0.000000123, FRAMES[0])], nano=True)

    assert read(data)[0][0][0] == AT + 123


@pytest.mark.parametrize("order", ["<", ">"])
def test_interfaces_have_their_own_links_and_clocks(order: str) -> None:
    nano, binary = START * 10**9 + 7, START * 2**10 + 512
    data = section(order) + interface(1, None, order) + interface(113, 9, order)
    data += interface(101, 0x80 | 10, order)
    data += enhanced(b"a" * 20, START * 10**6, 0, order)
    data += enhanced(b"b" * 21, nano, 1, order) + enhanced(b"c" * 22, binary, 2, order)

    found, damage = read(data)

    assert damage == ""
    assert found == [
        (AT, 1, 20, b"a" * 20),
        (AT + 7, 113, 21, b"b" * 21),
        (AT + 500_000_000, 101, 22, b"c" * 22),
    ]


def test_a_section_may_change_the_byte_order_and_forgets_the_interfaces() -> None:
    data = section("<") + interface(1) + enhanced(b"a" * 20, START * 10**6)
    data += section(">") + interface(113, None, ">") + enhanced(b"b" * 20, START * 10**6, 0, ">")

    assert [frame[1] for frame in read(data)[0]] == [1, 113]


def test_unknown_blocks_are_passed_over() -> None:
    data = section() + block(0x0BAD, b"whatever") + interface() + enhanced(b"a" * 20, START * 10**6)

    assert len(read(data)[0]) == 1


def test_a_packet_of_an_interface_that_nobody_described_is_told() -> None:
    data = section() + interface() + enhanced(b"a" * 20, 1, 9) + enhanced(b"b" * 20, 1)

    found, damage = read(data)

    assert len(found) == 1
    assert "1 paquetes" in damage


def test_a_simple_packet_has_the_moment_of_the_one_before() -> None:
    simple = block(3, struct.pack("<I", 20) + b"s" * 20)
    data = section() + interface() + enhanced(b"a" * 20, START * 10**6) + simple

    assert read(data)[0][1] == (AT, 1, 20, b"s" * 20)


@pytest.mark.parametrize("whole", [pcap(FRAMES), section() + interface() + enhanced(FRAMES[0], 1)])
def test_a_cut_capture_gives_what_is_whole_and_says_that_it_is_cut(whole: bytes) -> None:
    complete = len(read(whole)[0])

    for end in range(5, len(whole)):
        found, damage = read(whole[:end])
        assert len(found) <= complete
        if len(found) < complete and len(read(whole[: end - 1])[0]) == len(found) and not damage:
            # Cut exactly between two packets it is a whole capture of fewer packets.
            assert read(whole[: end - 1])[1]


def test_a_packet_of_impossible_size_ends_the_reading_with_a_sentence() -> None:
    data = pcap(FRAMES[:2]) + struct.pack("<IIII", START, 0, 2**31, 2**31) + bytes(100)

    found, damage = read(data)

    assert len(found) == 2
    assert str(2**31) in damage


def test_an_impossible_moment_ends_the_reading() -> None:
    data = section() + interface(1, 0) + enhanced(FRAMES[0], 2**60)

    assert read(data) == ([], "un paquete tiene una hora imposible")


@given(st.binary(max_size=400), st.sampled_from([b"", pcap(FRAMES)[:24], section(), section(">")]))
def test_no_bytes_make_the_reader_fail(data: bytes, head: bytes) -> None:
    read(head + data)


@given(st.data())
def test_no_damage_makes_the_reader_fail(data: st.DataObject) -> None:
    whole = data.draw(
        st.sampled_from([pcap(FRAMES), section() + interface() + enhanced(FRAMES[0], 1)])
    )
    broken = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 5))):
        broken[data.draw(st.integers(4, len(broken) - 1))] = data.draw(st.integers(0, 255))

    read(bytes(broken))
