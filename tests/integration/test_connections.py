"""Connections that bring no request: closed in time, and nobody else waits for them."""

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import uvicorn
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from cgii.base import limits
from cgii.cli import connections
from tests.ports import free_port
from tests.waiting import until

PROXY, STRANGER = "127.0.0.1", "127.0.0.2"  # uvicorn trusts the first as a proxy
PATIENCE = 60
HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


@dataclass(frozen=True)
class Web:
    """A server on loopback whose slow page waits to be let go."""

    port: int
    let_go: threading.Event

    def connect(self, address: str = PROXY) -> socket.socket:
        """A connection from one of our addresses."""
        return socket.create_connection(
            (PROXY, self.port), timeout=PATIENCE, source_address=(address, 0)
        )

    def get(self, path: str = "/") -> int:
        """The status of a page, on a connection of its own."""
        connection = http.client.HTTPConnection(PROXY, self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[Web]:
    """A server as `cgii serve` starts it, with little patience."""
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    let_go = threading.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/slow":
            await asyncio.to_thread(let_go.wait, PATIENCE)
        await PlainTextResponse("here")(scope, receive, send)

    site = Web(free_port(), let_go)
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=site.port, http=connections.Connection, lifespan="off", log_config=None
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: server.started, "the server listens")
    yield site
    let_go.set()
    server.should_exit = True
    thread.join(PATIENCE)


def _is_closed(connection: socket.socket) -> bool:
    connection.settimeout(0)
    try:
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:  # reset
        return True


def _trickle(connection: socket.socket) -> bool:
    """Send a header's next byte, and say whether nobody takes it any more."""
    with contextlib.suppress(OSError):
        connection.send(b"a")
    return _is_closed(connection)


def test_a_connection_that_sends_nothing_is_closed(web: Web) -> None:
    idle = web.connect()
    assert web.get() == 200
    until(lambda: _is_closed(idle), "the idle connection is closed", seconds=PATIENCE)


def test_a_head_that_comes_byte_by_byte_is_closed(web: Web) -> None:
    slow = web.connect()
    slow.sendall(HEAD + b"X: ")
    until(lambda: _trickle(slow), "the trickling head is closed", seconds=PATIENCE)
    assert web.get() == 200


def test_a_second_head_that_trickles_is_closed_too(web: Web) -> None:
    slow = web.connect()
    slow.sendall(HEAD + b"\r\n")
    assert slow.recv(4096).startswith(b"HTTP/1.1 200")
    slow.sendall(HEAD + b"X: ")
    until(lambda: _trickle(slow), "the second head is closed", seconds=PATIENCE)


def test_a_request_at_work_may_take_longer_than_a_head(web: Web) -> None:
    working = web.connect()
    working.sendall(HEAD.replace(b"/", b"/slow", 1) + b"\r\n")
    time.sleep(1)  # twice what a head is waited for
    web.let_go.set()
    assert working.recv(4096).startswith(b"HTTP/1.1 200")


def test_idle_connections_beyond_the_limit_make_place_for_others(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", PATIENCE)
    monkeypatch.setattr(limits, "CONNECTIONS_MAX", 5)
    idle = [web.connect() for _ in range(8)]
    assert web.get() == 200
    until(lambda: _is_closed(idle[0]), "the longest idle made place", seconds=PATIENCE)
    assert not _is_closed(idle[-1])


def test_one_address_leaves_place_for_others_and_a_proxy_is_none(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "ADDRESS_CONNECTIONS_MAX", 3)
    proxied = [web.connect() for _ in range(6)]
    strange = [web.connect(STRANGER) for _ in range(6)]
    until(lambda: sum(map(_is_closed, strange)) == 3, "three of six are closed", seconds=PATIENCE)
    assert not any(map(_is_closed, proxied))


def test_what_is_refused_as_too_much_counts_requests_at_work(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", PATIENCE)
    monkeypatch.setattr(connections, "REQUESTS_AT_WORK_MAX", 1)
    idle = [web.connect() for _ in range(5)]
    assert web.get() == 200
    working = web.connect()
    working.sendall(HEAD.replace(b"/", b"/slow", 1) + b"\r\n")
    until(lambda: web.get() == 503, "the work is full", seconds=PATIENCE)
    web.let_go.set()
    assert working.recv(4096).startswith(b"HTTP/1.1 200")
    assert not any(map(_is_closed, idle))


@pytest.mark.parametrize(
    ("host", "owner"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_addresses_of_one_subscriber_are_counted_together(host: str, owner: str) -> None:
    assert connections._owner(host) == owner
