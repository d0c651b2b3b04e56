"""The input that follows one growing file for as long as the process runs."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

from cgii.base import limits, logs
from cgii.collect.inputs.follow import FollowedFile
from cgii.collect.inputs.outlet import Outlet, at_start
from cgii.model.event import Raw

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class Follow:
    """A file to follow and the source that reads it."""

    source: str
    path: Path

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put each new line, from the place that was delivered last, until `stop`."""
        known = outlet.known(f"file:{self.path}")
        file = FollowedFile(self.path, known, outlet.shape_of(self.source))
        told = ""
        try:
            while not stop.is_set():
                lines = []
                try:
                    # What explains the first line stands before it, in a file of any size.
                    lines = file.poll() if file.is_open else await asyncio.to_thread(file.poll)
                    told = ""
                except OSError as error:
                    if told != str(error):
                        told = str(error)
                        log.warning("a file cannot be followed", path=str(file.path), error=told)
                if lines:
                    await outlet.begin(self.source, at_start(lines[0].after), stop)
                for line in lines:
                    raw = Raw(line.seq, line.data, f"{file.path}:{line.seq + 1}")
                    await outlet.put(self.source, raw, line.after, len(line.data))
                if not lines:
                    await wait(stop, limits.FOLLOW_POLL_SECONDS)
                else:
                    await asyncio.sleep(0)  # others may run between two chunks of a large file
        finally:
            file.close()


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Return when `stop` is set, or after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return
