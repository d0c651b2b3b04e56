"""Who sends: a machine is known by a token, or by the signature of its request.

A sensor signs (RFC 9421, see `base.signatures`); another program shows the token that it was given.
"""

from dataclasses import dataclass
from datetime import datetime
from threading import Lock

from fastapi import Request
from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from cgii.base import limits
from cgii.base.errors import NotSignedIn, Unavailable
from cgii.base.ids import hash_token
from cgii.base.signatures import Signed, is_genuine, read_signed
from cgii.centre import Centre
from cgii.model.records import Sensor
from cgii.store import sensor_keys
from cgii.store.sensor_keys import KnownKey
from cgii.store.statements import Prepared

BY_TOKEN = Prepared(
    select(Sensor.id, Sensor.entity_id).where(
        Sensor.token_hash == bindparam("hash_"), Sensor.revoked_at.is_(None)
    )
)
MISSING = "Falta el token del sensor: «Authorization: Bearer <token>», o la firma de la petición."


@dataclass(frozen=True)
class Sender:
    """The machine behind a request."""

    id: int
    entity_id: int | None
    signed: Signed | None = None
    now: datetime | None = None
    key: KnownKey | None = None  # that signed

    @property
    def owner(self) -> str:
        """Who shares the places with whom: the entity, or a sensor that belongs to none."""
        return f"sensor:{self.id}" if self.entity_id is None else f"entity:{self.entity_id}"

    def enter(self, session: Session) -> None:
        """Write down that this request was here, in the transaction of what it does.

        Raises NotSignedIn if it was here before, or the key was revoked meanwhile.
        """
        if self.signed is not None and self.now is not None:
            sensor_keys.use(session, self.signed, now=self.now)


class KnownKeys:
    """Keys that signed before, so that whose place in the line a batch takes costs no query.

    What is remembered decides nothing else: `check` asks the record again, before anything is done
    for the batch, and `Sender.enter` in the transaction. So a key that was revoked by whatever
    process is refused at once.
    """

    def __init__(self) -> None:
        self._known: dict[str, KnownKey] = {}
        self._lock = Lock()

    def get(self, key_id: str) -> KnownKey | None:
        """What is remembered of a key."""
        return self._known.get(key_id)

    def check(self, session: Session, sender: Sender) -> None:
        """Raise NotSignedIn if the key is not in force any more, or the request was here before.

        Raises Unavailable if the sensor has become another's.
        """
        if sender.signed is None:
            return  # its token was looked up for this request
        try:
            key = sensor_keys.find_key(session, sender.signed)
        except NotSignedIn:
            self._forget(sender.signed)
            raise
        if key != sender.key:
            self._forget(sender.signed)
            raise Unavailable("El sensor cambió de entidad. Reenvíe el lote.")

    def remember(self, signed: Signed, key: KnownKey) -> None:
        """Keep a key that signed a genuine request."""
        with self._lock:
            self._known[signed.key_id] = key
            while len(self._known) > limits.KEYS_KNOWN_MAX:
                del self._known[next(iter(self._known))]

    def _forget(self, signed: Signed) -> None:
        with self._lock:
            self._known.pop(signed.key_id, None)


async def batch_sender(request: Request, centre: Centre, known: KnownKeys) -> Sender:
    """As `known_sender`, but a key that is remembered is looked up later: see `KnownKeys`."""
    signed = read_signed(request.headers)
    key = None if signed is None else known.get(signed.key_id)
    if signed is None or key is None:
        sender = await known_sender(request, centre)
        if sender.key is not None and sender.signed is not None:
            known.remember(sender.signed, sender.key)
        return sender
    body = await request.body()
    # To wait for a thread takes longer than to check a small body.
    if len(body) <= limits.CHECKED_AT_ONCE_BYTES:
        return _signer(signed, key, request, body, now=centre.clock())
    return await run_in_threadpool(_signer, signed, key, request, body, now=centre.clock())


async def known_sender(request: Request, centre: Centre) -> Sender:
    """The sensor that sends this. Raises NotSignedIn."""
    signed = read_signed(request.headers)
    if signed is None:
        header = request.headers.get("authorization", "")
        return await run_in_threadpool(by_token, centre, header)
    body = await request.body()  # bounded by the guard in front of every route
    return await run_in_threadpool(_by_signature, centre, signed, request, body)


def token_in(header: str) -> str:
    """The token of an `Authorization` header; empty if there is none."""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def by_token(centre: Centre, header: str) -> Sender:
    """The sensor whose token stands in the header. Raises NotSignedIn."""
    token = token_in(header)
    if not token:
        raise NotSignedIn(MISSING)
    with centre.database.reading() as session:
        found = BY_TOKEN.once(session, {"hash_": hash_token(token)}).first()
    if found is None:
        raise NotSignedIn("El token del sensor no es válido o fue revocado.")
    return Sender(found.id, found.entity_id)


def _by_signature(centre: Centre, signed: Signed, request: Request, body: bytes) -> Sender:
    with centre.database.reading() as session:
        key = sensor_keys.find_key(session, signed)
    return _signer(signed, key, request, body, now=centre.clock())


def _signer(
    signed: Signed, key: KnownKey, request: Request, body: bytes, *, now: datetime
) -> Sender:
    if not is_genuine(signed, key.public, method=request.method, path=request.url.path, body=body):
        raise NotSignedIn("La firma no corresponde a esta petición.")
    sensor_keys.check_time(signed, now)
    return Sender(key.sensor_id, key.entity_id, signed, now, key)
