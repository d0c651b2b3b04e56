"""Counts of incidents: backlog by age, receipts and closures, classes, entities, open work."""

from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from cgii.measure.filters import Filters
from cgii.measure.incident_metrics import (
    backlog_by_age,
    incidents_by_class,
    incidents_by_entity,
    incidents_by_sector,
    received_closed,
    workload,
)
from cgii.measure.metric import Figure, Table
from cgii.measure.period import parse_period
from tests.make import NOW, make_entity, make_incident, make_user
from tests.make_measures import OCTOBER, START, YEAR, hours

ALL = Filters()


def _cells(found: Figure | Table) -> dict[str, list[float | None]]:
    table = found if isinstance(found, Table) else found.table
    assert table is not None
    return {row.key: [cell.value for cell in row.cells] for row in table.rows}


def test_the_backlog_is_what_was_open_at_the_end_of_the_period(session: Session) -> None:
    end = OCTOBER.end
    make_incident(session, received_at=end - timedelta(days=2), severity="alto")
    make_incident(session, received_at=end - timedelta(days=100), closed_at=end + hours(1))
    make_incident(session, received_at=end - timedelta(days=2), closed_at=end - hours(1))
    make_incident(session, received_at=end + hours(1))
    make_incident(session, received_at=end - timedelta(days=2), is_exercise=True)
    found = backlog_by_age(session, OCTOBER, ALL)
    assert isinstance(found, Figure)
    assert found.value == 2
    cells = _cells(found)
    assert cells["1-3"] == [0, 0, 1, 0, 0, 1]
    assert cells["90+"][-1] == 1


def test_ages_fall_into_the_band_that_starts_at_them(session: Session) -> None:
    for days in (0, 1, 3, 7, 30, 90):
        make_incident(session, received_at=NOW - timedelta(days=days))
    cells = _cells(backlog_by_age(session, parse_period("30d", now=NOW), ALL))
    assert [row[-1] for row in cells.values()] == [1, 1, 1, 1, 1, 1]


def test_receipts_and_closures_stand_in_their_own_months(session: Session) -> None:
    september = START - timedelta(days=30)
    make_incident(session, received_at=september, closed_at=START)
    make_incident(session, received_at=START)
    make_incident(session, received_at=START - timedelta(days=400), closed_at=september)
    found = received_closed(session, YEAR, ALL)
    assert isinstance(found, Figure)
    cells = _cells(found)
    assert cells["2026-09"] == [1, 1, 100.0]
    assert cells["2026-10"] == [1, 1, 100.0]
    assert cells["2026-01"] == [0, 0, None]
    assert (found.value, found.previous) == (2, 1)


def test_a_receipt_late_in_the_evening_belongs_to_the_month_of_la_paz(session: Session) -> None:
    make_incident(session, received_at=datetime(2026, 11, 1, 3, 59, tzinfo=UTC))
    assert _cells(received_closed(session, YEAR, ALL))["2026-10"][0] == 1


def test_classes_are_ranked_and_the_unclassified_are_named(session: Session) -> None:
    for code in ("fraud", "fraud", "", "test"):
        make_incident(session, received_at=START, rsit_class=code)
    found = incidents_by_class(session, OCTOBER, ALL)
    assert isinstance(found, Table)
    assert [(row.key, row.cells[0].value) for row in found.rows] == [("fraud", 2), ("none", 1)]
    assert found.rows[0].label == "Fraude"
    assert found.rows[1].label == "Sin clasificar"
    assert found.n == 3


def test_cases_without_an_entity_are_counted_too(session: Session) -> None:
    entity = make_entity(session, sector="health")
    make_incident(session, received_at=START, entity_id=entity.id)
    make_incident(session, received_at=START, entity_id=None)
    by_entity = incidents_by_entity(session, OCTOBER, ALL)
    by_sector = incidents_by_sector(session, OCTOBER, ALL)
    assert isinstance(by_entity, Table)
    assert isinstance(by_sector, Table)
    assert {row.label for row in by_entity.rows} == {entity.acronym, "Sin entidad conocida"}
    assert {row.label for row in by_sector.rows} == {"Salud", "Sin sector"}


def test_open_work_says_what_is_missing(session: Session) -> None:
    owner = make_user(session)
    make_incident(session, next_due_at=NOW - hours(1))
    make_incident(session, owner_id=owner.id, triaged_at=NOW, next_due_at=NOW + hours(3))
    make_incident(session, waiting_for="entity", next_due_at=NOW + hours(30))
    make_incident(session, closed_at=NOW)
    cells = _cells(workload(session, parse_period("30d", now=NOW), ALL))
    assert {key: row[0] for key, row in cells.items()} == {
        "open": 3,
        "unowned": 2,
        "untriaged": 2,
        "late": 1,
        "due_soon": 1,
        "waiting": 1,
    }
