"""From frames to records: counts conversations, has their beginnings read, tells what it saw.

The same frames give the same records in the same order, whatever the machine.
"""

import struct
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from cgii.base import limits
from cgii.collect.packets.beginnings import Ledger
from cgii.collect.packets.captures import Frame
from cgii.collect.packets.conversations import listen_to
from cgii.collect.packets.decode import (
    ETHERNET,
    LINKS,
    TCP,
    UDP,
    ArpPacket,
    Packet,
    Undecodable,
    decode,
)
from cgii.collect.packets.flows import Flow, FlowTable, seconds
from cgii.collect.packets.owners import Owners
from cgii.collect.packets.patterns import Beacons, Scans

Record = dict[str, Any]
# Of an Ethernet frame from its kind on: kind, version and length of header, length, part, protocol.
QUICK = struct.Struct(">HBxH2xHxB").unpack_from


class Observer:
    """Feed it frames in order with `see`, and `end` it once."""

    def __init__(self) -> None:
        self._table = FlowTable()
        self._ledger = Ledger()
        self._owners = Owners()
        self._scans = Scans()
        self._beacons = Beacons()
        self._fragments: dict[tuple[bytes, bytes, int, int], tuple[int, int]] = {}
        self._counts: Counter[str] = Counter()
        self._first = self._now = 0
        self._out: list[Record] = []

    def see(self, frames: Iterable[Frame]) -> Iterator[Record]:
        """The records that become known by these frames."""
        tables, out, table = self._table.tables, self._out, self._table
        tcp, udp = tables[TCP], tables[UDP]
        packets = wire = 0
        now = self._now
        try:
            for at, link, size, data in frames:
                packets += 1
                wire += size
                if at > now:
                    self._now = now = at
                    if table.is_due(at):
                        self._sweep()
                if link == ETHERNET and len(data) >= 54:
                    kind, version, length, part, protocol = QUICK(data, 12)
                    # Most packets are of a known conversation of whose words no more is wanted.
                    if kind == 0x0800 and version == 0x45 and not part & 0x3FFF:
                        side = (tcp if protocol == TCP else udp).get(data[26:38])
                        if side is not None and side.reader is None and protocol in (TCP, UDP):
                            head = 20 + (data[46] >> 4) * 4 if protocol == TCP else 28
                            least, ends = (40, data[47] & 7) if protocol == TCP else (28, 0)
                            if not ends and length >= head >= least:
                                side.packets += 1
                                side.bytes += length
                                side.payload += length - head
                                if at > side.flow.last:
                                    side.flow.last = at
                                continue
                self._look_at(at, link, data)
                if out:
                    yield from out
                    out.clear()
        finally:
            self._counts["packets"] += packets
            self._counts["bytes"] += wire
        yield from out
        out.clear()

    def pass_time(self, now: int) -> Iterator[Record]:
        """The records of what has ended until `now` (nanoseconds since 1970), without a packet."""
        self._now = max(self._now, now)
        if self._table.is_due(self._now):
            self._sweep()
        yield from self._out
        self._out.clear()

    def end(self, reason: str = "capture_end") -> Iterator[Record]:
        """Conversations still under way, and last what was seen in all."""
        for flow in list(self._table.flows):
            self._table.remove(flow)
            self._finish(flow, reason)
            yield from self._out
            self._out.clear()
        yield from self.statistics()

    def statistics(self) -> Iterator[Record]:
        """One record about what was seen since the last one, and what could not be."""
        evicted = self._table.evicted + self._scans.evicted + self._beacons.evicted
        self._counts["evicted"] = evicted - self._counts["evicted_before"]
        self._counts["unread"] = self._ledger.refused - self._counts["unread_before"]
        self._counts["evicted_before"] = evicted
        self._counts["unread_before"] = self._ledger.refused
        told = {
            name: self._counts[name]
            for name in ("packets", "bytes", "malformed", "unsupported", "fragments", "evicted",
                         "unread")
        }  # fmt: skip
        if self._now:
            yield {"network_traffic": "stats", "ts": seconds(self._now), **told}
        for name in told:
            self._counts[name] = 0

    def _look_at(self, at: int, link: int, data: bytes) -> None:
        try:
            packet = decode(link, data)
        except Undecodable:
            self._counts["malformed"] += 1
            return
        if isinstance(packet, ArpPacket):
            changed = self._owners.hear(packet, at)
            if changed is not None:
                self._out.append(changed)
        elif packet is None:
            self._counts["unsupported"] += link not in LINKS
        elif not packet.fragment or self._joins(packet):
            self._count(packet, at)

    def _joins(self, packet: Packet) -> bool:
        """Whether it is known of which conversation a fragment is; then it has its ports."""
        self._counts["fragments"] += 1
        key = (packet.source, packet.destination, packet.protocol, packet.fragment)
        if packet.is_first:
            self._fragments[key] = (packet.source_port, packet.destination_port)
            if len(self._fragments) > limits.FRAGMENTED_PACKETS_MAX:
                self._fragments.pop(next(iter(self._fragments)))
            return True
        ports = self._fragments.get(key)
        if ports is None:
            return False
        packet.source_port, packet.destination_port = ports
        return True

    def _count(self, packet: Packet, at: int) -> None:
        side, gone = self._table.side_of(packet, at)
        for flow, reason in gone:
            self._finish(flow, reason)
        flow = side.flow
        if not flow.sides[0].packets + flow.sides[1].packets and flow.since == flow.first == at:
            listen_to(flow, self._ledger)
        side.packets += 1
        side.bytes += packet.length
        side.payload += packet.payload_length
        flow.last = max(flow.last, at)
        if not flow.is_closed:
            flow.seen[side.way] |= packet.flags
        if side.reader is not None and not packet.fragment:
            self._tell(flow, side.reader.hear(side.way, packet, at))

    def _tell(self, flow: Flow, records: Iterator[Record]) -> None:
        for record in records:
            self._out.append({**record, **flow.identity()})

    def _sweep(self) -> None:
        for flow, reason in self._table.sweep(self._now):
            if reason == "active":
                self._out.append(flow.record(reason))
                flow.begin_part()
            else:
                self._finish(flow, reason)

    def _finish(self, flow: Flow, reason: str) -> None:
        if flow.reader is not None:
            self._tell(flow, flow.reader.end())
        self._out.append(flow.record(reason))
        self._out += self._scans.see(flow)
        beacon = self._beacons.see(flow)
        if beacon is not None:
            self._out.append(beacon)
