"""Times: percentiles of the ended, the open as censored, pauses taken off, impossible ones said."""

from datetime import timedelta

from sqlalchemy.orm import Session

from cgii.measure.filters import Filters
from cgii.measure.metric import Figure, Row, Table
from cgii.measure.time_metrics import (
    acknowledge_by_month,
    time_to_acknowledge,
    time_to_resolve,
    times,
)
from tests.make_measures import OCTOBER, START, YEAR, hours, make_case, make_clock, october_as_of

ALL = Filters()
HOUR = 3600.0


def _row(found: Figure | Table, key: str) -> dict[str, float | None]:
    table = found if isinstance(found, Table) else found.table
    assert table is not None
    row: Row = next(row for row in table.rows if row.key == key)
    return {column.key: cell.value for column, cell in zip(table.columns, row.cells, strict=True)}


def test_no_cases_give_no_percentiles(session: Session) -> None:
    found = time_to_acknowledge(session, OCTOBER, ALL)
    assert isinstance(found, Figure)
    assert (found.value, found.n) == (None, 0)
    assert _row(found, "all")["p50"] is None


def test_the_median_is_of_all_cases_not_of_the_groups(session: Session) -> None:
    for after, severity in ((1, "alto"), (2, "alto"), (9, "bajo")):
        make_case(session, after_hours={"acknowledged": after}, severity=severity)
    found = time_to_acknowledge(session, OCTOBER, ALL)
    assert isinstance(found, Figure)
    assert (found.value, found.n) == (2 * HOUR, 3)
    assert _row(found, "alto")["p50"] == 1.5 * HOUR
    assert _row(found, "all")["p75"] == 5.5 * HOUR


def test_p90_needs_ten_cases(session: Session) -> None:
    for number in range(9):
        make_case(session, after_hours={"acknowledged": number + 1})
    found = time_to_acknowledge(session, OCTOBER, ALL)
    assert _row(found, "all")["p90"] is None
    assert any("P90" in note for note in found.notes)
    make_case(session, after_hours={"acknowledged": 10})
    assert _row(time_to_acknowledge(session, OCTOBER, ALL), "all")["p90"] == 9.1 * HOUR


def test_open_cases_are_counted_and_raise_the_censored_median(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 1})
    make_case(session, after_hours={"acknowledged": 3})
    make_case(session)
    row = _row(time_to_acknowledge(session, OCTOBER, ALL), "all")
    assert (row["n"], row["open"]) == (2, 1)
    assert (row["p50"], row["censored"]) == (2 * HOUR, 3 * HOUR)


def test_pauses_are_taken_off_the_net_time(session: Session) -> None:
    incident = make_case(session, after_hours={"acknowledged": 1, "resolved": 10})
    make_clock(session, incident, stage="resolved", paused_seconds=4 * 3600)
    row = _row(time_to_resolve(session, OCTOBER, ALL), "all")
    assert (row["p50"], row["net"]) == (10 * HOUR, 6 * HOUR)


def test_impossible_order_and_a_missing_stage_are_said_and_left_out(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 1})
    make_case(session, after_hours={"acknowledged": -2})
    make_case(session, after_hours={"closed": 5})
    found = time_to_acknowledge(session, OCTOBER, ALL)
    assert found.n == 1
    assert any("2 casos quedan fuera" in note for note in found.notes)


def test_a_stage_reached_after_the_reading_is_still_open(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 8})
    row = _row(time_to_acknowledge(session, october_as_of(START + hours(5)), ALL), "all")
    assert (row["n"], row["open"], row["censored"]) == (0, 1, None)


def test_containment_is_counted_from_report_and_from_detection(session: Session) -> None:
    make_case(session, after_hours={"contained": 4}, detected_at=START - hours(6))
    make_case(session, after_hours={"contained": 8})
    found = times(session, OCTOBER, ALL)
    assert _row(found, "contained")["p50"] == 6 * HOUR
    detected = _row(found, "contained_detected")
    assert (detected["n"], detected["p50"]) == (1, 10 * HOUR)


def test_months_are_those_of_receipt(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 2})
    earlier = START - timedelta(days=40)
    make_case(session, received=earlier, after_hours={"acknowledged": 1})
    found = acknowledge_by_month(session, YEAR, ALL)
    assert _row(found, "2026-10")["p50"] == 2 * HOUR
    assert _row(found, "2026-09")["p50"] == HOUR
    assert _row(found, "2026-08")["n"] == 0


def test_the_previous_median_stands_beside(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 2})
    earlier = START - timedelta(days=30)
    make_case(session, received=earlier, after_hours={"acknowledged": 5})
    found = time_to_acknowledge(session, OCTOBER, ALL)
    assert isinstance(found, Figure)
    assert (found.previous, found.previous_n) == (5 * HOUR, 1)
