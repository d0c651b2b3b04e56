"""Goes on playing the demonstration's sensors, so that one left running stays alive."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import select, update

from cgii.base.errors import CgiiError
from cgii.base.logs import logger
from cgii.centre import Centre
from cgii.collect.background import Background
from cgii.demo import traffic
from cgii.demo.sensors import Played, everyday, send
from cgii.demo.traffic import CUT_PER_DAY, PER_DAY, Line
from cgii.model.records import Sensor
from cgii.model.sensors import SensorReport
from cgii.model.silence import QuietWindow

log = logger("demo")
ROUND = timedelta(minutes=5)  # in which each sensor has its turn
DAY = timedelta(days=1)
ATTACKS_PER_DAY = 1.2  # at each sensor


class Feed(Background):
    """What the sensors say from now on. One that was revoked, or whose own pause lasts, is off."""

    def __init__(self, centre: Centre, sensors: Sequence[Played]) -> None:
        super().__init__("demo")
        self._centre = centre
        self._sensors = sensors
        self._random = random.Random()
        self._until = dict.fromkeys((one.sensor_id for one in sensors), centre.clock())
        # Streams begin anew with every start, so no record is taken for one sent before.
        self._epoch = f"demo-{centre.clock():%Y%m%dT%H%M%S.%f}"
        self._next = defaultdict[int, int](int)  # the number of a sensor's next record
        self._to_come = defaultdict[int, list[Line]](list)  # of attacks that go on

    def _run(self) -> None:
        while self._sensors:
            for one in self._sensors:
                if self._stop.wait(ROUND.total_seconds() / len(self._sensors)):
                    return
                try:
                    self.turn(one)
                except CgiiError as error:  # a busy record: its next turn says it all
                    log.warning("demonstration waits", sensor=one.sensor_id, reason=str(error))

    def turn(self, one: Played) -> int:
        """Say what this sensor has to say since its last turn; how many records."""
        now, before = self._centre.clock(), self._until[one.sensor_id]
        if not self._is_on(one, now):
            self._until[one.sensor_id] = now
            return 0
        lines = self._lines(one, before, now)
        first = self._next[one.sensor_id]
        self._until[one.sensor_id], self._next[one.sensor_id] = now, first + len(lines)
        send(self._centre, one, lines, epoch=self._epoch, first=first)
        return len(lines)

    def _is_on(self, one: Played, now: datetime) -> bool:
        """Whether it can speak now; its report of itself comes with its turn."""
        key = f"sensor:{one.sensor_id}"
        own_pause = select(QuietWindow.id).where(
            QuietWindow.sensor_key == key, QuietWindow.source == "",
            QuietWindow.start_at <= now, QuietWindow.end_at > now,
        )  # fmt: skip
        with self._centre.database.transaction() as session:
            sensor = session.get(Sensor, one.sensor_id)
            if sensor is None or sensor.revoked_at is not None or session.scalar(own_pause):
                return False
            session.execute(
                update(SensorReport)
                .where(SensorReport.sensor_id == one.sensor_id)
                .values(received_at=now)
            )
        return True

    def _lines(self, one: Played, before: datetime, now: datetime) -> list[Line]:
        lines = [
            line
            for source in PER_DAY
            for line in everyday(
                self._random, one, source, start=before, end=now, rate=one.present(source, now)
            )
        ]
        days = (now - before) / DAY
        rare = self._to_come[one.sensor_id]
        if self._random.random() < ATTACKS_PER_DAY * days:
            rare += traffic.attack(self._random, one.place, now)
        if self._random.random() < CUT_PER_DAY * one.weight * days:
            rare.append(traffic.cut(self._random, one.place, now))
        lines += [line for line in rare if line.at <= now and one.is_said(line)]
        self._to_come[one.sensor_id] = [line for line in rare if line.at > now]
        return sorted(lines, key=lambda line: line.at)
