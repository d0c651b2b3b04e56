"""What the fields of NetFlow and IPFIX mean: names, moments, addresses, and how was sampled."""

import ipaddress
from dataclasses import dataclass, field, replace
from typing import Any

from cgii.base import limits

Record = dict[str, Any]
# Information element → our name; the kind follows from the name.
NAMES = {
    1: "bytes", 2: "packets", 4: "protocol", 5: "tos", 6: "tcp_flags", 7: "src_port", 8: "src_ip",
    10: "input_if", 11: "dst_port", 12: "dst_ip", 14: "output_if", 15: "next_hop", 16: "src_as",
    17: "dst_as", 21: "last_uptime", 22: "first_uptime", 23: "out_bytes", 24: "out_packets",
    27: "src_ip", 28: "dst_ip", 32: "icmp_type_code", 34: "sampling_interval", 48: "sampler",
    50: "sampling_interval", 56: "src_mac", 58: "vlan", 61: "direction", 62: "next_hop",
    80: "dst_mac", 85: "bytes", 86: "packets", 136: "end_reason", 150: "first_s", 151: "last_s",
    152: "first_ms", 153: "last_ms", 154: "first_ntp", 155: "last_ntp", 156: "first_ntp",
    157: "last_ntp", 158: "first_before", 159: "last_before", 160: "started_ms",
    225: "nat_src_ip", 226: "nat_dst_ip", 227: "nat_src_port", 228: "nat_dst_port", 231: "bytes",
    232: "out_bytes", 233: "event", 298: "packets", 299: "out_packets", 302: "sampler",
    305: "sampled", 306: "passed", 309: "sample", 310: "population", 322: "seen_s", 323: "seen_ms",
}  # fmt: skip
ADDRESSES = frozenset({"src_ip", "dst_ip", "next_hop", "nat_src_ip", "nat_dst_ip"})
MACS = frozenset({"src_mac", "dst_mac"})
TEXTS = ADDRESSES | MACS
PROTOCOLS = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 58: "ipv6-icmp", 132: "sctp"}
SINCE_1900 = 2_208_988_800  # seconds until 1970


@dataclass(frozen=True, slots=True)
class Moment:
    """When a datagram was sent, and what records say their times by."""

    version: int
    seconds: float
    uptime: int | None = None  # milliseconds; None is unknown

    def started(self, milliseconds: int) -> "Moment":
        """The same, where the exporter says when it started (since 1970); 0 is unknown."""
        if self.uptime is not None or not milliseconds:
            return self
        return replace(self, uptime=(int(self.seconds * 1_000) - milliseconds) % 2**32)

    def of_uptime(self, milliseconds: int) -> float | None:
        """The moment of an uptime; the counter begins again after 49 days."""
        if self.uptime is None:
            return None
        before = (self.uptime - milliseconds) % 2**32
        if before >= 2**31:
            before -= 2**32
        return round(self.seconds - before / 1_000, 3)

    def of(self, unit: str, value: int) -> float | None:
        """Seconds since 1970 of a value in its unit; None for what is no moment."""
        if unit == "uptime":
            return self.of_uptime(value)
        found = {
            "s": float(value),
            "ms": value / 1_000,
            "ntp": round(value / 2**32 - SINCE_1900, 6),
            "before": round(self.seconds - value / 1e6, 6),
        }[unit]
        return found if 0 <= found < 2**32 else None


@dataclass(slots=True)
class Samplers:
    """One in how many packets an exporter looks at, as its options say; some have several ways."""

    usual: int = 0
    by_number: dict[int, int] = field(default_factory=dict)

    def learn(self, told: Record) -> None:
        """What a record of options says of it, if anything."""
        number, interval = told.pop("sampler", None), _interval(told)
        if not interval:
            return
        self.usual = interval
        if number is not None:
            self.by_number.pop(number, None)
            self.by_number[number] = interval
            if len(self.by_number) > limits.NETFLOW_TEMPLATES_MAX:
                self.by_number.pop(next(iter(self.by_number)))

    def of(self, told: Record) -> int:
        """That of a flow; 0 is unknown."""
        number: int = told.pop("sampler", -1)
        return _interval(told) or self.by_number.get(number, self.usual)


def _interval(told: Record) -> int:
    """One in how many, however it is told; 0 if it is not."""
    found: int = told.pop("sampling_interval", 0)
    sampled: int = told.pop("sampled", 0)
    passed: int | None = told.pop("passed", None)
    sample, population = told.pop("sample", 0), told.pop("population", 0)
    if not found and sampled and passed is not None:  # so many in a row, then so many not
        found = round((sampled + passed) / sampled)
    elif not found:
        found = round(population / sample) if sample else sampled
    return found if found < 2**32 else 0  # an honest one fits; JSON takes no more than 64 bits


def finished(told: Record, moment: Moment, sampling: int) -> Record:
    """With moments, addresses and words as people write them. Counts stay as they were sampled."""
    found: Record = {}
    told.pop("sampler", None)
    for end in ("first", "last", "seen"):
        for unit in ("uptime", "s", "ms", "ntp", "before"):
            value = told.pop(f"{end}_{unit}", None)
            at = None if value is None else moment.of(unit, value)
            if at is not None:
                found[end] = at
    found["ts"] = found.get("last", found.pop("seen", moment.seconds))
    for name, value in told.items():
        if name in ADDRESSES:
            if len(value) in (4, 16):
                found[name] = str(ipaddress.ip_address(value))
        elif name in MACS:
            found[name] = value.hex(":")
        else:
            found[name] = value
    if "protocol" in found:
        found["proto"] = PROTOCOLS.get(found["protocol"], str(found["protocol"]))
    if sampling:
        found["sampling_interval"] = sampling
    return found
