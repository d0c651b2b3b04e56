"""What is said at the beginning of a conversation: finds out the protocol and has it read."""

import struct
from collections.abc import Iterator
from typing import Any, Protocol

from cgii.base import limits
from cgii.collect.packets.beginnings import Ledger, Order, Piece
from cgii.collect.packets.decode import TCP, UDP, Packet
from cgii.collect.packets.dhcp import NotDhcp, read_dhcp
from cgii.collect.packets.dns import NotDns, read_message
from cgii.collect.packets.flows import ACK, SYN, Flow, seconds
from cgii.collect.packets.http import BLANKS, Http, begins_head, starts
from cgii.collect.packets.tls import START, Tls

DNS_PORTS = frozenset({53, 5353, 5355})
DHCP_PORTS = frozenset({67, 68})
BANNERS = ((b"SSH-", "ssh"), (b"\xffSMB", "smb"), (b"\xfeSMB", "smb"), (b"EHLO ", "smtp"),
           (b"HELO ", "smtp"), (b"JRMI", "rmi"), (b"\x13BitTorrent", "bittorrent"))  # fmt: skip
BANNER_WORDS = tuple(banner for banner, _ in BANNERS)
BEGUN_BYTES_MAX = 64  # with what may stand before the first word
QUESTION_BYTES = 2_048  # what a question that waits takes, about
Records = Iterator[dict[str, Any]]


class Reader(Protocol):
    """Reads one protocol of one conversation."""

    service: str

    @property
    def is_done(self) -> bool:
        """Whether nothing more is wanted."""

    def feed(self, way: int, data: bytes, at: int) -> Records:
        """What follows on what this side said before; whole messages of a datagram protocol."""

    def end(self) -> Records:
        """What was still waiting."""


class Dns:
    """Questions wait for their answers; over TCP each message has its length before it."""

    service = "dns"

    def __init__(self, ledger: Ledger, *, with_length: bool) -> None:
        self._ledger = ledger
        self._with_length = with_length
        self._kept = [b"", b""]
        self._asked: dict[tuple[int, str, int], dict[str, Any]] = {}
        self.is_done = False
        self.is_known = False  # whether a message could be read

    def feed(self, way: int, data: bytes, at: int) -> Records:
        """One datagram, or a piece of a stream."""
        if not self._with_length:
            yield from self._message(data, at)
            return
        whole = self._kept[way] + data
        self._ledger.give(len(self._kept[way]))
        start = 0
        while start + 2 <= len(whole):
            end = start + 2 + struct.unpack_from(">H", whole, start)[0]
            if end > len(whole):
                break
            yield from self._message(whole[start + 2 : end], at)
            start = end
        rest = whole[start:]
        if len(rest) > limits.BEGINNING_BYTES_MAX or not self._ledger.take(len(rest)):
            self.is_done, rest = True, b""
        self._kept[way] = rest

    def _message(self, data: bytes, at: int) -> Records:
        try:
            is_answer, told = read_message(data)
        except NotDns:
            return
        self.is_known = True
        key = told["trans_id"], told.get("query", "").lower(), told.get("qtype", 0)
        if not is_answer:
            record = {"network_traffic": "dns", "ts": seconds(at), **told}
            if key in self._asked:
                return  # asked again
            if not self._ledger.take(QUESTION_BYTES):
                yield record
                return
            self._asked[key] = record
            if len(self._asked) > limits.REQUESTS_WAITING_MAX:
                yield self._answered(next(iter(self._asked)))
            return
        asked = self._answered(key) if key in self._asked else None
        record = {"network_traffic": "dns", "ts": seconds(at), **(asked or {}), **told}
        if asked is not None:
            record["rtt"] = round(max(seconds(at) - record["ts"], 0.0), 6)
        yield record

    def _answered(self, key: tuple[int, str, int]) -> dict[str, Any]:
        """The question, which waits no longer."""
        self._ledger.give(QUESTION_BYTES)
        return self._asked.pop(key)

    def end(self) -> Records:
        """Questions that nobody answered."""
        for kept in self._kept:
            self._ledger.give(len(kept))
        self._kept = [b"", b""]
        for key in list(self._asked):
            yield self._answered(key)


class Dhcp:
    """Each message is a record of its own."""

    service = "dhcp"
    is_done = False
    is_known = False

    def feed(self, way: int, data: bytes, at: int) -> Records:
        """One datagram."""
        try:
            told = read_dhcp(data)
        except NotDhcp:
            return
        self.is_known = True
        yield {"network_traffic": "dhcp", "ts": seconds(at), **told}

    def end(self) -> Records:
        """Nothing waits."""
        yield from ()


class Datagrams:
    """Reads the datagrams of one conversation."""

    def __init__(self, flow: Flow, reader: Dns | Dhcp) -> None:
        self._flow = flow
        self._reader = reader

    def hear(self, way: int, packet: Packet, at: int) -> Records:
        """The records that this datagram makes."""
        yield from self._reader.feed(way, packet.payload, at)
        if self._reader.is_known:
            self._flow.service = self._reader.service

    def end(self) -> Records:
        """What was still waiting."""
        yield from self._reader.end()


class Streams:
    """Reads the beginnings of both sides of a TCP conversation."""

    def __init__(self, flow: Flow, ledger: Ledger) -> None:
        self._flow = flow
        self._ledger = ledger
        self._orders: list[Order | None] = [None, None]
        self._reader: Reader | None = None
        self._begun = [b"", b""]  # of each side, until it shows what is spoken
        self._is_strange = [False, False]  # whether nobody can read it
        self._has_hole = [False, False]
        self._passed = 0  # bytes of strange sides
        self._acknowledged = 0  # by the originator
        self._is_over = False

    def hear(self, way: int, packet: Packet, at: int) -> Records:
        """The records that this segment makes."""
        other = self._orders[1 - way]
        if packet.flags & ACK and other is not None:
            yield from self._take(1 - way, other.passed(packet.acknowledged), at)
            self._acknowledged = self._acknowledged if way else packet.acknowledged
            if self._is_over:
                return  # what waited from now on would be nobody's
        order = self._orders[way]
        start = packet.sequence
        if packet.flags & SYN:
            start = (start + 1) % 2**32
        if order is None:
            order = self._orders[way] = Order(start, self._ledger)
        if packet.payload:
            yield from self._take(way, order.add(start, packet.payload), at)
        kept = len(packet.payload)
        if packet.payload_length > kept:  # the capture keeps the beginnings of packets only
            lost = order.lose(start + kept, packet.payload_length - kept)
            yield from self._take(way, lost, at)

    def _take(self, way: int, pieces: list[Piece], at: int) -> Records:
        for skipped, begin, data in pieces:
            if self._is_over:
                return
            self._has_hole[way] |= skipped > 0
            if self._reader is None:
                if data:
                    yield from self._begin(way, data, at)
                continue
            if isinstance(self._reader, Http):
                if skipped:
                    yield from self._reader.skip(way, skipped, begin)
            elif data and self._has_hole[way]:
                yield from self._close()
                return
            if data:
                yield from self._feed(way, data, at)

    def _feed(self, way: int, data: bytes, at: int) -> Records:
        assert self._reader is not None, "it was chosen"
        if isinstance(self._reader, Http):
            self._reader.acknowledged = self._acknowledged
        yield from self._reader.feed(way, data, at)
        if self._reader.is_done:
            yield from self._close()

    def _begin(self, way: int, data: bytes, at: int) -> Records:
        """Find out what is spoken; the first bytes may come one by one, and from either side."""
        if not self._is_strange[way]:
            self._begun[way] += data
            self._reader = self._choose(way, self._begun[way])
        if self._reader is not None:
            begun, self._begun = self._begun, [b"", b""]
            self._has_hole = [False, False]  # before it began
            for side in (0, 1):
                if begun[side] and not self._is_over:
                    yield from self._feed(side, begun[side], at)
            return
        if self._is_strange[way] or not _may_begin(way, self._begun[way]):
            self._is_strange[way] = True
            self._begun[way] = b""
            self._passed += len(data)
        if self._flow.service or all(self._is_strange) or self._passed > limits.BEGINNING_BYTES_MAX:
            yield from self._close()

    def _choose(self, way: int, data: bytes) -> Reader | None:
        flow = self._flow
        reader: Reader | None = None
        if data.startswith(START):
            reader = Tls(self._ledger)
        elif begins_head(way, data):
            reader = Http(self._ledger)
        elif 53 in flow.ports and not _may_begin(way, data):
            reader = Dns(self._ledger, with_length=True)
        else:
            for banner, name in BANNERS:
                if data.startswith(banner) or data[4:8] == banner:
                    flow.service = name
        if reader is not None:
            flow.service = reader.service
        return reader

    def end(self) -> Records:
        """What was still waiting."""
        for way, order in enumerate(self._orders):
            if order is not None:
                yield from self._take(way, order.rest(), self._flow.last)
        yield from self._close()

    def _close(self) -> Records:
        """The rest of the conversation passes by unread."""
        self._is_over = True
        for order in self._orders:
            if order is not None:
                order.close()
        for side in self._flow.sides:
            side.reader = None
        reader, self._reader = self._reader, None
        self._flow.reader = None
        if reader is not None:
            yield from reader.end()


def _may_begin(way: int, data: bytes) -> bool:
    """Whether so few bytes were seen that they may become something that somebody reads."""
    begun = data.lstrip(BLANKS)
    return len(data) <= BEGUN_BYTES_MAX and any(
        one.startswith(begun) for one in (*starts(way), START, *BANNER_WORDS)
    )


def listen_to(flow: Flow, ledger: Ledger) -> None:
    """Have the beginnings of a new conversation read, if there is somebody who can."""
    reader: Streams | Datagrams | None = None
    ports = frozenset(flow.ports)
    if flow.protocol == TCP:
        reader = Streams(flow, ledger)
    elif flow.protocol == UDP and ports & DNS_PORTS:
        reader = Datagrams(flow, Dns(ledger, with_length=False))
    elif flow.protocol == UDP and ports & DHCP_PORTS:
        reader = Datagrams(flow, Dhcp())
    flow.reader = reader
    for side in flow.sides:
        side.reader = reader
