"""`cgii collect`: the inputs of one machine, delivered to its own centre or to a remote one."""

import asyncio
import os
import signal
import tomllib
from pathlib import Path
from typing import Annotated

import typer
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from cgii.base import limits, logs
from cgii.base.errors import Invalid
from cgii.base.settings import Settings, load
from cgii.cli.supervise import die_with_parent
from cgii.collect.definition import load_definitions
from cgii.collect.drain import Drain, Places, keeper
from cgii.collect.listen import Follow, Inputs, Listener
from cgii.collect.send import Sender
from cgii.collect.spool import Spool


class FollowConfig(BaseModel):
    """A file to follow, as the sensor's TOML file names it."""

    model_config = ConfigDict(extra="forbid")
    source: str
    path: Path


class SensorConfig(BaseModel):
    """`sensor.toml`: the centre, the token and the inputs."""

    model_config = ConfigDict(extra="forbid")
    centre: str = Field(pattern=r"^https?://")
    token: str = ""
    token_file: Path | None = None
    site: Path | None = None
    host: str = "127.0.0.1"
    syslog_udp_port: int | None = Field(None, ge=1, le=65535)
    syslog_tcp_port: int | None = Field(None, ge=1, le=65535)
    follow: tuple[FollowConfig, ...] = ()
    spool: Path | None = None  # beside this file unless it is given
    spool_mib_max: int = Field(limits.SPOOL_BYTES_MAX >> 20, ge=16)

    @property
    def secret(self) -> str:
        """The token: from the environment, the file it names, or the text itself."""
        if "CGII_SENSOR_TOKEN" in os.environ:
            return os.environ["CGII_SENSOR_TOKEN"]
        return self.token_file.read_text().strip() if self.token_file else self.token


def collect(
    config: Annotated[
        Path | None,
        typer.Option(help="Archivo TOML del sensor; sin él se entrega al centro de esta máquina."),
    ] = None,
) -> None:
    """Recibe syslog y sigue archivos, y entrega lo recibido al centro."""
    die_with_parent()
    if config is None:
        _collect_here(load())
        return
    sensor = _read(config)
    logs.configure()
    inputs = Inputs(
        host=sensor.host,
        udp_port=sensor.syslog_udp_port,
        tcp_port=sensor.syslog_tcp_port,
        follow=tuple(Follow(one.source, one.path) for one in sensor.follow),
    )
    definitions = load_definitions(sensor.site)
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


def _read(path: Path) -> SensorConfig:
    try:
        return SensorConfig.model_validate(tomllib.loads(path.read_text()))
    except OSError as error:
        raise Invalid("No se puede leer {path}: {why}.", path=path, why=error.strerror) from error
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise Invalid("{path} no es válido: {why}", path=path, why=str(error)) from error


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
        follow=tuple(_follow(text) for text in settings.follow),
    )
    _listen(
        Listener(inputs, centre.definitions, deliver_to(centre), positions=positions_of(centre))
    )
    centre.close()


def _follow(text: str) -> Follow:
    source, separator, path = text.partition("=")
    if not separator:
        raise Invalid("CGII_FOLLOW espera «fuente=ruta», no «{text}».", text=text)
    return Follow(source, Path(path))


def _listen(listener: Listener) -> None:
    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await listener.run(stop)

    asyncio.run(until_stopped())
