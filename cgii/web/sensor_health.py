"""What a sensor's last report means to a reader: how late it is, what is wrong with it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.model.people import User
from cgii.model.records import Sensor
from cgii.model.sensors import SensorReport, SensorSettings
from cgii.web.visible import visible

NEARLY_FULL = 0.8


@dataclass(frozen=True)
class Health:
    """A report, read at a moment."""

    report: SensorReport
    waiting: timedelta | None  # how long the oldest batch of its queue has waited
    is_pending: bool  # it does not have the inputs that the centre wants

    @property
    def is_late(self) -> bool:
        """Whether what it sends comes later than it should."""
        late = timedelta(seconds=limits.SENSOR_LATE_SECONDS)
        return self.waiting is not None and self.waiting > late

    @property
    def is_off(self) -> bool:
        """Whether its clock is further off than tolerated."""
        return abs(self.report.skew_seconds) > limits.SENSOR_SKEW_SECONDS

    @property
    def fill(self) -> float:
        """How much of its queue is taken, 0 to 1."""
        report = self.report
        return report.spool_bytes / report.spool_bytes_max if report.spool_bytes_max else 0.0

    @property
    def is_nearly_full(self) -> bool:
        """Whether little room is left in its queue."""
        return self.fill > NEARLY_FULL

    @property
    def is_well(self) -> bool:
        """Whether a reader may pass on to the next sensor."""
        troubled = self.is_late or self.is_off or self.is_nearly_full
        return not (troubled or self.report.settings_problem or self.report.lost_count)


def health_by_sensor(
    session: Session, user: User, sensors: Iterable[Sensor], *, now: datetime
) -> Mapping[int, Health]:
    """The last reports of these sensors, of those that this person may see and that reported."""
    numbers = [sensor.id for sensor in sensors]
    seen = visible(user, SensorReport).where(SensorReport.sensor_id.in_(numbers))
    chosen = select(SensorSettings).where(SensorSettings.sensor_id.in_(numbers))
    wanted = {row.sensor_id: row.version for row in session.scalars(chosen)}
    return {
        report.sensor_id: Health(
            report,
            now - report.waiting_since if report.waiting_since else None,
            wanted.get(report.sensor_id, "") != report.settings_version,
        )
        for report in session.scalars(seen)
    }
