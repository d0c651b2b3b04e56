"""`cgii run`: the centre on one machine; `serve` and `work` are its parts one by one."""

import os
import signal
from threading import Event
from typing import Annotated

import typer

from cgii.base import garbage, logs
from cgii.base.settings import Settings, load
from cgii.cli.supervise import Child, end, keep


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
    children = [Child("web", ("serve",)), Child("collect", ("collect",))]
    try:
        if not demo:  # a demonstration is shown when it is whole
            for child in children:
                child.start()
        # Here and not above: the children start while this is loaded.
        with garbage.put_off():
            from cgii.cli.run_jobs import working
        with working(settings, is_demo=demo):
            address = typer.style(_address(settings), bold=True)
            typer.echo(f"El centro atiende en {address}. Ctrl+C lo detiene.")
            stop = Event()
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, lambda *_: stop.set())
            keep(children, stop)
    finally:  # they run alone if something else could not start
        end(children)


def _address(settings: Settings) -> str:
    """Where people on this machine find it, unless the settings say where all find it."""
    if "public_url" in settings.model_fields_set:
        return settings.public_url
    return f"http://{settings.host}:{settings.port}"
