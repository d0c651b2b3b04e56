"""Silence in the demonstration: a source that stopped, one nearly so, announced pauses."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select

from cgii.base import limits
from cgii.base.weekly import WeeklyTimes
from cgii.centre import Centre
from cgii.demo.sensors import HOUR, PAUSED, PAUSED_HOURS, SINCE_HOURS, Played
from cgii.model.records import Job
from cgii.model.sensors import SensorReport
from cgii.silence import JOB, check_silence
from cgii.store.act import Act
from cgii.store.quiet import Whose, add_quiet_times, add_quiet_window


def announce(act: Act, now: datetime, sensors: Sequence[Played]) -> None:
    """A pause that lasts, of a sensor that says nothing meanwhile, one to come, and weekends."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    start = this_hour - PAUSED_HOURS * HOUR
    for one in sensors:
        if one.manner != PAUSED:
            continue
        add_quiet_window(
            act, Whose(f"sensor:{one.sensor_id}"), start=start,
            end=this_hour + timedelta(days=2), reason="Traslado del centro de datos",
        )  # fmt: skip
        report = act.session.scalar(
            select(SensorReport).where(SensorReport.sensor_id == one.sensor_id)
        )
        if report is not None:
            report.received_at = start
    add_quiet_window(
        act, Whose(f"sensor:{sensors[0].sensor_id}", source="web_access"),
        start=this_hour + timedelta(days=3), end=this_hour + timedelta(days=3, hours=6),
        reason="Cambio de versión del portal, orden de trabajo 114",
    )  # fmt: skip
    add_quiet_times(
        act, Whose(entity_id=sensors[1].entity_id, source="squid"),
        times=WeeklyTimes("67h"), reason="El proxy se apaga cuando la oficina no atiende",
    )  # fmt: skip


def fall_silent(centre: Centre, now: datetime) -> None:
    """Let the centre itself find who fell silent, as if it had been awake in the last hours."""
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    with centre.database.transaction() as session:
        for turn in range(SINCE_HOURS * limits.SILENCE_LOOKS_MIN):
            at = this_hour - SINCE_HOURS * HOUR + turn * HOUR / limits.SILENCE_LOOKS_MIN
            session.add(
                Job(
                    name=JOB, arguments={}, state="done", run_at=at, created_at=at, ended_at=at,
                    last_error="", result={"opened": 0, "ended": 0, "lasting": 0}, attempts=1,
                )
            )  # fmt: skip
    check_silence(centre)
