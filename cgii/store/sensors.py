"""Sensors are enrolled and revoked here; a token is shown once, we keep its hash."""

from sqlalchemy import select

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.ids import hash_token, token
from cgii.model.entities import Entity
from cgii.model.records import Sensor
from cgii.store.act import Act


def enrol_sensor(act: Act, name: str, entity: Entity | None) -> tuple[Sensor, str]:
    """Add a sensor of an entity (None: the centre's own): the row, and its token to show once."""
    name = name.strip()
    if not 1 <= len(name) <= limits.NAME_CHARS_MAX:
        raise Invalid("Escriba un nombre, por ejemplo «sensor-minedu-1».", field="name")
    if act.session.scalar(select(Sensor.id).where(Sensor.name == name)):
        raise Invalid("Ya hay un sensor con ese nombre.", field="name")
    secret = token("cgii_")
    entity_id = entity.id if entity else None
    sensor = Sensor(
        name=name, entity_id=entity_id, token_hash=hash_token(secret), created_at=act.now
    )
    act.session.add(sensor)
    act.record("sensor.enrolled", f"sensor:{name}", entity_id=entity_id)
    return sensor, secret


def renew_token(act: Act, sensor: Sensor) -> str:
    """A new token in place of the old one, which stops working at once."""
    secret = token("cgii_")
    sensor.token_hash, sensor.revoked_at = hash_token(secret), None
    act.record("sensor.token_renewed", f"sensor:{sensor.name}", entity_id=sensor.entity_id)
    return secret


def revoke_sensor(act: Act, sensor: Sensor) -> None:
    """Refuse this sensor from now on; what it sent stays."""
    sensor.revoked_at = sensor.revoked_at or act.now
    act.record("sensor.revoked", f"sensor:{sensor.name}", entity_id=sensor.entity_id)
