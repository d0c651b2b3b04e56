"""DNS: questions, answers, and what makes a name look like a tunnel."""

import math
import struct
from collections import Counter
from typing import Any

from cgii.base import limits
from cgii.collect.packets.flows import address

TYPES = {
    1: "A", 2: "NS", 5: "CNAME", 6: "SOA", 10: "NULL", 12: "PTR", 13: "HINFO", 15: "MX", 16: "TXT",
    17: "RP", 24: "SIG", 25: "KEY", 28: "AAAA", 29: "LOC", 33: "SRV", 35: "NAPTR", 39: "DNAME",
    41: "OPT", 43: "DS", 46: "RRSIG", 47: "NSEC", 48: "DNSKEY", 50: "NSEC3", 52: "TLSA",
    64: "SVCB", 65: "HTTPS", 99: "SPF", 249: "TKEY", 250: "TSIG", 251: "IXFR", 252: "AXFR",
    255: "ANY", 257: "CAA",
}  # fmt: skip
CODES = {
    0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED",
    6: "YXDOMAIN", 7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE",
}  # fmt: skip
CLASSES = {1: "C_INTERNET", 3: "C_CHAOS", 255: "C_ANY"}
WITH_NAME = frozenset({2, 5, 12, 39})
QUESTIONS_MAX = 16
NAME_BYTES_MAX = 255
VALUE_CHARS_MAX = 1_000  # of one answer


class NotDns(Exception):  # noqa: N818  a verdict on bytes, not a fault of ours
    """The bytes are no DNS message."""


def read_message(data: bytes) -> tuple[bool, dict[str, Any]]:
    """Whether it is an answer, and its fields under Zeek's names. Raises NotDns."""
    try:
        return _message(data)
    except (struct.error, IndexError) as error:
        raise NotDns from error


def _message(data: bytes) -> tuple[bool, dict[str, Any]]:
    number, flags, questions, answers, authorities, _ = struct.unpack_from(">HHHHHH", data)
    is_answer = bool(flags & 0x8000)
    operation = flags >> 11 & 15
    if operation > 6 or questions > QUESTIONS_MAX or answers > 4096:
        raise NotDns
    told: dict[str, Any] = {"trans_id": number, "opcode": operation}
    at = 12
    if questions:
        name, at = _name(data, at)
        kind, group = struct.unpack_from(">HH", data, at)
        at += 4
        told |= {"query": name, "qtype": kind, "qtype_name": TYPES.get(kind, f"TYPE{kind}")}
        told |= {"qclass": group & 0x7FFF, "qclass_name": CLASSES.get(group & 0x7FFF, str(group))}
        told |= shape_of(name)
        if questions > 1:  # only the first is told
            told["question_count"] = questions
        for _ in range(questions - 1):
            at = _name(data, at)[1] + 4
    elif not is_answer:
        raise NotDns
    told |= {"AA": bool(flags & 0x400), "TC": bool(flags & 0x200), "RD": bool(flags & 0x100)}
    if is_answer:
        code = flags & 15
        told |= {"RA": bool(flags & 0x80), "rcode": code, "rcode_name": CODES.get(code, str(code))}
        told |= _answers(data, at, answers)
        told["answer_count"], told["authority_count"] = answers, authorities
    return is_answer, told


def _answers(data: bytes, at: int, count: int) -> dict[str, Any]:
    found: list[str] = []
    lives: list[int] = []
    for _ in range(min(count, limits.DNS_RECORDS_MAX)):
        try:
            _, at = _name(data, at)
            kind, _, life, size = struct.unpack_from(">HHIH", data, at)
            at += 10
            if at + size > len(data):
                break
            value = _value(data, kind, at, size)
            at += size
        except (NotDns, struct.error, IndexError):
            break  # what stood before is still worth telling
        if value and len(found) < limits.DNS_ANSWERS_MAX:
            found.append(value[:VALUE_CHARS_MAX])
            lives.append(life)
    return {"answers": found, "TTLs": lives} if found else {}


def _value(data: bytes, kind: int, at: int, size: int) -> str:
    raw = data[at : at + size]
    if (kind, size) in ((1, 4), (28, 16)):
        return address(raw)
    if kind in WITH_NAME:
        return _name(data, at)[0]
    if kind == 15:
        return _name(data, at + 2)[0]
    if kind == 33:
        return f"{_name(data, at + 6)[0]}:{struct.unpack_from('>H', data, at + 4)[0]}"
    if kind in (16, 99):
        return _texts(raw)
    if kind == 10:
        return raw[:NAME_BYTES_MAX].hex()
    return ""


def _texts(raw: bytes) -> str:
    parts, at = [], 0
    while at < len(raw):
        size = raw[at]
        parts.append(raw[at + 1 : at + 1 + size])
        at += size + 1
    return text(b"".join(parts))


def _name(data: bytes, at: int) -> tuple[str, int]:
    """A name, which may point to others before it, and where it ends. Raises NotDns."""
    labels: list[str] = []
    end, length = 0, 0
    for _ in range(limits.DNS_POINTERS_MAX + NAME_BYTES_MAX):
        size = data[at]
        if size >= 0xC0:
            end = end or at + 2
            target = (size & 0x3F) << 8 | data[at + 1]
            if target >= at:
                raise NotDns  # pointers go back, so they cannot go in circles
            at = target
            continue
        if size >= 0x40:
            raise NotDns
        if not size:
            return ".".join(labels), end or at + 1
        raw = data[at + 1 : at + 1 + size]
        length += size + 1
        if len(raw) < size or length > NAME_BYTES_MAX:
            raise NotDns
        labels.append(label(raw))
        at += size + 1
    raise NotDns


def label(raw: bytes) -> str:
    """A part of a name. A dot in it would be taken for one between two, a backslash for `\\xNN`."""
    return "".join(f"\\x{one:02x}" if one in b".\\" else text(bytes((one,))) for one in raw)


def labels_of(raw: bytes) -> str:
    """A name without pointers. Raises NotDns or IndexError."""
    return _name(raw, 0)[0]


def text(raw: bytes) -> str:
    """ASCII as it is, every other byte as \\xNN; so no two names become one."""
    return "".join(chr(one) if 0x20 < one < 0x7F or one == 0x20 else f"\\x{one:02x}" for one in raw)


def shape_of(name: str) -> dict[str, Any]:
    """How long the name and its longest label are, and how random that label is, in bits."""
    labels = name.split(".")
    longest = max(labels, key=len)
    return {
        "query_length": len(name),
        "label_count": len(labels) if name else 0,
        "label_max": len(longest),
        "label_entropy": entropy(longest),
    }


def entropy(word: str) -> float:
    """Bits per character; 0 of a word that says one thing, near 5 of data in base 32."""
    size = len(word)
    counts = Counter(word.lower()).values()
    return round(-sum(one / size * math.log2(one / size) for one in counts), 2) + 0.0
