"""The input that reads each finished capture in a folder once."""

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from cgii.base import clock, limits, logs
from cgii.base.reasons import why
from cgii.collect import gaps
from cgii.collect.child import BrokenOff, PartialReading
from cgii.collect.inputs.capture_contents import Content, content_of
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.outlet import Outlet
from cgii.collect.inputs.tries import Tries
from cgii.collect.packets.child import SOURCE, read_packets
from cgii.model.event import Raw

READING = "1"  # another way of numbering the records of a capture needs another name
DONE = 2**62
UNFINISHED = (".tmp", ".part", ".new")
OTHERS_NAMED = 10  # files in one record
PULL = 200  # records taken from the child at once

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class Captures:
    """A folder into which another program puts captures, one file after the other.

    A file is finished when it was not changed for a while. It is known by its content: under
    another name, packed, or after a restart, it is not read again; and if it must be, its records
    have the numbers that they had, so that the centre stores none twice.
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
            reading.keep_only({path for path, _ in found})
            for path, mark in found:
                if stop.is_set():
                    break
                if mark not in seen and await reading.read(path, mark[0], stop):
                    seen.add(mark)
            if not stop.is_set():
                await reading.tell_others()
            await wait(stop, limits.CAPTURE_LOOK_SECONDS)


@dataclass(frozen=True, slots=True)
class _Before:
    """What a file held when it was read: its content, and how many records of packets it gave."""

    content: Content
    records: int


class _Reading:
    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self._read: dict[str, None] = {}  # contents
        self._before: dict[int, _Before] = {}  # by inode, the newest
        self._broken_off: dict[str, int] = {}  # contents to be tried again, and records put of them
        self._tries = Tries()
        self._others: dict[Path, bool] = {}  # no captures; whether that was told
        self._refused: set[Path] = set()

    def keep_only(self, paths: set[Path]) -> None:
        """Forget what is gone from the folder."""
        self._others = {path: told for path, told in self._others.items() if path in paths}
        self._refused &= paths

    async def read(self, path: Path, inode: int, stop: asyncio.Event) -> bool:
        """Put what a capture holds, unless its content is known; whether that is done with."""
        before = self._before.get(inode)
        try:
            content = await asyncio.to_thread(
                content_of, path, before.content if before else Content()
            )
            is_done = True
            if not content.name:
                self._others.setdefault(path, False)
            elif not any(name in self._read or self._is_done(name) for name in content.names):
                first = before.records if before and content.is_longer else 0
                is_done = await self._put(path, content, stop, first=first, inode=inode)
            self._refused.discard(path)
            return is_done
        except FileNotFoundError:
            return True
        except OSError as error:
            if path not in self._refused:
                log.warning("a capture cannot be read", path=str(path), error=str(error))
                await _tell(self._outlet, path, "refused", why(error))
            self._refused.add(path)
            return False  # rights may be given later, and there may be room for a process

    def _is_done(self, name: str) -> bool:
        known = self._outlet.known(f"pcap:{name}")
        return known is not None and (known.epoch, known.offset) == (READING, DONE)

    async def _put(
        self, path: Path, content: Content, stop: asyncio.Event, *, first: int, inode: int
    ) -> bool:
        """Put the records after the number `first`. Raises OSError."""
        name = content.name
        if content.packed and self._outlet.known(f"pcap:{content.packed}") is not None:
            name = content.packed  # an earlier version began it under that name
        start = Position(f"pcap:{name}", READING, 0, first)
        known = self._outlet.known(start.stream)
        done = known.seq if known is not None and known.epoch == READING else first
        await self._outlet.begin(SOURCE, start, stop)
        done = max(done, self._broken_off.pop(name, 0))
        damage: list[PartialReading] = []
        before_end: list[int] = []
        number = 0
        with path.open("rb") as file:
            records = _with_next(file, damage, before_end)
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
        self._remember(inode, _Before(content, before_end[0] if before_end else number))
        await self._finish(path, name, number, damage)
        return True

    def _remember(self, inode: int, before: _Before) -> None:
        self._before.pop(inode, None)
        self._before[inode] = before
        if len(self._before) > limits.CAPTURE_PLACES_MAX:
            del self._before[next(iter(self._before))]

    async def _finish(
        self, path: Path, name: str, records: int, damage: list[PartialReading]
    ) -> None:
        self._tries.forget(name)
        self._read[name] = None
        if len(self._read) > limits.CAPTURE_PLACES_MAX:
            del self._read[next(iter(self._read))]
        if damage:
            await _tell(self._outlet, path, "partial", str(damage[0]), records=records)

    async def tell_others(self) -> None:
        """Tell once of files that are no captures, many of them in one record."""
        fresh = [path for path, told in self._others.items() if not told]
        if not fresh:
            return
        self._others = dict.fromkeys(self._others, True)
        names = ", ".join(path.name for path in fresh[:OTHERS_NAMED])
        more = f" y {len(fresh) - OTHERS_NAMED} más" if len(fresh) > OTHERS_NAMED else ""
        log.warning("files are no captures", folder=str(fresh[0].parent), names=names + more)
        why = f"no es una captura pcap ni pcapng, tampoco empaquetada con gzip: {names}{more}"
        await _tell(self._outlet, fresh[0], "no capture", why)


def _with_next(
    file: BinaryIO, damage: list[PartialReading], before_end: list[int]
) -> Iterator[tuple[bytes, bool]]:
    """Each record, and whether it is the last; into `damage` why there are no more."""
    before: bytes | None = None
    try:
        for line in read_packets(file, before_end=before_end):
            if before is not None:
                yield before, False
            before = line
    except PartialReading as problem:
        damage.append(problem)
    if before is not None:
        yield before, not (damage and isinstance(damage[0], BrokenOff))


async def _tell(outlet: Outlet, path: Path, reason: str, why: str, *, records: int = 0) -> None:
    told = gaps.record("damage", "pcap", reason, file=str(path), detail=why, records=records)
    stream = f"pcap:{socket.gethostname()}/{gaps.SOURCE}"
    await outlet.put_live(gaps.SOURCE, stream, told, size=len(told))


def is_offered(name: str) -> bool:
    """Whether a file of this name is to be read."""
    return not (name.startswith(".") or name.endswith(UNFINISHED))


def finished(folder: Path, now: float) -> list[tuple[Path, tuple[int, int, int]]]:
    """Files that nobody writes into any more, the oldest first, each with what marks it.

    `now` in seconds since 1970. Raises OSError.
    """
    found = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if not is_offered(entry.name):
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
