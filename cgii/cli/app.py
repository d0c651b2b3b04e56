"""The `cgii` command: a table of sub-commands, each loaded only when it is asked for."""

import os
import shutil
import sys
from importlib import import_module
from typing import Annotated

import typer

from cgii import __version__
from cgii.base import garbage
from cgii.base.durable import told_if_unusable
from cgii.base.errors import CgiiError
from cgii.base.settings import load

# Name → where its function is. Loading one keeps `cgii scan` quick, and lets the sensor's small
# install run without the centre's libraries.
COMMANDS = {
    "run": "cgii.cli.run:run",
    "serve": "cgii.cli.serve:serve",
    "work": "cgii.cli.work:work",
    "collect": "cgii.cli.collect:collecting",
    "scan": "cgii.cli.scan:scan",
    "yara": "cgii.cli.yara:yara",
    "check": "cgii.cli.check:check",
    "explain": "cgii.cli.explain:explain",
    "rules": "cgii.cli.rules:rules",
    "backtest": "cgii.cli.backtest:backtest",
    "export": "cgii.cli.export:export",
    "move-events": "cgii.cli.move_events:move_events",
    "restore-events": "cgii.cli.restore_events:restore_events",
    "replay-rejects": "cgii.cli.replay:replay",
    "tuning": "cgii.cli.tuning:tunings",
    "indicators": "cgii.cli.indicators:indicators",
    "migrate": "cgii.cli.upkeep:migrate",
    "verify-audit": "cgii.cli.upkeep:verify_audit",
    "backup": "cgii.cli.backup:backup",
    "restore": "cgii.cli.backup:restore",
    "doctor": "cgii.cli.doctor:doctor",
    "user": "cgii.cli.people:users",
    "entity": "cgii.cli.people:entities",
    "sensor": "cgii.cli.sensors:sensors",
    "quiet": "cgii.cli.quiet:quiets",
}


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cgii {__version__}")
        raise typer.Exit


def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Versión.")
    ] = False,
) -> None:
    """Centro de Gestión de Incidentes Informáticos."""


def build(asked: str | None) -> typer.Typer:
    """The command line with the sub-command asked for, or with all of them (for `--help`)."""
    app = typer.Typer(
        name="cgii", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
    )
    app.callback()(_root)
    for name, place in COMMANDS.items():
        if asked in COMMANDS and name != asked:
            continue
        module, _, attribute = place.partition(":")
        command = getattr(import_module(module), attribute)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name)(command)
    return app


def _share_counters() -> None:
    """Let the processes of one `cgii run` count together. Must come before counters are loaded."""
    folder = load().data / "counters"
    shutil.rmtree(folder, ignore_errors=True)  # of the run before
    with told_if_unusable(folder):
        folder.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder.resolve())


def main() -> None:
    """Run the command line; an error that people are meant to read ends it with one sentence."""
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), None)
    try:
        if asked == "run":
            _share_counters()
        with garbage.put_off():
            app = build(asked)
        app()
    except CgiiError as error:
        typer.echo(f"cgii: {error}", err=True)
        sys.exit(2)
