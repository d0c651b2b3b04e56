"""What a collector lost, told as records of its own: counted, with the reason and the time."""

import socket
from datetime import datetime
from pathlib import Path

import orjson

from cgii.base import clock

SOURCE = "sensor_losses"
FULL, KERNEL, CHECKSUM = "full", "kernel", "checksum"
UDP_TABLES = (Path("/proc/net/udp"), Path("/proc/net/udp6"))


class Gap:
    """Records of one input that were lost for one reason, until they are told."""

    def __init__(self, way: str, reason: str) -> None:
        self._way = way
        self._reason = reason
        self._count = 0
        self._since: datetime | None = None

    def add(self, count: int = 1) -> None:
        """Count some more."""
        if count > 0:
            self._count += count
            self._since = self._since or clock.now()

    def told(self) -> bytes | None:
        """The record about what was lost since the last one; None if nothing was."""
        if not self._count or self._since is None:
            return None
        facts = {"count": self._count, "since": self._since.isoformat()}
        self._count, self._since = 0, None
        return record("gap", self._way, self._reason, **facts)


def shown(name: str) -> str:
    """A name from the file system as text: its bytes that are no UTF-8 become `\\xff`."""
    return name.encode(errors="surrogateescape").decode(errors="backslashreplace")


def record(kind: str, way: str, reason: str, **facts: object) -> bytes:
    """One record of the source `sensor_losses`."""
    facts = {key: shown(fact) if isinstance(fact, str) else fact for key, fact in facts.items()}
    told = {"sensor_losses": 1, "time": clock.now().isoformat(), "kind": kind, "input": way}
    return orjson.dumps({**told, "reason": reason, **facts, "host": socket.gethostname()})


class KernelLosses:
    """Datagrams for a port that the system dropped before they could be read. Linux tells them."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._before = self._count()

    def new(self) -> int:
        """How many were dropped since the last look."""
        now = self._count()
        lost, self._before = now - self._before, now
        return max(lost, 0)

    def _count(self) -> int:
        return sum(_drops(path, self._port) for path in UDP_TABLES)


def _drops(path: Path, port: int) -> int:
    try:
        lines = path.read_text().splitlines()[1:]
    except OSError:
        return 0  # another system: it does not say
    found = 0
    for line in lines:
        columns = line.split()
        if len(columns) > 12 and int(columns[1].rpartition(":")[2], 16) == port:
            found += int(columns[-1])
    return found
