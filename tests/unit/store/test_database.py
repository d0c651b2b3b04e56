"""The embedded database tells its planner what the tables hold, and lets one thread write."""

import threading
from typing import Any

import pytest
from sqlalchemy import event, text

from cgii.store.database import Database
from tests.make import make_incident


def test_the_planner_gets_figures_of_the_tables(database: Database) -> None:
    with database.transaction() as session:
        make_incident(session)

    database.analyse()

    with database.reading() as session:
        known = session.scalars(text("SELECT DISTINCT tbl FROM sqlite_stat1")).all()
    assert "incident" in known


def test_threads_that_write_wait_for_each_other_outside_of_the_database(
    database: Database,
) -> None:
    begun: list[str] = []
    waits = threading.Event()

    def note(*given: Any) -> None:
        if given[2] == "BEGIN IMMEDIATE":
            begun.append(threading.current_thread().name)

    def write() -> None:
        waits.set()
        with database.transaction() as session:
            session.execute(text("SELECT 1"))

    event.listen(database.engine, "before_cursor_execute", note)
    other = threading.Thread(target=write, name="other")
    with database.transaction() as session:
        session.execute(text("SELECT 1"))
        other.start()
        assert waits.wait(60)
        other.join(0.2)  # it must not have asked the database meanwhile, however long that is
        assert begun == [threading.current_thread().name]
    other.join(60)
    assert begun == [threading.current_thread().name, "other"]


def test_whoever_fails_gives_the_turn_to_write_back(database: Database) -> None:
    for _ in range(2):
        with pytest.raises(RuntimeError), database.transaction() as session:
            session.execute(text("SELECT 1"))
            raise RuntimeError
    with database.transaction() as session:
        assert session.scalar(text("SELECT 1")) == 1
