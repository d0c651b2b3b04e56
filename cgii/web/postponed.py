"""Tells who floods to wait again and again, before its batch is read or its sender looked up.

To find the route, look up the sender and check a signature costs more than a small batch of
somebody else. So a sender that was told to wait is known again by what its request is sent with.
Only what was told to a genuine sender is remembered: nobody can make somebody else wait in its
name, and who uses the name of one that has to wait is told to wait too. Each process remembers for
itself, so a sender is looked up once in each.
"""

import hashlib
import math
import secrets
from collections.abc import Callable, Mapping
from time import monotonic

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from cgii.base import counters, limits
from cgii.base.signatures import read_signed
from cgii.web.failures import answer_failure
from cgii.web.senders import token_in

TOO_MANY_REQUESTS = 429


class ComeAgain(HTTPException):
    """The answer 429 to a batch; it is counted by its reason, `pace` or `line`."""

    def __init__(self, reason: str, seconds: int) -> None:
        counters.BATCHES_POSTPONED.labels(reason).inc()
        self.reason, self.seconds = reason, seconds
        super().__init__(
            TOO_MANY_REQUESTS,
            "Su entidad envía más de lo que le corresponde y otras esperan. Reenvíe el lote "
            "después de la espera que indica «Retry-After».",
            headers={"Retry-After": str(seconds)},
        )


class Postponed:
    """Until when senders have to wait. Everything happens on one event loop: nothing is locked."""

    def __init__(self, *, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}  # by credential; who was told last is last
        self._secret = secrets.token_bytes(32)

    def __len__(self) -> int:
        return len(self._until)

    def remember(self, headers: Mapping[str, str], seconds: int) -> None:
        """The sender of a request with these headers, which was found genuine, has to wait."""
        name, now = self._credential(headers), self._clock()
        self._until.pop(name, None)
        self._until[name] = now + seconds
        while len(self._until) > limits.INGEST_POSTPONED_MAX or self._oldest() <= now:
            del self._until[next(iter(self._until))]

    def seconds_left(self, headers: Mapping[str, str]) -> int:
        """How long whoever sends with these headers has to wait, rounded up; 0 for most."""
        if not self._until:
            return 0
        left = self._until.get(self._credential(headers), 0) - self._clock()
        return max(0, math.ceil(left))

    def _oldest(self) -> float:
        return next(iter(self._until.values()), math.inf)

    def _credential(self, headers: Mapping[str, str]) -> str:
        """The key that is claimed to sign, or a digest of the token that only we can make."""
        signed = read_signed(headers)
        if signed is not None:
            return f"key:{signed.key_id}"
        token = token_in(headers.get("authorization", "")).encode()
        return f"token:{hashlib.blake2b(token, key=self._secret, digest_size=16).hexdigest()}"


class Postponing:
    """Answers batches of those that have to wait.

    It stands behind the limit of bodies, which reads to the end of a body and throws it away: a
    sender that is cut off in the middle never reads the answer, and comes back at once.
    """

    def __init__(self, app: ASGIApp, *, path: str, postponed: Postponed) -> None:
        self._app = app
        self._path = path
        self._postponed = postponed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_batch = scope["type"] == "http" and scope["path"] == self._path
        seconds = self._postponed.seconds_left(Headers(scope=scope)) if is_batch else 0
        if not seconds:
            await self._app(scope, receive, send)
            return
        response = answer_failure(Request(scope), ComeAgain("pace", seconds))
        await response(scope, receive, send)
