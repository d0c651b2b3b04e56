"""Plans: each entity stands in its furthest stage, and only what is in force counts."""

from datetime import date, timedelta

import pytest
from sqlalchemy.orm import Session

from cgii.measure.filters import Filters
from cgii.measure.metric import Figure, Table, count_parts
from cgii.measure.period import parse_period
from cgii.measure.plan_metrics import (
    pisi_developed,
    pisi_funnel,
    pisi_implemented,
    plan_scores,
    plans_expiring,
    stage_cases,
)
from cgii.model.plans import ScoreSnapshot
from tests.make import NOW, make_entity
from tests.make_measures import (
    ACCEPTED,
    START,
    YEAR,
    hours,
    make_follow_up,
    make_plan_row,
    make_rsi,
    scores,
)

ALL = Filters()


def _stages(session: Session) -> dict[str, int]:
    return count_parts(session, stage_cases(YEAR, ALL))


def test_no_entities_have_no_share(session: Session) -> None:
    found = pisi_developed(session, YEAR, ALL)
    assert isinstance(found, Figure)
    assert (found.value, found.n, found.target) == (None, 0, 100.0)


def test_only_active_entities_of_the_central_level_are_in_the_denominator(
    session: Session,
) -> None:
    make_entity(session)
    make_entity(session, level="territorial")
    make_entity(session, is_active=False)
    assert _stages(session) == {"no_rsi": 1}


@pytest.mark.parametrize(
    ("since", "until", "stage"),
    [
        (date(2026, 1, 1), None, "rsi"),
        (date(2026, 1, 1), date(2026, 2, 1), "no_rsi"),
        (date(2027, 1, 1), None, "no_rsi"),
    ],
)
def test_only_a_present_rsi_counts(
    session: Session, since: date, until: date | None, stage: str
) -> None:
    make_rsi(session, make_entity(session), since=since, until=until)
    assert _stages(session) == {stage: 1}


@pytest.mark.parametrize(
    ("given", "stage"),
    [
        ({}, "draft"),
        ({"state": "approved", "approval_cite": "R1", "approved_at": START}, "draft"),
        ({"state": "filed", "filed_at": START}, "filed"),
        (ACCEPTED | {"outcome": "returned"}, "decided"),
        (ACCEPTED | {"approval_cite": ""}, "decided"),
        (ACCEPTED, "resolution"),
        (ACCEPTED | {"outcome": "with_conditions"}, "resolution"),
        (ACCEPTED | {"valid_until": date(2026, 11, 19)}, "no_rsi"),
        (ACCEPTED | {"state": "revoked"}, "no_rsi"),
    ],
)
def test_a_plan_puts_its_entity_into_one_stage(
    session: Session, given: dict[str, object], stage: str
) -> None:
    make_plan_row(session, make_entity(session), **given)
    assert _stages(session) == {stage: 1}


def test_implementing_needs_a_recent_follow_up(session: Session) -> None:
    fresh = make_plan_row(session, make_entity(session), **ACCEPTED)
    make_follow_up(session, fresh, NOW - timedelta(days=300))
    stale = make_plan_row(session, make_entity(session), **ACCEPTED)
    make_follow_up(session, stale, NOW - timedelta(days=400))
    assert _stages(session) == {"implementing": 1, "resolution": 1}


def test_a_renewed_plan_has_an_accepted_one_before_it(session: Session) -> None:
    entity = make_entity(session)
    make_plan_row(session, entity, year=2025, **ACCEPTED | {"valid_until": date(2026, 1, 1)})
    newer = make_plan_row(session, entity, **ACCEPTED)
    make_follow_up(session, newer, NOW - hours(5))
    assert _stages(session) == {"renewed": 1}


def test_develop_and_implement_stand_apart(session: Session) -> None:
    make_entity(session)
    make_plan_row(session, make_entity(session), **ACCEPTED)
    done = make_plan_row(session, make_entity(session), **ACCEPTED)
    make_follow_up(session, done, NOW - hours(5))
    make_rsi(session, make_entity(session))
    developed = pisi_developed(session, YEAR, ALL)
    implemented = pisi_implemented(session, YEAR, ALL)
    assert isinstance(developed, Figure)
    assert isinstance(implemented, Figure)
    assert (developed.value, developed.n) == (50.0, 4)
    assert (implemented.value, implemented.n) == (25.0, 4)


def test_the_funnel_only_narrows(session: Session) -> None:
    make_rsi(session, make_entity(session))
    make_entity(session)
    done = make_plan_row(session, make_entity(session), **ACCEPTED)
    make_follow_up(session, done, NOW - hours(5))
    table = pisi_funnel(session, YEAR, ALL)
    assert isinstance(table, Table)
    assert [row.cells[0].value for row in table.rows] == [3, 2, 1, 1, 1, 1, 1, 0]
    assert [row.cells[2].value for row in table.rows] == [1, 1, 0, 0, 0, 0, 1, 0]


def test_scores_are_those_of_the_newest_snapshot_with_n(session: Session) -> None:
    for first, last in ((0.2, 0.4), (0.9, 0.8)):
        plan = make_plan_row(session, make_entity(session), **ACCEPTED)
        for moment, value in ((START, first), (START + hours(1), last)):
            session.add(
                ScoreSnapshot(
                    plan_id=plan.id,
                    entity_id=plan.entity_id,
                    moment="decided",
                    taken_at=moment,
                    scores=scores(1.0, value, 0.0),
                )
            )
            session.flush()  # the newest is the one with the highest id
    table = plan_scores(session, YEAR, ALL)
    assert isinstance(table, Table)
    strict = next(row for row in table.rows if row.key == "strict")
    assert [cell.value for cell in strict.cells] == [pytest.approx(60), pytest.approx(60), 2]


def test_plans_about_to_lapse_stand_in_one_stretch_each(session: Session) -> None:
    today = date(2026, 11, 20)
    for days in (-1, 0, 1, 7, 8, 90, 91):
        until = today + timedelta(days=days)
        make_plan_row(session, make_entity(session), **ACCEPTED | {"valid_until": until})
    table = plans_expiring(session, parse_period("12m", now=NOW), ALL)
    assert isinstance(table, Table)
    assert {row.key: row.cells[0].value for row in table.rows} == {
        "expired": 1,
        "1": 2,
        "7": 1,
        "30": 1,
        "90": 1,
        "later": 1,
    }


def test_a_replaced_plan_does_not_lapse(session: Session) -> None:
    entity = make_entity(session)
    make_plan_row(session, entity, year=2025, **ACCEPTED | {"valid_until": date(2026, 11, 25)})
    make_plan_row(session, entity, **ACCEPTED)
    table = plans_expiring(session, YEAR, ALL)
    assert isinstance(table, Table)
    assert table.n == 1
