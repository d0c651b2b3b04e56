"""Ports on loopback for the servers that tests start."""

import socket
from pathlib import Path
from random import SystemRandom

FIRST = 10_240
_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given: set[int] = set()
_chance = SystemRandom()  # not seeded: test runs beside this one must draw other ports


def free_port(*beside: int) -> int:
    """A port that nobody uses, for TCP and UDP; those that lie `beside` it are free as well.

    The kernel gives the ports of connections from a range that is left out here. So no connection
    takes the port before the server does, nor while it is down: not even one that asks for it
    again and again, which the kernel at last connects with itself.
    """
    end = int(_RANGE.read_text().split()[0]) if _RANGE.exists() else 32_768
    while True:
        port = _chance.randrange(FIRST, end - 200)
        wanted = {port, *(port + step for step in beside)}
        if not wanted & _given and all(map(_is_free, wanted)):
            _given.update(wanted)
            return port


def _is_free(port: int) -> bool:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True
