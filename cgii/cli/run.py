"""`cgii run`, `serve` and `work`: the centre on one machine, or its parts one by one."""

import os
import signal
from threading import Event
from typing import Annotated

import typer
import uvicorn
from rich.console import Console

from cgii import centre as centres
from cgii.base import limits, logs
from cgii.base.settings import Settings, load
from cgii.cli.supervise import Child, die_with_parent, keep
from cgii.demo.country import accounts_of, build_country
from cgii.demo.feed import Feed
from cgii.demo.people import DemoAccount
from cgii.demo.sensors import sensors_of
from cgii.web.app import create_app
from cgii.web.passwords import hash_password
from cgii.worker import JobThread, run_worker

console = Console()
GRACE_SECONDS = 5  # requests under way may end; everything else is sent again


def run(
    demo: Annotated[
        bool, typer.Option("--demo", help="Construye un país de demostración y lo muestra.")
    ] = False,
) -> None:
    """El centro entero en esta máquina: web, ingreso, tareas y colectores locales."""
    if demo:
        os.environ["CGII_DEMO"] = "true"  # the children read it too
    settings = load()
    logs.configure(level=settings.log_level)
    centre = centres.build(settings)
    if demo:
        _prepare_demo(centre)
    stop = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    children = [Child("web", ("serve",)), Child("collect", ("collect",))]
    jobs = JobThread(centre)
    jobs.start()
    feed = Feed(centre, sensors_of(centre) if demo else ())
    feed.start()
    console.print(f"El centro atiende en [bold]{_address(settings)}[/bold]. Ctrl+C lo detiene.")
    try:
        keep(children, stop)
    finally:
        feed.ask_to_stop()
        jobs.stop()
        feed.stop()
        centre.close()


def _prepare_demo(centre: centres.Centre) -> None:
    _print_accounts(accounts_of(centre) or build_country(centre, hash_password))


def _address(settings: Settings) -> str:
    """Where people on this machine find it, unless the settings say where all find it."""
    if "public_url" in settings.model_fields_set:
        return settings.public_url
    return f"http://{settings.host}:{settings.port}"


def _print_accounts(accounts: tuple[DemoAccount, ...]) -> None:
    for account in accounts:
        console.print(f"  {account.role:<16} {account.email:<44} {account.password}")


def serve() -> None:
    """La web y la API; puede haber varios procesos detrás de un balanceador."""
    die_with_parent()
    settings = load()
    logs.configure(level=settings.log_level)
    centre = centres.build(settings)
    uvicorn.run(
        create_app(centre),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
        limit_concurrency=limits.CONNECTIONS_MAX,
        timeout_keep_alive=30,
    )
    centre.close()


def work() -> None:
    """Un trabajador de tareas sobre RabbitMQ (CGII_BROKER)."""
    settings: Settings = load()
    logs.configure(level=settings.log_level)
    run_worker(centres.build(settings))
