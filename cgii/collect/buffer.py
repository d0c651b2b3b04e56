"""One bounded queue between the inputs and the delivery; full means wait, or no."""

import asyncio
from collections import deque
from dataclasses import dataclass

from cgii.base import limits
from cgii.collect.inputs.follow import Position
from cgii.model.event import Origin, Raw


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one origin in order, and the positions that delivering them reaches."""

    origin: Origin
    raws: list[Raw]
    positions: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class Item:
    """One record on its way."""

    origin: Origin
    raw: Raw | None  # None: only the position is to be known as reached
    size: int
    position: Position | None = None


class Buffer:
    """Bounded in records and bytes; used from one event loop."""

    def __init__(
        self,
        records_max: int = limits.LISTEN_BUFFER_RECORDS_MAX,
        bytes_max: int = limits.LISTEN_BUFFER_BYTES_MAX,
    ) -> None:
        self._items: deque[Item] = deque()
        self._bytes = 0
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._room = asyncio.Event()
        self._room.set()
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    @property
    def is_full(self) -> bool:
        """Whether an offer would be refused."""
        return not self._room.is_set()

    async def wait_for_room(self) -> None:
        """Return once there is room for a record."""
        while not self._room.is_set():
            await self._room.wait()

    def add(self, item: Item) -> None:
        """Add one record; the caller has asked for room."""
        self._items.append(item)
        self._bytes += item.size
        if len(self._items) >= self._records_max or self._bytes >= self._bytes_max:
            self._room.clear()
        self._filled.set()

    async def wait_for_items(self, seconds: float) -> None:
        """Return when something is there, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._filled.wait()
        except TimeoutError:
            return

    def take(self) -> list[Batch]:
        """Up to one batch's worth of records, oldest first, grouped by origin.

        The numbers within a batch follow each other; where some are missing another one begins.
        """
        batches: list[list[Item]] = []
        groups: dict[Origin, list[Item]] = {}
        records = size = 0
        while self._items and records < limits.LISTEN_BATCH_RECORDS:
            item = self._items[0]
            if records and size + item.size > limits.BATCH_BYTES_MAX:
                break
            self._items.popleft()
            records += 1
            size += item.size
            group = groups.get(item.origin)
            if group is None or not _follows(group, item):
                group = groups[item.origin] = []
                batches.append(group)
            group.append(item)
        self._bytes -= size
        if len(self._items) < self._records_max and self._bytes < self._bytes_max:
            self._room.set()
        if not self._items:
            self._filled.clear()
        return [_batch(items) for items in batches]


def _follows(group: list[Item], item: Item) -> bool:
    last = next((one.raw for one in reversed(group) if one.raw is not None), None)
    return last is None or item.raw is None or item.raw.seq == last.seq + 1


def _batch(items: list[Item]) -> Batch:
    reached = {item.position.stream: item.position for item in items if item.position}
    raws = [item.raw for item in items if item.raw is not None]
    return Batch(items[0].origin, raws, tuple(reached.values()))
