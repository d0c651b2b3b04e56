"""Reads Windows event logs (EVTX) that are copied into a folder, and copied again as they grow."""

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import BinaryIO

from cgii.base import limits, logs
from cgii.base.errors import Unavailable
from cgii.base.ids import digest
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.left_out import LeftOut
from cgii.collect.inputs.matching import Seen, matching, newest
from cgii.collect.inputs.outlet import Outlet, short
from cgii.collect.inputs.tries import Tries
from cgii.collect.inputs.whole import opened
from cgii.collect.inputs.whole_child import Begins, Loss, Record, Request, read_whole
from cgii.model.event import Raw

WAY = "evtx"
SUFFIX = ".evtx"

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class EventLogs:
    """A folder of logs and the source that reads them."""

    source: str
    folder: str

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put the new records of each new or changed log until `stop`."""
        reading, left_out = _Reading(self.source, outlet), LeftOut(WAY, self.folder, outlet)
        before: set[str] = set()
        while not stop.is_set():
            matched = await asyncio.to_thread(matching, self.folder)
            found = [seen for seen in matched.files if seen.path.suffix.lower() == SUFFIX]
            chosen = newest(found, limits.WHOLE_FILES_MAX)
            await left_out.names(matched.beyond)
            others = {seen.path for seen in found} - {seen.path for seen in chosen}
            await left_out.files(
                {seen.key for seen in found if seen.path in others and not reading.is_read(seen)}
            )
            for seen in chosen:
                # Twice the same: whoever copies it has ended.
                if seen.signature in before and not stop.is_set():
                    await reading.read(seen, stop)
            before = {seen.signature for seen in found}
            await wait(stop, limits.FOLLOW_SCAN_SECONDS)


@dataclass(frozen=True, slots=True)
class _Place:
    """What is known of a log: the name of its numbering, how often another one took its path,
    the digest of the record that was delivered last, and the file when all of it was.
    """

    name: str = ""
    turn: int = 0
    mark: str = ""
    signature: str = ""

    @staticmethod
    def read(position: Position | None) -> "_Place":
        if position is None:
            return _Place()
        name, turn, mark, signature = (*position.epoch.split("/"), "", "", "", "")[:4]
        return _Place(name, int(turn) if turn.isdecimal() else 0, mark, signature)

    @property
    def text(self) -> str:
        return f"{self.name}/{self.turn}/{self.mark}/{self.signature}"

    @property
    def epoch(self) -> str:
        return f"{self.name}.{self.turn}"


class _Reading:
    def __init__(self, source: str, outlet: Outlet) -> None:
        self._source = source
        self._outlet = outlet
        self._places: dict[str, Position] = {}
        self._tries = Tries()

    async def read(self, seen: Seen, stop: asyncio.Event) -> None:
        """Put what a log has beyond what was delivered; what cannot be read is tried again."""
        try:
            await self._read(seen, stop)
        except (Unavailable, OSError) as error:
            log.warning("a log cannot be read", path=str(seen.path), reason=str(error))

    def is_read(self, seen: Seen) -> bool:
        """Whether all of it was delivered, as it lies there."""
        return _Place.read(self._known(_stream_of(seen))).signature == seen.signature

    def _known(self, stream: str) -> Position | None:
        return self._places.get(stream) or self._outlet.known(stream)

    async def _read(self, seen: Seen, stop: asyncio.Event) -> None:
        if self.is_read(seen):
            return
        stream = _stream_of(seen)
        known = self._known(stream)
        if seen.size > limits.EVTX_BYTES_MAX:
            await self._tell(seen, Loss("size"))
        else:
            with opened(seen) as file:
                start = known or Position(stream, "", 0, 0)
                if not await self._put(file, seen, start, stop):
                    return
        known = self._places.get(stream) or known or Position(stream, "", 0, 0)
        place = _Place.read(known)
        done = _Place(place.name, place.turn, place.mark, seen.signature)
        await self._reach(Position(stream, done.text, 0, known.seq), done)

    async def _put(self, file: BinaryIO, seen: Seen, start: Position, stop: asyncio.Event) -> bool:
        """Whether the file was read to its end."""
        place = _Place.read(start)
        request = Request(file.fileno(), seen.size, after=start.seq - 1, mark=place.mark)
        async with aclosing(read_whole(request)) as answers:
            async for answer in answers:
                if stop.is_set():
                    return False
                if isinstance(answer, Loss):
                    if answer.is_broken_off and self._tries.another(start.stream):
                        raise Unavailable("Su lectura se interrumpió.")
                    await self._tell(seen, answer)
                elif isinstance(answer, Begins):
                    if not answer.continues:
                        place = _Place(answer.digest[:16], place.turn + bool(place.name))
                elif isinstance(answer, Record):
                    data = answer.text.encode()
                    place = _Place(place.name, place.turn, digest(answer.text))
                    after = Position(start.stream, place.text, 0, answer.number + 1)
                    raw = Raw(answer.number, data, f"{seen.path}:{answer.number}")
                    await self._outlet.put(self._source, raw, after, len(data), epoch=place.epoch)
                    self._places[start.stream] = after
        self._tries.forget(start.stream)
        return True

    async def _reach(self, position: Position, place: _Place) -> None:
        self._places[position.stream] = position
        await self._outlet.reach(self._source, position, epoch=place.epoch)

    async def _tell(self, seen: Seen, loss: Loss) -> None:
        path = str(seen.path)
        log.warning("a part of a log was lost", path=path, reason=loss.reason, detail=loss.detail)
        await self._outlet.tell_loss(WAY, "damage", loss.reason, file=path, detail=loss.detail)


def _stream_of(seen: Seen) -> str:
    return f"{WAY}:{short(str(seen.path))}"
