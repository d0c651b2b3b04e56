"""Receives syslog over UDP and TCP; whether there is room for a line is the caller's answer."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from cgii.base import limits, logs
from cgii.base.counters import EVENTS_DROPPED
from cgii.collect.inputs.framing import Framer

Offer = Callable[[bytes, str], bool]  # line, sender's address → was there room?
Put = Callable[[bytes, str], Awaitable[None]]  # waits for room

READ_BYTES = 64 * 1024

log = logs.logger("collect")


class UdpSyslog(asyncio.DatagramProtocol):
    """One datagram, one message. Without room it is dropped and counted: UDP cannot wait."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """Called by asyncio for each datagram."""
        line = data.rstrip(b"\r\n\0")
        if line and not self._offer(line, address[0]):
            EVENTS_DROPPED.labels("syslog_udp", "full").inc()

    def error_received(self, error: Exception) -> None:
        """Called by asyncio for errors of the socket, which do not end it."""
        log.warning("syslog over UDP reports an error", error=str(error))


async def serve_udp(host: str, port: int, offer: Offer) -> asyncio.DatagramTransport:
    """Listen for datagrams until the transport is closed. Raises OSError if the port is taken."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: UdpSyslog(offer), local_addr=(host, port)
    )
    found = transport.get_extra_info("socket")
    if found is not None:
        with contextlib.suppress(OSError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, limits.UDP_RECEIVE_BYTES)
    return transport


class TcpSyslog:
    """Connections of syslog senders; while there is no room their sockets are not read.

    With all places taken, whoever sent nothing whole for longest gives way to who comes: a peer
    that trickles bytes or only holds its connection keeps nobody out.
    """

    def __init__(self, put: Put) -> None:
        self._put = put
        self._heard: dict[asyncio.Task[None], float] = {}  # when each last said something whole

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen until the server is closed. Raises OSError if the port is taken."""
        return await asyncio.start_server(self._accept, host, port)

    async def close(self) -> None:
        """End the open connections."""
        for task in self._heard:
            task.cancel()
        await asyncio.gather(*self._heard, return_exceptions=True)

    def admit(self, talk: Coroutine[Any, Any, None]) -> bool:
        """Run a connection if there is a place for it."""
        loop = asyncio.get_running_loop()
        if len(self._heard) >= limits.TCP_CONNECTIONS_MAX and not self._make_place(loop.time()):
            log.warning("too many syslog connections; one was refused")
            talk.close()
            return False
        task = loop.create_task(talk)
        self._heard[task] = loop.time()
        task.add_done_callback(self._heard.pop)
        return True

    def _make_place(self, now: float) -> bool:
        quietest = min(self._heard, key=self._heard.__getitem__)
        if now - self._heard[quietest] < limits.TCP_QUIET_SECONDS:
            return False
        self._heard[quietest] = now  # on its way out: the next one takes another's place
        return quietest.cancel()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self.admit(self.read(reader, writer)):
            writer.close()

    async def read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Put every message of one connection until it ends."""
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        framer = Framer()
        try:
            while True:
                async with asyncio.timeout(limits.TCP_IDLE_SECONDS_MAX):
                    piece = await reader.read(READ_BYTES)
                if not piece:
                    break
                for line in framer.feed(piece):
                    await self._put(line, peer)
                    self._was_heard()
            for line in framer.end():
                await self._put(line, peer)
        except (TimeoutError, OSError):
            for line in framer.end():
                await self._put(line, peer)
        finally:
            writer.close()

    def _was_heard(self) -> None:
        task = asyncio.current_task()
        if task in self._heard:
            self._heard[task] = asyncio.get_running_loop().time()
