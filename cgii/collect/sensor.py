"""One running sensor: its queue on disk, what it sends and reports, and its inputs."""

import asyncio
import os
import random
import signal
import threading
from contextlib import suppress
from pathlib import Path

from cgii.base import limits, logs
from cgii.base.errors import CgiiError, Invalid
from cgii.collect import ways_in
from cgii.collect.config import SensorConfig, read_inputs
from cgii.collect.definition import Definitions
from cgii.collect.drain import Drain, Places, keeper
from cgii.collect.identity import Identity
from cgii.collect.listen import Inputs, Listener, back_off
from cgii.collect.ports import ports_of, why_not
from cgii.collect.pushed import Pushed
from cgii.collect.reporting import Reporter
from cgii.collect.rights import keep_from_children
from cgii.collect.send import Authorise, Sender, by_key, by_token
from cgii.collect.spool import Spool

log = logs.logger("collect")
Wanted = tuple[str, SensorConfig]  # the inputs, and their version if the centre chose them
USELESS = (CgiiError, OSError, ValueError)  # what wrong inputs come to: names, paths, ports


def folder_of(config: SensorConfig, file: Path) -> Path:
    """Where a sensor keeps what it must not lose; only one process may use it.

    The one that the file names, or `spool` beside the file.
    """
    return config.spool or file.parent / "spool"


def sender_of(config: SensorConfig, identity: Identity) -> Sender:
    """A connection that the centre will know. Raises Invalid without key and token."""
    return Sender(config.centre, authorise_of(config, identity), ca_file=config.ca_file)


def authorise_of(config: SensorConfig, identity: Identity) -> Authorise:
    """How the centre knows this sensor. Raises Invalid without key and token."""
    if identity.key is not None:
        return by_key(identity.signing)
    if not (secret := config.secret):
        raise Invalid(
            "Este sensor no está inscrito. Pida una invitación al centro y use «cgii collect "
            "enrol»."
        )
    if not secret.isascii() or not secret.isprintable():
        raise Invalid("El token del sensor contiene caracteres que no puede tener.")
    return by_token(secret)


class Runner:
    """Runs the inputs, and begins them anew when the centre changes them.

    With inputs of the centre that cannot start the own ones go on; the others are tried again when
    they could start.
    """

    def __init__(self, config: SensorConfig, pushed: Pushed) -> None:
        self._config = config
        self._pushed = pushed
        self._loop: asyncio.AbstractEventLoop | None = None
        self._again: asyncio.Event | None = None
        self._is_another_try = False  # of inputs that could not start
        self._tries = 0

    def changed(self) -> None:
        """Begin anew with what was pushed; may be called from any thread."""
        self._tries = 0
        if self._loop is not None and self._again is not None:
            with suppress(RuntimeError):  # the loop has just ended
                self._loop.call_soon_threadsafe(self._again.set)

    def run(self, spool: Spool) -> None:
        """Receive until the process is told to stop."""
        asyncio.run(self._run(spool))

    async def _run(self, spool: Spool) -> None:
        stop, self._again = asyncio.Event(), asyncio.Event()
        self._loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            self._loop.add_signal_handler(number, stop.set)
        places = Places(spool.folder / "places.json")
        while not stop.is_set():
            self._again.clear()
            wanted = self._wanted()
            try:
                await self._listen(wanted, spool, places, stop)
            except USELESS as error:
                if not (version := wanted[0]):
                    raise
                # Go on as before, and tell it.
                self._pushed.fail(version, f"{error} Se intenta de nuevo.")

    async def _listen(
        self, wanted: Wanted, spool: Spool, places: Places, stop: asyncio.Event
    ) -> None:
        assert self._again is not None
        version, config = wanted
        definitions = self._pushed.definitions(config.site)
        listener = Listener(
            inputs_of(config, definitions),
            definitions,
            keeper(spool, places),
            positions=places.known,
        )
        ended = asyncio.Event()
        watching = [
            asyncio.create_task(_pass_on(stop, ended)),
            asyncio.create_task(_pass_on(self._again, ended, spool)),
            asyncio.create_task(self._mind(listener, version)),
        ]
        try:
            await listener.run(ended)
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def _wanted(self) -> Wanted:
        """The inputs to use."""
        pushed = self._pushed
        is_another_try, self._is_another_try = self._is_another_try, False
        version = pushed.inputs_version
        if not pushed.inputs_text or (pushed.problem and not is_another_try):
            return "", self._config
        try:
            return version, self._with_pushed()
        except USELESS as error:
            pushed.fail(version, str(error))
            return "", self._config

    def _with_pushed(self) -> SensorConfig:
        """The inputs that the centre chose. Raises one of USELESS if they cannot be used."""
        if not self._config.pushed_inputs:
            raise Invalid("Este sensor no deja que el centro elija sus entradas.")
        return self._config.with_inputs(read_inputs(self._pushed.inputs_text))

    async def _mind(self, listener: Listener, version: str) -> None:
        """See whether the pushed inputs work, and try again those that did not."""
        pauses = limits.PUSHED_RETRY_SECONDS
        if version:
            await listener.started.wait()
            self._pushed.work(version)
            await asyncio.sleep(pauses[-1])
            self._tries = 0  # what fails after so long has another cause
            return
        while self._pushed.problem:
            pause = back_off(self._tries, random.random(), pauses)  # noqa: S311  not a secret
            await asyncio.sleep(pause)
            self._tries += 1
            if await asyncio.to_thread(self._could_start) and self._again is not None:
                self._is_another_try = True
                self._again.set()
                return

    def _could_start(self) -> bool:
        """Whether a try is worth that the own inputs stop for it; those do not notice the look."""
        try:
            config = self._with_pushed()
        except USELESS:
            return False
        ours = {(port.kind, port.number) for port in ports_of(self._config)}
        wanted = (port for port in ports_of(config) if (port.kind, port.number) not in ours)
        return not any(why_not(config.host, port) for port in wanted)


async def _pass_on(event: asyncio.Event, to: asyncio.Event, spool: Spool | None = None) -> None:
    """Set `to` after `event`; with a spool, once it has room for what is still in memory."""
    await event.wait()
    while spool is not None and spool.bytes_max - spool.size < _room(spool):
        await asyncio.sleep(1)
    to.set()


def _room(spool: Spool) -> int:
    return min(limits.SPOOL_ROOM_BYTES, spool.bytes_max // 4)


def inputs_of(config: SensorConfig, definitions: Definitions) -> Inputs:
    """What a configuration means to a Listener."""
    return Inputs(
        host=config.host,
        udp_port=config.syslog_udp_port,
        tcp_port=config.syslog_tcp_port,
        zone=config.syslog_zone,
        others=tuple(ways_in.of_sensor(config, definitions)),
    )


def run(config: SensorConfig, file: Path) -> None:
    """Be the sensor that `file` describes until the process is told to stop."""
    keep_from_children()
    folder = folder_of(config, file)
    spool = Spool(folder, bytes_max=config.spool_mib_max << 20)
    identity, pushed = Identity(folder), Pushed(folder / "pushed")
    runner = Runner(config, pushed)
    threading.excepthook = _end_process
    with sender_of(config, identity) as sender:
        drain = Drain(spool, sender)
        reporter = Reporter(sender, spool, identity, pushed, on_change=runner.changed)
        drain.start()
        reporter.start()
        try:
            runner.run(spool)
        finally:
            reporter.ask_to_stop()
            drain.stop()
            reporter.stop()
            spool.close()


def _end_process(told: threading.ExceptHookArgs) -> None:
    """A mistake of ours has ended a thread: a sensor without it would only fill its queue."""
    log.error("a part of the sensor ended", reason=f"{told.exc_type.__name__}: {told.exc_value}")
    os.kill(os.getpid(), signal.SIGTERM)
