"""The goals are dated data with their source."""

from datetime import UTC, datetime

from cgii.measure.catalogue import ALL
from cgii.measure.goals import all_goals, goal_on, target_of
from tests.make import NOW


def test_the_two_goals_hold_today_and_not_before_the_plan() -> None:
    assert target_of("attention", NOW) == 90
    assert target_of("pisi", NOW) == 100
    assert goal_on("attention", datetime(2017, 6, 1, tzinfo=UTC)) is None


def test_every_goal_names_its_source_and_real_metrics() -> None:
    for goal in all_goals():
        assert goal.source
        assert goal.certainty
        assert set(goal.metrics) <= set(ALL)


def test_versions_of_a_goal_do_not_overlap() -> None:
    for goal in all_goals():
        holding = [
            one
            for one in all_goals()
            if one.id == goal.id and one.since <= goal.since <= (one.until or goal.since)
        ]
        assert holding == [goal]
