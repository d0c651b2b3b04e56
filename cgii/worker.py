"""Runs background jobs: a thread in `cgii run`, or Celery over RabbitMQ in `cgii work`."""

import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Event, Thread
from time import monotonic
from urllib.parse import urlsplit

from celery import Celery
from kombu.exceptions import OperationalError as BrokerError

from cgii.base import counters, limits
from cgii.base.errors import Invalid, NotAllowed, NotFound, Unavailable
from cgii.base.logs import logger
from cgii.base.reasons import why
from cgii.centre import Centre
from cgii.jobs import JOBS, JobContext, JobKind
from cgii.store import queue

log = logger("worker")

POLL_SECONDS = 0.5  # how soon an idle thread notices a new job
TROUBLE_SECONDS = 5.0  # pause after the database or the broker did not answer
SWEEP_SECONDS = 1.0
RENEW_SECONDS = limits.JOB_LEASE_SECONDS / 4
REPUBLISH_SECONDS = 30.0  # a wake-up that had no effect for so long is thought lost
STOP_SECONDS = 10.0  # a job that has not ended by then is left to its lease
QUEUE = "cgii.jobs"
WAKE = "cgii.wake"


def run_one(
    centre: Centre,
    owner: str,
    *,
    only_id: int | None = None,
    jobs: Mapping[str, JobKind] = JOBS,
) -> bool:
    """Run the job that is due longest, or the one with `only_id`; False when there was none.

    Lease, work and end are separate transactions: what dies in between is done again once the
    lease has run out, by anybody.
    """
    # Two threads of one process are two owners.
    owner = f"{owner}:{secrets.token_hex(4)}"
    with centre.database.transaction() as session:
        job = queue.lease(session, owner, now=centre.clock(), only_id=only_id)
        if job is None:
            return False
    run = _Run(centre, owner, job.id)
    facts = {"job": job.id, "name": job.name, "attempt": job.attempts}
    context = JobContext(
        job_id=job.id,
        now=centre.clock(),
        progress=run.report,
        asked_at=job.created_at,
        asked_by_id=job.created_by_id,
        is_last_try=job.attempts >= limits.JOB_TRIES_MAX,
    )
    try:
        with run.lease_kept():
            result = jobs[job.name].function(centre, context, **job.arguments)
    except (Invalid, NotFound, NotAllowed) as error:  # it will not get better by waiting
        log.warning("job refused", reason=str(error), **facts)
        run.park(str(error))
        outcome = "parked"
    except Exception as error:  # whatever a job does, the runner and the other jobs go on
        log.exception("job failed", **facts)
        run.fail(f"{type(error).__name__}: {error}")
        outcome = "parked" if context.is_last_try else "retried"
    else:
        outcome = "done" if run.finish(dict(result or {})) else "lost"
        log.debug("job ended", outcome=outcome, **facts)
    counters.JOBS_DONE.labels(job.name, outcome).inc()
    return True


class _Run:
    """One job under way: its lease, its reports, its end."""

    def __init__(self, centre: Centre, owner: str, job_id: int) -> None:
        self._centre = centre
        self._owner = owner
        self._job_id = job_id
        self._stopped = False

    def report(self, percent: int, text: str) -> bool:
        """Say how far the job is; True when it should stop where it can."""
        with self._centre.database.transaction() as session:
            self._stopped = queue.report_progress(
                session, self._job_id, self._owner, percent, text=text, now=self._centre.clock()
            )
        return self._stopped

    def finish(self, result: dict[str, object]) -> bool:
        """Mark the job done; False when another runner has it now."""
        if self._stopped:
            result["stopped"] = True
        with self._centre.database.transaction() as session:
            return queue.finish(
                session, self._job_id, self._owner, now=self._centre.clock(), result=result
            )

    def fail(self, reason: str) -> None:
        """Leave the job for a later try, or park it."""
        with self._centre.database.transaction() as session:
            queue.fail(session, self._job_id, self._owner, reason, now=self._centre.clock())

    def park(self, reason: str) -> None:
        """Set the job aside; another try would end the same way."""
        with self._centre.database.transaction() as session:
            queue.park(session, self._job_id, self._owner, reason, now=self._centre.clock())

    @contextmanager
    def lease_kept(self) -> Iterator[None]:
        """Renew the lease from the side while the body works."""
        over = Event()
        renewer = Thread(target=self._renew, args=(over,), name="lease", daemon=True)
        renewer.start()
        try:
            yield
        finally:
            over.set()
            renewer.join()

    def _renew(self, over: Event) -> None:
        while not over.wait(RENEW_SECONDS):
            try:
                with self._centre.database.transaction() as session:
                    now = self._centre.clock()
                    if not queue.renew(session, self._job_id, self._owner, now=now):
                        return
            except Exception:  # the lease outlives three rounds that fail
                log.exception("lease not renewed", job=self._job_id)


class _Loop:
    """A thread that does rounds until it is stopped; a round that fails is logged and repeated."""

    def __init__(self, centre: Centre, jobs: Mapping[str, JobKind], name: str) -> None:
        self._centre = centre
        self._jobs = jobs
        self._every = {
            name: kind.every_seconds for name, kind in jobs.items() if kind.every_seconds
        }
        self._schedules_looked_at = float("-inf")
        self._stop = Event()
        self._wake = Event()
        self._thread = Thread(target=self._loop, name=name, daemon=True)
        self.owner = _owner(name)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way; a job that takes longer is left to its lease."""
        self._stop.set()
        self._wake.set()
        self._thread.join(STOP_SECONDS)

    def wake(self) -> None:
        """Look for work now."""
        self._wake.set()

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._wake.clear()
            try:
                self._fire_schedules()
                pause = self._round()
            except Exception:  # the database may be away for a while; the thread must outlive it
                log.exception("round failed")
                pause = TROUBLE_SECONDS
            if pause and not self._stop.is_set():
                self._wake.wait(pause)

    def _round(self) -> float:
        """Do one round; the seconds to wait before the next."""
        raise NotImplementedError

    def _fire_schedules(self) -> None:
        if monotonic() - self._schedules_looked_at < SWEEP_SECONDS:
            return
        self._schedules_looked_at = monotonic()
        database, now = self._centre.database, self._centre.clock()
        with database.reading() as session:  # most looks find nothing and must not hold a lock
            if not queue.schedules_due(session, self._every, now=now):
                return
        with database.transaction() as session:
            queue.fire_schedules(session, self._every, now=now)

    def _due(self) -> list[int]:
        with self._centre.database.reading() as session:
            return queue.due_ids(session, now=self._centre.clock(), size=limits.JOB_SWEEP_ROWS)


class JobThread(_Loop):
    """The embedded runner: takes due jobs one after the other, and fires the schedules."""

    def __init__(self, centre: Centre, jobs: Mapping[str, JobKind] = JOBS) -> None:
        super().__init__(centre, jobs, "jobs")

    def _round(self) -> float:
        if not self._due():
            return POLL_SECONDS
        run_one(self._centre, self.owner, jobs=self._jobs)
        return 0.0


class Sweeper(_Loop):
    """Publishes a wake-up for every due job, and fires the schedules.

    The rows are the truth and a message only saves waiting: nothing is lost with one. Jobs whose
    wake-ups have no effect (broker away, consumer deaf) are run here, one by one.
    """

    def __init__(self, centre: Centre, app: Celery, jobs: Mapping[str, JobKind] = JOBS) -> None:
        super().__init__(centre, jobs, "sweeper")
        self._app = app
        self._published: dict[int, tuple[float, float]] = {}  # job id → first, last

    def _round(self) -> float:
        due, now = self._due(), monotonic()
        known = self._published
        self._published = {key: known.get(key, (now, float("-inf"))) for key in due}
        unheard = [key for key in due if now - self._published[key][1] >= REPUBLISH_SECONDS]
        if unheard:
            self._publish(unheard, now)
        stale = [key for key in due if now - self._published[key][0] >= REPUBLISH_SECONDS]
        if stale and run_one(self._centre, self.owner, only_id=stale[0], jobs=self._jobs):
            return 0.0
        return SWEEP_SECONDS

    def _publish(self, job_ids: list[int], now: float) -> None:
        # A connection for each round with news: none that went bad is ever used again.
        connection = self._app.connection_for_write()
        try:
            connection.connect()
            producer = self._app.amqp.Producer(connection, auto_declare=False)
            for job_id in job_ids:
                self._app.send_task(
                    WAKE, args=(job_id,), producer=producer, confirm_timeout=TROUBLE_SECONDS
                )
                self._published[job_id] = (self._published[job_id][0], now)
        except (BrokerError, *connection.connection_errors, *connection.channel_errors) as error:
            log.warning("broker does not answer", waiting=len(job_ids), reason=str(error))
        finally:
            connection.release()


def celery_app(centre: Centre, jobs: Mapping[str, JobKind] = JOBS) -> Celery:
    """The Celery application: one queue, and one task that runs the job a message names."""
    app = Celery("cgii", broker=_address(centre.settings.broker), set_as_current=False)
    app.conf.update(
        task_default_queue=QUEUE,
        task_default_queue_type="quorum",
        broker_transport_options={"confirm_publish": True},
        broker_connection_timeout=TROUBLE_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,  # else the worker ends when it is away for an hour
        task_publish_retry=False,  # the sweeper comes by again
        task_acks_late=True,
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        accept_content=["json"],
        task_serializer="json",
        enable_utc=True,
    )
    owner = _owner("celery")

    @app.task(name=WAKE)  # type: ignore[untyped-decorator]
    def wake(job_id: int) -> None:
        run_one(centre, owner, only_id=job_id, jobs=jobs)

    return app


def _address(broker: str) -> str:
    """RabbitMQ's address; raises Invalid for any other, without showing it."""
    try:
        known = urlsplit(broker)
        is_good = known.scheme in ("amqp", "amqps") and known.port != 0
    except ValueError:  # a port that is no number, which the error quotes
        is_good = False
    if not is_good:
        raise Invalid(
            "CGII_BROKER no es la dirección de un RabbitMQ; escriba "
            "amqp://usuario:clave@servidor:5672//, con los signos de la clave en %XX."
        )
    return broker


def broker_fault(broker: str) -> str:
    """What keeps RabbitMQ from being used, as a sentence; empty when it can. Raises Invalid."""
    app = Celery("cgii", broker=_address(broker), set_as_current=False)
    connection = app.connection_for_write(connect_timeout=TROUBLE_SECONDS)
    try:
        connection.connect()
    except (BrokerError, *connection.connection_errors, *connection.channel_errors) as error:
        reason = why(error)[:300]
        return (
            f"No se puede usar RabbitMQ ({reason}); revise que esté en marcha, y la dirección, "
            "el usuario y su clave en CGII_BROKER"
        )
    finally:
        connection.release()
    return ""


def run_worker(centre: Centre, jobs: Mapping[str, JobKind] = JOBS) -> None:
    """Run jobs over RabbitMQ until the process is told to end. Raises Invalid without a broker.

    Raises Unavailable when the broker does not let us in.
    """
    if not centre.settings.broker:
        raise Invalid(
            "`cgii work` necesita RabbitMQ: indique su dirección en CGII_BROKER. En una sola "
            "máquina basta `cgii run`, que ejecuta las tareas por sí mismo."
        )
    app = celery_app(centre, jobs)
    sweeper = Sweeper(centre, app, jobs)
    sweeper.start()
    try:
        # Threads: jobs wait for the database, the mail server or a child process most of the time.
        worker = app.Worker(
            pool="threads",
            concurrency=limits.JOBS_AT_ONCE,
            loglevel=centre.settings.log_level,
            without_gossip=True,
            without_mingle=True,
            quiet=True,
        )
        worker.start()
    finally:
        sweeper.stop()
        centre.close()
    # Celery waits for a broker that is away, and gives up one that does not let it in.
    if worker.exitcode and (fault := broker_fault(centre.settings.broker)):
        raise Unavailable(fault + ".")


def _owner(part: str) -> str:
    return f"{socket.gethostname()[:40]}:{os.getpid()}:{part}"
