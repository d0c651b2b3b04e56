"""People and processes who act on one case at the same moment, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.incidents import Incident, Notice
from cgii.model.people import User
from cgii.model.records import Message
from cgii.model.registry import Table
from cgii.model.runs import Step
from cgii.respond.attribution import Attributor
from cgii.respond.deadlines import check_deadlines, start_deadlines
from cgii.respond.groups import promote, take_group
from cgii.respond.intake import fold_alerts
from cgii.respond.lifecycle import take
from cgii.respond.notices import file_notice
from cgii.respond.runner import StepForm, finish_step, start_run
from cgii.store.database import Database
from tests.make import NOW, make_act, make_incident, make_user
from tests.unit.respond.alerts import make_alert
from tests.unit.respond.books import FIX, make_playbook
from tests.unit.respond.cases import make_form

AT_ONCE = 5


@pytest.fixture
def record(empty_url: str) -> Iterator[Database]:
    """An empty record of each kind, with the tables as the model has them."""
    database = Database(empty_url)
    Table.metadata.create_all(database.engine)
    with database.transaction() as session:
        make_act(session).record("test", "test")  # the trail's anchor
    yield database
    database.close()


def together(record: Database, deed: Callable[[Session, int], object]) -> list[str]:
    """What became of the deed in several transactions that begin at the same moment."""
    ready = Barrier(AT_ONCE)

    def one(turn: int) -> str:
        ready.wait()
        try:
            with record.transaction() as session:
                deed(session, turn)
        except Conflict as error:
            return f"Conflict: {error}"
        return "done"

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(one, range(AT_ONCE)))


def make_people(record: Database) -> list[int]:
    with record.transaction() as session:
        return [make_user(session, name=f"Persona {n}").id for n in range(AT_ONCE)]


def test_one_of_many_gets_the_group(record: Database) -> None:
    people = make_people(record)
    with record.transaction() as session:
        fold_alerts(make_act(session), [make_alert()], Attributor())

    def deed(session: Session, turn: int) -> None:
        person = session.get_one(User, people[turn])
        take_group(make_act(session, person), session.scalars(select(AlertGroup)).one())

    outcomes = together(record, deed)
    assert sorted(outcomes)[:-1] == [outcomes_lost(outcomes)] * (AT_ONCE - 1)
    assert outcomes.count("done") == 1


def outcomes_lost(outcomes: list[str]) -> str:
    """The one sentence that all who lost were told: it names the holder."""
    (sentence,) = {one for one in outcomes if one != "done"}
    assert "ya la tomó Persona" in sentence or "ya lo tomó Persona" in sentence
    return sentence


def test_one_of_many_gets_the_incident(record: Database) -> None:
    people = make_people(record)
    with record.transaction() as session:
        incident_id = make_incident(session).id

    def deed(session: Session, turn: int) -> None:
        person = session.get_one(User, people[turn])
        take(make_act(session, person), session.get_one(Incident, incident_id))

    outcomes = together(record, deed)
    assert outcomes.count("done") == 1
    assert outcomes_lost(outcomes)


def test_a_group_becomes_one_incident_and_no_number_is_lost(record: Database) -> None:
    people = make_people(record)
    with record.transaction() as session:
        fold_alerts(make_act(session), [make_alert()], Attributor())

    def deed(session: Session, turn: int) -> None:
        person = session.get_one(User, people[turn])
        promote(make_act(session, person), session.scalars(select(AlertGroup)).one())

    outcomes = together(record, deed)
    assert outcomes.count("done") == 1
    with record.reading() as session:
        assert session.scalars(select(Incident.code)).all() == ["CGII-2026-000001"]


def test_processes_that_fold_at_once_share_the_groups(record: Database) -> None:
    batches = [
        [make_alert(at=NOW + timedelta(seconds=turn), key=(("source.ip", f"{n}"),))
         for n in range(20)]
        for turn in range(AT_ONCE)
    ]  # fmt: skip

    def deed(session: Session, turn: int) -> None:
        fold_alerts(make_act(session), batches[turn], Attributor())

    assert together(record, deed) == ["done"] * AT_ONCE
    with record.reading() as session:
        counts = session.scalars(select(AlertGroup.alert_count)).all()
        assert counts == [AT_ONCE] * 20
        assert session.scalar(select(func.count()).select_from(AlertRow)) == 20 * AT_ONCE


def test_a_batch_that_comes_many_times_at_once_counts_once(record: Database) -> None:
    batch = [make_alert(key=(("source.ip", f"{n}"),)) for n in range(20)]
    together(record, lambda session, _: fold_alerts(make_act(session), batch, Attributor()))
    with record.reading() as session:
        assert session.scalars(select(AlertGroup.alert_count)).all() == [1] * 20


def test_a_notice_sent_many_times_at_once_is_one(record: Database) -> None:
    with record.transaction() as session:
        form = make_form(session)
    outcomes = together(
        record, lambda session, _: file_notice(make_act(session), form, request_key="k")
    )
    assert "done" in outcomes
    with record.reading() as session:
        assert session.scalars(select(Notice.code)).all() == ["REP-2026-000001"]
        assert session.scalar(select(func.count()).select_from(Incident)) == 1


def test_a_step_is_finished_by_one(record: Database) -> None:
    people = make_people(record)
    with record.transaction() as session:
        act = make_act(session, session.get_one(User, people[0]))
        run = start_run(act, make_incident(session), make_playbook())
        step_id = run.steps[-1].id

    def deed(session: Session, turn: int) -> None:
        person = session.get_one(User, people[turn])
        form = StepForm("done", f"dice {turn}", {"__bad__": "no"})
        finish_step(make_act(session, person), session.get_one(Step, step_id), form)

    outcomes = together(record, deed)
    assert outcomes.count("done") == 1
    with record.reading() as session:
        fixes = select(func.count()).select_from(Step).where(Step.step_id == FIX)
        assert session.scalar(fixes) == 1


def test_runners_that_check_at_once_tell_once(record: Database) -> None:
    with record.transaction() as session:
        owner = make_user(session)
        incident = make_incident(session, severity="critico", owner_id=owner.id)
        start_deadlines(make_act(session), incident)
    later = NOW + timedelta(hours=2)
    together(record, lambda session, _: check_deadlines(make_act(session, now=later)))
    with record.reading() as session:
        assert session.scalars(select(Message.template)).all() == ["deadline_missed"]
