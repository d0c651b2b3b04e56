"""Alerts per rule with what analysts said of them."""

from sqlalchemy.orm import Session

from cgii.measure.alert_metrics import alerts_by_rule, alerts_by_state
from cgii.measure.filters import Filters
from cgii.measure.metric import Figure, Table
from tests.make_measures import OCTOBER, START, hours, make_group

ALL = Filters()


def test_precision_counts_only_what_has_a_verdict(session: Session) -> None:
    for verdict in ("true_positive", "false_positive", "false_positive", "benign", ""):
        make_group(session, "noisy", verdict=verdict)
    make_group(session, "quiet")
    table = alerts_by_rule(session, OCTOBER, ALL)
    assert isinstance(table, Table)
    assert [row.key for row in table.rows] == ["noisy", "quiet"]
    assert [cell.value for cell in table.rows[0].cells] == [5, 15, 4, 2, 50.0, 25.0]
    assert [cell.value for cell in table.rows[1].cells] == [1, 3, 0, 0, None, None]


def test_groups_count_in_the_period_of_their_birth(session: Session) -> None:
    make_group(session, "r", created_at=OCTOBER.start - hours(1))
    make_group(session, "r", created_at=OCTOBER.end)
    make_group(session, "r", created_at=START, state="taken")
    found = alerts_by_state(session, OCTOBER, ALL)
    assert isinstance(found, Figure)
    assert (found.value, found.previous) == (1, 1)
