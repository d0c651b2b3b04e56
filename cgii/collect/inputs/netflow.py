"""The input that receives NetFlow and IPFIX over UDP."""

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field

import orjson

from cgii.base import limits, logs
from cgii.base.counters import EVENTS_DROPPED
from cgii.base.errors import Unavailable
from cgii.base.reasons import why
from cgii.collect import gaps
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.outlet import Outlet
from cgii.collect.packets.netflow import Exporters

SOURCE = "netflow"

log = logs.logger("collect")


@dataclass
class Netflow:
    """A port that routers send their flows to. `started` is set once `port` is the one in use."""

    host: str
    port: int
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Receive until `stop`. Raises Unavailable if the port cannot be had."""
        reading = _Datagrams(outlet)
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: reading, local_addr=(self.host, self.port)
            )
        except OSError as error:
            raise Unavailable(
                "No se puede escuchar NetFlow en {host}:{port}: {reason}. Elija otro puerto.",
                host=self.host,
                port=self.port,
                reason=why(error),
            ) from error
        try:
            found = transport.get_extra_info("socket")
            with contextlib.suppress(OSError):
                found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, limits.UDP_RECEIVE_BYTES)
            self.port = transport.get_extra_info("sockname")[1]
            kernel = gaps.KernelLosses(self.port)
            self.started.set()
            while not stop.is_set():
                await wait(stop, limits.KERNEL_LOOK_SECONDS)
                reading.tell(kernel.new())
        finally:
            transport.close()


class _Datagrams(asyncio.DatagramProtocol):
    """Without room the flows of a datagram are dropped and counted: UDP cannot wait."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._exporters = Exporters()
        self._stream = f"netflow:{socket.gethostname()}"
        reasons = (gaps.FULL, gaps.KERNEL, "sequence", "template", "surplus", "malformed")
        self._gaps = {reason: gaps.Gap(SOURCE, reason) for reason in reasons}
        self._told = {"sequence": 0, "template": 0, "surplus": 0, "malformed": 0}

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Called by asyncio for each datagram."""
        exporter = address[0]
        for record in self._exporters.read(data, exporter):
            if self._outlet.is_full:
                self._lose(gaps.FULL, 1)
                continue
            line = orjson.dumps(record)
            self._outlet.add_live(SOURCE, self._stream, line, size=len(line), peer=exporter)

    def error_received(self, error: Exception) -> None:
        """Called by asyncio for errors of the socket, which do not end it."""
        log.warning("netflow reports an error", error=str(error))

    def tell(self, dropped: int) -> None:
        """Put what was lost among the records, once there is room for it."""
        self._lose(gaps.KERNEL, dropped)
        exporters = self._exporters
        now = {
            "sequence": exporters.lost,
            "template": exporters.unexplained,
            "surplus": exporters.surplus,
            "malformed": exporters.malformed,
        }
        for reason, count in now.items():
            self._lose(reason, count - self._told[reason])
        self._told = now
        if self._outlet.is_full:
            return
        for gap in self._gaps.values():
            told = gap.told()
            if told is not None:
                stream = f"{self._stream}/{gaps.SOURCE}"
                self._outlet.add_live(gaps.SOURCE, stream, told, size=len(told))

    def _lose(self, reason: str, count: int) -> None:
        if count > 0:
            self._gaps[reason].add(count)
            EVENTS_DROPPED.labels(SOURCE, reason).inc(count)
