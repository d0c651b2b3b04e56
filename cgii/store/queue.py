"""The job table: a job is a row written in the caller's transaction, leased by a runner."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.model.records import Job, Schedule


def enqueue(
    session: Session,
    name: str,
    *,
    now: datetime,
    delay: timedelta = timedelta(0),
    unique_key: str | None = None,
    created_by_id: int | None = None,
    **arguments: Any,  # JSON values; the job's function takes them by name
) -> Job:
    """Write a job: it runs at least once after the caller's commit, and never if that fails.

    With `unique_key`, a job of that key that has not ended is returned instead of a second one.
    """
    job = Job(
        name=name,
        arguments=arguments,
        state="waiting",
        unique_key=unique_key,
        run_at=now + delay,
        created_by_id=created_by_id,
        created_at=now,
        result={},
    )
    if unique_key is not None:
        return _add_unique(session, job)
    session.add(job)
    return job


def due_ids(session: Session, *, now: datetime, size: int) -> list[int]:
    """The jobs that are due longest, without taking them; a lease that ran out is due too."""
    query = select(Job.id).where(_due(now)).order_by(Job.run_at, Job.id).limit(size)
    return list(session.scalars(query))


def lease(session: Session, owner: str, *, now: datetime, only_id: int | None = None) -> Job | None:
    """Take the job that is due longest, or whose lease ran out; None when there is none."""
    query = select(Job).where(_due(now)).order_by(Job.run_at, Job.id).limit(1)
    if only_id is not None:
        query = query.where(Job.id == only_id)
    while (job := session.scalar(query.with_for_update(skip_locked=True))) is not None:
        if job.attempts < limits.JOB_TRIES_MAX:
            job.state = "leased"
            job.lease_owner = owner
            job.leased_until = now + timedelta(seconds=limits.JOB_LEASE_SECONDS)
            job.attempts += 1
            return job
        # It died with its runner every time.
        _park(job, job.last_error or "se interrumpió en cada intento", now)
        session.flush()  # the next look must not find it again
    return None


def renew(session: Session, job_id: int, owner: str, *, now: datetime) -> bool:
    """Keep a lease while working; False when somebody else has the job now."""
    return _mine(
        session, job_id, owner, leased_until=now + timedelta(seconds=limits.JOB_LEASE_SECONDS)
    )


def report_progress(
    session: Session, job_id: int, owner: str, percent: int, *, text: str, now: datetime
) -> bool:
    """Say how far a job is and keep its lease; True when it should stop.

    It should when somebody asked for it, or when another runner has the job now.
    """
    kept = _mine(
        session,
        job_id,
        owner,
        progress_percent=percent,
        progress_text=text,
        leased_until=now + timedelta(seconds=limits.JOB_LEASE_SECONDS),
    )
    return not kept or session.scalar(select(Job.stop_asked_at).where(Job.id == job_id)) is not None


def ask_to_stop(session: Session, job_id: int, *, now: datetime) -> None:
    """Ask a running job to stop at its next report; one that only waits ends here."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.ended_at is not None:
        return
    job.stop_asked_at = now
    if job.state == "waiting":
        job.state, job.ended_at, job.unique_key = "done", now, None
        job.result = {"stopped": True}


def finish(
    session: Session,
    job_id: int,
    owner: str,
    *,
    now: datetime,
    result: Mapping[str, Any] | None = None,
) -> bool:
    """Mark a leased job done; False when the lease was lost meanwhile."""
    return _mine(
        session,
        job_id,
        owner,
        state="done",
        ended_at=now,
        unique_key=None,
        progress_percent=100,
        result=dict(result or {}),
    )


def fail(session: Session, job_id: int, owner: str, reason: str, *, now: datetime) -> None:
    """Give a failed job another try later, or park it after limits.JOB_TRIES_MAX tries."""
    job = _held(session, job_id, owner)
    if job is None:
        return
    if job.attempts >= limits.JOB_TRIES_MAX:
        _park(job, reason, now)
        return
    wait = limits.JOB_BACKOFF_SECONDS[min(job.attempts, len(limits.JOB_BACKOFF_SECONDS)) - 1]
    job.state = "waiting"
    job.last_error = reason[: limits.TEXT_CHARS_MAX]
    job.run_at = now + timedelta(seconds=wait)
    job.lease_owner = ""
    job.leased_until = None


def park(session: Session, job_id: int, owner: str, reason: str, *, now: datetime) -> None:
    """Set a job aside that cannot succeed, until somebody has looked at it."""
    job = _held(session, job_id, owner)
    if job is not None:
        _park(job, reason, now)


def schedules_due(session: Session, every: Mapping[str, int], *, now: datetime) -> bool:
    """Whether `fire_schedules` would have something to do; reads only."""
    rows = {row.name: row for row in session.scalars(select(Schedule))}
    return rows.keys() != every.keys() or any(row.next_at <= now for row in rows.values())


def fire_schedules(session: Session, every: Mapping[str, int], *, now: datetime) -> list[Job]:
    """Enqueue every scheduled job that is due. `every` is name → seconds; rows follow it.

    Of many runners that do this at once, one fires; the others wait for it and find nothing due.
    """
    rows = {row.name: row for row in session.scalars(_locked_schedules())}
    missing = every.keys() - rows.keys()
    if missing:
        try:
            with session.begin_nested():
                session.add_all(
                    Schedule(name=name, every_seconds=every[name], next_at=now)
                    for name in sorted(missing)
                )
        except IntegrityError:
            return []  # another runner made them in this moment, and fires them
        rows = {row.name: row for row in session.scalars(_locked_schedules())}
    fired = []
    for name, seconds in every.items():
        row = rows[name]
        if row.next_at <= now:
            # Missed rounds are not made up for: each job looks at everything that is due.
            row.last_at, row.next_at = now, now + timedelta(seconds=seconds)
            fired.append(enqueue(session, name, now=now, unique_key=f"schedule:{name}"))
        elif row.every_seconds != seconds:  # a new version wants it at another pace
            row.next_at = min(row.next_at, now + timedelta(seconds=seconds))
        row.every_seconds = seconds
    for name in rows.keys() - every.keys():
        session.delete(rows[name])
    return fired


def prune_jobs(session: Session, *, before: datetime) -> int:
    """Forget jobs that were done before; parked ones stay until somebody has looked at them."""
    gone = session.execute(
        delete(Job).where(Job.state == "done", Job.ended_at < before).returning(Job.id)
    )
    return len(gone.all())


def _due(now: datetime) -> ColumnElement[bool]:
    return or_(
        (Job.state == "waiting") & (Job.run_at <= now),
        (Job.state == "leased") & (Job.leased_until < now),
    )


def _add_unique(session: Session, job: Job) -> Job:
    """Add the job unless one of its key has not ended; the database decides between two callers."""
    same_key = select(Job).where(Job.unique_key == job.unique_key)
    found = session.scalar(same_key)
    if found is not None:
        return found
    try:
        with session.begin_nested():
            session.add(job)
        return job
    except IntegrityError:
        found = session.scalar(same_key)  # another transaction was first
        if found is None:  # and its job has ended already, or ours is wrong in itself
            with session.begin_nested():
                session.add(job)
            return job
        return found


def _locked_schedules() -> Select[Schedule]:
    # In one order everywhere, so that two runners cannot wait for each other.
    return select(Schedule).order_by(Schedule.name).with_for_update()


def _held(session: Session, job_id: int, owner: str) -> Job | None:
    job = session.get(Job, job_id, with_for_update=True)
    held = job is not None and job.state == "leased" and job.lease_owner == owner
    return job if held else None


def _park(job: Job, reason: str, now: datetime) -> None:
    job.state = "parked"
    job.last_error = reason[: limits.TEXT_CHARS_MAX]
    job.unique_key = None
    job.ended_at = now


def _mine(session: Session, job_id: int, owner: str, **values: Any) -> bool:  # column values
    changed = session.execute(
        update(Job)
        .where(Job.id == job_id, Job.lease_owner == owner, Job.state == "leased")
        .values(**values)
        .returning(Job.id)
    )
    return changed.first() is not None


def put_back(session: Session, job_id: int, *, now: datetime) -> bool:
    """Give a parked job its tries again; False when it is not parked."""
    job = session.get(Job, job_id, with_for_update=True)
    if job is None or job.state != "parked":
        return False
    job.state, job.attempts, job.run_at, job.ended_at = "waiting", 0, now, None
    job.lease_owner, job.leased_until, job.stop_asked_at = "", None, None
    return True
