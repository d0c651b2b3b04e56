"""`cgii collect`: the inputs of one machine, delivered to its own centre or to a remote one."""

import asyncio
import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from cgii.base import logs
from cgii.base.errors import Invalid
from cgii.base.reasons import why
from cgii.base.settings import Settings, load
from cgii.cli.collect_check import check, unit
from cgii.cli.supervise import die_with_parent
from cgii.collect import reporting, sensor, ways_in
from cgii.collect.config import read_config
from cgii.collect.definition import Definitions
from cgii.collect.identity import Identity
from cgii.collect.input_config import FollowConfig
from cgii.collect.inputs.outlet import Input
from cgii.collect.listen import Inputs, Listener
from cgii.collect.send import Sender, by_token

ConfigFile = Annotated[
    Path | None,
    typer.Option(help="Archivo TOML del sensor; sin él se entrega al centro de esta máquina."),
]
collecting = typer.Typer(help="Recibe syslog y sigue archivos, y entrega lo recibido al centro.")
collecting.command("check")(check)
collecting.command("unit")(unit)


@collecting.callback(invoke_without_command=True)
def collect(context: typer.Context, config: ConfigFile = None) -> None:
    """Recibe syslog y sigue archivos, y entrega lo recibido al centro."""
    if context.invoked_subcommand is not None:
        return
    die_with_parent()
    if config is None:
        _collect_here(load())
        return
    wanted = read_config(config)
    logs.configure()
    sensor.run(wanted, config)


@collecting.command("enrol")
def enrol(
    config: Annotated[Path, typer.Option(help="Archivo TOML del sensor.")],
    invitation_file: Annotated[
        Path | None, typer.Option(help="Archivo con la invitación; sin él se la pide.")
    ] = None,
) -> None:
    """Inscribe este sensor en el centro con una invitación de un solo uso."""
    wanted = read_config(config)
    identity = Identity(sensor.folder_of(wanted, config))
    secret = _invitation(invitation_file)
    with Sender(wanted.centre, by_token(""), ca_file=wanted.ca_file) as sender:
        name = reporting.enrol(sender, identity, secret)
    typer.echo(f"Inscrito como {name}. Inicie «cgii collect --config {config}».")


def _invitation(path: Path | None) -> str:
    if "CGII_INVITATION" in os.environ:
        return os.environ["CGII_INVITATION"].strip()
    if path is None:
        return str(typer.prompt("Invitación", hide_input=True)).strip()
    try:
        return path.read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError) as error:
        raise Invalid("No se puede leer {path}: {why}.", path=path, why=why(error)) from error


def _collect_here(settings: Settings) -> None:
    # Only here are the centre's libraries needed; a sensor does not have them.
    from cgii import centre as centres
    from cgii.cli.local import deliver_to, positions_of

    logs.configure(level=settings.log_level)
    centre = centres.build(settings)
    inputs = Inputs(
        host=settings.syslog_host,
        udp_port=settings.syslog_udp_port or None,
        tcp_port=settings.syslog_tcp_port or None,
        others=(
            *(_follow(text, centre.definitions) for text in settings.follow),
            *ways_in.tls_of_centre(settings, centre.definitions),
        ),
    )
    _listen(
        Listener(inputs, centre.definitions, deliver_to(centre), positions=positions_of(centre))
    )
    centre.close()


def _follow(text: str, definitions: Definitions) -> Input:
    source, separator, path = text.partition("=")
    if not separator:
        raise Invalid("CGII_FOLLOW espera «fuente=ruta», no «{text}».", text=text)
    return ways_in.following(FollowConfig(source=source, path=Path(path)), definitions)


def _listen(listener: Listener) -> None:
    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await listener.run(stop)

    asyncio.run(until_stopped())
