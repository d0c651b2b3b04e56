"""Runs inputs into places and records that are kept as a sensor keeps them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson

from cgii.collect import gaps
from cgii.collect.buffer import Batch
from cgii.collect.definition import load_definitions
from cgii.collect.drain import Places
from cgii.collect.inputs.outlet import Input
from cgii.collect.listen import Inputs, Listener
from tests.waiting import PATIENCE_SECONDS

DEFINITIONS = load_definitions()
QUICK = {
    "LISTEN_FLUSH_SECONDS": 0.01,
    "FOLLOW_POLL_SECONDS": 0.01,
    "FOLLOW_SCAN_SECONDS": 0.02,
    "FOLLOW_QUIET_SECONDS": 0.1,
    "WHOLE_SETTLED_SECONDS": 0.05,
}


class Kept:
    """What was delivered, by the identity of each record, and the places on disk."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "places.json"
        self.places = Places(self.file)
        self.records: dict[tuple[str, str, int], str] = {}
        self.sources: dict[str, str] = {}
        self.changed: list[tuple[str, str, int]] = []  # given to another record: never
        self.again = 0  # records that came a second time
        self.keeps_places = True

    def keep(self, batch: Batch) -> None:
        for place, raw in enumerate(batch.raws):
            assert raw.seq == batch.raws[0].seq + place, "a batch has numbers without gaps"
            text = bytes(raw.data).decode()  # type: ignore[arg-type]
            identity = (batch.origin.stream, batch.origin.epoch, raw.seq)
            assert len(identity[0]) <= 200, "the centre takes no longer names"
            assert 0 < len(identity[1]) <= 80, "nor longer epochs"
            self.again += identity in self.records
            if self.records.setdefault(identity, text) != text:
                self.changed.append(identity)
            self.sources[text] = batch.origin.source
        if batch.positions and self.keeps_places:
            self.places.keep(batch.positions)

    def start_again(self) -> None:
        """As a new process would find the places."""
        self.places = Places(self.file)

    @property
    def texts(self) -> list[str]:
        """Everything but losses, in no order."""
        return [text for (stream, _, _), text in self.records.items() if gaps.SOURCE not in stream]

    @property
    def losses(self) -> list[dict[str, Any]]:
        return [
            orjson.loads(text) for (stream, _, _), text in self.records.items()
            if gaps.SOURCE in stream
        ]  # fmt: skip


@contextlib.asynccontextmanager
async def collecting(kept: Kept, *inputs: Input) -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    kept.start_again()
    listener = Listener(
        Inputs(others=inputs), DEFINITIONS, kept.keep, positions=kept.places.known
    )  # fmt: skip
    running = asyncio.create_task(listener.run(stop))
    try:
        yield stop
    finally:
        stop.set()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await running


async def until(holds: Callable[[], bool], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not holds():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"waited in vain until {what}") from None


async def a_while() -> None:
    """Long enough for several looks, where a test says that nothing comes."""
    await asyncio.sleep(0.4)
