"""Speaks to a remote centre over HTTPS: packed batches, and what else there is to say."""

import gzip
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any

import httpx2
import orjson

from cgii.base import clock, limits
from cgii.base.errors import CgiiError, Invalid, NotAllowed, NotSignedIn, Unavailable
from cgii.base.reasons import why
from cgii.base.signatures import TIME_HEADER, SecretKey, nonce_of, read_told_time
from cgii.collect import convert
from cgii.collect.buffer import Batch
from cgii.collect.listen import back_off
from cgii.collect.outgoing import trusting

PATH = "/api/v1/ingest"
REFUSED = frozenset({400, 413, 422})  # what is said of a batch, not of the moment
PACK_LEVEL = 5  # a third of the time of 9 for nearly the same size
NO_CENTRE = "En la dirección del centro responde otra cosa, quizás un proxy en mantenimiento."
WORTH_ANOTHER_TRY = timedelta(seconds=30)  # that our clock was found to be off

# Path, body, the time by the centre's clock → the headers by which the centre knows the sender.
Authorise = Callable[[str, bytes, datetime], Mapping[str, str]]


def by_token(token: str) -> Authorise:
    """For programs that cannot sign."""
    return lambda path, body, now: {"Authorization": f"Bearer {token}"}


def by_key(current: Callable[[], SecretKey]) -> Authorise:
    """With a signature by the key that is current at that moment."""
    return lambda path, body, now: current().headers("POST", path, body, now=now)


class Sender:
    """A connection to one centre, shared by threads."""

    def __init__(
        self,
        centre: str,
        authorise: Authorise,
        *,
        ca_file: Path | None = None,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        """Raises Invalid if `ca_file` is no certificate."""
        self._authorise = authorise
        self.skew = timedelta(0)  # our clock before the centre's, as it told last
        self._ca_file = ca_file
        self._trusted = trusting(ca_file) if ca_file else None
        self._client = httpx2.Client(
            base_url=centre.rstrip("/"),
            timeout=limits.SEND_TIMEOUT_SECONDS,
            transport=transport,
            verify=self._trusted or True,
            follow_redirects=False,  # what identifies us goes to the named centre only
        )

    def __enter__(self) -> "Sender":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def send(self, body: bytes) -> None:
        """Send a packed batch once; returns when the centre has committed it. Raises as `post`."""
        answer = self.post(PATH, body, {"Content-Encoding": "gzip"})
        if "events" not in answer:  # a page of a proxy may say 200 as well
            raise Unavailable(NO_CENTRE)

    def post(
        self,
        path: str,
        body: bytes,
        headers: Mapping[str, str] = MappingProxyType({}),
        *,
        authorise: Authorise | None = None,
    ) -> dict[str, Any]:
        """The centre's answer to a JSON request.

        Raises Unavailable when it may be tried again, NotSignedIn or NotAllowed when the centre
        does not know us, Invalid when it will not have this request.
        """
        for _ in range(2):
            before = self.skew
            answer = self._ask(path, body, headers, authorise or self._authorise)
            if answer.status_code != 401 or abs(self.skew - before) < WORTH_ANOTHER_TRY:
                break
        if answer.status_code == 200:
            return _object(answer)
        raise _refusal(answer)

    def _ask(
        self, path: str, body: bytes, headers: Mapping[str, str], authorise: Authorise
    ) -> httpx2.Response:
        ours = authorise(path, body, clock.now() - self.skew)
        try:
            answer = self._client.post(
                path,
                content=body,
                headers={"Content-Type": "application/json", **ours, **headers},
            )
        except (httpx2.HTTPError, UnicodeEncodeError) as error:  # of a token with an accent
            self._trust_again()
            raise Unavailable("El centro no responde: {reason}.", reason=why(error)) from error
        there = read_told_time(answer.headers.get(TIME_HEADER, ""), nonce_of(ours))
        if there is not None:
            self.skew = clock.now() - there
        return answer

    def _trust_again(self) -> None:
        """Trust the authority that may stand in the file by now as well, from the next try on."""
        if self._trusted is not None:
            with suppress(OSError):  # SSLError is one
                self._trusted.load_verify_locations(self._ca_file)


def _object(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.content)
    except ValueError as error:
        raise Unavailable(NO_CENTRE) from error
    if not isinstance(found, dict):
        raise Unavailable(NO_CENTRE)
    return found


def _refusal(answer: httpx2.Response) -> CgiiError:
    status, why = answer.status_code, _reason(answer)
    if status == 401:
        return NotSignedIn("El centro no reconoce a este sensor. {why}", why=why)
    if status == 403:
        return NotAllowed("El centro no permite que este sensor envíe registros. {why}", why=why)
    if status in REFUSED:
        return Invalid(
            "El centro lo rechazó (respuesta {status}). {why}",
            field=_field(answer),
            status=status,
            why=why,
        )
    # Busy, or not the centre at all: a proxy, another address. It may pass; the batch stays.
    busy = Unavailable("El centro no atiende (respuesta {status}).", status=status)
    busy.retry_after_seconds = _seconds(answer.headers.get("Retry-After"))
    return busy


def _reason(answer: httpx2.Response) -> str:
    """The sentence that the centre gives, if it is the centre that answers (RFC 9457)."""
    return str(_told(answer).get("detail", ""))[:500]


def _field(answer: httpx2.Response) -> str | None:
    """The first field that the centre finds wrong."""
    problems = _told(answer).get("problems")
    return next(iter(problems), None) if isinstance(problems, dict) else None


def _told(answer: httpx2.Response) -> dict[str, Any]:
    try:
        return _object(answer)
    except Unavailable:
        return {}


def pack(batch: Batch) -> bytes:
    """The batch as the body of a request: record i has the number seq + i.

    Listeners and followed files number each stream without gaps, so the first number is enough.
    """
    raws = batch.raws
    body: dict[str, Any] = {
        "source": batch.origin.source,
        "stream": batch.origin.stream,
        "epoch": batch.origin.epoch,
        "seq": raws[0].seq if raws else 0,
        "records": [_record(raw.data) for raw in raws],
    }
    if batch.origin.zone:
        body["zone"] = batch.origin.zone
    if any(convert.bare_ip(raw.peer) for raw in raws):
        body["peers"] = [raw.peer for raw in raws]  # who spoke to the sensor, record by record
    return packed(body)


def packed(body: Mapping[str, Any]) -> bytes:
    """JSON, compressed."""
    return gzip.compress(orjson.dumps(body), PACK_LEVEL, mtime=0)


def _record(data: bytes | Mapping[str, Any]) -> Any:
    return data.decode(errors="replace") if isinstance(data, bytes) else dict(data)


def _seconds(text: str | None) -> int:
    return min(int(text), 300) if text and text.isdecimal() else 0


def pause_before_next(tries: int, error: Unavailable, share: float) -> float:
    """Seconds before the next try: at least what the centre asked for, and up to twice that.

    `share` is chance, 0 to 1: hundreds that were told the same must not come back at once.
    """
    return max(back_off(tries, share), error.retry_after_seconds * (1 + share))
