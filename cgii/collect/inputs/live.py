"""The input that captures on a network interface."""

import asyncio
import socket
from dataclasses import dataclass, field

import orjson

from cgii.base import clock, limits, logs
from cgii.base.counters import EVENTS_DROPPED
from cgii.collect import gaps
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.outlet import Outlet
from cgii.collect.packets.captures import SECOND
from cgii.collect.packets.child import SOURCE
from cgii.collect.packets.live import Interface
from cgii.collect.packets.observe import Observer

WAIT_SECONDS = 0.2

log = logs.logger("collect")


@dataclass
class Live:
    """An interface to capture on. `started` is set once it is open."""

    interface: str
    filter: str = ""
    promiscuous: bool = True
    started: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Capture until `stop`. Raises Unavailable or Invalid if the interface cannot be had.

        One that fails is opened anew, for it may have been taken away and made again.

        Without room nothing is taken from the kernel, which then counts what it drops.
        """
        card = self._open()
        self.started.set()
        observer = Observer()
        stream = f"capture:{socket.gethostname()}/{self.interface}"
        gap = gaps.Gap(f"capture:{self.interface}", gaps.KERNEL)
        looked = counted = asyncio.get_running_loop().time()
        told = ""
        pulling: asyncio.Future[list[bytes]] | None = None
        try:
            while not stop.is_set():
                try:
                    pulling = asyncio.ensure_future(asyncio.to_thread(_lines, card, observer))
                    lines = await asyncio.shield(pulling)
                    pulling, told = None, ""
                except OSError as error:
                    if told != str(error):
                        told = str(error)
                        log.warning("an interface says nothing", name=self.interface, error=told)
                    _tell_losses(card, gap, outlet, stream)
                    await wait(stop, limits.CAPTURE_LOOK_SECONDS)
                    old, card = card, self._open()
                    old.close()
                    continue
                for line in lines:
                    await outlet.put_live(SOURCE, stream, line, size=len(line))
                now = asyncio.get_running_loop().time()
                if now - looked >= limits.KERNEL_LOOK_SECONDS:
                    looked = now
                    _tell_losses(card, gap, outlet, stream)
                if now - counted >= limits.CAPTURE_STATISTICS_SECONDS:
                    counted = now
                    _add(outlet, stream, [orjson.dumps(one) for one in observer.statistics()])
        finally:
            if pulling is not None:  # its thread still uses the card
                (last,) = await asyncio.gather(pulling, return_exceptions=True)
                _add(outlet, stream, last if isinstance(last, list) else [])
            _tell_losses(card, gap, outlet, stream)
            _add(outlet, stream, [orjson.dumps(one) for one in observer.end("stopped")])
            card.close()

    def _open(self) -> Interface:
        return Interface(self.interface, self.filter, promiscuous=self.promiscuous)


def _lines(card: Interface, observer: Observer) -> list[bytes]:
    frames = card.pull(WAIT_SECONDS)
    records = [*observer.see(frames)]
    records += observer.pass_time(int(clock.now().timestamp() * SECOND))
    return [orjson.dumps(one) for one in records]


def _add(outlet: Outlet, stream: str, lines: list[bytes]) -> None:
    """Add what cannot wait, as far as there is room."""
    for number, line in enumerate(lines):
        if outlet.is_full:
            EVENTS_DROPPED.labels("capture", "stopped").inc(len(lines) - number)
            return
        outlet.add_live(SOURCE, stream, line, size=len(line))


def _tell_losses(card: Interface, gap: gaps.Gap, outlet: Outlet, stream: str) -> None:
    lost = card.dropped()
    gap.add(lost)
    EVENTS_DROPPED.labels("capture", "kernel").inc(lost)
    told = None if outlet.is_full else gap.told()
    if told is not None:
        outlet.add_live(gaps.SOURCE, f"{stream}/{gaps.SOURCE}", told, size=len(told))
