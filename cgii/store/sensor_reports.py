"""What a sensor says of itself, and what the centre wants of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.ids import digest
from cgii.model.records import Sensor
from cgii.model.sensors import SensorReport, SensorSettings
from cgii.store.act import Act

SKEW_MAX = 2**31 - 1  # 68 years: what fits


@dataclass(frozen=True)
class Report:
    """One report, checked. Moments are by the sensor's clock until they are kept."""

    version: str
    time: datetime
    started_at: datetime
    waiting_since: datetime | None
    spool_records: int
    spool_bytes: int
    spool_bytes_max: int
    lost_count: int
    settings_version: str
    settings_problem: str
    sources_version: str


def keep_report(session: Session, sensor_id: int, report: Report, *, now: datetime) -> None:
    """Put the report in place of the one before; its moments become those of our clock."""
    sensor = session.get_one(Sensor, sensor_id, with_for_update=True)
    sensor.program_version = report.version  # `heard_at` is of what it sends
    row = session.scalar(select(SensorReport).where(SensorReport.sensor_id == sensor_id))
    if row is None:
        row = SensorReport(sensor_id=sensor_id)
        session.add(row)
    skew = report.time - now
    row.received_at = now
    row.skew_seconds = max(-SKEW_MAX, min(round(skew / timedelta(seconds=1)), SKEW_MAX))
    row.started_at = report.started_at - skew
    # A clock that was set back meanwhile makes it later than now: then nothing waits yet.
    row.waiting_since = min(report.waiting_since - skew, now) if report.waiting_since else None
    row.spool_records, row.spool_bytes = report.spool_records, report.spool_bytes
    row.spool_bytes_max, row.lost_count = report.spool_bytes_max, report.lost_count
    row.settings_version, row.settings_problem = report.settings_version, report.settings_problem
    row.sources_version = report.sources_version


def settings_of(session: Session, sensor_id: int) -> SensorSettings | None:
    """What the centre wants of this sensor; None if it leaves it alone."""
    return session.scalar(select(SensorSettings).where(SensorSettings.sensor_id == sensor_id))


def set_settings(act: Act, sensor: Sensor, text: str) -> None:
    """Want these inputs, checked before, from now on; an empty text leaves the sensor alone."""
    text = text.replace("\r\n", "\n").strip()
    if len(text) > limits.SENSOR_SETTINGS_CHARS_MAX:
        raise Invalid("Las entradas son demasiado largas.", field="text")
    row = settings_of(act.session, sensor.id)
    version = digest("settings", text) if text else ""
    if version == (row.version if row else ""):
        return
    if row is None:
        row = SensorSettings(sensor_id=sensor.id)
        act.session.add(row)
    row.text, row.version, row.changed_at = text, version, act.now
    act.record("sensor.configured", f"sensor:{sensor.name}", entity_id=sensor.entity_id,
               text=text)  # fmt: skip
