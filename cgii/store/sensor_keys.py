"""A sensor's keys: made known with an invitation, changed by itself, believed or not."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import bindparam, delete, exists, or_, select, text
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid, NotSignedIn
from cgii.base.ids import hash_token
from cgii.base.signatures import KEY_BYTES, Signed, key_id
from cgii.model.records import Sensor
from cgii.model.sensors import SensorInvitation, SensorKey, SensorNonce
from cgii.model.table import UTCDateTime
from cgii.store.act import Act
from cgii.store.sensors import end_keys, no_token
from cgii.store.statements import Prepared

BEFORE = "Esta petición firmada ya se recibió; firme cada una de nuevo."
UNKNOWN = "El centro no conoce la llave de este sensor, o fue revocada."
USED_AGAIN = timedelta(hours=1)  # how exactly the last use of a key is known
# What every signed request asks and writes.
_SAME_NONCE = (SensorNonce.key_id == bindparam("key_id"), SensorNonce.nonce == bindparam("nonce"))
FOUND = Prepared(
    select(
        Sensor.id,
        Sensor.entity_id,
        SensorKey.public_key,
        exists().where(*_SAME_NONCE).label("was_here"),
    )
    .join(SensorKey, SensorKey.sensor_id == Sensor.id)
    .where(
        SensorKey.key_id == bindparam("key_id"),
        SensorKey.ended_at.is_(None),
        Sensor.revoked_at.is_(None),
    )
)
LIVE = Prepared(
    select(or_(SensorKey.used_at.is_(None), SensorKey.used_at < bindparam("since"))).where(
        SensorKey.key_id == bindparam("key_id"), SensorKey.ended_at.is_(None)
    )
)
NEW_NONCE = Prepared(
    text(
        "INSERT INTO sensor_nonce (key_id, nonce, expires_at) "
        "VALUES (:key_id, :nonce, :expires_at) ON CONFLICT (key_id, nonce) DO NOTHING"
    ).bindparams(bindparam("expires_at", type_=UTCDateTime()))
)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key in force: whose it is, and its public part, which never changes."""

    sensor_id: int
    entity_id: int | None
    public: bytes


def accept_invitation(act: Act, secret: str, public: bytes) -> Sensor:
    """Bind a key to the sensor that was invited; the same key may ask again.

    Raises NotSignedIn for an invitation that is unknown, too old, or used by another key.
    """
    invitation = act.session.scalar(
        select(SensorInvitation)
        .where(SensorInvitation.token_hash == hash_token(secret))
        .with_for_update()
    )
    number = key_id(public)
    if invitation is None or invitation.expires_at <= act.now:
        raise NotSignedIn("La invitación no existe o venció. Pida otra al centro.")
    if invitation.used_at is not None and invitation.key_id != number:
        raise NotSignedIn("La invitación ya se usó. Pida otra al centro.")
    sensor = act.session.get_one(Sensor, invitation.sensor_id)
    if invitation.used_at is not None:
        if _live(act.session, number) is None:
            raise NotSignedIn("La llave de este sensor fue revocada. Pida otra invitación.")
        return sensor
    invitation.used_at, invitation.key_id = act.now, number
    _add_key(act, sensor, public)
    end_keys(act, sensor, but=number)
    sensor.token_hash, sensor.revoked_at = no_token(), None
    act.record("sensor.key_accepted", f"sensor:{sensor.name}", entity_id=sensor.entity_id,
               key=number)  # fmt: skip
    return sensor


def renew_key(act: Act, sensor: Sensor, public: bytes) -> None:
    """A further key; the older ones end when it is first used. The same key may ask again."""
    number = key_id(public)
    known = _live(act.session, number)
    if known is not None and known.sensor_id == sensor.id:
        return
    # Of a new key that was never used, nobody knows whether the sensor has it.
    act.session.execute(
        delete(SensorKey).where(SensorKey.sensor_id == sensor.id, SensorKey.used_at.is_(None))
    )
    _add_key(act, sensor, public)
    act.record("sensor.key_renewed", f"sensor:{sensor.name}", entity_id=sensor.entity_id,
               key=number)  # fmt: skip


def find_key(session: Session, signed: Signed) -> KnownKey:
    """The key that a request names. Raises NotSignedIn, also if the request was here before."""
    asked = {"key_id": signed.key_id, "nonce": signed.nonce}
    found = FOUND.once(session, asked).first()
    if found is None:
        raise NotSignedIn(UNKNOWN)
    if found.was_here:
        raise NotSignedIn(BEFORE)
    return KnownKey(found.id, found.entity_id, bytes.fromhex(found.public_key))


def check_time(signed: Signed, now: datetime) -> None:
    """Raise NotSignedIn for a genuine request that was not signed now."""
    off = signed.created - int(now.timestamp())
    if abs(off) > limits.SIGNATURE_AGE_SECONDS_MAX:
        raise NotSignedIn(
            "La firma lleva {seconds} segundos de diferencia con la hora del centro. Revise el "
            "reloj del sensor.",
            seconds=off,
        )


def use(session: Session, signed: Signed, *, now: datetime) -> None:
    """Write down, with what a request does, that it was here.

    Raises NotSignedIn if it was here before, at another time, or by a key that is not in force.
    """
    key = LIVE.once(session, {"key_id": signed.key_id, "since": now - USED_AGAIN}).first()
    if key is None:
        raise NotSignedIn(UNKNOWN)
    check_time(signed, now)
    expires_at = datetime.fromtimestamp(signed.created, UTC) + timedelta(
        seconds=2 * limits.SIGNATURE_AGE_SECONDS_MAX
    )
    nonce = {"key_id": signed.key_id, "nonce": signed.nonce, "expires_at": expires_at}
    if not NEW_NONCE.once(session, nonce).rowcount:
        raise NotSignedIn(BEFORE)
    if key[0]:
        _note_use(session, signed.key_id, now)


def _note_use(session: Session, number: str, now: datetime) -> None:
    """A key's first use ends the ones before it; later ones are known by the hour."""
    key = _live(session, number)
    assert key is not None
    if key.used_at is None:
        older = select(SensorKey).where(
            SensorKey.sensor_id == key.sensor_id,
            SensorKey.id < key.id,
            SensorKey.ended_at.is_(None),
        )
        for one in session.scalars(older):
            one.ended_at = now
    key.used_at = now


def _add_key(act: Act, sensor: Sensor, public: bytes) -> None:
    if len(public) != KEY_BYTES:
        raise Invalid("La llave pública debe tener 32 bytes en hexadecimal.", field="public_key")
    number = key_id(public)
    if act.session.scalar(select(SensorKey.id).where(SensorKey.key_id == number)):
        raise Invalid("Esa llave ya se usó. El sensor debe crear otra.", field="public_key")
    act.session.add(
        SensorKey(sensor_id=sensor.id, key_id=number, public_key=public.hex(), created_at=act.now)
    )


def _live(session: Session, number: str) -> SensorKey | None:
    return session.scalar(
        select(SensorKey).where(SensorKey.key_id == number, SensorKey.ended_at.is_(None))
    )
