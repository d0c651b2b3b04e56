"""What `cgii sensor list` says of a sensor."""

from datetime import UTC, datetime, timedelta

from cgii.cli.sensors import line
from cgii.model.records import Sensor
from cgii.model.sensors import SensorReport

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def sensor(name: str = "norte") -> Sensor:
    return Sensor(name=name, event_count=0, reject_count=0, program_version="1.0")


def report(problem: str = "", waiting: timedelta | None = None) -> SensorReport:
    return SensorReport(
        received_at=NOW - timedelta(minutes=1),
        waiting_since=None if waiting is None else NOW - waiting,
        spool_records=3,
        lost_count=0,
        skew_seconds=0,
        settings_problem=problem,
    )


def test_what_a_sensor_says_stays_in_its_line() -> None:
    forged = "no sirve\n\x1b[2Ksur  GAMX  2026-11-30 0 eventos\r\x9b1A\u2028fin"
    found = line(sensor("nor\nte"), report(forged), NOW)
    assert found.isprintable()
    assert "no sirve" in found


def test_a_sensor_that_sends_nothing_is_seen_by_its_report() -> None:
    found = line(sensor(), report(), NOW)
    assert "nunca" in found
    assert "informó 2026-11-30T11:59:00+00:00" in found


def test_nothing_waits_for_less_than_no_time() -> None:
    assert "cola 3 (0 s)" in line(sensor(), report(waiting=-timedelta(hours=1)), NOW)
    assert "cola 3 (90 s)" in line(sensor(), report(waiting=timedelta(seconds=90)), NOW)
