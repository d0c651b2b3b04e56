"""Who sends: a machine is known by a token, or by the signature of its request.

A sensor signs (RFC 9421, see `base.signatures`); another program shows the token that it was given.
"""

from dataclasses import dataclass
from datetime import datetime

from fastapi import Request
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.concurrency import run_in_threadpool

from cgii.base.errors import NotSignedIn
from cgii.base.ids import hash_token
from cgii.base.signatures import Signed, is_genuine, read_signed
from cgii.centre import Centre
from cgii.model.records import Sensor
from cgii.store import sensor_keys

MISSING = "Falta el token del sensor: «Authorization: Bearer <token>», o la firma de la petición."


@dataclass(frozen=True)
class Sender:
    """The machine behind a request."""

    id: int
    entity_id: int | None
    signed: Signed | None = None
    now: datetime | None = None

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
        sensor = session.scalar(
            select(Sensor).where(
                Sensor.token_hash == hash_token(token), Sensor.revoked_at.is_(None)
            )
        )
        if sensor is None:
            raise NotSignedIn("El token del sensor no es válido o fue revocado.")
        return Sender(sensor.id, sensor.entity_id)


def _by_signature(centre: Centre, signed: Signed, request: Request, body: bytes) -> Sender:
    now = centre.clock()
    with centre.database.reading() as session:
        sensor, public = sensor_keys.find_key(session, signed)
        path = request.url.path
        if not is_genuine(signed, public, method=request.method, path=path, body=body):
            raise NotSignedIn("La firma no corresponde a esta petición.")
        sensor_keys.check_fresh(session, signed, now=now)
        return Sender(sensor.id, sensor.entity_id, signed, now)
