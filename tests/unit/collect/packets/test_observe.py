"""From frames to records: conversations, how they ended, and nothing that grows without bound."""

import io
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgii.base import limits
from cgii.collect.packets.captures import read_capture
from cgii.collect.packets.observe import Observer
from tests.make_packets import (
    ACK,
    FIN,
    MAC_1,
    MAC_2,
    RST,
    START,
    SYN,
    arp,
    conversation,
    ethernet,
    icmp,
    ip,
    pcap,
    tcp,
    udp,
)

US, THEM = "10.0.0.1", "203.0.113.9"
ENDS, BACK = (US, 40_000, THEM, 443), (THEM, 443, US, 40_000)
Frames = Iterable[bytes | tuple[float, bytes]]


def observe(frames: Frames, kind: str = "", step: float = 0.01) -> list[dict[str, Any]]:
    observer = Observer()
    capture = io.BytesIO(pcap(frames, step=step))
    records = [*observer.see(read_capture(capture)), *observer.end()]
    return [one for one in records if kind in ("", one["network_traffic"])]


def segments(*flags: tuple[int, int]) -> list[bytes]:
    return [ethernet(tcp((ENDS, BACK)[way], bits, 100 + n)) for n, (way, bits) in enumerate(flags)]


def test_a_conversation_is_counted_both_ways() -> None:
    (conn,) = observe(conversation(ENDS, [(0, b"q" * 100), (1, b"a" * 3_000)]), "conn")

    assert (conn["id.orig_h"], conn["id.orig_p"]) == (US, 40_000)
    assert (conn["id.resp_h"], conn["id.resp_p"]) == (THEM, 443)
    assert (conn["orig_bytes"], conn["resp_bytes"]) == (100, 3_000)
    assert (conn["orig_pkts"], conn["resp_pkts"]) == (5, 5)
    assert (conn["orig_ip_bytes"], conn["resp_ip_bytes"]) == (300, 3_200)
    assert (conn["ts"], conn["duration"]) == (START, 0.09)
    assert (conn["conn_state"], conn["proto"]) == ("SF", "tcp")


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ([(0, SYN)], "S0"),
        ([(0, SYN), (1, RST | ACK)], "REJ"),
        ([(0, SYN), (0, RST)], "RSTOS0"),
        ([(0, SYN), (0, FIN)], "SH"),
        ([(0, SYN), (1, SYN | ACK)], "S1"),
        ([(0, SYN), (1, SYN | ACK), (0, FIN | ACK)], "S2"),
        ([(0, SYN), (1, SYN | ACK), (1, FIN | ACK)], "S3"),
        ([(0, SYN), (1, SYN | ACK), (0, FIN | ACK), (1, FIN | ACK)], "SF"),
        ([(0, SYN), (1, SYN | ACK), (0, FIN), (1, FIN), (0, RST)], "SF"),
        ([(0, SYN), (1, SYN | ACK), (0, RST)], "RSTO"),
        ([(0, SYN), (1, SYN | ACK), (1, RST)], "RSTR"),
        ([(1, SYN | ACK), (1, RST)], "RSTRH"),
        ([(1, SYN | ACK), (1, FIN)], "SHR"),
        ([(0, ACK), (1, ACK)], "OTH"),
    ],
)
def test_the_state_says_how_a_conversation_went(said: list[tuple[int, int]], state: str) -> None:
    (conn,) = observe(segments(*said), "conn")

    assert conn["conn_state"] == state
    assert conn["id.orig_h"] == US


def test_many_packets_of_the_quick_way_count_as_those_of_the_long_way() -> None:
    plain = conversation(ENDS, [(0, b"x" * 2_000), (1, b"y" * 50_000)] * 5)
    tagged = [frame[:12] + b"\x81\0\0\7" + frame[12:] for frame in plain]

    (quick,), (long,) = observe(plain, "conn"), observe(tagged, "conn")

    assert long.pop("vlan") == 7
    assert quick == long


def test_fragments_count_for_their_conversation() -> None:
    whole = udp(US, 5_000, THEM, 9_999, b"x" * 2_000)
    frames = [
        ethernet(ip(17, US, THEM, whole[20:1_020], name=4, more=1)),
        ethernet(ip(17, US, THEM, whole[1_020:], name=4, place=1_000)),
        ethernet(ip(17, US, THEM, b"lost", name=5, place=1_000)),
    ]
    (conn,) = observe(frames, "conn")
    (stats,) = observe(frames, "stats")

    assert (conn["orig_pkts"], conn["orig_bytes"], conn["id.resp_p"]) == (2, 2_000, 9_999)
    assert stats["fragments"] == 3


def test_an_answer_seen_first_does_not_turn_the_conversation_round() -> None:
    (conn,) = observe([ethernet(udp(THEM, 123, US, 50_000, b"x"))], "conn")

    assert (conn["id.orig_h"], conn["id.resp_p"], conn["resp_pkts"]) == (US, 123, 1)


def test_a_ping_and_its_answer_are_one_conversation() -> None:
    frames = [ethernet(icmp(US, THEM, 8)), ethernet(icmp(THEM, US, 0))]
    (conn,) = observe(frames, "conn")

    assert (conn["orig_pkts"], conn["resp_pkts"]) == (1, 1)
    assert (conn["icmp_type"], conn["icmp_code"], conn["id.orig_h"]) == (8, 0, US)


def test_a_quiet_conversation_ends_and_the_next_is_another() -> None:
    one = ethernet(udp(US, 5_000, THEM, 9_999, b"x"))
    found = observe([(0, one), (200, one)], "conn")

    assert [(each["ts"], each["end_reason"]) for each in found] == [
        (START, "idle"),
        (START + 200, "capture_end"),
    ]
    assert found[0]["uid"] != found[1]["uid"]
    assert found[0]["community_id"] == found[1]["community_id"]


def test_a_long_conversation_is_told_in_parts_that_add_up() -> None:
    one = ethernet(udp(US, 5_000, THEM, 9_999, b"x" * 10))
    found = observe([(second, one) for second in range(0, 1_000, 10)], "conn")

    assert [each["end_reason"] for each in found] == ["active"] * 3 + ["capture_end"]
    assert sum(each["orig_bytes"] for each in found) == 1_000
    assert len({each["uid"] for each in found}) == 1
    assert found[-1]["duration"] == 990


def test_the_same_ports_used_again_are_another_conversation() -> None:
    once = conversation(ENDS, [(0, b"x")])
    found = observe(once + once, "conn")

    assert [each["end_reason"] for each in found] == ["reused", "capture_end"]


def test_conversations_that_do_not_fit_are_told_and_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "FLOWS_MAX", 32)
    frames = [ethernet(udp(US, 5_000, THEM, 1_000 + n, b"x")) for n in range(100)]
    observer = Observer()
    records = list(observer.see(read_capture(io.BytesIO(pcap(frames, step=0)))))

    assert len(observer._table.flows) <= 32
    records += observer.end()
    conns = [one for one in records if one["network_traffic"] == "conn"]
    assert len(conns) == 100
    told = sum(one["end_reason"] == "evicted" for one in conns)
    assert records[-1]["evicted"] == told > 60


def test_an_address_that_changes_hands_is_told_once() -> None:
    frames = [arp(2, US, MAC_1, THEM), arp(2, US, MAC_1, THEM), arp(2, US, MAC_2, US)]
    (found,) = observe([*frames, arp(2, US, MAC_2, THEM)], "arp")

    assert (found["address"], found["old_mac"], found["mac"]) == (
        US, "52:54:00:00:00:01", "52:54:00:00:00:02",
    )  # fmt: skip
    assert found["gratuitous"] is True


def test_who_asks_whether_an_address_is_free_owns_none() -> None:
    frames = [arp(1, "0.0.0.0", mac, THEM) for mac in (MAC_1, MAC_2)]

    assert observe(frames, "arp") == []


def test_what_cannot_be_decoded_is_counted() -> None:
    (stats,) = observe(
        [ethernet(b"\x41" + bytes(60), 0x0800), ethernet(bytes(40), 0x88CC)], "stats"
    )

    assert (stats["packets"], stats["malformed"]) == (2, 1)


def test_the_same_capture_gives_the_same_records() -> None:
    frames = [
        *conversation(ENDS, [(0, b"GET / HTTP/1.1\r\nHost: a.bo\r\n\r\n")]),
        *segments((0, SYN)),
    ]

    assert observe(frames) == observe(frames)


addresses = st.sampled_from([US, THEM, "10.0.0.2"])
ports = st.sampled_from([53, 67, 80, 443, 40_000])
payloads = st.one_of(
    st.binary(max_size=60),
    st.sampled_from(
        [b"GET / HTTP/1.1\r\n", b"\r\n\r\n", b"\x16\x03\x01\0\x05", b"HTTP/1.1 200 OK\r\n\r\n"]
    ),
)


@st.composite
def any_frame(draw: st.DrawFn) -> bytes:
    ends = (draw(addresses), draw(ports), draw(addresses), draw(ports))
    if draw(st.booleans()):
        return ethernet(
            tcp(ends, draw(st.integers(0, 63)), draw(st.integers(0, 90)) - 20, draw(payloads))
        )
    return ethernet(udp(*ends, draw(payloads)))


@settings(max_examples=200)
@given(st.lists(st.tuples(st.floats(0, 2_000), any_frame()), max_size=40))
def test_no_packet_is_lost_or_counted_twice(frames: list[tuple[float, bytes]]) -> None:
    records = observe(frames)
    conns = [one for one in records if one["network_traffic"] == "conn"]

    assert sum(one["orig_pkts"] + one["resp_pkts"] for one in conns) == len(frames)
    assert all(one["duration"] >= 0 for one in conns)


@settings(max_examples=100)
@given(st.lists(st.tuples(st.floats(0, 2_000), any_frame()), max_size=40))
def test_nothing_is_held_when_all_has_ended(frames: list[tuple[float, bytes]]) -> None:
    observer = Observer()
    list(observer.see(read_capture(io.BytesIO(pcap(frames)))))
    list(observer.end())

    assert observer._ledger.held == 0
    assert not observer._table.flows
    assert not any(observer._table.tables.values())
