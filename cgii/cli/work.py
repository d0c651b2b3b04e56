"""`cgii work`: background jobs on a machine of their own."""

from cgii import centre as centres
from cgii.base import logs
from cgii.base.settings import load
from cgii.worker import run_worker


def work() -> None:
    """Un trabajador de tareas sobre RabbitMQ (CGII_BROKER)."""
    settings = load()
    logs.configure(level=settings.log_level)
    run_worker(centres.build(settings))
