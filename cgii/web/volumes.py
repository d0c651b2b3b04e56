"""How much each source and sensor sent: per day for charts, in the last day for lists."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from sqlalchemy import func
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.clock import MONTHS, local
from cgii.model.people import User
from cgii.model.records import Reject, Sensor, SourceVolume
from cgii.model.silence import SourceSilence
from cgii.store.event_shapes import EventQuery
from cgii.store.events import EventStore
from cgii.web.language import gettext
from cgii.web.visible import visible

DAY = timedelta(hours=24)
CHART_DAYS = 30
LAG_EVENTS = 20  # the newest of a sensor, whose delay is looked at
SAMPLES_SHOWN = 3  # of each reason for refusing


@dataclass(frozen=True)
class Volume:
    """What came in the last 24 hours, and the last hour in which anything came."""

    events: int = 0
    rejects: int = 0
    last_hour: datetime | None = None

    @property
    def share_refused(self) -> float:
        """Refused among all that arrived."""
        return self.rejects / (self.events + self.rejects) if self.rejects else 0.0


def volumes_by_source(session: Session, user: User, *, now: datetime) -> dict[str, Volume]:
    """Every source heard of lately."""
    recent = _recent(session, user, SourceVolume.source, since=now - DAY)
    since = now - timedelta(days=limits.SILENCE_LOOKBACK_DAYS)
    last = (
        visible(user, SourceVolume)
        .where(SourceVolume.hour >= since)
        .with_only_columns(SourceVolume.source, func.max(SourceVolume.hour))
        .group_by(SourceVolume.source)
    )
    return {
        source: Volume(*recent.get(source, (0, 0)), hour) for source, hour in session.execute(last)
    }


def volumes_by_sensor(
    session: Session, user: User, sensors: Iterable[Sensor], *, now: datetime
) -> dict[int, Volume]:
    """The same for these sensors, by their id."""
    keys = {f"sensor:{sensor.id}": sensor.id for sensor in sensors}
    column = SourceVolume.sensor_key
    recent = _recent(session, user, column, since=now - DAY, only=list(keys))
    return {keys[key]: Volume(*counts) for key, counts in recent.items()}


def _recent(
    session: Session,
    user: User,
    column: Any,  # of SourceVolume
    *,
    since: datetime,
    only: list[str] | None = None,
) -> dict[str, tuple[int, int]]:
    query = visible(user, SourceVolume).where(SourceVolume.hour >= since)
    if only is not None:
        query = query.where(column.in_(only))
    sums = query.with_only_columns(
        column, func.sum(SourceVolume.event_count), func.sum(SourceVolume.reject_count)
    ).group_by(column)
    return {row[0]: (int(row[1]), int(row[2])) for row in session.execute(sums)}


def volume_spec(session: Session, user: User, narrowed: Any, *, now: datetime) -> dict[str, Any]:
    """Events and refusals per day of the last month, for a chart; `narrowed` is a condition."""
    today = local(now).date()
    days = [today - timedelta(days=back) for back in range(CHART_DAYS - 1, -1, -1)]
    query = (
        visible(user, SourceVolume)
        .where(narrowed, SourceVolume.hour >= now - timedelta(days=CHART_DAYS))
        .with_only_columns(
            SourceVolume.hour,
            func.sum(SourceVolume.event_count),
            func.sum(SourceVolume.reject_count),
        )
        .group_by(SourceVolume.hour)
    )
    events, rejects = dict.fromkeys(days, 0), dict.fromkeys(days, 0)
    for hour, read, refused in session.execute(query):
        day = local(hour).date()
        if day in events:
            events[day] += int(read)
            rejects[day] += int(refused)
    if not any(events.values()) and not any(rejects.values()):
        return {"categories": []}
    return {
        "kind": "stacked",
        "unit": "count",
        "categories": [f"{day.day} {MONTHS[day.month - 1]}" for day in days],
        "series": [
            {
                "name": gettext("Eventos"),
                "color": "--chart-main",
                "values": [*events.values()],
            },
            {
                "name": gettext("Rechazos"),
                "color": "--chart-bad",
                "values": [*rejects.values()],
            },
        ],
    }


@dataclass(frozen=True)
class Refusals:
    """Records refused for one reason, with the newest as samples."""

    reason: str
    count: int
    last_at: datetime
    samples: tuple[Reject, ...]


def refusals_of(session: Session, user: User, source: str) -> list[Refusals]:
    """The refused records of a source by reason, the most frequent first."""
    own = visible(user, Reject).where(Reject.source == source)
    counts = own.with_only_columns(
        Reject.reason, func.count(), func.max(Reject.received_at)
    ).group_by(Reject.reason)
    found = []
    for reason, count, last_at in session.execute(counts):
        newest = own.where(Reject.reason == reason).order_by(Reject.received_at.desc())
        samples = tuple(session.scalars(newest.limit(SAMPLES_SHOWN)))
        found.append(Refusals(reason, count, last_at, samples))
    return sorted(found, key=lambda one: (-one.count, one.reason))


def silences_of(session: Session, user: User, condition: Any) -> list[SourceSilence]:
    """The silences that last, narrowed by a condition on them; the longest first."""
    lasting = visible(user, SourceSilence).where(SourceSilence.ended_at.is_(None), condition)
    query = lasting.order_by(SourceSilence.since, SourceSilence.id)
    return list(session.scalars(query.limit(limits.PAGE_ROWS)))


def lag_of(events: EventStore, sensor: Sensor) -> timedelta | None:
    """How long the sensor's newest records took to arrive, in the middle; None without any."""
    page = events.search(EventQuery(text=f"sensor_id:{sensor.id}", size=LAG_EVENTS))
    delays = [(event.received_at - event.at).total_seconds() for event in page.events]
    return timedelta(seconds=max(median(delays), 0)) if delays else None
