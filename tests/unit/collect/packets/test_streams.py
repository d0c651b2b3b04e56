"""What TCP says comes out right in pieces, with holes, with pipelining, and as evaders send it."""

from typing import Any

import pytest

from cgii.base import limits
from cgii.collect.packets import http
from cgii.collect.packets.beginnings import Ledger, Order
from cgii.collect.packets.decode import ETHERNET
from cgii.collect.packets.observe import Observer
from tests.make_packets import (
    ACK,
    PSH,
    client_hello,
    conversation,
    dns_query,
    ethernet,
    tcp,
)
from tests.unit.collect.packets.test_observe import ENDS, THEM, US, observe

BACK = (THEM, ENDS[3], US, ENDS[1])
GET = b"GET /%d HTTP/1.1\r\nHost: a.bo\r\n\r\n"
POST = b"POST /%d HTTP/1.1\r\nHost: a.bo\r\nContent-Length: 5\r\n\r\n12345"
WITH_BODY = b"HTTP/1.1 %d OK\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 %d OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"


def spoken(*said: tuple[int, bytes], kind: str = "http", port: int = 8080) -> list[dict[str, Any]]:
    return observe(conversation((US, 40_000, THEM, port), said), kind)


def pairs(found: list[dict[str, Any]]) -> list[tuple[str | None, int | None]]:
    return [(one.get("uri"), one.get("status_code")) for one in found]


# --- the order of segments -----------------------------------------------------------------------
def test_overlapping_segments_that_came_early_follow_each_other() -> None:
    order = Order(0, Ledger())
    assert order.add(5, b"56789abcde") == order.add(15, b"fghij") == []
    found = order.add(0, b"01234567")

    assert b"".join(data for *_, data in found) == b"0123456789abcdefghij"


def test_a_segment_that_came_early_and_again_longer_is_kept_whole() -> None:
    ledger = Ledger()
    order = Order(0, ledger)
    assert order.add(5, b"567") == order.add(5, b"56789") == []

    assert b"".join(data for *_, data in order.add(0, b"01234")) == b"0123456789"
    assert ledger.held == 0


def test_what_waits_behind_a_hole_is_given_with_its_size() -> None:
    ledger = Ledger()
    order = Order(0, ledger)
    assert order.add(10, b"ab") == order.add(12, b"cd") == order.add(20, b"xy") == []
    assert order.passed(5) == []
    assert order.passed(14) == [(10, 10, b"ab"), (0, 12, b"cd")]
    assert order.rest() == [(6, 20, b"xy")]
    assert ledger.held == 0


def test_too_many_early_segments_are_given_and_not_dropped() -> None:
    order = Order(0, Ledger())
    many = range(limits.EARLY_SEGMENTS_MAX + 1)
    found = [piece for number in many for piece in order.add(10 + number, b"x")]

    assert [skipped for skipped, *_ in found] == [10, *[0] * limits.EARLY_SEGMENTS_MAX]


# --- captures with holes -------------------------------------------------------------------------
def sequenced(said: list[tuple[int, bytes]], lost: int) -> list[bytes]:
    """Frames whose acknowledgements are right, without the one numbered `lost` of `said`."""
    at = [1_001, 70_001]
    frames = conversation(ENDS, [], closes=False)
    for number, (way, data) in enumerate(said):
        packet = bytearray(tcp((ENDS, BACK)[way], PSH | ACK, at[way], data))
        packet[28:32] = at[1 - way].to_bytes(4)
        at[way] += len(data)
        if number != lost:
            frames.append(ethernet(bytes(packet)))
    return frames


@pytest.mark.parametrize(
    ("lost", "wanted"),
    [
        (2, [("/0", 200), (None, 201), ("/2", 202), ("/3", 203)]),
        (3, [("/0", 200), ("/1", None), ("/2", 202), ("/3", 203)]),
    ],
)
def test_a_packet_that_was_not_captured_costs_its_own_request_only(
    lost: int, wanted: list[tuple[str | None, int | None]]
) -> None:
    said = [
        one for number in range(4) for one in ((0, GET % number), (1, WITH_BODY % (200 + number)))
    ]

    assert pairs(observe(sequenced(said, lost), "http")) == wanted


def test_requests_behind_a_hole_are_told_at_the_end() -> None:
    """Of one side only: nobody acknowledges."""
    frames = conversation(ENDS, [], closes=False)
    for number in range(5):
        at = 1_001 + number * len(GET % number)
        if number != 1:
            frames.append(ethernet(tcp(ENDS, PSH | ACK, at, GET % number)))

    assert [uri for uri, _ in pairs(observe(frames, "http"))] == ["/0", "/2", "/3", "/4"]


# --- pipelining ----------------------------------------------------------------------------------
@pytest.mark.parametrize("answer", [WITH_BODY, CHUNKED])
def test_answers_with_bodies_in_one_segment_belong_to_their_requests(answer: bytes) -> None:
    said = [
        (0, GET % 1 + GET % 2),
        (1, answer % 200 + answer % 404),
        (0, GET % 3),
        (1, answer % 500),
    ]

    assert pairs(spoken(*said)) == [("/1", 200), ("/2", 404), ("/3", 500)]


def test_requests_with_bodies_in_one_segment_are_all_told() -> None:
    said = [
        (0, POST % 1 + POST % 2 + GET % 3),
        (1, WITH_BODY % 200),
        (1, WITH_BODY % 201 + WITH_BODY % 202),
    ]

    assert pairs(spoken(*said)) == [("/1", 200), ("/2", 201), ("/3", 202)]


def test_a_body_over_several_segments_may_end_where_an_answer_begins() -> None:
    long = b"HTTP/1.1 200 OK\r\nContent-Length: 3000\r\n\r\n" + b"z" * 3_000

    assert pairs(spoken((0, GET % 1 + GET % 2), (1, long + WITH_BODY % 404))) == [
        ("/1", 200),
        ("/2", 404),
    ]


def test_the_answer_to_head_has_no_body() -> None:
    head = b"HEAD /%d HTTP/1.1\r\nHost: a.bo\r\n\r\n"
    bare = b"HTTP/1.1 %d OK\r\nContent-Length: 5000\r\n\r\n"
    said = [(0, head % 1 + head % 2), (1, bare % 200 + bare % 404)]

    assert pairs(spoken(*said)) == [("/1", 200), ("/2", 404)]


def test_a_connection_that_is_handed_over_has_its_answer() -> None:
    said = [(0, GET % 1), (1, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n")]

    assert pairs(spoken(*said)) == [("/1", 101)]


def test_a_long_connection_tells_every_request() -> None:
    count = 600
    said = [one for number in range(count) for one in ((0, GET % number), (1, WITH_BODY % 200))]

    assert pairs(spoken(*said)) == [(f"/{number}", 200) for number in range(count)]


# --- as evaders send it --------------------------------------------------------------------------
@pytest.mark.parametrize("cut", [1, 2, 3, 5, 6, 9])
def test_a_hello_cut_anywhere_is_read(cut: int) -> None:
    hello = client_hello("secreto.example")
    (found,) = spoken((0, hello[:cut]), (0, hello[cut:]), kind="ssl", port=443)

    assert (found["server_name"], "ja4" in found) == ("secreto.example", True)


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 5])
def test_a_request_cut_anywhere_is_read(cut: int) -> None:
    said = [(0, (GET % 1)[:cut]), (0, (GET % 1)[cut:]), (1, WITH_BODY % 200)]
    again = [(0, (GET % 2)[:1]), (0, (GET % 2)[1:cut] or b"E"), (0, (GET % 2)[max(cut, 2) :])]

    assert pairs(spoken(*said, *again)) == [("/1", 200), ("/2", None)]


def test_blank_lines_before_a_request_hide_nothing() -> None:
    assert pairs(spoken((0, b"\r\n\r\n" + GET % 1), (0, b"\r\n" + GET % 2))) == [
        ("/1", None),
        ("/2", None),
    ]


@pytest.mark.parametrize("uri", [b"/a b c", b"/" + b"x" * 12_000, b"/" + b" " * 14_000 + b"y"])
def test_an_address_with_blanks_or_very_long_hides_nothing(uri: bytes) -> None:
    said = [(0, b"GET " + uri + b" HTTP/1.1\r\nHost: a.bo\r\n\r\n"), (1, WITH_BODY % 414)]
    (found,) = spoken(*said)

    assert (found["uri"][:2].encode(), found["status_code"]) == (uri[:2], 414)


def test_an_answer_with_a_long_reason_is_one() -> None:
    said = [(0, GET % 1), (1, b"HTTP/1.1 403 " + b"No " * 200 + b"\r\nContent-Length: 0\r\n\r\n")]

    assert pairs(spoken(*said)) == [("/1", 403)]


def test_a_server_that_speaks_first_does_not_end_the_reading() -> None:
    said = [(1, b"220 mail.example ESMTP\r\n"), (0, b"EHLO pc\r\n"), (1, b"250 ok\r\n")]
    frames = conversation((US, 40_000, THEM, 25), said)

    assert observe(frames, "conn")[0]["service"] == "smtp"


def test_what_nobody_can_read_passes_by_soon() -> None:
    """Of a conversation of which only one side was captured."""
    said = [(0, bytes(1_000))] * 40 + [(1, WITH_BODY % 200)]

    assert spoken(*said) == []


def test_dns_over_tcp_may_come_byte_by_byte() -> None:
    asked = dns_query(7, "a.bo")
    whole = len(asked).to_bytes(2) + asked
    (found,) = spoken(*((0, whole[at : at + 1]) for at in range(len(whole))), kind="dns", port=53)

    assert found["query"] == "a.bo"


@pytest.mark.parametrize("away", [5_000, 100_000, 2**30, -10_000])
def test_a_segment_that_the_receiver_would_drop_hides_nothing(away: int) -> None:
    frames = conversation(ENDS, [], closes=False)
    frames.append(ethernet(tcp(ENDS, PSH | ACK, 1_001 + away, b"x" * 100)))
    hello = ethernet(tcp(ENDS, PSH | ACK, 1_001, client_hello("secreto.example")))
    request = ethernet(tcp(ENDS, PSH | ACK, 1_001, GET % 1))

    assert observe([*frames, hello], "ssl")[0]["server_name"] == "secreto.example"
    assert pairs(observe([*frames, request], "http")) == [("/1", None)]


def test_what_comes_with_the_packet_that_ends_a_reading_is_not_held_for_good() -> None:
    ledger = Ledger()
    observer = Observer()
    observer._ledger = ledger
    behind_holes = [
        tcp(ENDS, PSH | ACK, 1_001, client_hello()[:20], acknowledged=70_001),
        tcp(BACK, PSH | ACK, 70_101, b"x" * 50, acknowledged=1_021),
        tcp(ENDS, PSH | ACK, 6_000, b"y" * 1_400, acknowledged=70_151),
    ]
    frames = conversation(ENDS, [], closes=False) + [ethernet(one) for one in behind_holes]
    list(observer.see((10**18 + at, ETHERNET, len(one), one) for at, one in enumerate(frames)))
    list(observer.end())

    assert ledger.held == 0


def test_many_small_segments_that_wait_count_with_all_that_they_take(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "BEGINNINGS_BYTES_MAX", 10_000)
    ledger = Ledger()
    orders = [Order(0, ledger) for _ in range(100)]
    for order in orders:
        for number in range(limits.EARLY_SEGMENTS_MAX):
            order.add(10 + 2 * number, b"x")
    assert ledger.refused > 1_500

    for order in orders:
        order.rest()
    assert ledger.held == 0


def test_a_head_that_comes_byte_by_byte_is_looked_through_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked = 0
    end = http.END

    class Counting:
        def search(self, data: bytes, start: int, most: int) -> object:
            nonlocal looked
            looked += len(data) - start
            return end.search(data, start, most)

    monkeypatch.setattr(http, "END", Counting())
    head = b"\r\n" + GET % 1
    reader = http.Http(Ledger())
    for at in range(len(head)):
        assert list(reader.feed(0, head[at : at + 1], 0)) == []

    assert [one["uri"] for one in reader.end()] == ["/1"]
    assert looked <= 4 * len(head)
