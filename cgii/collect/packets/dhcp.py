"""DHCP: who asks for an address, who gives which."""

import contextlib
import struct
from typing import Any

from cgii.collect.packets.dns import NotDns, labels_of, text
from cgii.collect.packets.flows import address

COOKIE = b"\x63\x82\x53\x63"
KINDS = {
    1: "DISCOVER", 2: "OFFER", 3: "REQUEST", 4: "DECLINE", 5: "ACK", 6: "NAK", 7: "RELEASE",
    8: "INFORM",
}  # fmt: skip
TEXTS = {12: "host_name", 15: "domain", 60: "vendor_class", 56: "server_message"}
ADDRESSES = {50: "requested_addr", 54: "server_addr", 3: "router"}
PAD, END, KIND, LEASE, DNS, CLIENT_NAME, PARAMETERS = 0, 255, 53, 51, 6, 81, 55


class NotDhcp(Exception):  # noqa: N818  a verdict on bytes, not a fault of ours
    """The bytes are no DHCP message."""


def hardware(raw: bytes) -> str:
    """As people write it: 52:54:00:12:34:56."""
    return raw.hex(":")


def read_dhcp(data: bytes) -> dict[str, Any]:
    """The message's fields under Zeek's names. Raises NotDhcp."""
    if len(data) < 240 or data[236:240] != COOKIE or data[0] not in (1, 2):
        raise NotDhcp
    told: dict[str, Any] = {"trans_id": struct.unpack_from(">I", data, 4)[0]}
    if data[1] == 1 and data[2] == 6:
        told["mac"] = hardware(data[28:34])
    for at, name in ((12, "client_addr"), (16, "assigned_addr"), (24, "relay_addr")):
        if any(data[at : at + 4]):
            told[name] = address(data[at : at + 4])
    at = 240
    while at + 2 <= len(data) and data[at] != END:
        if data[at] == PAD:
            at += 1
            continue
        code, size = data[at], data[at + 1]
        value = data[at + 2 : at + 2 + size]
        if len(value) < size:
            break
        at += 2 + size
        _option(told, code, value)
    if "msg_type" not in told:
        raise NotDhcp  # BOOTP, which nobody speaks any more
    return told


def _option(told: dict[str, Any], code: int, value: bytes) -> None:
    if code == KIND and len(value) == 1:
        told["msg_type"] = KINDS.get(value[0], str(value[0]))
    elif code in TEXTS:
        told[TEXTS[code]] = text(value.rstrip(b"\0"))
    elif code in ADDRESSES and len(value) >= 4:
        told[ADDRESSES[code]] = address(value[:4])
    elif code == LEASE and len(value) == 4:
        told["lease_time"] = int.from_bytes(value)
    elif code == DNS:
        told["name_servers"] = [address(value[at : at + 4]) for at in range(0, len(value) - 3, 4)]
    elif code == CLIENT_NAME and len(value) > 3:
        told["client_fqdn"] = _client_name(value)
    elif code == PARAMETERS:
        told["parameters"] = ",".join(map(str, value))


def _client_name(value: bytes) -> str:
    """Plain, or as DNS writes it where a flag says so; there the last label may be left open."""
    if value[0] & 4:
        with contextlib.suppress(NotDns, IndexError):
            return labels_of(value[3:] + b"\0")
    return text(value[3:])
