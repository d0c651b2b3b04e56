"""What every request passes before it reaches a route: limits of its body, headers, a number.

Plain ASGI, because Starlette's BaseHTTPMiddleware would read bodies and answers into memory.
"""

import asyncio
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from time import perf_counter

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cgii.base import counters, limits
from cgii.base.signatures import TIME_HEADER, nonce_of, told_time

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
NOT_AN_ADDRESS, TOO_LARGE, TOO_SLOW = 400, 413, 408
NUL = b"%00"  # no name or text of ours has one, and PostgreSQL cannot be asked for it
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Observing:
    """Numbers each request, times it, and puts the security headers on every answer."""

    def __init__(self, app: ASGIApp, *, is_secure: bool) -> None:
        self._app = app
        self._headers = dict(SECURITY_HEADERS)
        if is_secure:
            self._headers["Strict-Transport-Security"] = "max-age=31536000"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        number = _request_id(Headers(scope=scope).get("x-request-id"))
        scope.setdefault("state", {})["request_id"] = number
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=number)
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
                headers["X-Request-ID"] = number
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            counters.REQUESTS.labels(f"{status // 100}xx").inc()
            counters.REQUEST_SECONDS.labels(route).observe(perf_counter() - started)


def _request_id(given: str | None) -> str:
    return given if given and REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


class TellingTime:
    """Tells sensors our time with every answer, also a refusal: they sign with it."""

    def __init__(
        self, app: ASGIApp, *, paths: tuple[str, ...], now: Callable[[], datetime]
    ) -> None:
        self._app = app
        self._paths = paths
        self._now = now

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(self._paths):
            await self._app(scope, receive, send)
            return
        nonce = nonce_of(Headers(scope=scope))

        async def send_with_time(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[TIME_HEADER] = told_time(self._now(), nonce)
            await send(message)

        await self._app(scope, receive, send_with_time)


@dataclass(frozen=True)
class BodyAllowance:
    """Routes whose path fits `path` take bodies up to `bytes_max`."""

    path: re.Pattern[str]
    bytes_max: int


class BodyLimit:
    """Counts a body while it comes in, before anybody is asked who they are.

    An address that no database could be asked for is refused with 400.
    Too much is answered with 413, too slow with 408. What is past the limit is read and thrown
    away for a while: a sender that is cut off in the middle never reads the answer.
    """

    def __init__(self, app: ASGIApp, *, allowances: Sequence[BodyAllowance]) -> None:
        self._app = app
        self._allowances = allowances

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if NUL in scope["query_string"] or "\0" in scope["path"]:
            raise HTTPException(NOT_AN_ADDRESS, "La dirección contiene caracteres no admitidos.")
        bytes_max = self._bytes_max(scope["path"])
        body = _Body(receive, bytes_max)
        announced = Headers(scope=scope).get("content-length", "")
        if announced.isdecimal() and int(announced) > bytes_max:
            await body.discard()
            raise _too_large(bytes_max)

        async def send_after_body(message: Message) -> None:
            if message["type"] == "http.response.start":
                await body.finish()
            await send(message)

        await self._app(scope, body.receive, send_after_body)

    def _bytes_max(self, path: str) -> int:
        for allowance in self._allowances:
            if allowance.path.match(path):
                return allowance.bytes_max
        return limits.BODY_BYTES_MAX


class _Body:
    """One request's body, counted and against the clock."""

    def __init__(self, receive: Receive, bytes_max: int) -> None:
        self._receive = receive
        self._bytes_max = bytes_max
        self._deadline = asyncio.get_running_loop().time() + limits.BODY_SECONDS_MAX
        self._count = 0
        self._is_complete = False

    async def receive(self) -> Message:
        if self._is_complete:  # then this waits for the end of the connection, however long
            return await self._receive()
        message = await self._next()
        if self._count > self._bytes_max:
            await self.discard()
            raise _too_large(self._bytes_max)
        return message

    async def finish(self) -> None:
        """Read what nobody asked for: an answer in the middle of a body is lost on its way."""
        with suppress(HTTPException):
            await self.discard()

    async def discard(self) -> None:
        last = self._bytes_max + limits.BODY_DISCARDED_BYTES_MAX
        while not self._is_complete and self._count < last:
            await self._next()

    async def _next(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError as error:
            raise HTTPException(
                TOO_SLOW, "El envío tardó demasiado y se interrumpió. Intente de nuevo."
            ) from error
        self._count += len(message.get("body", b""))
        self._is_complete = message["type"] != "http.request" or not message.get("more_body")
        return message


def _too_large(bytes_max: int) -> HTTPException:
    megabytes = max(1, bytes_max // (1024 * 1024))
    return HTTPException(
        TOO_LARGE,
        f"Lo que envió es demasiado grande: aquí se aceptan hasta {megabytes} MB. "
        "Acorte el texto o divida el archivo.",
    )
