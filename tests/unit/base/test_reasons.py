"""Reasons of the system, the resolver and TLS in Spanish; what is not known keeps its words."""

import asyncio
import errno
import gzip
import imaplib
import os
import socket
import ssl
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from cgii.base.errors import Unavailable
from cgii.base.reasons import why
from tests.certificates import Authority
from tests.ports import free_port


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), "se rechazó la conex"),
        (PermissionError(errno.EACCES, "Permission denied", "/x"), "no hay permiso"),
        (OSError(errno.ENOSPC, "No space left on device"), "no queda espacio en el disco"),
        (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), "ese nombre no existe"),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure"), "servidor de nombres"),
        (TimeoutError("timed out"), "no hubo respuesta a tiempo"),
        (ssl.SSLEOFError(8, "EOF occurred in violation of protocol"), "se cortó la conexión"),
    ],
)
def test_a_well_known_reason_is_said_in_spanish(error: Exception, said: str) -> None:
    assert said in why(error)


def test_what_is_not_known_keeps_its_words_on_one_line() -> None:
    assert why(OSError(errno.EXDEV, os.strerror(errno.EXDEV), "/x")) == os.strerror(errno.EXDEV)
    assert why(ssl.SSLError(1, "[SSL: NEW_REASON] new")) == "[SSL: NEW_REASON] new"
    assert why(ValueError("one\n  two")) == "one two"
    assert why(imaplib.IMAP4.error(b"[AUTHENTICATIONFAILED] no")) == "[AUTHENTICATIONFAILED] no"
    assert why(ValueError()) == "ValueError"


def test_an_error_of_ours_is_said_as_it_is() -> None:
    error = Unavailable("No está {name}.", name="él")
    error.__cause__ = FileNotFoundError(errno.ENOENT, "No such file or directory")
    assert why(error) == "No está él."


def test_what_a_library_wraps_is_looked_for() -> None:
    address = f"http://127.0.0.1:{free_port()}"

    async def ask() -> None:
        async with httpx2.AsyncClient() as client:
            await client.get(address)

    with pytest.raises(httpx2.ConnectError) as at_once:
        httpx2.get(address)
    with pytest.raises(httpx2.ConnectError) as later:
        asyncio.run(ask())
    assert {why(at_once.value), why(later.value)} == {"se rechazó la conexión"}

    with pytest.raises(UnicodeError) as name:
        asyncio.run(_resolved("a..b"))
    assert why(name.value) == "no es un nombre de máquina"


async def _resolved(host: str) -> None:
    await asyncio.get_running_loop().getaddrinfo(host, 80)


def test_what_tls_says(tmp_path: Path) -> None:
    plain, there = ssl.MemoryBIO(), ssl.MemoryBIO()
    plain.write(b"HTTP/1.0 400 Bad Request\r\n\r\n")
    with pytest.raises(ssl.SSLError) as other:
        ssl.create_default_context().wrap_bio(plain, there, server_hostname="x").do_handshake()
    assert why(other.value) == "no habla TLS"

    (tmp_path / "no.pem").write_text("hola")
    with pytest.raises(ssl.SSLError) as authority:
        ssl.create_default_context(cafile=tmp_path / "no.pem")
    with pytest.raises(ssl.SSLError) as own:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "no.pem")
    assert why(authority.value) == "no trae un certificado en PEM"
    assert why(own.value) == "no es PEM"


def test_what_is_wrong_with_a_certificate(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path), Authority(tmp_path, "otra")
    good, late = ours.issue("vigente"), ours.issue("vencido", days=-1)
    for pair, authority, name, said in (
        (good, other, "localhost", "no se confía en quien firmó su certificado"),
        (good, ours, "cgii.example", "su certificado es de otro nombre"),
        (good, ours, "127.0.0.2", "su certificado es de otra dirección"),
        (late, ours, "localhost", "su certificado venció"),
    ):
        server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        server.load_cert_chain(pair.certificate, pair.key)
        client = ssl.create_default_context(cafile=authority.file)
        with pytest.raises(ssl.SSLError) as wrong:
            _shake_hands(client, server, name)
        assert why(wrong.value) == said


def _shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    """In memory. Raises SSLError."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        client.wrap_bio(back, there, server_hostname=name),
        server.wrap_bio(there, back, server_side=True),
    )
    for side in sides * 2:
        with suppress(ssl.SSLWantReadError):
            side.do_handshake()


def test_what_is_damaged() -> None:
    whole = gzip.compress(b"x" * 99)
    for data, said in ((whole[:-9], "termina antes de tiempo"), (b"hola", "no es gzip")):
        with pytest.raises((EOFError, OSError)) as broken:
            gzip.decompress(data)
        assert why(broken.value) == said
