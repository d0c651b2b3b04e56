"""The input that reads each finished capture in a folder once."""

import asyncio
import hashlib
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from cgii.base import clock, limits, logs
from cgii.base.confine import GZIP
from cgii.collect import gaps
from cgii.collect.child import BrokenOff, PartialReading
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.outlet import Outlet
from cgii.collect.inputs.tries import Tries
from cgii.collect.packets.captures import MAGICS
from cgii.collect.packets.child import SOURCE, read_packets
from cgii.model.event import Raw

READING = "1"  # another way of numbering the records of a capture needs another name
DONE = 2**62
UNFINISHED = (".tmp", ".part", ".new")
PULL = 200  # records taken from the child at once

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class Captures:
    """A folder into which another program puts captures, one file after the other.

    A file is finished when it was not changed for a while. It is known by its content: under
    another name, or after a restart, it is not read again; and if it must be, its records have the
    numbers that they had, so that the centre stores none twice.
    """

    folder: Path

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Look into the folder now and then until `stop`."""
        reading = _Reading(outlet)
        seen: set[tuple[int, int, int]] = set()  # files that need no second look in this run
        told = ""
        while not stop.is_set():
            try:
                found = await asyncio.to_thread(finished, self.folder, clock.now().timestamp())
                told = ""
            except OSError as error:
                if told != str(error):
                    told = str(error)
                    log.warning("a folder of captures cannot be read", error=told)
                await wait(stop, limits.CAPTURE_LOOK_SECONDS)
                continue
            # What is gone from the folder need not be remembered.
            seen &= {mark for _, mark in found}
            for path, mark in found:
                if stop.is_set():
                    break
                if mark not in seen and await reading.read(path, stop):
                    seen.add(mark)
            await wait(stop, limits.CAPTURE_LOOK_SECONDS)


class _Reading:
    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._read: dict[str, None] = {}  # contents
        self._broken_off: dict[str, int] = {}  # contents to be tried again, and records put of them
        self._tries = Tries()

    async def read(self, path: Path, stop: asyncio.Event) -> bool:
        """Put what a capture holds, unless its content is known; whether that is done with."""
        try:
            name = await asyncio.to_thread(content_name, path)
            if not name or name in self._read:
                return True
            return await self._put(path, name, stop)
        except OSError as error:
            log.warning("a capture cannot be read", path=str(path), error=str(error))
            return True

    async def _put(self, path: Path, name: str, stop: asyncio.Event) -> bool:
        """Raises OSError."""
        start = Position(f"pcap:{name}", READING, 0, 0)
        known = self._outlet.known(start.stream)
        done = known.seq if known is not None and known.epoch == READING else 0
        if done and known is not None and known.offset == DONE:
            return True
        await self._outlet.begin(SOURCE, start, stop)
        done = max(done, self._broken_off.pop(name, 0))
        damage: list[PartialReading] = []
        number = 0
        with path.open("rb") as file:
            records = _with_next(file, damage)
            while not stop.is_set():
                pulled = await asyncio.to_thread(lambda: list(islice(records, PULL)))
                if not pulled:
                    break
                for line, is_last in pulled:
                    number += 1
                    if number > done:
                        after = Position(start.stream, READING, DONE if is_last else number, number)
                        raw = Raw(number - 1, line, f"{path}:{number}")
                        await self._outlet.put(SOURCE, raw, after, len(line))
        if stop.is_set():
            return False
        number = max(number, done)
        if damage and isinstance(damage[0], BrokenOff):
            if self._tries.another(name):
                log.warning("a capture cannot be read", path=str(path), error=str(damage[0]))
                self._broken_off[name] = number
                return False
            await self._outlet.reach(SOURCE, Position(start.stream, READING, DONE, number))
        await self._finish(path, name, number, damage)
        return True

    async def _finish(
        self, path: Path, name: str, records: int, damage: list[PartialReading]
    ) -> None:
        self._tries.forget(name)
        self._read[name] = None
        if len(self._read) > limits.CAPTURE_PLACES_MAX:
            del self._read[next(iter(self._read))]
        if damage:
            await _tell(self._outlet, path, str(damage[0]), records)


def _with_next(file: BinaryIO, damage: list[PartialReading]) -> Iterator[tuple[bytes, bool]]:
    """Each record, and whether it is the last; into `damage` why there are no more."""
    before: bytes | None = None
    try:
        for line in read_packets(file):
            if before is not None:
                yield before, False
            before = line
    except PartialReading as problem:
        damage.append(problem)
    if before is not None:
        yield before, not (damage and isinstance(damage[0], BrokenOff))


async def _tell(outlet: Outlet, path: Path, why: str, records: int) -> None:
    told = gaps.record("damage", "pcap", "partial", file=str(path), detail=why, records=records)
    stream = f"pcap:{socket.gethostname()}/{gaps.SOURCE}"
    await outlet.put_live(gaps.SOURCE, stream, told, size=len(told))


def finished(folder: Path, now: float) -> list[tuple[Path, tuple[int, int, int]]]:
    """Files that nobody writes into any more, the oldest first, each with what marks it.

    `now` in seconds since 1970. Raises OSError.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(".") or entry.name.endswith(UNFINISHED):
                continue
            try:
                facts = entry.stat()
            except OSError:
                continue  # a link that leads nowhere, or it went away while we looked
            is_old = now - facts.st_mtime >= limits.CAPTURE_SETTLED_SECONDS
            if stat.S_ISREG(facts.st_mode) and facts.st_size and is_old:
                mark = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
                found.append((facts.st_mtime, entry.name, mark))
    return [(folder / name, mark) for _, name, mark in sorted(found)]


def content_name(path: Path) -> str:
    """A name for the content of a capture; empty if it is none. Raises OSError."""
    with path.open("rb") as file:
        if not file.read(4).startswith((*MAGICS, GZIP)):
            return ""
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()[:32]
