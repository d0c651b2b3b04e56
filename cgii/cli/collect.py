"""`cgii collect`: the inputs of one machine, delivered to its own centre or to a remote one."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer

from cgii.base import logs
from cgii.base.errors import Invalid
from cgii.base.settings import Settings, load
from cgii.cli.collect_check import check, unit
from cgii.cli.supervise import die_with_parent
from cgii.collect import ways_in
from cgii.collect.config import read_config
from cgii.collect.definition import Definitions, load_definitions
from cgii.collect.drain import Drain, Places, keeper
from cgii.collect.input_config import FollowConfig
from cgii.collect.inputs.outlet import Input
from cgii.collect.listen import Inputs, Listener
from cgii.collect.send import Sender
from cgii.collect.spool import Spool

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
    sensor = read_config(config)
    logs.configure()
    definitions = load_definitions(sensor.site)
    inputs = Inputs(
        host=sensor.host,
        udp_port=sensor.syslog_udp_port,
        tcp_port=sensor.syslog_tcp_port,
        others=tuple(ways_in.of_sensor(sensor, definitions)),
    )
    spool = Spool(sensor.spool or config.parent / "spool", bytes_max=sensor.spool_mib_max << 20)
    places = Places(spool.folder / "places.json")
    with Sender(sensor.centre, sensor.secret) as sender:
        drain = Drain(spool, sender)
        drain.start()
        try:
            _listen(Listener(inputs, definitions, keeper(spool, places), positions=places.known))
        finally:
            drain.stop()
            spool.close()


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
