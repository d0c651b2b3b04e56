"""A process that runs jobs for tests: `python -m tests.contract.runner thread|celery FOLDER LEASE`.

It is started and killed by test_worker.py, which says how many seconds a lease has.
"""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from threading import Event
from typing import Any

from cgii.base import limits

limits.JOB_LEASE_SECONDS = int(sys.argv[3])  # before the worker counts with it

# A failed job is looked at before it is tried again.
limits.JOB_BACKOFF_SECONDS = (60,) * len(limits.JOB_BACKOFF_SECONDS)

from cgii import worker  # noqa: E402
from cgii.base import logs  # noqa: E402
from cgii.base.errors import Invalid  # noqa: E402
from cgii.base.settings import load  # noqa: E402
from cgii.centre import Centre  # noqa: E402
from cgii.jobs import JobContext, JobKind  # noqa: E402

worker.REPUBLISH_SECONDS = 3.0
WORK_SECONDS = 0.05


def mark(centre: Centre, context: JobContext, *, number: int) -> Mapping[str, Any]:
    """Take a while, then leave a file with the number as its name."""
    _note(centre, "started", number)
    Event().wait(WORK_SECONDS)
    (centre.settings.data / "done" / str(number)).touch()
    return {"number": number}


def crawl(centre: Centre, context: JobContext, *, number: int) -> None:
    """Work far longer than a lease, reporting, until told to stop."""
    _note(centre, "started", number)
    for percent in range(100):
        Event().wait(0.1)
        if context.progress(percent, f"{percent} de 100"):
            return


def sit(centre: Centre, context: JobContext, *, number: int) -> None:
    """Work longer than a lease without a word."""
    _note(centre, "started", number)
    Event().wait(1.5 * limits.JOB_LEASE_SECONDS)


def fail(centre: Centre, context: JobContext) -> None:
    """Never succeed."""
    raise ValueError("no funciona")


def refuse(centre: Centre, context: JobContext) -> None:
    """Be asked for the impossible."""
    raise Invalid("Eso no se puede.")


def tick(centre: Centre, context: JobContext) -> None:
    """Come by itself."""
    _note(centre, "ticks", context.job_id)


JOBS = {
    "mark": JobKind(mark),
    "crawl": JobKind(crawl),
    "sit": JobKind(sit),
    "fail": JobKind(fail),
    "refuse": JobKind(refuse),
    "tick": JobKind(tick, 1),
}


def _note(centre: Centre, name: str, number: int) -> None:
    with (centre.settings.data / name).open("a") as file:
        file.write(f"{number}\n")


def main() -> None:
    """Run jobs until the process is told to end."""
    kind, folder = sys.argv[1], Path(sys.argv[2])
    logs.configure(level="INFO", json_lines=True)
    centre = Centre(load(data=folder))
    if kind == "celery":
        worker.run_worker(centre, JOBS)
        return
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    thread = worker.JobThread(centre, JOBS)
    thread.start()
    stop.wait()
    thread.stop()
    centre.close()


if __name__ == "__main__":
    main()
