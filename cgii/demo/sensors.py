"""The sensors of the demonstration: where they stand, what they say, what is wrong with them."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby

import orjson

from cgii.base import durable, limits
from cgii.base.clock import local
from cgii.centre import Centre
from cgii.demo import traffic
from cgii.demo.traffic import MAKERS, PER_DAY, Line, Place
from cgii.model.event import Origin, Raw
from cgii.pipeline import take

HOUR = timedelta(hours=1)
STOPPED, LOW, PAUSED = "stopped", "low", "paused"
MANNERS = {0: LOW, 2: STOPPED, 5: PAUSED}  # by the sensor's place among all; 0 is the visitors'
BUSY_SOURCE = "suricata_eve"  # what says so much at a STOPPED or LOW sensor that it is missed
BUSY_PER_HOUR = 60  # by day and night
LOW_SHARE = 0.05  # of it, when little is left
# Of a day's records, in each hour of the offices' eleven, and in each of the others.
OFFICE_SHARE, NIGHT_SHARE = 0.0831, 0.0066
WEEKEND_SHARE = 0.4
SINCE_HOURS = 1  # whole hours, for which STOPPED and LOW last when the country is built
PAUSED_HOURS = 3  # … and the pause


@dataclass(frozen=True)
class Played:
    """A sensor that the demonstration plays; `weight` 1 is about 400 records a day."""

    sensor_id: int
    entity_id: int
    acronym: str
    domain: str
    network: str  # the first three octets
    weight: float
    manner: str = ""  # "" STOPPED LOW PAUSED

    @property
    def place(self) -> Place:
        """Where its records come from."""
        return Place(self.acronym, self.domain, self.network)

    def usual(self, source: str, at: datetime) -> float:
        """Records an hour when all is well."""
        if self._is_busy(source):
            return BUSY_PER_HOUR
        there = local(at)
        share = OFFICE_SHARE if 8 <= there.hour <= 18 else NIGHT_SHARE
        share *= WEEKEND_SHARE if there.isoweekday() > 5 else 1
        return PER_DAY[source] * self.weight * share

    def present(self, source: str, at: datetime) -> float:
        """Records an hour from now on."""
        if not self._is_busy(source):
            return self.usual(source, at)
        return BUSY_PER_HOUR * LOW_SHARE if self.manner == LOW else 0

    def is_said(self, line: Line) -> bool:
        """Whether a record that is not everyday reaches us from now on."""
        return not self._is_busy(line.source)

    def _is_busy(self, source: str) -> bool:
        return source == BUSY_SOURCE and self.manner in (STOPPED, LOW)


def keep_sensors(centre: Centre, sensors: Sequence[Played]) -> None:
    """Remember them: they go on when the demonstration is started again."""
    durable.write_file(centre.settings.data / "demo-sensors.json", orjson.dumps(sensors))


def sensors_of(centre: Centre) -> tuple[Played, ...]:
    """The sensors of a country that was built before; empty when it knew none."""
    path = centre.settings.data / "demo-sensors.json"
    if not path.exists():
        return ()
    return tuple(Played(**sensor) for sensor in orjson.loads(path.read_bytes()))


def everyday(
    random_: random.Random, one: Played, source: str, *, start: datetime, end: datetime, rate: float
) -> list[Line]:
    """What a source says between two moments at `rate` records an hour: as many as it should."""
    # Counted from a fixed moment, so that short turns together say what the hour should.
    hours = [moment.timestamp() / 3600 for moment in (start, end)]
    count = int(rate * hours[1]) - int(rate * hours[0])
    # One in each part of the time: by chance alone no hour has much more than another.
    parts = [(number + random_.random()) / count for number in range(count)]
    return [MAKERS[source](random_, one.place, start + (end - start) * part) for part in parts]


def last_day(random_: random.Random, one: Played, now: datetime) -> list[Line]:
    """The 24 hours before the country is built, as far as they came here; oldest first."""
    day = traffic.day(random_, one.place, now, weight=one.weight)
    lines = [line for line in day if line.at <= now]  # an attack may go on after it
    this_hour = now.replace(minute=0, second=0, microsecond=0)
    if one.manner == PAUSED:
        return [line for line in lines if line.at < this_hour - PAUSED_HOURS * HOUR]
    if one.manner not in (STOPPED, LOW):
        return lines
    since = this_hour - SINCE_HOURS * HOUR
    lines = [line for line in lines if line.at < since or one.is_said(line)]
    lines += everyday(
        random_, one, BUSY_SOURCE, start=now - 24 * HOUR, end=since, rate=BUSY_PER_HOUR
    )
    rate = one.present(BUSY_SOURCE, now)
    lines += everyday(random_, one, BUSY_SOURCE, start=since, end=now, rate=rate)
    return sorted(lines, key=lambda line: line.at)


def send(centre: Centre, one: Played, lines: Sequence[Line], *, epoch: str, first: int = 0) -> None:
    """Have the centre take these records; each of a sensor's needs a number of its own."""
    by_source = sorted(lines, key=lambda line: line.source)
    for source, group in groupby(by_source, key=lambda line: line.source):
        stream = f"sensor:{one.sensor_id}/{source}"
        origin = Origin(source, stream, epoch, one.sensor_id, one.entity_id)
        found = list(group)
        for start in range(0, len(found), limits.LISTEN_BATCH_RECORDS):
            part = found[start : start + limits.LISTEN_BATCH_RECORDS]
            raws = [Raw(first + start + place, line.data) for place, line in enumerate(part)]
            take(centre, origin, raws)
