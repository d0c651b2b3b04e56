"""Syslog over TLS hears whom it should, and whoever holds a connection keeps nobody out."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cgii.base.errors import Invalid, Unavailable
from cgii.collect.buffer import Batch
from cgii.collect.definition import load_definitions
from cgii.collect.inputs.syslog_tls import SyslogTls
from cgii.collect.inputs.tls import Certificates, TlsFiles, server_context
from cgii.collect.listen import Inputs, Listener
from tests.certificates import Authority
from tests.ports import free_port

DEFINITIONS = load_definitions()
LINE = "<86>Mar 20 09:14:02 srv sshd[1]: Failed password for root from 203.0.113.9 port 1 ssh2"


class Heard:
    """What arrived over TLS, and the port."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.batches: list[Batch] = []

    @property
    def lines(self) -> list[str]:
        return [bytes(r.data).decode() for batch in self.batches for r in batch.raws]  # type: ignore[arg-type]

    async def has(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.lines) < count:
                await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def listening(files: TlsFiles) -> AsyncIterator[Heard]:
    heard = Heard(free_port())
    tls = SyslogTls("127.0.0.1", heard.port, files, DEFINITIONS)
    stop = asyncio.Event()
    listener = Listener(Inputs(others=(tls,)), DEFINITIONS, heard.batches.append)
    running = asyncio.create_task(listener.run(stop))
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(OSError):
                _, probe = await asyncio.open_connection("127.0.0.1", heard.port)
                probe.close()
                break
            await asyncio.sleep(0.01)
    try:
        yield heard
    finally:
        stop.set()
        async with asyncio.timeout(60):
            await running


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


async def say(port: int, context: ssl.SSLContext, text: str) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    writer.write(text.encode())
    await writer.drain()
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def files(authority: Authority) -> TlsFiles:
    pair = authority.issue("servidor")
    return TlsFiles(pair.certificate, pair.key)


def test_counted_messages_arrive_with_their_source_and_sender(
    authority: Authority, files: TlsFiles
) -> None:
    async def talk() -> Heard:
        async with listening(files) as heard:
            await say(heard.port, trusting(authority), f"{len(LINE)} {LINE}" * 2)
            await heard.has(2)
            return heard

    heard = asyncio.run(talk())
    assert heard.lines == [LINE, LINE]
    assert heard.batches[0].origin.source == "linux_auth"
    assert heard.batches[0].origin.stream.startswith("syslog:tls:")
    assert heard.batches[0].raws[0].peer == "127.0.0.1"


def test_what_a_sender_that_never_reads_had_sent_when_it_closed_is_heard(
    authority: Authority, files: TlsFiles
) -> None:
    """Anything that waits for it unread makes its system cut off what was not yet sent."""
    said = b"x" * 100_000  # more than we take unread, less than its system keeps for it

    def say_and_close(port: int) -> None:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as plain:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
            context = trusting(authority)
            with context.wrap_socket(plain, server_hostname="localhost") as sender:
                sender.sendall(said)

    heard = bytearray()
    with socket.socket() as listening, ThreadPoolExecutor(1) as pool:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        listening.settimeout(60)
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        saying = pool.submit(say_and_close, listening.getsockname()[1])
        taken, _ = listening.accept()
        with server_context(files).wrap_socket(taken, server_side=True) as connection:
            saying.result(60)
            while piece := connection.recv(65536):
                heard += piece
    assert heard == said


def test_older_than_tls_1_2_is_refused(files: TlsFiles) -> None:
    assert server_context(files).minimum_version == ssl.TLSVersion.TLSv1_2


def test_with_a_client_authority_only_its_certificates_are_heard(
    authority: Authority, tmp_path: Path
) -> None:
    server = authority.issue("servidor")
    clients = Authority(tmp_path, "equipos")
    ours, stranger = clients.issue("equipo"), Authority(tmp_path, "ajena").issue("ajeno")
    known, unknown = trusting(authority), trusting(authority)
    known.load_cert_chain(ours.certificate, ours.key)
    unknown.load_cert_chain(stranger.certificate, stranger.key)

    async def talk() -> list[str]:
        required = TlsFiles(server.certificate, server.key, clients.file)
        async with listening(required) as heard:
            for context, text in ((unknown, "<13>ajeno"), (trusting(authority), "<13>nadie")):
                with contextlib.suppress(OSError):  # TLS 1.3 tells the client only when it reads
                    await say(heard.port, context, text + "\n")
            await say(heard.port, known, "<13>nuestro\n")
            await heard.has(1)
        return heard.lines

    assert asyncio.run(talk()) == ["<13>nuestro"]


def test_a_renewed_certificate_serves_the_next_connection(
    authority: Authority, files: TlsFiles
) -> None:
    certificates = Certificates(files)
    before = certificates.context()
    assert certificates.context() is before
    authority.issue("servidor")

    assert certificates.context() is not before


def test_a_damaged_new_certificate_leaves_the_old_one_in_use(
    authority: Authority, files: TlsFiles
) -> None:
    certificates = Certificates(files)
    before = certificates.context()
    files.certificate.write_text("medio escrito")
    assert certificates.context() is before
    authority.issue("servidor")

    assert certificates.context() is not before


def test_a_certificate_that_is_missing_or_of_another_key_is_told(
    authority: Authority, files: TlsFiles, tmp_path: Path
) -> None:
    other = authority.issue("otro")
    for wrong in (
        TlsFiles(tmp_path / "falta.pem", files.key),
        TlsFiles(files.certificate, other.key),
        TlsFiles(files.certificate, files.key, tmp_path / "falta.pem"),
    ):
        with pytest.raises(Invalid, match="no sirven"):
            server_context(wrong)


def test_who_never_ends_the_handshake_is_cut_off(
    files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.TLS_HANDSHAKE_SECONDS", 0.2)

    async def hold() -> bytes:
        async with listening(files) as heard:
            reader, writer = await asyncio.open_connection("127.0.0.1", heard.port)
            writer.write(b"\x16")  # the first byte of a handshake
            async with asyncio.timeout(60):
                found = await reader.read()
            writer.close()
            return found

    with contextlib.suppress(ConnectionError):
        assert asyncio.run(hold()) == b""


def test_connections_that_say_nothing_whole_give_way_to_one_that_does(
    authority: Authority, files: TlsFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.TCP_CONNECTIONS_MAX", 4)
    monkeypatch.setattr("cgii.base.limits.TCP_QUIET_SECONDS", 0.1)

    async def crowd() -> list[str]:
        async with listening(files) as heard:
            held = []
            context = trusting(authority)
            while len(held) < 4:  # each half-way through a message
                with contextlib.suppress(OSError):  # the probe's place may not be free yet
                    held.append(await asyncio.open_connection("127.0.0.1", heard.port, ssl=context))
                    held[-1][1].write(b"<13>nunca ter")
            async with asyncio.timeout(60):
                while not heard.lines:
                    with contextlib.suppress(OSError):
                        await say(heard.port, trusting(authority), "<13>entero\n")
                    await asyncio.sleep(0.05)
            for _, writer in held:
                writer.close()
            return heard.lines

    assert set(asyncio.run(crowd())) == {"<13>entero"}


def test_a_port_that_is_taken_ends_the_collector_with_a_sentence(files: TlsFiles) -> None:
    async def twice() -> None:
        async with listening(files) as heard:
            second = SyslogTls("127.0.0.1", heard.port, files, DEFINITIONS)
            listener = Listener(Inputs(others=(second,)), DEFINITIONS, lambda batch: None)
            async with asyncio.timeout(60):
                await listener.run(asyncio.Event())

    with pytest.raises(Unavailable, match="Elija otro puerto"):
        asyncio.run(twice())
