"""Attended in time: known answers on small data, with every edge that could flatter the figure."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from cgii.measure.attention_metrics import (
    attended_by_month,
    attended_by_severity,
    attended_in_time,
    deadlines_by_party,
    reopened,
    resolved_in_time,
)
from cgii.measure.filters import Filters
from cgii.measure.metric import Figure, Table
from tests.make import make_entity, make_incident
from tests.make_measures import (
    OCTOBER,
    START,
    YEAR,
    hours,
    make_case,
    make_clock,
    october_as_of,
)

ALL = Filters()


def _figure(found: Figure | Table) -> Figure:
    assert isinstance(found, Figure)
    return found


def _parts(found: Figure | Table) -> dict[str, float | None]:
    table = _figure(found).table
    assert table is not None
    return {row.key: row.cells[0].value for row in table.rows}


def test_nothing_received_has_no_share(session: Session) -> None:
    found = _figure(attended_in_time(session, OCTOBER, ALL))
    assert (found.value, found.n) == (None, 0)


def test_the_share_is_in_time_over_all_that_fell_due(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 1})
    make_case(session, after_hours={"acknowledged": 4})  # on the very second
    make_case(session, after_hours={"acknowledged": 5})
    make_case(session)  # never answered, long past due
    found = _figure(attended_in_time(session, OCTOBER, ALL))
    assert (found.value, found.n, found.target) == (50.0, 4, 90.0)
    assert _parts(found) == {
        "in_time": 2,
        "late": 1,
        "overdue": 1,
        "running": 0,
        "no_clock": 0,
    }


def test_a_case_still_within_its_time_is_left_out_and_said(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 1})
    make_case(session)
    early = october_as_of(START + hours(2))
    found = _figure(attended_in_time(session, early, ALL))
    assert (found.value, found.n) == (100.0, 1)
    assert any("dentro del plazo" in note for note in found.notes)
    late = october_as_of(START + hours(5))
    assert _figure(attended_in_time(session, late, ALL)).value == 50.0


def test_what_happens_later_does_not_change_an_earlier_reading(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 6})
    assert _parts(attended_in_time(session, october_as_of(START + hours(5)), ALL))["overdue"] == 1
    assert _parts(attended_in_time(session, OCTOBER, ALL))["late"] == 1


@pytest.mark.parametrize(
    "given",
    [
        {"is_exercise": True},
        {"close_reason": "duplicate"},
        {"rsit_class": "test"},
        {"kind": "vulnerabilidad"},
    ],
)
def test_what_is_not_a_real_incident_is_left_out(session: Session, given: dict[str, str]) -> None:
    make_case(session, after_hours={"acknowledged": 1})
    make_case(session, **given)
    assert _figure(attended_in_time(session, OCTOBER, ALL)).n == 1


def test_a_merged_case_is_left_out(session: Session) -> None:
    kept = make_case(session, after_hours={"acknowledged": 1})
    make_case(session, merged_into_id=kept.id)
    assert _figure(attended_in_time(session, OCTOBER, ALL)).n == 1


def test_a_breach_stays_even_if_the_clock_was_moved_later(session: Session) -> None:
    incident = make_incident(
        session, received_at=START, acknowledged_at=START + hours(6), severity="alto"
    )
    make_clock(
        session,
        incident,
        due_hours=8,
        met_at=START + hours(6),
        missed_at=START + hours(4),
        ended_at=START + hours(6),
    )
    assert _parts(attended_in_time(session, OCTOBER, ALL))["late"] == 1


def test_a_clock_replaced_by_another_severity_is_not_owed(session: Session) -> None:
    incident = make_incident(session, received_at=START, acknowledged_at=START + hours(6))
    make_clock(session, incident, due_hours=4, ended_at=START + hours(1))
    make_clock(
        session,
        incident,
        due_hours=8,
        policy_id="other",
        met_at=START + hours(6),
        ended_at=START + hours(6),
    )
    assert _parts(attended_in_time(session, OCTOBER, ALL))["in_time"] == 1


def test_a_paused_clock_is_not_overdue(session: Session) -> None:
    incident = make_incident(session, received_at=START)
    make_clock(session, incident, paused_at=START + hours(1))
    assert _parts(attended_in_time(session, OCTOBER, ALL))["running"] == 1


def test_closing_is_a_response_where_none_was_stamped(session: Session) -> None:
    closed = START + hours(2)
    incident = make_incident(session, received_at=START, closed_at=closed)
    make_clock(session, incident, ended_at=closed)
    assert _parts(attended_in_time(session, OCTOBER, ALL))["in_time"] == 1


def test_only_the_centre_s_own_clock_decides(session: Session) -> None:
    incident = make_case(session, after_hours={"acknowledged": 1})
    make_clock(session, incident, due_hours=0.1, regime="nis2", policy_id="nis2")
    make_clock(session, incident, due_hours=0.1, party="entity", policy_id="entity")
    assert _parts(attended_in_time(session, OCTOBER, ALL))["in_time"] == 1


def test_a_case_without_a_clock_is_said_and_not_counted(session: Session) -> None:
    make_incident(session, received_at=START)
    found = _figure(attended_in_time(session, OCTOBER, ALL))
    assert found.n == 0
    assert any("no tienen plazo" in note for note in found.notes)


def test_the_previous_period_stands_beside(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 1})
    make_case(session, received=START - timedelta(days=30))
    found = _figure(attended_in_time(session, OCTOBER, ALL))
    assert (found.value, found.previous, found.previous_n) == (100.0, 0.0, 1)


def test_filters_narrow_the_figure(session: Session) -> None:
    health = make_entity(session, sector="health")
    make_case(session, after_hours={"acknowledged": 1}, entity_id=health.id)
    make_case(session, severity="critico")
    make_case(session, entity_id=None)
    for filters in (Filters(sector="health"), Filters(entity=health.id)):
        assert _figure(attended_in_time(session, OCTOBER, filters)).n == 1
    assert _figure(attended_in_time(session, OCTOBER, Filters(severity="critico"))).value == 0.0


def test_months_and_severities_add_up_to_the_whole(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 1}, severity="alto")
    make_case(session, received=START - timedelta(days=70), severity="bajo")
    by_month = attended_by_month(session, YEAR, ALL)
    by_severity = attended_by_severity(session, YEAR, ALL)
    assert isinstance(by_month, Table)
    assert isinstance(by_severity, Table)
    assert by_month.n == by_severity.n == 2
    shares = {row.key: row.cells[0].value for row in by_month.rows}
    assert (shares["2026-10"], shares["2026-08"], shares["2026-09"]) == (100.0, 0.0, None)
    assert by_month.target == 90.0


def test_resolved_in_time_has_its_own_clock_and_no_goal(session: Session) -> None:
    incident = make_case(session, after_hours={"acknowledged": 1, "resolved": 50})
    make_clock(session, incident, stage="resolved", due_hours=40)
    found = _figure(resolved_in_time(session, OCTOBER, ALL))
    assert (found.value, found.n, found.target) == (0.0, 1, None)


def _deadline_rows(session: Session) -> dict[str, list[float | None]]:
    table = deadlines_by_party(session, OCTOBER, ALL)
    assert isinstance(table, Table)
    return {row.key: [cell.value for cell in row.cells] for row in table.rows}


def test_deadlines_are_told_apart_by_who_owes_them(session: Session) -> None:
    incident = make_case(session, after_hours={"acknowledged": 1})
    make_clock(session, incident, party="entity", stage="contained", policy_id="e1")
    make_clock(
        session,
        incident,
        party="entity",
        stage="contained",
        policy_id="e2",
        met_at=START + hours(9),
        missed_at=START + hours(4),
    )
    make_clock(session, incident, policy_id="gone", ended_at=START + hours(1))
    make_clock(session, incident, policy_id="paused", paused_at=START + hours(1))
    assert _deadline_rows(session) == {
        "centre:acknowledged": [1, 0, 100.0],
        "entity:contained": [0, 2, 0.0],
    }


def test_deadlines_of_exercises_do_not_count(session: Session) -> None:
    make_case(session, is_exercise=True)
    assert _deadline_rows(session) == {}


def test_reopened_is_a_share_of_what_was_closed(session: Session) -> None:
    make_case(session, after_hours={"closed": 9})
    make_case(session, after_hours={"closed": 9}, reopened_count=2)
    make_case(session, reopened_count=1)
    make_case(session)
    found = _figure(reopened(session, OCTOBER, ALL))
    assert found.n == 3
    assert found.value == pytest.approx(200 / 3)
