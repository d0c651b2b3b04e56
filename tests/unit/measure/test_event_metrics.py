"""Events and rejects by source, and who has gone silent."""

from sqlalchemy.orm import Session

from cgii.measure.event_metrics import (
    events_by_source,
    events_over_time,
    sensors,
    silent_sources,
)
from cgii.measure.filters import Filters
from cgii.measure.metric import Figure, Table
from cgii.measure.period import parse_period
from cgii.model.records import Sensor
from tests.make import NOW, make_entity
from tests.make_measures import OCTOBER, START, hours, make_volume

ALL = Filters()
MONTH = parse_period("30d", now=NOW)


def test_rejects_are_a_share_of_all_records(session: Session) -> None:
    make_volume(session, "openssh", START)
    make_volume(session, "openssh", START + hours(1))
    make_volume(session, "zeek", START, event_count=5, reject_count=0)
    found = events_by_source(session, OCTOBER, ALL)
    assert isinstance(found, Figure)
    assert found.value == 185
    assert found.table is not None
    assert [cell.value for cell in found.table.rows[0].cells] == [180, 20, 10.0]


def test_an_hour_of_the_evening_belongs_to_the_day_of_la_paz(session: Session) -> None:
    make_volume(session, "openssh", NOW.replace(day=10, hour=3))
    table = events_over_time(session, MONTH, ALL)
    assert isinstance(table, Table)
    assert {row.key for row in table.rows if row.cells[0].value} == {"2026-11-09"}


def test_an_entity_sees_only_what_its_sensors_sent(session: Session) -> None:
    entity = make_entity(session)
    sensor = Sensor(name="s", token_hash="x", created_at=START, entity_id=entity.id)
    session.add(sensor)
    session.flush()  # the counts name the sensor's id
    make_volume(session, "openssh", START, sensor_key=f"sensor:{sensor.id}", event_count=7)
    make_volume(session, "openssh", START)
    found = events_by_source(session, OCTOBER, Filters(entity=entity.id))
    assert found.n == 7


def test_a_source_is_silent_after_a_day_and_gone_after_ninety(session: Session) -> None:
    make_volume(session, "fresh", NOW - hours(20))
    make_volume(session, "silent", NOW - hours(49))
    make_volume(session, "gone", NOW - hours(24 * 91))
    table = silent_sources(session, MONTH, ALL)
    assert isinstance(table, Table)
    assert [(row.key, row.cells[0].value) for row in table.rows] == [("silent", 48 * 3600)]


def test_sensors_are_heard_silent_or_never_heard(session: Session) -> None:
    for name, heard in (("a", NOW), ("b", NOW - hours(30)), ("c", None), ("d", NOW)):
        revoked = NOW - hours(1) if name == "d" else None
        row = Sensor(
            name=name, token_hash=name, created_at=START, heard_at=heard, revoked_at=revoked
        )
        session.add(row)
    session.flush()  # the metric reads the rows
    table = sensors(session, MONTH, ALL)
    assert isinstance(table, Table)
    assert [row.cells[0].value for row in table.rows] == [1, 1, 1]
