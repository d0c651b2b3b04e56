"""Conversations: who spoke with whom, how much both ways, how it began and ended; bounded."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from cgii.base import limits
from cgii.base.ids import digest
from cgii.collect.packets.captures import SECOND
from cgii.collect.packets.community import WITH_PORTS, community_id, icmp_ports
from cgii.collect.packets.decode import ICMP, ICMP6, SCTP, TCP, UDP, Packet

FIN, SYN, RST, ACK = 1, 2, 4, 16
NAMES = {TCP: "tcp", UDP: "udp", ICMP: "icmp", ICMP6: "icmp", SCTP: "sctp"}
SERVER_PORTS_END = 1024  # who speaks from below it, to above it, answers


class Side:
    """One direction of a conversation; the fast way counts into it."""

    __slots__ = ("bytes", "flow", "packets", "payload", "reader", "way")

    def __init__(self, flow: "Flow", way: int) -> None:
        self.flow = flow
        self.way = way  # 0 from the originator, 1 back
        self.packets = 0
        self.bytes = 0  # of IP packets
        self.payload = 0
        self.reader: Any = None  # who looks at what is said; None lets it pass uncopied


class Flow:
    """A conversation; ports of ICMP are type and code."""

    __slots__ = (
        "destination", "first", "keys", "last", "named", "ports", "protocol", "reader", "seen",
        "service", "sides", "since", "source", "uid", "vlan",
    )  # fmt: skip

    def __init__(self, packet: Packet, at: int, *, is_answer: bool) -> None:
        self.protocol = packet.protocol
        self.source, self.destination = packet.source, packet.destination
        self.ports = packet.source_port, packet.destination_port
        if is_answer:
            self.source, self.destination = self.destination, self.source
            self.ports = self.ports[1], self.ports[0]
        self.first = self.since = self.last = at
        self.vlan = packet.vlan
        self.sides = Side(self, 0), Side(self, 1)
        self.seen: list[int] = [0, 0]  # TCP flags of each side
        self.service = ""
        self.reader: Any = None
        self.keys: tuple[bytes, bytes] = (b"", b"")
        self.uid = self.named = ""

    @property
    def is_closed(self) -> bool:
        """Whether TCP has nothing more to say."""
        one, two = self.seen
        return bool(one & two & FIN or (one | two) & RST)

    @property
    def idle_after(self) -> int:
        """Nanoseconds without a packet after which it has ended."""
        if self.protocol != TCP:
            return limits.FLOW_IDLE_SECONDS.get(
                self.protocol, limits.FLOW_IDLE_OTHER_SECONDS
            ) * SECOND  # fmt: skip
        if self.is_closed:
            return limits.FLOW_CLOSED_SECONDS * SECOND
        if not self.sides[1].packets:
            return limits.FLOW_ATTEMPT_SECONDS * SECOND
        return limits.FLOW_IDLE_SECONDS[TCP] * SECOND

    def identity(self) -> dict[str, Any]:
        """The fields that every record about this conversation has, under Zeek's names."""
        if not self.uid:
            self.named = community_id(self.protocol, self.source, self.destination, self.ports)
            self.uid = "C" + digest(f"{self.named} {self.first}")[:17]
        found: dict[str, Any] = {
            "uid": self.uid,
            "id.orig_h": address(self.source),
            "id.resp_h": address(self.destination),
            "proto": NAMES.get(self.protocol, str(self.protocol)),
            "community_id": self.named,
        }
        if self.protocol in WITH_PORTS and NAMES[self.protocol] != "icmp":
            found["id.orig_p"], found["id.resp_p"] = self.ports
        if self.vlan:
            found["vlan"] = self.vlan
        return found

    def state(self) -> str:
        """How it began and ended, in Zeek's words."""
        ours, theirs = self.seen
        if self.protocol != TCP:
            if self.protocol in (ICMP, ICMP6):
                return "OTH"
            return "SF" if self.sides[1].packets else "S0"
        if ours & SYN and theirs & SYN:
            return self._established(ours, theirs)
        if ours & SYN:
            for bit, side, name in ((RST, theirs, "REJ"), (RST, ours, "RSTOS0"), (FIN, ours, "SH")):
                if side & bit:
                    return name
            return "OTH" if theirs else "S0"
        if theirs & SYN:
            return "RSTRH" if theirs & RST else "SHR" if theirs & FIN else "OTH"
        return "OTH"

    def _established(self, ours: int, theirs: int) -> str:
        if ours & theirs & FIN:
            return "SF"
        if ours & RST:
            return "RSTO"
        if theirs & RST:
            return "RSTR"
        return "S2" if ours & FIN else "S3" if theirs & FIN else "S1"

    def record(self, reason: str) -> dict[str, Any]:
        """What was counted since the last record, with the length of the whole."""
        ours, theirs = self.sides
        told = {
            "network_traffic": "conn",
            "ts": seconds(self.first),
            "last": seconds(self.last),
            **self.identity(),
            "duration": seconds(self.last - self.first),
            "orig_bytes": ours.payload,
            "resp_bytes": theirs.payload,
            "orig_pkts": ours.packets,
            "resp_pkts": theirs.packets,
            "orig_ip_bytes": ours.bytes,
            "resp_ip_bytes": theirs.bytes,
            "conn_state": self.state(),
            "end_reason": reason,
        }
        if self.service:
            told["service"] = self.service
        if self.protocol in (ICMP, ICMP6):
            told["icmp_type"], told["icmp_code"] = self.ports
        return told

    def begin_part(self) -> None:
        """What comes is counted anew."""
        self.since = self.last
        for side in self.sides:
            side.packets = side.bytes = side.payload = 0


@dataclass
class FlowTable:
    """All conversations under way. `tables` is by protocol and key; a flow has two keys."""

    tables: defaultdict[int, dict[bytes, Side]] = field(default_factory=lambda: defaultdict(dict))
    flows: dict[Flow, None] = field(default_factory=dict)  # in the order of their beginnings
    evicted: int = 0
    _next_sweep: int = 0

    def side_of(self, packet: Packet, at: int) -> tuple[Side, list[tuple[Flow, str]]]:
        """The packet's direction, of a conversation that may be new; which gave way, and why."""
        key, back = keys_of(packet)
        table = self.tables[packet.protocol]
        side = table.get(key)
        gone: list[tuple[Flow, str]] = []
        opens = packet.protocol == TCP and packet.flags & (SYN | ACK) == SYN
        if side is not None and opens and side.flow.is_closed:
            gone.append((side.flow, "reused"))
            self.remove(side.flow)
            side = None
        if side is None:
            if len(self.flows) >= limits.FLOWS_MAX:
                gone += [(flow, "evicted") for flow in self._make_room()]
            side = self._begin(packet, at, key, back)
        return side, gone

    def _begin(self, packet: Packet, at: int, key: bytes, back: bytes) -> Side:
        flow = Flow(packet, at, is_answer=_answers(packet))
        side = flow.sides[1 if _answers(packet) else 0]
        flow.keys = key, back
        table = self.tables[packet.protocol]
        # A message to oneself has one key for both ways.
        table[back] = flow.sides[1 - side.way]
        table[key] = side
        self.flows[flow] = None
        return side

    def _make_room(self) -> list[Flow]:
        old = list(islice(self.flows, limits.FLOWS_MAX // 16))
        self.evicted += len(old)
        for flow in old:
            self.remove(flow)
        return old

    def remove(self, flow: Flow) -> None:
        """Forget it."""
        self.flows.pop(flow, None)
        table = self.tables[flow.protocol]
        for key in flow.keys:
            table.pop(key, None)

    def is_due(self, now: int) -> bool:
        """Whether it is time to look for what has ended."""
        return now >= self._next_sweep

    def sweep(self, now: int) -> Iterator[tuple[Flow, str]]:
        """Conversations that have ended, which are forgotten, or are long, with the reason."""
        self._next_sweep = now + limits.FLOW_SWEEP_SECONDS * SECOND
        long = limits.FLOW_ACTIVE_SECONDS * SECOND
        for flow in list(self.flows):
            if now - flow.last >= flow.idle_after:
                self.remove(flow)
                yield flow, "closed" if flow.protocol == TCP and flow.is_closed else "idle"
            elif now - flow.since >= long and flow.last > flow.since:
                yield flow, "active"


def keys_of(packet: Packet) -> tuple[bytes, bytes]:
    """The key of this direction and the one of the other."""
    first, second = packet.source_port, packet.destination_port
    if packet.protocol in (ICMP, ICMP6):
        first, second, one_way = icmp_ports(packet.protocol, first, second)
        if one_way:
            ends = packet.source + packet.destination + bytes((first, second))
            return ends, ends + b"-"
        there, back = bytes((first, second)), bytes((second, first))
    else:
        there = first.to_bytes(2) + second.to_bytes(2)
        back = there[2:] + there[:2]
    return packet.source + packet.destination + there, packet.destination + packet.source + back


def _answers(packet: Packet) -> bool:
    """Whether the first packet that was seen looks like an answer."""
    if packet.protocol == TCP and packet.flags & SYN:
        return bool(packet.flags & ACK)
    if packet.protocol in (ICMP, ICMP6):
        return packet.source_port in (0, 14, 16, 18, 129)
    return packet.source_port < SERVER_PORTS_END <= packet.destination_port


def address(raw: bytes) -> str:
    """As people write it."""
    if len(raw) == 4:
        return ".".join(map(str, raw))
    return str(ipaddress.IPv6Address(raw))


def seconds(nanoseconds: int) -> float:
    """To the microsecond."""
    return round(nanoseconds / SECOND, 6)
