"""Receives syslog over UDP and TCP; whether there is room for a line is the caller's answer."""

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable

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
    """Connections of syslog senders; while there is no room their sockets are not read."""

    def __init__(self, put: Put) -> None:
        self._put = put
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """Listen until the server is closed. Raises OSError if the port is taken."""
        return await asyncio.start_server(self._accept, host, port)

    async def close(self) -> None:
        """End the open connections."""
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._connections) >= limits.TCP_CONNECTIONS_MAX:
            log.warning("too many syslog connections; one was refused")
            writer.close()
            return
        task = asyncio.get_running_loop().create_task(self._read(reader, writer))
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)

    async def _read(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
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
            for line in framer.end():
                await self._put(line, peer)
        except (TimeoutError, OSError):
            for line in framer.end():
                await self._put(line, peer)
        finally:
            writer.close()
