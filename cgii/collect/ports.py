"""The ports that a sensor's file asks for, and whether they can be had."""

import socket
from collections.abc import Iterator
from dataclasses import dataclass

from cgii.base.reasons import why
from cgii.collect.config import SensorConfig


@dataclass(frozen=True, slots=True)
class Port:
    """One port to listen on, and what for."""

    way: str
    number: int
    kind: socket.SocketKind


def ports_of(sensor: SensorConfig) -> Iterator[Port]:
    """All of them, on `sensor.host`."""
    for way, number, kind in (
        ("syslog UDP", sensor.syslog_udp_port, socket.SOCK_DGRAM),
        ("syslog TCP", sensor.syslog_tcp_port, socket.SOCK_STREAM),
        ("syslog TLS", sensor.syslog_tls_port, socket.SOCK_STREAM),
        ("NetFlow", sensor.netflow_port, socket.SOCK_DGRAM),
    ):
        if number is not None:
            yield Port(way, number, kind)


def why_not(host: str, port: Port) -> str:
    """Why nobody can listen there now; empty if that can be. The port is let go of at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, port.kind) as probe:
            if port.kind == socket.SOCK_STREAM:  # as a listener: what just ended is not in the way
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port.number))
    except OSError as error:  # also for want of IPv6, or of descriptors
        return why(error)
    except ValueError as error:  # no name of a machine
        return str(error)
    return ""
