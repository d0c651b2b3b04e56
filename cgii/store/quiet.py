"""Quiet windows: when an operator expects silence of a sensor or source, and why."""

from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.records import Sensor
from cgii.model.silence import QuietWindow
from cgii.store.act import Act

EVERY = ""
LOCAL = "local"  # what the centre collects itself


def add_quiet_window(
    act: Act, *, sensor_key: str, source: str, start: datetime, end: datetime, reason: str
) -> QuietWindow:
    """Expect silence of a sensor ("" every one) and source ("" every one) from `start` to `end`.

    Raises Invalid, with the field, for a window that is over, too long, or without a reason.
    """
    reason, source = reason.strip(), source.strip()
    sensor = sensor_of(act.session, sensor_key)
    if len(source) > limits.RULE_ID_CHARS_MAX:
        raise Invalid("No hay una fuente con un nombre tan largo.", field="source")
    if not reason or len(reason) > limits.SHORT_TEXT_CHARS_MAX:
        raise Invalid(
            "Escriba el motivo, en {most} caracteres como máximo.",
            field="reason",
            most=limits.SHORT_TEXT_CHARS_MAX,
        )
    if end <= start or end <= act.now:
        raise Invalid("El final debe ser posterior al comienzo y a este momento.", field="end")
    if end - start > timedelta(days=limits.QUIET_DAYS_MAX):
        raise Invalid(
            "Una pausa dura como máximo {most} días. Un sensor que no vuelve se revoca.",
            field="end",
            most=limits.QUIET_DAYS_MAX,
        )
    standing = select(func.count()).select_from(QuietWindow).where(QuietWindow.end_at > act.now)
    if act.session.scalars(standing).one() >= limits.QUIET_WINDOWS_MAX:
        raise Invalid("Hay demasiadas pausas anunciadas. Termine las que ya no hagan falta.")
    window = QuietWindow(
        sensor_key=sensor_key,
        source=source,
        start_at=start,
        end_at=end,
        reason=reason,
        owner_id=act.user_id,
        created_at=act.now,
    )
    act.session.add(window)
    act.session.flush()  # the trail names it by its id
    act.record(
        "quiet.announced",
        f"quiet:{window.id}",
        entity_id=sensor.entity_id if sensor else None,
        sensor=sensor_key,
        source=source,
        start=start.isoformat(),
        end=end.isoformat(),
        reason=reason,
    )
    return window


def end_quiet_window(act: Act, window: QuietWindow) -> None:
    """Expect its sensor and source again from now on; one that is over stays as it was."""
    if window.end_at <= act.now:
        raise Invalid("Esa pausa ya terminó.")
    window.end_at = act.now
    window.start_at = min(window.start_at, act.now)
    sensor = sensor_of(act.session, window.sensor_key)
    act.record("quiet.ended", f"quiet:{window.id}", entity_id=sensor.entity_id if sensor else None)


def sensor_of(session: Session, sensor_key: str) -> Sensor | None:
    """The sensor with this key; None for the centre's own input and for every sensor."""
    if sensor_key in (EVERY, LOCAL):
        return None
    number = sensor_key.removeprefix("sensor:")
    sensor = None
    if sensor_key.startswith("sensor:") and number.isascii() and number.isdecimal():
        sensor = session.get(Sensor, int(number)) if len(number) < 16 else None
    if sensor is None:
        raise Invalid("No existe ese sensor.", field="sensor")
    return sensor
