"""What the demonstration's sensors said of themselves."""

import random
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cgii import __version__
from cgii.base import limits
from cgii.base.signatures import SecretKey
from cgii.model.records import Sensor
from cgii.model.sensors import SensorKey, SensorReport


def report(
    session: Session, random_: random.Random, now: datetime, sensor: Sensor, *, is_troubled: bool
) -> None:
    """What the sensor last said of itself; of a few, something that wants looking at."""
    key = SecretKey.fresh()
    renewed_at = now - timedelta(days=random_.randrange(1, 29))
    session.add(
        SensorKey(
            sensor_id=sensor.id, key_id=key.key_id, public_key=key.public.hex(),
            created_at=renewed_at, used_at=renewed_at,
        )
    )  # fmt: skip
    sensor.program_version = __version__
    waiting = random_.randrange(20_000, 90_000) if is_troubled else 0
    session.add(
        SensorReport(
            sensor_id=sensor.id,
            received_at=now - timedelta(seconds=random_.randrange(5, 55)),
            started_at=now - timedelta(days=random_.randrange(2, 60)),
            waiting_since=now - timedelta(minutes=random_.randrange(20, 90)) if waiting else None,
            spool_records=waiting,
            spool_bytes=waiting * 31,
            spool_bytes_max=limits.SPOOL_BYTES_MAX,
            lost_count=random_.randrange(10, 400) if is_troubled else 0,
            skew_seconds=random_.choice((-212, 95)) if is_troubled else random_.randrange(-1, 2),
            settings_version="",
            settings_problem="",
            sources_version="",
        )
    )
