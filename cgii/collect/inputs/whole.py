"""Reads whole files once each, known by their content: packed ones and JSON documents."""

import asyncio
import hashlib
import os
from contextlib import aclosing
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from cgii.base import limits, logs
from cgii.base.errors import Unavailable
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.left_out import LeftOut
from cgii.collect.inputs.matching import Seen, matching
from cgii.collect.inputs.outlet import Outlet, short
from cgii.collect.inputs.tries import Tries
from cgii.collect.inputs.whole_child import Loss, Record, Request, read_whole
from cgii.model.event import Raw

WAY = "file"
EPOCH = "whole"  # the stream's name is the content's, so it is numbered once
READ, TO_READ = 1, 0  # offsets

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class WholeFiles:
    """A folder or pattern of files that do not grow, and the source and parser that read them."""

    source: str
    pattern: str
    parser: str
    definition: Path | None = None

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put the records of each new content until `stop`."""
        reading, left_out = _Reading(self, outlet), LeftOut(WAY, self.pattern, outlet)
        loop = asyncio.get_running_loop()
        since: dict[str, float] = {}
        while not stop.is_set():
            matched = await asyncio.to_thread(matching, self.pattern)
            found = matched.files
            now = loop.time()
            since = {seen.signature: since.get(seen.signature, now) for seen in found}
            for seen in found:
                # Whoever writes it may pause, but not for so long.
                is_whole = now - since[seen.signature] >= limits.WHOLE_SETTLED_SECONDS
                if is_whole and not stop.is_set():
                    await reading.read(seen, stop)
            await reading.forget_all_but(set(since))
            await left_out.names(matched.beyond)
            await left_out.files({*reading.left_over})
            await wait(stop, limits.FOLLOW_SCAN_SECONDS)


def opened(seen: Seen) -> BufferedReader:
    """The file for reading. Raises OSError if it cannot be, or is another one by now."""
    descriptor = os.open(seen.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    file = os.fdopen(descriptor, "rb")
    if os.fstat(descriptor).st_ino == seen.inode:
        return file
    file.close()
    raise FileNotFoundError(f"{seen.path} is another file by now")


class _Reading:
    def __init__(self, files: WholeFiles, outlet: Outlet) -> None:
        self._files = files
        self._outlet = outlet
        self._prefix = f"whole:{short(files.pattern)}#"
        self._places = {one.stream: one for one in outlet.known_within(self._prefix)}
        self._done = {one.epoch for one in self._places.values() if one.offset == READ}
        self.left_over: set[str] = set()  # signatures of too many; read when there is room
        self._tries = Tries()

    async def read(self, seen: Seen, stop: asyncio.Event) -> None:
        """Put what a file holds, unless its content is known."""
        if seen.signature in self._done:
            return
        if self._is_too_many(seen):
            self.left_over.add(seen.signature)
            return
        self.left_over.discard(seen.signature)
        try:
            await self._read(seen, stop)
        except (Unavailable, OSError) as error:
            log.warning("a file cannot be read", path=str(seen.path), reason=str(error))
        else:
            self._done.add(seen.signature)

    def _is_too_many(self, seen: Seen) -> bool:
        return len(self._places) >= limits.WHOLE_FILES_MAX and not any(
            place.epoch == seen.signature for place in self._places.values()
        )

    async def _read(self, seen: Seen, stop: asyncio.Event) -> None:
        """Raises OSError or Unavailable if it is to be tried again."""
        if seen.size > limits.WHOLE_FILE_BYTES_MAX:
            await self._tell(seen, "size")
            return
        with opened(seen) as file:
            content = await asyncio.to_thread(_content, file)
            place = self._places.get(f"{self._prefix}{content}")
            if place is None:
                place = Position(f"{self._prefix}{content}", seen.signature, TO_READ, 0)
            if place.offset == TO_READ:
                await self._put(file, seen, place, stop)

    async def _put(
        self, file: BufferedReader, seen: Seen, place: Position, stop: asyncio.Event
    ) -> None:
        source, number = self._files.source, 0
        request = Request(
            file.fileno(),
            seen.size,
            parser=self._files.parser,
            definition=str(self._files.definition or ""),
        )
        async with aclosing(read_whole(request)) as answers:
            async for answer in answers:
                if stop.is_set():
                    return
                if isinstance(answer, Loss):
                    if answer.is_broken_off and self._tries.another(place.stream):
                        raise Unavailable("Su lectura se interrumpió.")
                    await self._tell(seen, answer.reason, answer.detail)
                elif isinstance(answer, Record):
                    number = answer.number + 1
                    if number <= place.seq:
                        continue  # delivered before the last start
                    data = answer.text.encode()
                    raw = Raw(answer.number, data, f"{seen.path}:{number}")
                    after = Position(place.stream, seen.signature, TO_READ, number)
                    await self._outlet.put(source, raw, after, len(data), epoch=EPOCH)
                    self._places[after.stream] = after
        done = Position(place.stream, seen.signature, READ, number)
        self._places[done.stream] = done
        self._tries.forget(done.stream)
        await self._outlet.reach(source, done, epoch=EPOCH)

    async def forget_all_but(self, signatures: set[str]) -> None:
        """Whatever is gone need not be known: read again, it would have the same numbers."""
        for place in list(self._places.values()):
            if place.epoch not in signatures:
                del self._places[place.stream]
                self._tries.forget(place.stream)
                await self._outlet.forget(self._files.source, place)
        self._done &= signatures
        self.left_over &= signatures

    async def _tell(self, seen: Seen, reason: str, detail: str = "") -> None:
        log.warning("a part of a file was lost", path=str(seen.path), reason=reason, detail=detail)
        await self._outlet.tell_loss(WAY, "damage", reason, file=str(seen.path), detail=detail)


def _content(file: BufferedReader) -> str:
    found = hashlib.file_digest(file, "sha256").hexdigest()[:32]
    file.seek(0)
    return found
