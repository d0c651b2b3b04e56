"""Quiet windows: when an operator expects silence of a sensor or source, and why."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.elements import ColumnElement

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.weekly import WeeklyTimes
from cgii.model.entities import Entity
from cgii.model.records import Sensor
from cgii.model.silence import QuietWindow
from cgii.store.act import Act

EVERY = ""
LOCAL = "local"  # what the centre collects itself


@dataclass(frozen=True)
class Whose:
    """Of whom silence is expected: a sensor, all of an entity's, or (EVERY and None) every one.

    `source` is one of theirs, or EVERY.
    """

    sensor_key: str = EVERY
    entity_id: int | None = None
    source: str = EVERY


def add_quiet_window(
    act: Act, whose: Whose, *, start: datetime, end: datetime, reason: str
) -> QuietWindow:
    """Expect silence from `start` to `end`, once.

    Raises Invalid, with the field, for a window that is over, too long, without a reason, or of a
    sensor or an entity that is none. Which sources there are the caller knows.
    """
    if end <= start or end <= act.now:
        raise Invalid("El final debe ser posterior al comienzo y a este momento.", field="end")
    if end - start > timedelta(days=limits.QUIET_DAYS_MAX):
        raise Invalid(
            "Una pausa dura como máximo {most} días. Un sensor que no vuelve se revoca.",
            field="end",
            most=limits.QUIET_DAYS_MAX,
        )
    window = QuietWindow(start_at=start, end_at=end, days="", reason=reason)
    return _announced(act, whose, window, start=start.isoformat(), end=end.isoformat())


def add_quiet_times(act: Act, whose: Whose, *, times: WeeklyTimes, reason: str) -> QuietWindow:
    """Expect silence at these times of every week, from now on until somebody ends it.

    What it raises: as `add_quiet_window`.
    """
    window = QuietWindow(
        start_at=act.now, end_at=None, days=times.days, opens=times.opens, closes=times.closes,
        reason=reason,
    )  # fmt: skip
    return _announced(act, whose, window, times=str(times))


def _announced(act: Act, whose: Whose, window: QuietWindow, **when: str) -> QuietWindow:
    window.reason, window.source = window.reason.strip(), whose.source.strip()
    window.sensor_key, window.entity_id = whose.sensor_key, whose.entity_id
    entity_id = _entity_of(act.session, window)
    if len(window.source) > limits.RULE_ID_CHARS_MAX:
        raise Invalid("No hay una fuente con un nombre tan largo.", field="source")
    if not window.reason or len(window.reason) > limits.SHORT_TEXT_CHARS_MAX:
        raise Invalid(
            "Escriba el motivo, en {most} caracteres como máximo.",
            field="reason",
            most=limits.SHORT_TEXT_CHARS_MAX,
        )
    standing = select(func.count()).select_from(QuietWindow).where(stands(act.now))
    if act.session.scalars(standing).one() >= limits.QUIET_WINDOWS_MAX:
        raise Invalid("Hay demasiadas pausas anunciadas. Termine las que ya no hagan falta.")
    window.owner_id, window.created_at = act.user_id, act.now
    act.session.add(window)
    act.session.flush()  # the trail names it by its id
    act.record(
        "quiet.announced",
        f"quiet:{window.id}",
        entity_id=entity_id,
        sensor=window.sensor_key,
        source=window.source,
        **when,
        reason=window.reason,
    )
    return window


def stands(now: datetime) -> ColumnElement[bool]:
    """That a quiet window lasts, is to come, or comes again."""
    return or_(QuietWindow.end_at.is_(None), QuietWindow.end_at > now)


def end_quiet_window(act: Act, window: QuietWindow) -> None:
    """Expect its sensor and source again from now on; one that is over stays as it was."""
    if window.end_at is not None and window.end_at <= act.now:
        raise Invalid("Esa pausa ya terminó.")
    window.end_at = act.now
    window.start_at = min(window.start_at, act.now)
    entity_id = _entity_of(act.session, window)
    act.record("quiet.ended", f"quiet:{window.id}", entity_id=entity_id)


def _entity_of(session: Session, window: QuietWindow) -> int | None:
    """Whose the window is, for the trail. Raises Invalid for a sensor or entity that is none."""
    if window.entity_id is None:
        sensor = sensor_of(session, window.sensor_key)
        return sensor.entity_id if sensor else None
    if window.sensor_key != EVERY or session.get(Entity, window.entity_id) is None:
        raise Invalid("No existe esa entidad.", field="sensor")
    return window.entity_id


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
