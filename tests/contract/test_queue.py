"""The job table behaves alike on SQLite and PostgreSQL, for one runner and for many."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from cgii.base import limits
from cgii.model.records import Job, Schedule
from cgii.store import queue
from cgii.store.database import Database
from tests.make import NOW

LEASE = timedelta(seconds=limits.JOB_LEASE_SECONDS)
AT_ONCE = 6


def put(record: Database, **options: object) -> int:
    """Enqueue one job in a transaction of its own; its id."""
    with record.transaction() as session:
        job = queue.enqueue(session, "test", now=NOW, **options)
    return job.id


def take(record: Database, owner: str, now: object = NOW) -> int | None:
    """Lease one job in a transaction of its own; its id."""
    with record.transaction() as session:
        job = queue.lease(session, owner, now=now)
    return job.id if job else None


def look(record: Database, job_id: int) -> Job:
    """The job's row as it is now."""
    with record.reading() as session:
        return session.get_one(Job, job_id)


def test_a_job_of_a_transaction_that_rolls_back_never_runs(record: Database) -> None:
    def fail_late() -> None:
        with record.transaction() as session:
            queue.enqueue(session, "test", now=NOW, number=1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_late()

    assert take(record, "a") is None


def test_many_runners_take_each_job_once(record: Database) -> None:
    expected = {put(record) for _ in range(30)}

    def work(runner: int) -> list[int]:
        taken = []
        while (job_id := take(record, f"runner-{runner}")) is not None:
            taken.append(job_id)
        return taken

    with ThreadPoolExecutor(AT_ONCE) as threads:
        taken = [job_id for found in threads.map(work, range(AT_ONCE)) for job_id in found]

    assert sorted(taken) == sorted(expected)


def test_a_job_whose_runner_died_is_taken_again_when_the_lease_is_over(record: Database) -> None:
    job_id = put(record)
    assert take(record, "dead") == job_id

    assert take(record, "next", NOW + LEASE) is None
    assert take(record, "next", NOW + LEASE + timedelta(seconds=1)) == job_id


def test_a_runner_that_comes_too_late_changes_nothing(record: Database) -> None:
    job_id = put(record)
    take(record, "slow")
    later = NOW + LEASE + timedelta(seconds=1)
    take(record, "quick", later)

    with record.transaction() as session:
        assert not queue.finish(session, job_id, "slow", now=later)
        assert not queue.renew(session, job_id, "slow", now=later)
        assert queue.report_progress(session, job_id, "slow", 50, text="a", now=later)
        queue.fail(session, job_id, "slow", "late", now=later)

    job = look(record, job_id)
    assert (job.state, job.progress_percent, job.last_error) == ("leased", 0, "")


def test_a_renewed_lease_is_not_taken(record: Database) -> None:
    job_id = put(record)
    take(record, "a")
    with record.transaction() as session:
        assert queue.renew(session, job_id, "a", now=NOW + LEASE)

    assert take(record, "b", NOW + LEASE + timedelta(seconds=1)) is None


def test_only_one_job_of_a_key_is_under_way_however_many_ask(record: Database) -> None:
    def ask(_: int) -> int:
        return put(record, unique_key="one")

    with ThreadPoolExecutor(AT_ONCE) as threads:
        ids = set(threads.map(ask, range(AT_ONCE)))

    assert len(ids) == 1


def test_a_schedule_fires_once_among_many_runners(record: Database) -> None:
    every = {"check": 60, "prune": 3_600}

    def fire(minute: int) -> int:
        with record.transaction() as session:
            now = NOW + timedelta(minutes=minute)
            return len(queue.fire_schedules(session, every, now=now))

    with ThreadPoolExecutor(AT_ONCE) as threads:
        at_first = sum(threads.map(fire, [0] * AT_ONCE))
        while (job_id := take(record, "a")) is not None:
            with record.transaction() as session:
                for_whom = session.get_one(Job, job_id).lease_owner
                queue.finish(session, job_id, for_whom, now=NOW)
        a_minute_later = sum(threads.map(fire, [1] * AT_ONCE))

    assert (at_first, a_minute_later) == (2, 1)


def test_a_schedule_that_is_no_longer_wanted_goes(record: Database) -> None:
    with record.transaction() as session:
        queue.fire_schedules(session, {"old": 60, "kept": 60}, now=NOW)
    with record.transaction() as session:
        assert queue.schedules_due(session, {"kept": 60}, now=NOW)
        queue.fire_schedules(session, {"kept": 60}, now=NOW)

    with record.reading() as session:
        assert list(session.scalars(select(Schedule.name))) == ["kept"]
        assert not queue.schedules_due(session, {"kept": 60}, now=NOW)


def test_pruning_leaves_what_is_parked_or_recent(record: Database) -> None:
    done, recent, parked = put(record), put(record), put(record)
    with record.transaction() as session:
        for job_id, state, days in ((done, "done", 9), (recent, "done", 1), (parked, "parked", 9)):
            job = session.get_one(Job, job_id)
            job.state, job.ended_at = state, NOW - timedelta(days=days)

    with record.transaction() as session:
        assert queue.prune_jobs(session, before=NOW - timedelta(days=7)) == 1

    with record.reading() as session:
        assert session.scalar(select(func.count()).select_from(Job)) == 2
        assert session.get(Job, done) is None
