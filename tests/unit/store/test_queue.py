"""A job's life: tries, pauses, parking, progress, stopping."""

from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.model.records import Job
from cgii.store import queue
from tests.make import NOW


def test_jobs_come_in_the_order_in_which_they_are_due(session: Session) -> None:
    later = queue.enqueue(session, "later", now=NOW, delay=timedelta(seconds=9))
    second = queue.enqueue(session, "second", now=NOW)
    first = queue.enqueue(session, "first", now=NOW - timedelta(seconds=1))

    assert queue.due_ids(session, now=NOW, size=9) == [first.id, second.id]
    assert queue.lease(session, "a", now=NOW) is first
    assert queue.lease(session, "a", now=NOW) is second
    assert queue.lease(session, "a", now=NOW) is None
    assert queue.lease(session, "a", now=NOW + timedelta(seconds=9)) is later


def test_a_runner_may_ask_for_one_job_only(session: Session) -> None:
    queue.enqueue(session, "first", now=NOW)
    second = queue.enqueue(session, "second", now=NOW)
    session.flush()  # its id is asked for

    assert queue.lease(session, "a", now=NOW, only_id=second.id) is second
    assert queue.lease(session, "a", now=NOW, only_id=second.id) is None


def test_a_job_that_fails_waits_longer_each_time_and_is_parked_in_the_end(
    session: Session,
) -> None:
    job = queue.enqueue(session, "test", now=NOW, unique_key="key")
    now, pauses = NOW, []
    while (leased := queue.lease(session, "a", now=now)) is not None:
        queue.fail(session, leased.id, "a", f"error {leased.attempts}", now=now)
        pauses.append((leased.run_at - now).total_seconds())
        now = max(now, leased.run_at)

    assert pauses[:-1] == list(limits.JOB_BACKOFF_SECONDS)
    assert (job.state, job.attempts) == ("parked", limits.JOB_TRIES_MAX)
    assert job.last_error == f"error {limits.JOB_TRIES_MAX}"
    assert job.unique_key is None, "a parked job must not keep the next one away"


def test_a_job_that_kills_its_runner_is_parked_and_the_next_one_runs(session: Session) -> None:
    poison = queue.enqueue(session, "poison", now=NOW)
    now = NOW
    for _ in range(limits.JOB_TRIES_MAX):
        assert queue.lease(session, "a", now=now) is poison
        now += timedelta(seconds=limits.JOB_LEASE_SECONDS + 1)
    good = queue.enqueue(session, "good", now=now)

    assert queue.lease(session, "a", now=now) is good
    assert poison.state == "parked"
    assert "interrumpió" in poison.last_error


def test_a_finished_job_keeps_its_result_and_frees_its_key(session: Session) -> None:
    first = queue.enqueue(session, "test", now=NOW, unique_key="key")
    queue.lease(session, "a", now=NOW)

    assert queue.finish(session, first.id, "a", now=NOW, result={"rows": 3})

    session.refresh(first)
    assert (first.state, first.result, first.progress_percent) == ("done", {"rows": 3}, 100)
    assert queue.enqueue(session, "test", now=NOW, unique_key="key") is not first


def test_progress_is_kept_and_says_whether_to_stop(session: Session) -> None:
    job = _leased(session, NOW)
    later = NOW + timedelta(seconds=60)

    assert not queue.report_progress(session, job.id, "a", 40, text="4 de 10", now=later)
    session.refresh(job)
    assert (job.progress_percent, job.progress_text) == (40, "4 de 10")
    assert job.leased_until == later + timedelta(seconds=limits.JOB_LEASE_SECONDS)

    queue.ask_to_stop(session, job.id, now=later)
    assert queue.report_progress(session, job.id, "a", 50, text="5 de 10", now=later)


def test_a_waiting_job_that_is_stopped_never_runs(session: Session) -> None:
    job = queue.enqueue(session, "test", now=NOW, unique_key="key")
    session.flush()  # its id is asked for

    queue.ask_to_stop(session, job.id, now=NOW)

    assert queue.lease(session, "a", now=NOW) is None
    assert (job.state, job.result, job.unique_key) == ("done", {"stopped": True}, None)


def test_a_schedule_that_slept_through_many_rounds_fires_once(session: Session) -> None:
    queue.fire_schedules(session, {"check": 60}, now=NOW)
    job = queue.lease(session, "a", now=NOW)
    assert job is not None
    queue.finish(session, job.id, "a", now=NOW)

    fired = queue.fire_schedules(session, {"check": 60}, now=NOW + timedelta(hours=5))

    assert [row.name for row in fired] == ["check"]
    assert queue.fire_schedules(session, {"check": 60}, now=NOW + timedelta(hours=5)) == []


def test_a_schedule_made_quicker_does_not_wait_for_its_old_pace(session: Session) -> None:
    queue.fire_schedules(session, {"check": 86_400}, now=NOW)
    queue.lease(session, "a", now=NOW)

    queue.fire_schedules(session, {"check": 86_400, "other": 5}, now=NOW)
    queue.fire_schedules(session, {"check": 60, "other": 5}, now=NOW + timedelta(seconds=5))

    assert queue.schedules_due(session, {"check": 60}, now=NOW + timedelta(seconds=65))


def _leased(session: Session, now: datetime) -> Job:
    queue.enqueue(session, "test", now=now)
    job = queue.lease(session, "a", now=now)
    assert job is not None
    return job
