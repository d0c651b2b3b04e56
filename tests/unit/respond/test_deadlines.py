"""Clocks warn once, miss once, pause only for us, and never forget."""

from datetime import UTC, datetime, timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.calendar import WorkingCalendar, add_working_hours, working_seconds_between
from cgii.model.deadlines import Deadline
from cgii.model.incidents import Entry, Incident
from cgii.model.people import Role
from cgii.model.records import AuditEntry, Message
from cgii.respond.deadlines import (
    MISSED,
    check_deadlines,
    pause,
    resume,
    start_deadlines,
    used_share,
)
from cgii.respond.lifecycle import acknowledge
from cgii.respond.notices import file_notice
from cgii.respond.views import clock_fraction, deadline_state
from cgii.store.database import Database
from tests.make import NOW, make_act, make_incident, make_user
from tests.unit.respond.cases import HOUR, analyst_act, at, make_form

OFFICE = WorkingCalendar()


def running(session: Session, severity: str, **given: object) -> tuple[Incident, Deadline]:
    """An incident with its clocks; the one for the first response beside it."""
    incident = make_incident(session, severity=severity, **given)
    start_deadlines(make_act(session), incident)
    query = select(Deadline).where(
        Deadline.incident_id == incident.id, Deadline.stage == "acknowledged"
    )
    return incident, session.scalars(query).one()


def test_the_worst_runs_by_the_calendar_the_rest_in_office_hours(session: Session) -> None:
    friday_evening = datetime(2026, 11, 20, 21, 30, tzinfo=UTC)  # 17:30 in La Paz
    dues = {
        severity: running(session, severity, received_at=friday_evening)[1].due_at
        for severity in ("critico", "muy_alto", "alto", "medio", "bajo")
    }
    assert dues["critico"] == friday_evening + HOUR
    assert dues["muy_alto"] == friday_evening + 4 * HOUR
    assert dues["alto"] == datetime(2026, 11, 23, 15, 30, tzinfo=UTC)
    assert dues["medio"] == datetime(2026, 11, 23, 19, 30, tzinfo=UTC)
    assert dues["bajo"] == datetime(2026, 11, 25, 15, 30, tzinfo=UTC)


def test_a_deadline_is_met_by_its_stage(session: Session) -> None:
    incident, clock = running(session, "medio")
    acknowledge(at(analyst_act(session), NOW + HOUR), incident)
    assert (clock.met_at, clock.missed_at) == (NOW + HOUR, None)


def test_what_is_done_late_is_met_and_missed(session: Session) -> None:
    incident, clock = running(session, "critico")
    acknowledge(at(analyst_act(session), NOW + 2 * HOUR), incident)
    assert (clock.met_at, clock.missed_at) == (NOW + 2 * HOUR, clock.due_at)
    assert deadline_state(clock, NOW) == "late"


def test_a_missed_deadline_is_told_once(session: Session) -> None:
    make_user(session, Role.COORDINATOR)
    incident, clock = running(session, "critico")
    act = make_act(session, now=NOW + 2 * HOUR)
    assert [one.what for one in check_deadlines(act)] == [MISSED]
    assert check_deadlines(at(act, NOW + 3 * HOUR)) == []
    assert clock.missed_at == clock.due_at
    assert session.scalars(select(Message.template)).all() == ["deadline_missed"]
    entries = session.scalars(select(Entry).where(Entry.kind == "deadline")).all()
    assert [entry.incident_id for entry in entries] == [incident.id]
    trail = session.scalars(select(AuditEntry.action)).all()
    assert trail.count("deadline.missed") == 1


def test_a_miss_is_never_taken_back(session: Session) -> None:
    incident, clock = running(session, "critico")
    check_deadlines(make_act(session, now=NOW + 2 * HOUR))
    act = at(analyst_act(session), NOW + 3 * HOUR)
    acknowledge(act, incident)
    pause(act, incident, waiting_for="entity")
    assert clock.missed_at == NOW + HOUR


def test_warnings_come_at_half_three_quarters_and_nine_tenths(session: Session) -> None:
    make_user(session, Role.COORDINATOR)
    _, clock = running(session, "muy_alto")
    told = []
    for quarters in range(17):
        moment = NOW + timedelta(minutes=15 * quarters)
        found = check_deadlines(make_act(session, now=moment))
        told += [(quarters, one.what) for one in found if one.deadline_id == clock.id]
    assert told == [(8, "50"), (12, "75"), (15, "90")]


def test_after_a_silence_only_the_highest_warning_is_told(session: Session) -> None:
    _, clock = running(session, "critico")
    act = make_act(session, now=NOW + timedelta(minutes=55))
    assert [one.what for one in check_deadlines(act)] == ["90"]
    assert clock.warned == [50, 75, 90]


def test_the_owner_is_warned_and_coordination_when_there_is_none(session: Session) -> None:
    coordinator, owner = make_user(session, Role.COORDINATOR), make_user(session)
    running(session, "critico")
    running(session, "critico", owner_id=owner.id)
    check_deadlines(make_act(session, now=NOW + timedelta(minutes=31)))
    recipients = set(session.scalars(select(Message.recipient)))
    assert recipients == {coordinator.email, owner.email}


def test_a_pause_stops_our_clocks_and_gives_back_what_was_left(session: Session) -> None:
    incident, clock = running(session, "muy_alto")
    act = make_act(session, now=NOW + HOUR)
    pause(act, incident, waiting_for="entity")
    assert incident.next_due_at is None
    assert deadline_state(clock, NOW + 50 * HOUR) == "paused"
    assert check_deadlines(at(act, NOW + 50 * HOUR)) == []
    resume(at(act, NOW + 50 * HOUR), incident)
    assert clock.due_at == NOW + 53 * HOUR
    assert clock.paused_seconds == 49 * 3600
    assert incident.next_due_at == clock.due_at


def test_a_statutory_clock_never_pauses(session: Session) -> None:
    notice = file_notice(make_act(session), make_form(session))
    incident = session.get_one(Incident, notice.incident_id)
    statutory = Deadline(
        incident_id=incident.id,
        policy_id="ley",
        policy={"hours": 24, "time": "calendar", "warn_percent": [], "tell": []},
        regime="ley",
        stage="resolved",
        party="centre",
        label="Por ley",
        is_statutory=True,
        started_at=NOW,
        due_at=NOW + 24 * HOUR,
        warned=[],
    )
    session.add(statutory)
    session.flush()
    pause(make_act(session), incident, waiting_for="entity")
    assert statutory.paused_at is None
    assert incident.next_due_at == statutory.due_at


def test_what_was_met_while_paused_is_in_time(session: Session) -> None:
    incident, clock = running(session, "muy_alto")
    pause(make_act(session, now=NOW + HOUR), incident, waiting_for="third_party")
    acknowledge(at(analyst_act(session), NOW + 30 * HOUR), incident)
    assert (clock.met_at, clock.missed_at) == (NOW + 30 * HOUR, None)
    assert clock.met_at <= clock.due_at


def test_the_bar_of_an_office_clock_rests_over_the_weekend(session: Session) -> None:
    _, clock = running(session, "medio", received_at=datetime(2026, 11, 20, 20, 30, tzinfo=UTC))
    saturday, sunday = (datetime(2026, 11, day, 12, 0, tzinfo=UTC) for day in (21, 22))
    assert clock_fraction(clock, saturday) == clock_fraction(clock, sunday) == 0.25
    assert deadline_state(clock, sunday) == "green"


def test_the_bar_turns_amber_red_and_missed(session: Session) -> None:
    _, clock = running(session, "critico")
    minutes = (10, 40, 55, 61)
    states = [deadline_state(clock, NOW + timedelta(minutes=one)) for one in minutes]
    assert states == ["green", "amber", "red", "missed"]


@given(
    st.integers(0, 60 * 24 * 6),
    st.integers(1, 60 * 24 * 20),
    st.sampled_from(["muy_alto", "medio", "bajo"]),
)
@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_pause_changes_nothing_but_the_date(
    database: Database, before: int, length: int, severity: str
) -> None:
    """What is left when a clock stops is left when it goes on."""
    with database.transaction() as session:
        incident, clock = running(session, severity)
        stops = NOW + timedelta(minutes=before)
        goes_on = stops + timedelta(minutes=length)
        due, used = clock.due_at, used_share(clock, stops)
        pause(make_act(session, now=stops), incident, waiting_for="entity")
        resume(make_act(session, now=goes_on), incident)
        if stops >= due:
            assert clock.due_at == due, "what is late already does not pause"
        else:
            assert abs(used_share(clock, goes_on) - used) < 1e-9
            assert clock.due_at >= due
        session.rollback()


@given(st.integers(1, 200), st.integers(0, 60 * 24 * 400))
def test_used_share_of_an_office_clock_is_its_working_time(hours: int, minutes: int) -> None:
    now = NOW + timedelta(minutes=minutes)
    clock = Deadline(
        policy={"hours": hours, "time": "working", "calendar": OFFICE.as_data()},
        started_at=NOW,
        due_at=add_working_hours(NOW, hours, OFFICE),
    )
    worked = working_seconds_between(NOW, now, OFFICE) / (hours * 3600)
    assert abs(used_share(clock, now) - worked) < 1e-9
