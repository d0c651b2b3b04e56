"""Community ID, version 1: the same name for the same conversation in every tool."""

import base64
import hashlib
import struct

from cgii.collect.packets.decode import ICMP, ICMP6, SCTP, TCP, UDP

# The type that answers a type; a message without one is a conversation of its own.
ANSWER_4 = {0: 8, 8: 0, 9: 10, 10: 9, 13: 14, 14: 13, 15: 16, 16: 15, 17: 18, 18: 17}
ANSWER_6 = {128: 129, 129: 128, 130: 131, 131: 130, 133: 134, 134: 133, 135: 136, 136: 135,
            139: 140, 140: 139, 144: 145, 145: 144}  # fmt: skip
WITH_PORTS = frozenset({TCP, UDP, SCTP, ICMP, ICMP6})


def icmp_ports(protocol: int, kind: int, code: int) -> tuple[int, int, bool]:
    """What stands for the ports of an ICMP message, and whether it goes one way only."""
    answer = (ANSWER_4 if protocol == ICMP else ANSWER_6).get(kind)
    return (kind, code, True) if answer is None else (kind, answer, False)


def community_id(
    protocol: int, source: bytes, destination: bytes, ports: tuple[int, int], *, seed: int = 0
) -> str:
    """The name of a conversation; of ICMP, `ports` are type and code."""
    one_way = False
    first, second = ports
    if protocol in (ICMP, ICMP6):
        first, second, one_way = icmp_ports(protocol, first, second)
    if not one_way and (source, first) > (destination, second):
        source, destination, first, second = destination, source, second, first
    data = struct.pack(">H", seed) + source + destination + bytes((protocol, 0))
    if protocol in WITH_PORTS:
        data += struct.pack(">HH", first, second)
    digest = hashlib.sha1(data, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode()
