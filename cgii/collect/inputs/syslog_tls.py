"""Receives syslog over TLS (RFC 5425): who has no certificate that we ask for is not heard."""

import asyncio
import socket
from dataclasses import dataclass

from cgii.base import limits, logs
from cgii.base.errors import Unavailable
from cgii.base.reasons import why
from cgii.collect.definition import Definitions
from cgii.collect.inputs.outlet import Outlet
from cgii.collect.inputs.syslog import TcpSyslog
from cgii.collect.inputs.tls import Certificates, TlsFiles
from cgii.collect.route import choose_source

BACKLOG = 128

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class SyslogTls:
    """Where to listen, with which files; the definitions tell the source of each line."""

    host: str
    port: int
    files: TlsFiles
    definitions: Definitions

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put each message until `stop`. Raises Unavailable without the port, Invalid without a
        certificate.
        """
        here = socket.gethostname()

        async def put(line: bytes, peer: str) -> None:
            source = choose_source(line, self.definitions)
            stream = f"syslog:tls:{here}/{source}"
            await outlet.put_live(source, stream, line, size=len(line), peer=peer)

        server = TlsServer(TcpSyslog(put), Certificates(self.files))
        listening = _bound(self.host, self.port)
        accepting = asyncio.create_task(server.accept(listening))
        try:
            await stop.wait()
        finally:
            accepting.cancel()
            await asyncio.gather(accepting, return_exceptions=True)
            listening.close()
            await server.close()


class TlsServer:
    """Accepts by itself, so that a handshake under way counts as a connection."""

    def __init__(self, syslog: TcpSyslog, certificates: Certificates) -> None:
        self._syslog = syslog
        self._certificates = certificates

    async def accept(self, listening: socket.socket) -> None:
        """Take connections until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(listening)
            except OSError as error:  # no descriptors left, or the peer is gone already
                log.warning("a syslog connection could not be accepted", reason=str(error))
                await asyncio.sleep(limits.ACCEPT_PAUSE_SECONDS)
                continue
            if not self._syslog.admit(self._talk(connection, str(address[0]))):
                connection.close()

    async def close(self) -> None:
        """End the open connections."""
        await self._syslog.close()

    async def _talk(self, connection: socket.socket, peer: str) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(
                lambda: protocol,
                connection,
                ssl=self._certificates.context(),
                ssl_handshake_timeout=limits.TLS_HANDSHAKE_SECONDS,
                ssl_shutdown_timeout=limits.TLS_SHUTDOWN_SECONDS,
            )
        except OSError as error:  # SSLError and TimeoutError are such; the socket is closed
            log.info("a TLS handshake failed", peer=peer, reason=str(error))
            return
        await self._syslog.read(reader, asyncio.StreamWriter(transport, protocol, reader, loop))


def _bound(host: str, port: int) -> socket.socket:
    try:
        listening = socket.create_server((host, port), backlog=BACKLOG)
    except OSError as error:
        raise Unavailable(
            "No se puede escuchar syslog con TLS en {host}:{port}: {reason}. Elija otro puerto.",
            host=host,
            port=port,
            reason=why(error),
        ) from error
    listening.setblocking(False)
    return listening
