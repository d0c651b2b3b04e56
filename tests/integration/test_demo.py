"""The demonstration shows silence as it is, and stays alive while it runs."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from unittest.mock import patch

import pytest
from sqlalchemy import func, select

from cgii.base import limits
from cgii.centre import Centre
from cgii.demo import country, history, plans
from cgii.demo.feed import Feed
from cgii.demo.sensors import LOW, PAUSED, STOPPED, Played, sensors_of
from cgii.model.alerts import AlertGroup
from cgii.model.records import Job, Sensor, SourceVolume
from cgii.model.sensors import SensorReport
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.silence import JOB, check_silence
from tests.make_web import make_centre

HOUR = timedelta(hours=1)
SENSORS, INCIDENTS = 6, 30  # fewer than the real one has …
NO_PLANS = dict.fromkeys(plans.SHARES, (1, 0, 0, 0, 0, 0, 0))  # … and next to no plans


@pytest.fixture(scope="module")
def centre(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """A demonstration that was just built; its clock stands, lest an hour end meanwhile."""
    centre = make_centre(tmp_path_factory.mktemp("demo"))
    now = centre.clock()
    centre.clock = lambda: now
    with (
        patch.object(country, "SENSORS", SENSORS),
        patch.object(history, "INCIDENTS", INCIDENTS),
        patch.object(plans, "SHARES", NO_PLANS),
    ):
        country.build_country(centre, lambda password: "")
    yield centre
    centre.close()


def sensor_with(centre: Centre, manner: str) -> Played:
    [found] = [one for one in sensors_of(centre) if one.manner == manner]
    return found


def silences(centre: Centre) -> dict[tuple[str, str], str]:
    """The state of each silence that lasts."""
    with centre.database.reading() as session:
        rows = session.scalars(select(SourceSilence).where(SourceSilence.ended_at.is_(None)))
        return {(row.sensor_key, row.source): row.state for row in rows}


def expected(centre: Centre) -> dict[tuple[str, str], str]:
    return {
        (f"sensor:{sensor_with(centre, manner).sensor_id}", "suricata_eve"): manner
        for manner in (STOPPED, LOW)
    }


def test_one_source_stopped_and_one_fell_to_a_tenth(centre: Centre) -> None:
    assert silences(centre) == expected(centre)
    with centre.database.reading() as session:
        told = session.scalar(
            select(func.count()).select_from(AlertGroup)
            .where(AlertGroup.rule_id == "silence.source", AlertGroup.state == "new")
        )  # fmt: skip
    assert told == 2


def test_a_pause_is_announced_for_a_sensor_that_says_nothing(centre: Centre) -> None:
    paused = sensor_with(centre, PAUSED)
    key = f"sensor:{paused.sensor_id}"
    with centre.database.reading() as session:
        [window] = session.scalars(select(QuietWindow).where(QuietWindow.sensor_key == key))
        last = session.scalar(
            select(func.max(SourceVolume.hour)).where(SourceVolume.sensor_key == key)
        )
    assert window.start_at <= centre.clock() < window.end_at
    assert last is not None
    assert last < window.start_at


def test_what_came_is_counted_in_the_hours_that_it_tells_of(centre: Centre) -> None:
    now = centre.clock()
    with centre.database.reading() as session:
        total = func.sum(SourceVolume.event_count + SourceVolume.reject_count)
        since = now.replace(minute=0, second=0, microsecond=0) - 24 * HOUR
        last_day = session.scalar(select(total).where(SourceVolume.hour >= since))
        latest = session.scalar(select(func.max(SourceVolume.hour)))
        taken = session.scalar(select(func.sum(Sensor.event_count + Sensor.reject_count)))
    assert last_day == taken
    assert latest is not None
    assert latest <= now


def test_a_demonstration_left_running_tells_of_no_other_silence(centre: Centre) -> None:
    """A day passes by a clock of ours; the job is done as often as it must be to count."""
    began = centre.clock()
    feed = Feed(centre, sensors_of(centre))
    for hour in range(24):
        now = began + hour * HOUR
        with patch.object(centre, "clock", lambda now=now: now):
            for one in sensors_of(centre):
                feed.turn(one)
            _note_looks(centre, now)
            check_silence(centre)
        assert silences(centre).keys() == expected(centre).keys()
    with centre.database.reading() as session:
        paused = session.get_one(Sensor, sensor_with(centre, PAUSED).sensor_id)
        reports = session.scalars(
            select(SensorReport.sensor_id).where(SensorReport.received_at > began + 22 * HOUR)
        ).all()
        assert paused.heard_at is not None
        assert paused.heard_at <= began
        assert len(reports) == SENSORS - 1


def test_a_revoked_sensor_says_nothing_more(centre: Centre) -> None:
    one = sensors_of(centre)[1]
    feed = Feed(centre, [one])
    with centre.database.transaction() as session:
        session.get_one(Sensor, one.sensor_id).revoked_at = centre.clock()
    later = centre.clock() + 5 * HOUR
    with patch.object(centre, "clock", lambda: later):
        assert feed.turn(one) == 0


def _note_looks(centre: Centre, at: datetime) -> None:
    with centre.database.transaction() as session:
        for _ in range(limits.SILENCE_LOOKS_MIN):
            session.add(
                Job(
                    name=JOB, arguments={}, state="done", run_at=at, created_at=at, ended_at=at,
                    last_error="", result={},
                )
            )  # fmt: skip
