"""Tells of the files of one pattern that an input has no room for."""

import asyncio
from collections.abc import Hashable

from cgii.base import limits, logs
from cgii.base.counters import EVENTS_DROPPED
from cgii.collect.inputs.outlet import Outlet

log = logs.logger("collect")


class LeftOut:
    """Each file is told once, many of them in one record, and none may tell at every look."""

    def __init__(self, way: str, pattern: str, outlet: Outlet) -> None:
        self._way = way
        self._pattern = pattern
        self._outlet = outlet
        self._told: set[Hashable] = set()
        self._is_cut = False
        self._told_at: float | None = None

    async def names(self, beyond: int) -> None:
        """So many names were not even looked at."""
        if beyond and not self._is_cut:
            await self._tell("too many names", beyond)
        self._is_cut = beyond > 0

    async def files(self, left: set[Hashable]) -> None:
        """There is no room for these now, by whatever each is known by."""
        self._told &= left
        fresh = len(left - self._told)
        now = asyncio.get_running_loop().time()
        if not fresh or (
            self._told_at is not None and now - self._told_at < limits.LEFT_OUT_TOLD_SECONDS
        ):
            return
        self._told, self._told_at = left, now
        await self._tell("too many", fresh)

    async def _tell(self, reason: str, count: int) -> None:
        log.warning("files are left out", pattern=self._pattern, reason=reason, files=count)
        # What they hold nobody knows: each counts as one record in what the sensor reports.
        EVENTS_DROPPED.labels(self._way, reason).inc(count)
        await self._outlet.tell_loss(self._way, "gap", reason, pattern=self._pattern, files=count)
