"""The record behaves alike on SQLite and PostgreSQL."""

import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError, StatementError

from cgii.base.errors import Conflict, Invalid, Unavailable
from cgii.base.settings import Settings
from cgii.centre import build
from cgii.model.entities import Entity
from cgii.model.incidents import Incident
from cgii.model.people import Attempts
from cgii.model.records import AuditEntry, Job, Schedule
from cgii.model.registry import Table
from cgii.store.audit import AuditTrail
from cgii.store.database import Database
from tests import servers
from tests.make import NOW, make_entity, make_incident
from tests.ports import free_port

AT_ONCE = 4


def all_at_once(work: Callable[[int], object]) -> None:
    """Run the work in several threads; the first error is raised here."""
    with ThreadPoolExecutor(AT_ONCE) as threads:
        list(threads.map(work, range(AT_ONCE)))


def test_the_migrations_make_what_the_models_say(record: Database) -> None:
    with record.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": False})
        assert compare_metadata(context, Table.metadata) == []


def test_migrating_twice_changes_nothing(record: Database) -> None:
    record.migrate()

    assert record.is_current()


def test_processes_that_start_together_migrate_once(empty_url: str) -> None:
    program = (
        "import sys; from cgii.store.database import Database; Database(sys.argv[1]).migrate()"
    )
    command = [sys.executable, "-c", program, empty_url]

    started = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(3)]

    for process in started:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said.decode()


def test_a_server_that_is_away_is_told_in_a_sentence() -> None:
    away = Database(f"postgresql://postgres@127.0.0.1:{free_port()}/cgii")
    with pytest.raises(Unavailable, match=r"CGII_DATABASE: connection failed.*refused.*Revise"):
        away.migrate()
    away.close()


@pytest.mark.postgres
def test_a_server_that_does_not_let_us_in_is_told_with_its_reason(postgres_server: str) -> None:
    wrong = f"{postgres_server.rpartition('/')[0]}/there_is_none"
    refused = Database(wrong)
    with pytest.raises(Unavailable, match=r'database "there_is_none" does not exist.*Revise'):
        refused.migrate()
    refused.close()


@pytest.mark.postgres
def test_a_database_of_somebody_else_is_told(postgres_server: str) -> None:
    with servers.fresh_database(postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS cgii_stranger")
            connection.execute("CREATE ROLE cgii_stranger LOGIN")
        stranger = Database(url.replace("//postgres@", "//cgii_stranger@"))
        with pytest.raises(Unavailable, match=r"permission denied.*sea de ese usuario"):
            stranger.migrate()
        stranger.close()


@pytest.mark.postgres
def test_an_empty_record_on_a_server_does_not_take_over_the_folder_of_another(
    postgres_server: str, migrated_name: str, tmp_path: Path
) -> None:
    """The events there name the other record's entities by number."""
    build(Settings(data=tmp_path)).close()
    with servers.fresh_database(postgres_server, migrated_name) as url:
        on_server = Settings(data=tmp_path, database=url)
        build(on_server).close()  # nothing was done there yet
        embedded = Database(Settings(data=tmp_path).database_url)
        with embedded.transaction() as session:
            make_entity(session)
        embedded.close()
        with pytest.raises(Invalid, match=r"es de un centro que trabaja con SQLite.*otra carpeta"):
            build(on_server)
        in_use = Database(url)
        with in_use.transaction() as session:
            make_entity(session)
        in_use.close()
        build(on_server).close()  # an old file beside a record in use is no trap any more


def test_a_moment_comes_back_in_utc_whatever_its_zone_was(record: Database) -> None:
    there = datetime(2026, 2, 28, 22, 30, 1, 234567, tzinfo=timezone(timedelta(hours=-4)))
    with record.transaction() as session:
        session.add(Schedule(name="x", every_seconds=1, next_at=there))

    with record.reading() as session:
        next_at = session.get_one(Schedule, "x").next_at

    assert next_at == there
    assert next_at.tzinfo is UTC


def test_a_moment_without_zone_is_refused(record: Database) -> None:
    naive = datetime(2026, 2, 28)
    with pytest.raises(StatementError, match="without a zone"), record.transaction() as session:
        session.add(Schedule(name="x", every_seconds=1, next_at=naive))


def test_moments_compare_by_time_not_by_text(record: Database) -> None:
    with record.transaction() as session:
        for name, offset in (("west", -4), ("east", 9)):
            zone = timezone(timedelta(hours=offset))
            at = datetime(2026, 1, 1, 12, tzinfo=zone)
            session.add(Schedule(name=name, every_seconds=1, next_at=at))

    with record.reading() as session:
        by_time = select(Schedule.name).order_by(Schedule.next_at)
        assert list(session.scalars(by_time)) == ["east", "west"]


def test_json_comes_back_as_it_was(record: Database) -> None:
    given = {"texto": "Ñuflo de Chávez “x”", "list": [1, 2.5, None, True], "deep": {"a": {"b": []}}}
    with record.transaction() as session:
        job = Job(name="x", arguments=given, run_at=NOW, created_at=NOW, result={})
        session.add(job)

    with record.reading() as session:
        assert session.get_one(Job, job.id).arguments == given


def test_a_second_row_of_a_unique_value_is_refused(record: Database) -> None:
    with record.transaction() as session:
        make_entity(session, code="0047")

    with pytest.raises(IntegrityError), record.transaction() as session:
        make_entity(session, code="0047")


def test_a_reference_to_nothing_is_refused(record: Database) -> None:
    with pytest.raises(IntegrityError), record.transaction() as session:
        make_incident(session, entity_id=4_711)


def test_an_error_leaves_nothing_behind(record: Database) -> None:
    def fail_late() -> None:
        with record.transaction() as session:
            make_entity(session)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()

    with record.reading() as session:
        assert session.scalar(select(func.count()).select_from(Entity)) == 0


def test_a_locked_row_loses_no_update(record: Database) -> None:
    with record.transaction() as session:
        counter = Attempts(subject="x", count=0, window_ends_at=NOW)
        session.add(counter)

    def add(_: int) -> None:
        for _ in range(10):
            with record.transaction() as session:
                row = session.get_one(Attempts, counter.id, with_for_update=True)
                row.count += 1

    all_at_once(add)

    with record.reading() as session:
        assert session.get_one(Attempts, counter.id).count == 10 * AT_ONCE


def test_who_saves_an_outdated_incident_is_told(record: Database) -> None:
    with record.transaction() as session:
        incident_id = make_incident(session).id
    with record.reading() as session:
        seen = session.get_one(Incident, incident_id)
    with record.transaction() as session:
        session.get_one(Incident, incident_id).title = "El título de otra persona"

    with pytest.raises(Conflict), record.transaction() as session:
        session.merge(seen, load=False).title = "Mi título"


def test_a_reader_sees_one_state_from_beginning_to_end(record: Database) -> None:
    everyone = select(func.count()).select_from(Entity)
    with record.reading() as session:
        before = session.scalar(everyone)
        with record.transaction() as writer:
            make_entity(writer)
        assert session.scalar(everyone) == before

    with record.reading() as session:
        assert session.scalar(everyone) == 1


def test_the_audit_chain_holds_when_many_write_at_once(record: Database) -> None:
    trail = AuditTrail(b"key")

    def write(writer: int) -> None:
        for number in range(10):
            with record.transaction() as session:
                trail.record(session, f"user:{writer}", "test", f"thing:{number}", now=NOW)

    all_at_once(write)

    with record.reading() as session:
        assert list(trail.verify(session)) == []
        assert session.scalar(select(func.count()).select_from(AuditEntry)) == 10 * AT_ONCE
