"""Sensors are added, invited and revoked here; a secret is shown once, we keep its hash."""

from datetime import timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.ids import hash_token, token
from cgii.model.entities import Entity
from cgii.model.records import Sensor
from cgii.model.sensors import SensorInvitation, SensorKey, SensorNonce
from cgii.store.act import Act


def enrol_sensor(act: Act, name: str, entity: Entity | None) -> tuple[Sensor, str]:
    """Add a sender that cannot sign (entity None: the centre's own): the row, and its token."""
    sensor, secret = _add(act, name, entity), token("cgii_")
    sensor.token_hash = hash_token(secret)
    act.record("sensor.enrolled", f"sensor:{sensor.name}", entity_id=sensor.entity_id)
    return sensor, secret


def invite_new(act: Act, name: str, entity: Entity | None) -> tuple[Sensor, str]:
    """Add a sensor that will sign: the row, and the invitation to show once."""
    sensor = _add(act, name, entity)
    return sensor, invite(act, sensor)


def invite(act: Act, sensor: Sensor) -> str:
    """A new invitation in place of older ones. What the sensor has goes on until it is used."""
    act.session.execute(
        delete(SensorInvitation).where(
            SensorInvitation.sensor_id == sensor.id, SensorInvitation.used_at.is_(None)
        )
    )
    secret = token("cgii_inv_")
    expires_at = act.now + timedelta(hours=limits.INVITATION_HOURS)
    act.session.add(
        SensorInvitation(
            sensor_id=sensor.id,
            token_hash=hash_token(secret),
            created_at=act.now,
            expires_at=expires_at,
        )
    )
    act.record("sensor.invited", f"sensor:{sensor.name}", entity_id=sensor.entity_id)
    return secret


def renew_token(act: Act, sensor: Sensor) -> str:
    """A new token in place of the old one and of all keys, which stop working at once."""
    secret = token("cgii_")
    end_keys(act, sensor)
    sensor.token_hash, sensor.revoked_at = hash_token(secret), None
    act.record("sensor.token_renewed", f"sensor:{sensor.name}", entity_id=sensor.entity_id)
    return secret


def revoke_sensor(act: Act, sensor: Sensor) -> None:
    """Refuse this sensor from now on; what it sent stays. A new invitation takes it back."""
    end_keys(act, sensor)  # before the sensor's own row, as a batch locks them
    sensor.revoked_at = sensor.revoked_at or act.now
    sensor.token_hash = no_token()
    act.session.execute(delete(SensorInvitation).where(SensorInvitation.sensor_id == sensor.id))
    act.record("sensor.revoked", f"sensor:{sensor.name}", entity_id=sensor.entity_id)


def end_keys(act: Act, sensor: Sensor, *, but: str = "") -> None:
    """Refuse what these keys sign from now on; `but` names one that stays."""
    act.session.execute(
        update(SensorKey)
        .where(
            SensorKey.sensor_id == sensor.id,
            SensorKey.ended_at.is_(None),
            SensorKey.key_id != but,
        )
        .values(ended_at=act.now)
    )


def no_token() -> str:
    """In place of a token's hash: no token has this one."""
    return f"-{token()}"


def has_token(sensor: Sensor) -> bool:
    """Whether a token lets it send."""
    return not sensor.token_hash.startswith("-")


def prune_sensors(act: Act, *, most: int = limits.PRUNE_ROWS) -> int:
    """Forget nonces that their time protects by now, and invitations that ran out; how many.

    At most so many of each, because ingest waits for the transaction.
    """
    gone = 0
    for table in (SensorNonce, SensorInvitation):
        old = select(table.id).where(table.expires_at < act.now).limit(most)
        numbers = act.session.scalars(old).all()
        act.session.execute(delete(table).where(table.id.in_(numbers)))
        gone += len(numbers)
    return gone


def _add(act: Act, name: str, entity: Entity | None) -> Sensor:
    name = name.strip()
    if not 1 <= len(name) <= limits.NAME_CHARS_MAX:
        raise Invalid("Escriba un nombre, por ejemplo «sensor-minedu-1».", field="name")
    if not name.isprintable():
        raise Invalid(
            "El nombre tiene un salto de línea u otro signo invisible; quítelo.", field="name"
        )
    if _is_taken(act.session, name):
        raise Invalid("Ya hay un sensor con ese nombre.", field="name")
    sensor = Sensor(
        name=name,
        entity_id=entity.id if entity else None,
        token_hash=no_token(),
        created_at=act.now,
    )
    act.session.add(sensor)
    act.session.flush()  # its id
    return sensor


def _is_taken(session: Session, name: str) -> bool:
    return session.scalar(select(Sensor.id).where(Sensor.name == name)) is not None
