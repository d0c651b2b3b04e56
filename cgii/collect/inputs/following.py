"""The input that follows one growing file for as long as the process runs."""

import asyncio
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from cgii.base import limits, logs
from cgii.base.counters import EVENTS_DROPPED
from cgii.collect.inputs.follow import FollowedFile
from cgii.collect.inputs.outlet import Input, Outlet, at_start
from cgii.model.event import Raw

WAY, ROTATED = "file", "rotated"

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class Follow:
    """A file to follow and the source that reads it; `as_folder` if it proves to be a folder."""

    source: str
    path: Path
    as_folder: Input | None = None

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put each new line, from the place that was delivered last, until `stop`."""
        await self._follow(outlet, stop)
        if self.as_folder is not None and not stop.is_set():
            await self.as_folder.run(outlet, stop)

    async def _follow(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Until `stop`, or until a folder is in its place: it was not mounted yet at the start."""
        known = outlet.known(f"file:{self.path}")
        file = FollowedFile(self.path, known, outlet.shape_of(self.source))
        told = ""
        try:
            while not stop.is_set():
                lines, problem = [], ""
                try:
                    # What explains the first line stands before it, in a file of any size.
                    lines = file.poll() if file.is_open else await asyncio.to_thread(file.poll)
                    if not lines and stat.S_ISDIR(os.stat(self.path).st_mode) and self.as_folder:
                        return
                except OSError as error:
                    problem = str(error)
                if problem and problem != told:
                    log.warning("a file cannot be followed", path=str(file.path), error=problem)
                if not lines:
                    told = problem
                await tell_missed(file, outlet)
                if lines:
                    await outlet.begin(self.source, at_start(lines[0].after), stop)
                for line in lines:
                    raw = Raw(line.seq, line.data, f"{file.path}:{line.seq + 1}")
                    await outlet.put(self.source, raw, line.after, len(line.data))
                await keep_left(file, self.source, outlet)
                if not lines:
                    await wait(stop, limits.FOLLOW_POLL_SECONDS)
                else:
                    await asyncio.sleep(0)  # others may run between two chunks of a large file
        finally:
            file.close()


async def tell_missed(file: FollowedFile, outlet: Outlet) -> None:
    """Tell of lines that were in a file before it was rotated and are nowhere to be found."""
    if file.missed:
        file.missed = False
        await tell_rotated(outlet, 1, file=str(file.path))


async def keep_left(file: FollowedFile, source: str, outlet: Outlet) -> None:
    """Have it known that a content was read to its end: nobody need look for it after a restart."""
    if file.left is not None:
        left, file.left = file.left, None
        await outlet.reach(source, left)


async def tell_rotated(outlet: Outlet, contents: int, **facts: str) -> None:
    """The rest of so many contents is lost; what they held nobody knows: each counts as one."""
    log.warning("a file was rotated away before it was read to its end", **facts)
    EVENTS_DROPPED.labels(WAY, ROTATED).inc(contents)
    await outlet.tell_loss(WAY, "gap", ROTATED, rotated=contents, **facts)


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set, or after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
