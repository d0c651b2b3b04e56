"""Runs the inputs into one bounded buffer and hands out batches until told to stop.

A batch is kept and tried again for as long as `deliver` raises Unavailable. A followed file is
read on from the positions that were delivered; `deliver` keeps them, best in the transaction that
keeps the events.
"""

import asyncio
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cgii.base import clock, limits, logs
from cgii.base.counters import EVENTS_DROPPED
from cgii.base.errors import CgiiError, Unavailable
from cgii.base.ids import token
from cgii.base.reasons import why
from cgii.collect import gaps
from cgii.collect.buffer import Batch, Buffer
from cgii.collect.definition import Definitions
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.following import Follow, wait
from cgii.collect.inputs.netflow import Netflow
from cgii.collect.inputs.outlet import Input, Outlet, Zoned
from cgii.collect.inputs.syslog import TcpSyslog, serve_udp
from cgii.collect.inputs.syslog_tls import SyslogTls
from cgii.collect.route import choose_source

__all__ = ["Batch", "Deliver", "Follow", "Inputs", "Listener", "Position"]

Deliver = Callable[[Batch], None]

# Without its port nothing can be sent to it, and no waiting helps: the process ends and says so.
LISTENING = (SyslogTls, Netflow)

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class Inputs:
    """What to listen to; a port of None is off, 0 takes any free one."""

    host: str = "127.0.0.1"
    udp_port: int | None = None
    tcp_port: int | None = None
    zone: str = ""  # of the lines that come by them and name none
    others: tuple[Input, ...] = ()  # each runs by itself: followed files and more


class Listener:
    """The inputs of one process. `run` returns when `stop` is set and the buffer is handed out."""

    def __init__(
        self,
        inputs: Inputs,
        definitions: Definitions,
        deliver: Deliver,
        *,
        positions: Mapping[str, Position] | None = None,
        sensor_id: int | None = None,
        entity_id: int | None = None,
        buffer: Buffer | None = None,
    ) -> None:
        self._inputs = inputs
        self._definitions = definitions
        self._deliver = deliver
        self._buffer = Buffer() if buffer is None else buffer
        self._outlet = Outlet(
            self._buffer,
            self._keep_trying,
            # A new name each start: the counters of network streams begin again.
            epoch=f"{clock.now():%Y%m%dT%H%M%S}-{token()[:8]}",
            owner=(sensor_id, entity_id),
            positions=positions,
            shape_of=definitions.shape_of,
        )
        self._syslog = self._outlet.in_zone(inputs.zone)
        self._full = gaps.Gap("syslog_udp", gaps.FULL)
        self._dropped = gaps.Gap("syslog_udp", gaps.KERNEL)
        self._kernel: gaps.KernelLosses | None = None
        self._looked_at = 0.0
        self._host = socket.gethostname()
        self._given_up: set[str] = set()  # streams of which a batch was left at the end
        self.started = asyncio.Event()
        self.udp_port = self.tcp_port = 0  # the ports in use, once started

    async def run(self, stop: asyncio.Event) -> None:
        """Receive and deliver until `stop`. Raises Unavailable if a port cannot be had."""
        tcp = TcpSyslog(self._put_tcp)
        closing: list[asyncio.BaseTransport | asyncio.Server] = []
        running: list[asyncio.Task[None]] = []
        try:
            await self._listen(tcp, closing)
            running = [
                asyncio.create_task(self._keep_running(each, stop)) for each in self._inputs.others
            ]
            self.started.set()
            await self._hand_out(stop, running)
        finally:
            for each in closing:
                each.close()
            await tcp.close()
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
        await self._empty()

    async def _listen(
        self, tcp: TcpSyslog, closing: list[asyncio.BaseTransport | asyncio.Server]
    ) -> None:
        inputs = self._inputs
        try:
            if inputs.udp_port is not None:
                transport = await serve_udp(inputs.host, inputs.udp_port, self._offer_udp)
                closing.append(transport)
                self.udp_port = transport.get_extra_info("sockname")[1]
                self._kernel = gaps.KernelLosses(self.udp_port)
            if inputs.tcp_port is not None:
                server = await tcp.serve(inputs.host, inputs.tcp_port)
                closing.append(server)
                self.tcp_port = server.sockets[0].getsockname()[1]
        except OSError as error:
            raise Unavailable(
                "No se puede escuchar syslog en {host}: {reason}. Elija otro puerto.",
                host=inputs.host,
                reason=why(error),
            ) from error

    async def _keep_running(self, each: Input, stop: asyncio.Event) -> None:
        """Begin an input anew for as long as the outside is in its way; the others go on."""
        inner = each.inner if isinstance(each, Zoned) else each
        tries, told, name = 0, "", type(inner).__name__.lower()
        while not stop.is_set():
            try:
                await each.run(self._outlet, stop)
            except (CgiiError, OSError) as error:
                if isinstance(inner, LISTENING):
                    raise
                if told != (reason := _in_the_way(error)):
                    told = reason
                    log.error("an input cannot run, will be tried again", input=name, reason=told)
                    await self._outlet.tell_loss(name, "gap", "unavailable", detail=told)
                await wait(stop, back_off(tries, random.random()))  # noqa: S311  not a secret
                tries += 1
            else:
                return

    def _offer_udp(self, line: bytes, peer: str) -> bool:
        if self._buffer.is_full:
            self._full.add()
            return False
        self._add("udp", line, peer)
        return True

    async def _put_tcp(self, line: bytes, peer: str) -> None:
        await self._buffer.wait_for_room()
        self._add("tcp", line, peer)

    def _add(self, way: str, line: bytes, peer: str) -> None:
        self._add_to(way, choose_source(line, self._definitions), line, peer)

    def _add_to(self, way: str, source: str, line: bytes, peer: str = "") -> None:
        stream = f"syslog:{way}:{self._host}/{source}"
        self._syslog.add_live(source, stream, line, size=len(line), peer=peer)

    def _tell_losses(self) -> None:
        """Put what was lost among the records, once there is room for it."""
        now = asyncio.get_running_loop().time()
        if self._kernel is not None and now - self._looked_at >= limits.KERNEL_LOOK_SECONDS:
            self._looked_at = now
            lost = self._kernel.new()
            self._dropped.add(lost)
            EVENTS_DROPPED.labels("syslog_udp", "kernel").inc(lost)
        if self._buffer.is_full:
            return
        for gap in (self._full, self._dropped):
            told = gap.told()
            if told is not None:
                self._add_to("sensor", gaps.SOURCE, told)

    async def _hand_out(self, stop: asyncio.Event, running: list[asyncio.Task[None]]) -> None:
        while not stop.is_set():
            for task in running:
                if task.done():
                    task.result()  # a port that cannot be had and a mistake of ours must be seen
            self._tell_losses()
            await self._buffer.wait_for_items(limits.LISTEN_FLUSH_SECONDS)
            if 0 < len(self._buffer) < limits.LISTEN_BATCH_RECORDS:
                await wait(stop, limits.LISTEN_FLUSH_SECONDS)
            for batch in self._buffer.take():
                await self._keep_trying(batch, stop)

    async def _keep_trying(self, batch: Batch, stop: asyncio.Event) -> None:
        tries = 0
        if batch.origin.stream in self._given_up:
            self._give_up(batch)
            return
        while not await self._try(batch):
            if stop.is_set():
                self._give_up(batch)
                return
            await wait(stop, back_off(tries, random.random()))  # noqa: S311  not a secret
            tries += 1

    async def _try(self, batch: Batch) -> bool:
        """Whether the batch is done with: delivered, or refused for good."""
        try:
            await asyncio.to_thread(self._deliver, batch)
        except Unavailable as error:
            log.warning("batch not delivered, will be tried again", reason=str(error))
            return False
        except CgiiError as error:
            log.error("batch refused", stream=batch.origin.stream, reason=str(error))
            EVENTS_DROPPED.labels(_way(batch), "refused").inc(len(batch.raws))
        return True

    async def _empty(self) -> None:
        """What is left at the end gets one try; followed files will be read again anyway."""
        self._tell_losses()
        while len(self._buffer):
            for batch in self._buffer.take():
                if batch.origin.stream in self._given_up or not await self._try(batch):
                    self._give_up(batch)

    def _give_up(self, batch: Batch) -> None:
        # Nothing later of this stream may be delivered: its position would pass over this batch.
        self._given_up.add(batch.origin.stream)
        if not batch.positions:
            EVENTS_DROPPED.labels(_way(batch), "stopped").inc(len(batch.raws))


def back_off(tries: int, share: float, pauses: Sequence[float] = ()) -> float:
    """Seconds before the next try: longer each time, with up to half of it by chance (0 to 1).

    `pauses` in place of those while the centre is unavailable.
    """
    longest = pauses or limits.LISTEN_RETRY_SECONDS
    return longest[min(tries, len(longest) - 1)] * (0.5 + share / 2)


def _in_the_way(error: CgiiError | OSError) -> str:
    path = error.filename if isinstance(error, OSError) else None
    return f"{path}: {why(error)}" if path else why(error)


def _way(batch: Batch) -> str:
    """`syslog_udp`, `syslog_tcp` or `file`: which input, for a counter."""
    return "file" if batch.positions else "_".join(batch.origin.stream.split(":")[:2])
