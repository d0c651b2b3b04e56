"""What an input gets to work with: where its records go, and how far it had come before."""

import asyncio
import copy
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cgii.base import limits
from cgii.base.ids import digest
from cgii.collect import gaps
from cgii.collect.buffer import Batch, Buffer, Item
from cgii.collect.inputs.follow import FORGOTTEN, Position
from cgii.collect.shapes import LINES, Shape
from cgii.model.event import Origin, Raw

HandOver = Callable[[Batch, asyncio.Event], Awaitable[None]]


class Input(Protocol):
    """A way in that runs by itself beside the others until `stop` is set."""

    async def run(self, outlet: "Outlet", stop: asyncio.Event) -> None:
        """Receive and put.

        Raises CgiiError or OSError if it cannot go on now: it is begun anew after a while. Any
        other raise is a mistake of ours and ends the process.
        """


class Outlet:
    """Takes the records of all inputs of one process into its buffer; used from one event loop.

    `epoch` names this run of the process: streams that cannot be read again are numbered within it.
    """

    def __init__(
        self,
        buffer: Buffer,
        hand_over: HandOver,
        *,
        epoch: str,
        owner: tuple[int | None, int | None] = (None, None),
        positions: Mapping[str, Position] | None = None,
        shape_of: Callable[[str], Shape] = lambda source: LINES,
    ) -> None:
        self.shape_of = shape_of  # source → how the lines of its files make records
        self._buffer = buffer
        self._hand_over = hand_over
        self._epoch = epoch
        self._owner = owner
        self._positions = dict(positions or {})
        self._origins: dict[str, Origin] = {}
        self._next: dict[str, int] = {}
        self._zone = ""

    def in_zone(self, zone: str) -> "Outlet":
        """The same outlet for an input whose lines are of this zone where they name none."""
        other = copy.copy(self)
        other._zone = zone
        return other

    @property
    def is_full(self) -> bool:
        """Whether `offer` would find no room."""
        return self._buffer.is_full

    def known(self, stream: str) -> Position | None:
        """How far a stream was delivered before this run; None if it is new."""
        found = self._positions.get(stream)
        return None if found is None or found.offset == FORGOTTEN else found

    def known_within(self, prefix: str) -> list[Position]:
        """The same of every stream whose name begins so."""
        names = [name for name in self._positions if name.startswith(prefix)]
        return [found for name in names if (found := self.known(name)) is not None]

    async def begin(self, source: str, start: Position, stop: asyncio.Event) -> None:
        """Have it known that a content is read before anything of it is on its way.

        Who dies before the first records are delivered finds the content again where it began,
        under the same name.
        """
        known = self._positions.get(start.stream)
        if known is not None and known.epoch == start.epoch:
            return
        self._positions[start.stream] = start
        if known is None:
            await self._hand_over(Batch(self._of(source, start), [], (start,)), stop)
        else:
            # Behind what is on its way of the content before, and with it.
            await self.reach(source, start, epoch=known.epoch)

    async def put(
        self, source: str, raw: Raw, after: Position, size: int, *, epoch: str = ""
    ) -> None:
        """Wait for room and add a record of a stream that can be read again from `after`.

        `epoch` numbers the record where the place's own text says more than that.
        """
        await self._buffer.wait_for_room()
        if not raw.peer.isascii():  # it names a file
            raw = Raw(raw.seq, raw.data, gaps.shown(raw.peer))
        self._buffer.add(Item(self._of(source, after, epoch), raw, size, after))

    async def reach(self, source: str, place: Position, *, epoch: str = "") -> None:
        """Have a place kept, once everything that was put before is delivered."""
        await self._buffer.wait_for_room()
        self._buffer.add(Item(self._of(source, place, epoch), None, 0, place))

    async def forget(self, source: str, place: Position) -> None:
        """Keep the place of this stream no longer."""
        self._positions.pop(place.stream, None)
        await self.reach(source, replace(place, offset=FORGOTTEN))

    async def tell_loss(self, way: str, kind: str, reason: str, **facts: object) -> None:
        """Tell of what an input could not take, as a record of its own."""
        told = gaps.record(kind, way, reason, **facts)
        stream = f"losses:{way}:{socket.gethostname()}/{gaps.SOURCE}"
        await self.put_live(gaps.SOURCE, stream, told, size=len(told))

    async def put_live(
        self,
        source: str,
        stream: str,
        data: bytes | Mapping[str, Any],
        *,
        size: int,
        peer: str = "",
    ) -> None:
        """Wait for room and add a record that cannot be asked for again; it is numbered here.

        One stream has one source, so that each is numbered without gaps.
        """
        await self._buffer.wait_for_room()
        self.add_live(source, stream, data, size=size, peer=peer)

    def add_live(
        self,
        source: str,
        stream: str,
        data: bytes | Mapping[str, Any],
        *,
        size: int,
        peer: str = "",
    ) -> None:
        """As `put_live`, for those who cannot wait; they ask `is_full` first."""
        origin = self._origins.get(stream)
        if origin is None:
            origin = Origin(source, stream, self._epoch, *self._owner, zone=self._zone)
            self._origins[stream] = origin
            self._next[stream] = 0
        number = self._next[stream]
        self._next[stream] = number + 1
        self._buffer.add(Item(origin, Raw(number, data, peer), size))

    def _of(self, source: str, position: Position, epoch: str = "") -> Origin:
        epoch = epoch or position.epoch
        return Origin(source, position.stream, epoch, *self._owner, zone=self._zone)


@dataclass(frozen=True, slots=True)
class Zoned:
    """An input whose lines are of another zone than their source's."""

    inner: Input
    zone: str

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """As the inner one."""
        await self.inner.run(outlet.in_zone(self.zone), stop)


def short(name: str) -> str:
    """A path or an address as part of a stream's name, which the centre bounds."""
    name = gaps.shown(name)
    return name if len(name) <= limits.STREAM_PART_CHARS_MAX else digest(name)


def at_start(position: Position) -> Position:
    """The beginning of the content that a position lies in."""
    return replace(position, offset=0, seq=0)
