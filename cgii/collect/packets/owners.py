"""ARP: which hardware address each IPv4 address has, and who takes over another's."""

from typing import Any

from cgii.base import limits
from cgii.collect.packets.decode import ArpPacket
from cgii.collect.packets.dhcp import hardware
from cgii.collect.packets.flows import address, seconds

NOBODY = b"\0\0\0\0"


class Owners:
    """The owners known. `hear` gives a record when an address changes hands."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], tuple[bytes, int]] = {}  # by VLAN and address

    def hear(self, said: ArpPacket, at: int) -> dict[str, Any] | None:
        """What is new by it; None if nothing is."""
        key = (said.vlan, said.sender)
        if said.sender == NOBODY:  # asks whether an address is free
            return None
        before = self._known.pop(key, None)
        self._known[key] = (said.sender_hardware, at)
        if len(self._known) > limits.ADDRESS_OWNERS_MAX:
            self._known.pop(next(iter(self._known)))
        if before is None or before[0] == said.sender_hardware:
            return None
        told = {
            "network_traffic": "arp",
            "ts": seconds(at),
            "operation": {1: "request", 2: "reply"}.get(said.operation, str(said.operation)),
            "address": address(said.sender),
            "old_mac": hardware(before[0]),
            "mac": hardware(said.sender_hardware),
            "seconds_since_old": seconds(max(at - before[1], 0)),
            "gratuitous": said.sender == said.target,
        }
        return told | ({"vlan": said.vlan} if said.vlan else {})
