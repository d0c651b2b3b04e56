"""Keeps connections that bring no request from taking the room of those that do."""

import asyncio
from ipaddress import IPv6Network

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.h11_impl import H11Protocol

from cgii.base import counters, limits

HEAD_SECONDS = 15.0  # from the connection, or from the first byte of a later request, to its head
ADDRESS_CONNECTIONS_MAX = 250  # a quarter of all: an office behind one address, and room for others
REQUESTS_AT_WORK_MAX = 900  # below limits.CONNECTIONS_MAX, so that one is left that can be closed
SUBSCRIBER_BITS = 64  # what one subscriber of IPv6 is given


class Connection(H11Protocol):
    """One connection of uvicorn's, closed when it stays idle or holds too many others' places.

    It is idle while no request of it is at work. A proxy that is trusted to say for whom it asks
    may have any number, since all come from its address.
    """

    _owner = ""
    _idle_since = 0.0  # of the loop's clock, seconds
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Make place for it, and wait for its first request."""
        super().connection_made(transport)
        self._idle_since = self.loop.time()
        self._owner = _owner(self.client[0]) if self.client else ""
        others = [one for one in self.connections if isinstance(one, Connection)]
        if not self._is_trusted():
            mine = [one for one in others if one._owner == self._owner]
            if len(mine) > ADDRESS_CONNECTIONS_MAX:
                _longest_idle(mine).end("address")
        if len(others) > limits.CONNECTIONS_MAX:
            _longest_idle(others).end("full")
        self._expect_head()

    def data_received(self, data: bytes) -> None:
        """Take what came, and wait for the rest of a head."""
        super().data_received(data)
        if self.is_idle:
            self._expect_head()
        else:
            self._stop_waiting()

    def handle_events(self) -> None:
        """Refuse a request with 503 by the number at work: uvicorn counts idle connections too."""
        is_full = len(self.tasks) >= REQUESTS_AT_WORK_MAX
        self.limit_concurrency = 0 if is_full else None
        super().handle_events()

    def on_response_complete(self) -> None:
        """Be idle from now on; uvicorn closes it when no byte follows."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def is_idle(self) -> bool:
        """Whether no request of it is at work."""
        return self.cycle is None or self.cycle.response_complete

    def end(self, reason: str) -> None:
        """Close it, and count why."""
        if self.transport.is_closing():
            return
        counters.CONNECTIONS_CLOSED.labels(reason).inc()
        self._stop_waiting()
        self.connections.discard(self)  # its place is free at once
        self.transport.close()

    def _expect_head(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(HEAD_SECONDS, self.end, "idle")

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _is_trusted(self) -> bool:
        app = self.app  # uvicorn's own list, so that both trust the same
        host = self.client[0] if self.client else None
        return isinstance(app, ProxyHeadersMiddleware) and host in app.trusted_hosts


def _longest_idle(connections: list[Connection]) -> Connection:
    """The one to close: idle for the longest, and the newest if all are at work."""
    idle = [one for one in connections if one.is_idle]
    return min(idle, key=lambda one: one._idle_since)


def _owner(host: str) -> str:
    """The address that connections are counted by."""
    if ":" not in host:
        return host
    return str(IPv6Network((host.partition("%")[0], SUBSCRIBER_BITS), strict=False))
