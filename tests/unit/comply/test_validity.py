"""A plan in force is followed up yearly, its end is told ahead once, and it ends."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.clock import LA_PAZ
from cgii.base.errors import Conflict, InvalidForm, NotFound
from cgii.comply.plans import open_plan
from cgii.comply.validity import (
    FollowUpForm,
    due_reminders,
    expire_plans,
    follow_up,
    follow_ups_of,
    remind_expiring,
)
from cgii.model.plans import ScoreSnapshot
from cgii.model.records import Job
from cgii.store.act import Act
from tests.make import make_act
from tests.make_plans import make_cast, make_filed, make_valid

END = date(2027, 3, 31)
FOLLOW_UP = FollowUpForm(2026, 40, "Se implementaron los respaldos.", "MEMO-9/2026")


def on(session: Session, day: date, hour: int = 9) -> Act:
    """The system acting at an hour of a day in La Paz."""
    moment = datetime(day.year, day.month, day.day, hour, tzinfo=LA_PAZ)
    return replace(make_act(session), now=moment)


def reminders(session: Session) -> list[str]:
    jobs = session.scalars(select(Job).where(Job.name == "notify_plan").order_by(Job.id))
    return [job.arguments["detail"] for job in jobs if job.arguments["event"] == "plan_expiring"]


def test_a_follow_up_is_recorded_once_a_year_with_a_score(session: Session) -> None:
    cast = make_cast(session)
    plan, _ = make_valid(cast)
    row = follow_up(cast.officer, plan, FOLLOW_UP)
    assert (row.entity_id, row.year, row.progress_percent) == (cast.entity.id, 2026, 40)
    moments = [kept.moment for kept in session.scalars(select(ScoreSnapshot))]
    assert moments == ["filed", "decided", "follow_up"]
    with pytest.raises(Conflict, match="ya está registrado"):
        follow_up(cast.officer, plan, FOLLOW_UP)
    next_year = replace(cast.officer, now=cast.officer.now + timedelta(days=365))
    follow_up(next_year, plan, replace(FOLLOW_UP, year=2027))
    assert [kept.year for kept in follow_ups_of(session, plan)] == [2026, 2027]


@pytest.mark.parametrize(
    ("form", "field"),
    [
        (replace(FOLLOW_UP, year=2025), "year"),
        (replace(FOLLOW_UP, year=2027), "year"),
        (replace(FOLLOW_UP, progress_percent=101), "progress_percent"),
        (replace(FOLLOW_UP, note=" "), "note"),
        (replace(FOLLOW_UP, cite="x" * 81), "cite"),
    ],
)
def test_a_follow_up_at_fault_names_its_field(
    session: Session, form: FollowUpForm, field: str
) -> None:
    cast = make_cast(session)
    plan, _ = make_valid(cast)
    with pytest.raises(InvalidForm) as caught:
        follow_up(cast.officer, plan, form)
    assert list(caught.value.problems) == [field]


def test_only_a_plan_in_force_is_followed_up_and_by_its_own_people(session: Session) -> None:
    cast = make_cast(session)
    with pytest.raises(Conflict):
        follow_up(cast.officer, make_filed(cast).plan, FOLLOW_UP)
    other = make_cast(session)
    plan, _ = make_valid(other)
    with pytest.raises(NotFound):
        follow_up(cast.officer, plan, FOLLOW_UP)


def test_a_plan_is_valid_through_its_last_day_in_la_paz(session: Session) -> None:
    plan, _ = make_valid(make_cast(session), valid_until=END)
    assert expire_plans(on(session, END, hour=23)) == []
    assert expire_plans(on(session, END + timedelta(days=1), hour=0)) == [plan]
    assert plan.state == "expired"
    assert expire_plans(on(session, END + timedelta(days=2))) == []


def test_each_threshold_is_told_once(session: Session) -> None:
    make_valid(make_cast(session), valid_until=END)
    for left in range(120, -1, -1):
        for hour in (8, 20):
            remind_expiring(on(session, END - timedelta(days=left), hour))
    assert reminders(session) == ["90", "30", "7", "1"]


def test_thresholds_missed_while_the_centre_was_down_give_one_letter(session: Session) -> None:
    plan, _ = make_valid(make_cast(session), valid_until=END)
    assert remind_expiring(on(session, END - timedelta(days=5))) == [plan]
    assert reminders(session) == ["7"]
    assert plan.reminded == [90, 30, 7]


def test_a_draft_or_an_expired_plan_is_not_reminded(session: Session) -> None:
    cast = make_cast(session)
    open_plan(cast.officer, cast.entity, 2026)
    plan, _ = make_valid(make_cast(session), valid_until=END)
    expire_plans(on(session, END + timedelta(days=1)))
    assert plan.state == "expired"
    assert remind_expiring(on(session, END - timedelta(days=1))) == []


@given(st.lists(st.integers(0, 400), min_size=1).map(lambda days: sorted(days, reverse=True)))
def test_whatever_the_rounds_no_threshold_is_told_twice(rounds: list[int]) -> None:
    told: list[int] = []
    for left in rounds:
        due = due_reminders(END, told, today=END - timedelta(days=left))
        assert not set(due) & set(told)
        assert all(left <= days for days in due)
        told += due
    assert told == [days for days in (90, 30, 7, 1) if rounds[-1] <= days]
