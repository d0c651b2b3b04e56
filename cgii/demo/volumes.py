"""How much the demonstration's sensors sent, by the hour: for boards, charts and silence."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from cgii.demo.sensors import BUSY_SOURCE, Played
from cgii.demo.traffic import CUT_PER_DAY, PER_DAY, Line
from cgii.model.records import Sensor, SourceVolume

DAYS = 45


def past_volumes(
    session: Session, random_: random.Random, now: datetime, sensors: Sequence[Played]
) -> None:
    """Add the hours before the last day, whose records themselves are not played."""
    last = _hour(now - timedelta(days=1))
    for one in sensors:
        rows: list[dict[str, Any]] = []
        for back in range(1, 24 * (DAYS - 1)):
            at = last - timedelta(hours=back)
            for source in PER_DAY:
                total = round(one.usual(source, at) * random_.uniform(0.8, 1.2))
                chance = CUT_PER_DAY * one.weight / 24 if source == BUSY_SOURCE else 0
                rejects = min(total, int(random_.random() < chance))
                if total:
                    rows.append(_row(one, source, at, total=total, rejects=rejects))
        session.execute(insert(SourceVolume), rows)


def spread_last_day(session: Session, one: Played, lines: Sequence[Line]) -> None:
    """Count what was played just now in the hours that it tells of, as if it had come then."""
    session.execute(delete(SourceVolume).where(
        SourceVolume.sensor_key == f"sensor:{one.sensor_id}",
        SourceVolume.hour >= _hour(lines[0].at),
    ))  # fmt: skip
    session.get_one(Sensor, one.sensor_id).heard_at = lines[-1].at
    came = Counter((line.source, _hour(line.at)) for line in lines)
    cut = Counter((line.source, _hour(line.at)) for line in lines if line.is_cut)
    session.execute(
        insert(SourceVolume),
        [_row(one, *key, total=total, rejects=cut[key]) for key, total in came.items()],
    )


def _row(one: Played, source: str, at: datetime, *, total: int, rejects: int) -> dict[str, Any]:
    return {
        "hour": at, "source": source, "sensor_key": f"sensor:{one.sensor_id}",
        "event_count": total - rejects, "reject_count": rejects,
    }  # fmt: skip


def _hour(at: datetime) -> datetime:
    return at.replace(minute=0, second=0, microsecond=0)
