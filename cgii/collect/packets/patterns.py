"""What many conversations together show: scans of ports and hosts, and beacons."""

import itertools
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from cgii.base import limits
from cgii.collect.packets.captures import SECOND
from cgii.collect.packets.decode import TCP, UDP
from cgii.collect.packets.flows import ACK, NAMES, RST, SYN, Flow, address, seconds

FAILED = frozenset({"S0", "REJ", "RSTOS0", "RSTRH", "SH"})
REGULAR_BY_NATURE = frozenset({53, 67, 68, 123, 137, 138, 1900, 5353, 5355})


@dataclass(slots=True)
class _Attempts:
    """What one source tried in vain since `first`."""

    first: int
    last: int
    targets: dict[tuple[int, bytes, int], None] = field(default_factory=dict)
    told: dict[tuple[str, object], int] = field(default_factory=dict)


class Scans:
    """Counts attempts without success by source. `see` gives a record when they are a scan."""

    def __init__(self) -> None:
        self._sources: dict[bytes, _Attempts] = {}
        self._ports: dict[tuple[bytes, int, bytes], set[int]] = {}
        self._hosts: dict[tuple[bytes, int, int], set[bytes]] = {}
        self._held = 0  # targets of all sources together
        self.evicted = 0

    def see(self, flow: Flow) -> list[dict[str, Any]]:
        """A conversation that ended."""
        is_vain = flow.state() in FAILED or _is_probe(flow)
        if flow.protocol not in (TCP, UDP) or not is_vain or _is_group(flow):
            return []
        source, port = flow.source, flow.ports[1]
        known = self._sources.get(source)
        if known is not None and flow.first - known.first > limits.SCAN_SECONDS * SECOND:
            self._forget(source)
            known = None
        if known is None:
            known = self._sources[source] = _Attempts(flow.first, flow.last)
        target = (flow.protocol, flow.destination, port)
        if target in known.targets or len(known.targets) >= limits.SCAN_TARGETS_MAX:
            return []
        known.targets[target] = None
        self._held += 1
        self._make_room(source)
        known.first, known.last = min(known.first, flow.first), max(known.last, flow.last)
        ports = self._ports.setdefault((source, flow.protocol, flow.destination), set())
        ports.add(port)
        hosts = self._hosts.setdefault((source, flow.protocol, port), set())
        hosts.add(flow.destination)
        return [
            _scan(flow, known, kind, count)
            for kind, key, count in (
                ("ports", flow.destination, len(ports)),
                ("hosts", port, len(hosts)),
            )
            if _is_worth_telling(known.told, (kind, (flow.protocol, key)), count)
        ]

    def _make_room(self, source: bytes) -> None:
        """The oldest sources give way, but not the one at work."""
        while len(self._sources) > limits.SCAN_SOURCES_MAX or (
            self._held > limits.SCAN_TARGETS_ALL_MAX and len(self._sources) > 1
        ):
            self.evicted += 1
            self._forget(next(one for one in self._sources if one != source))

    def _forget(self, source: bytes) -> None:
        gone = self._sources.pop(source)
        self._held -= len(gone.targets)
        for protocol, host, port in gone.targets:
            self._ports.pop((source, protocol, host), None)
            self._hosts.pop((source, protocol, port), None)


def _is_worth_telling(
    told: dict[tuple[str, object], int], key: tuple[str, object], count: int
) -> bool:
    """Once when it is a scan, and again each time that it has doubled."""
    if count < limits.SCAN_TARGETS_MIN or count < 2 * told.get(key, 0):
        return False
    told[key] = count
    return True


def _scan(flow: Flow, known: _Attempts, kind: str, count: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "network_traffic": "scan",
        "ts": seconds(known.first),
        "last": seconds(known.last),
        "scan_kind": kind,
        "id.orig_h": address(flow.source),
        "proto": NAMES[flow.protocol],
        "target_count": count,
        "duration": seconds(known.last - known.first),
        "last_state": flow.state(),
    }
    if kind == "ports":
        told["id.resp_h"] = address(flow.destination)
    else:
        told["id.resp_p"] = flow.ports[1]
    return told


@dataclass(slots=True)
class _Starts:
    moments: list[int]
    sizes: list[int]
    count: int = 0
    told: int = 0


class Beacons:
    """Notices when one host calls another at regular intervals."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[bytes, bytes, int, int], _Starts] = {}
        self.evicted = 0

    def see(self, flow: Flow) -> dict[str, Any] | None:
        """A conversation that ended; a record when the pair's calls are regular."""
        port = flow.ports[1]
        if flow.protocol not in (TCP, UDP) or port in REGULAR_BY_NATURE or _is_group(flow):
            return None
        key = (flow.source, flow.destination, flow.protocol, port)
        starts = self._pairs.pop(key, None) or _Starts([], [])
        self._pairs[key] = starts  # the newest last: the oldest gives way
        if len(self._pairs) > limits.BEACON_PAIRS_MAX:
            self.evicted += 1
            self._pairs.pop(next(iter(self._pairs)))
        starts.moments.append(flow.first)
        starts.sizes.append(flow.sides[0].payload)
        starts.count += 1
        del starts.moments[: -limits.BEACON_STARTS_MAX]
        del starts.sizes[: -limits.BEACON_STARTS_MAX]
        if starts.count < max(limits.BEACON_STARTS_MIN, 2 * starts.told):
            return None
        found = regularity(starts.moments)
        if found is None:
            return None
        starts.told = starts.count
        interval, jitter = found
        return {
            "network_traffic": "beacon",
            "ts": seconds(min(starts.moments)),
            "last": seconds(flow.last),
            **flow.identity(),
            "count": starts.count,
            "interval": round(interval, 3),
            "jitter": round(jitter, 3),
            "orig_bytes_median": int(median(starts.sizes)),
        }


def regularity(moments: list[int]) -> tuple[float, float] | None:
    """Median interval in seconds and the median distance from it, as a share; None if irregular."""
    ordered = sorted(moments)
    gaps = [(after - before) / SECOND for before, after in itertools.pairwise(ordered)]
    if not gaps:
        return None
    middle = median(gaps)
    if middle < limits.BEACON_SECONDS_MIN:
        return None
    jitter = median(abs(gap - middle) for gap in gaps) / middle
    return (middle, jitter) if jitter <= limits.BEACON_JITTER_MAX else None


def _is_probe(flow: Flow) -> bool:
    """Whether its first side sent what no conversation has: FIN alone, all flags, or none."""
    had = flow.seen[0] & (SYN | RST | ACK)
    return flow.protocol == TCP and flow.sides[0].packets > 0 and not had


def _is_group(flow: Flow) -> bool:
    """Whether it goes to many at once."""
    to = flow.destination
    if len(to) == 16:
        return to[0] == 0xFF
    return to[0] >= 224 or to[3] == 255
