"""Delivers batches to a remote centre over HTTPS: POST /api/v1/ingest, packed, tried again."""

import gzip
import random
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import httpx2
import orjson

from cgii.base import limits
from cgii.base.errors import Invalid, NotAllowed, NotSignedIn, Unavailable
from cgii.collect import convert
from cgii.collect.buffer import Batch
from cgii.collect.listen import back_off

PATH = "/api/v1/ingest"
REFUSED = frozenset({400, 413, 422})  # what is said of a batch, not of the moment
PACK_LEVEL = 5  # a third of the time of 9 for nearly the same size


class Sender:
    """A connection to one centre; `deliver` fits where a Listener wants one."""

    def __init__(
        self,
        centre: str,
        token: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pause = pause
        self._client = httpx2.Client(
            base_url=centre.rstrip("/"),
            headers={"Authorization": f"Bearer {token}"},
            timeout=limits.SEND_TIMEOUT_SECONDS,
            transport=transport,
            follow_redirects=False,  # the token goes to the named centre only
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

    def deliver(self, batch: Batch) -> None:
        """Send the batch; returns when the centre has committed it.

        Raises Unavailable after the last try, NotSignedIn, NotAllowed or Invalid at once.
        """
        if not batch.raws:
            return None  # only says that a file is followed: the centre keeps no places of ours
        body = pack(batch)
        for tries in range(limits.SEND_TRIES_MAX):
            try:
                return self.send(body)
            except Unavailable as error:
                if tries == limits.SEND_TRIES_MAX - 1:
                    raise
                self._pause(pause_before_next(tries, error, random.random()))  # noqa: S311
        return None

    def send(self, body: bytes) -> None:
        """Send a packed batch once. Raises as `deliver`."""
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
        try:
            answer = self._client.post(PATH, content=body, headers=headers)
        except httpx2.HTTPError as error:
            raise Unavailable(
                "El centro no responde: {reason}.", reason=str(error) or type(error).__name__
            ) from error
        status = answer.status_code
        if status == 200:
            return
        if status == 401:
            raise NotSignedIn("El centro no reconoce el token de este sensor.")
        if status == 403:
            raise NotAllowed("El centro no permite que este sensor envíe registros.")
        if status in REFUSED:
            raise Invalid("El centro rechazó el lote (respuesta {status}).", status=status)
        # Busy, or not the centre at all: a proxy, another address. It may pass; the batch stays.
        busy = Unavailable("El centro no atiende (respuesta {status}).", status=status)
        busy.retry_after_seconds = _seconds(answer.headers.get("Retry-After"))
        raise busy


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
    if any(convert.bare_ip(raw.peer) for raw in raws):
        body["peers"] = [raw.peer for raw in raws]  # who spoke to the sensor, record by record
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
