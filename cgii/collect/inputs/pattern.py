"""Follows every file that a pattern names, also those that appear, are renamed or go away.

Here a content is known by its inode, not its path: a file renamed within the pattern goes on where
it was. Each has a stream of its own, named by chance and kept before its first line is on its way,
because a file system gives an inode anew as soon as it is free.
"""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cgii.base import limits, logs
from cgii.base.ids import token
from cgii.collect.inputs.follow import FollowedFile, Line, Position
from cgii.collect.inputs.following import wait
from cgii.collect.inputs.matching import Seen, beside, matching
from cgii.collect.inputs.outlet import Outlet, at_start, short
from cgii.collect.shapes import LINES, Shape
from cgii.model.event import Raw

log = logs.logger("collect")


@dataclass(frozen=True, slots=True)
class FollowPattern:
    """A folder or a pattern such as `/var/log/apache2/*.log`, and the source that reads it."""

    source: str
    pattern: str

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        """Put each new line of each file until `stop`."""
        followed = _Followed(self, outlet)
        loop = asyncio.get_running_loop()
        looked_at = -float(limits.FOLLOW_SCAN_SECONDS)
        try:
            while not stop.is_set():
                if loop.time() - looked_at >= limits.FOLLOW_SCAN_SECONDS:
                    await followed.look()
                    looked_at = loop.time()
                if not await followed.read(stop):
                    await wait(stop, limits.FOLLOW_POLL_SECONDS)
        finally:
            followed.close()


class ContentFile(FollowedFile):
    """One inode, whatever its name is at the moment."""

    def __init__(
        self, seen: Seen, stream: str, position: Position | None = None, shape: Shape = LINES
    ) -> None:
        super().__init__(seen.path, position, shape)
        self.stream = stream
        self.seen = seen
        self.read_to = ""  # the signature at which there was nothing more
        self.quiet_since = 0.0
        self.is_away = False  # renamed out of the pattern, or deleted

    @property
    def is_open(self) -> bool:
        """Whether it holds a descriptor."""
        return self._file is not None

    @property
    def place(self) -> Position:
        """How far it was read."""
        return self._at or Position(self.stream, "", 0, 0)

    def rest(self) -> list[Line]:
        """The last line, which has no end, of a file that nobody writes to any more."""
        return list(self._lines(self._cutter.end()))

    def _was_renamed(self, file: int) -> bool:
        return False  # it is the same content, and the pattern finds the new one

    def _candidates(self) -> Iterator[Path]:
        for path in super()._candidates():
            try:
                if os.lstat(path).st_ino == self.seen.inode:
                    yield path
            except OSError:
                continue


class _Followed:
    """The files of one pattern at work."""

    def __init__(self, pattern: FollowPattern, outlet: Outlet) -> None:
        self._source = pattern.source
        self._pattern = pattern.pattern
        self._outlet = outlet
        self._prefix = f"files:{short(pattern.pattern)}#"
        self._files: dict[tuple[int, int], ContentFile] = {}
        # What was followed in the run before, by the inode that its epoch begins with.
        self._before = {
            int(inode, 16): known
            for known in outlet.known_within(self._prefix)
            if (inode := known.epoch.partition(".")[0])
        }
        self._is_first = True
        self._told: set[str] = set()

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            file.close()

    async def look(self) -> None:
        """Find what is new, renamed or gone."""
        found = await asyncio.to_thread(matching, self._pattern)
        # Packed files are read whole, and only where a pattern asks for them.
        found = [seen for seen in found if seen.path.suffix != ".gz"]
        if self._is_first and found:  # with nothing there at all, a disk may not be mounted yet
            self._is_first = False
            await self._find_again(found)
        here = {seen.key: seen for seen in found}
        for key, file in self._files.items():
            file.is_away = key not in here
            if not file.is_away:
                file.seen = here[key]
                file.path = here[key].path
        for seen in found:
            if seen.key in self._files:
                continue
            if len(self._files) >= limits.FOLLOW_FILES_MAX:
                self._warn("too many files of one pattern, some are not followed", "")
                break
            self._files[seen.key] = self._file(seen)

    async def _find_again(self, found: list[Seen]) -> None:
        """What was renamed out of the pattern while nobody looked is read to its end."""
        missing = self._before.keys() - {seen.inode for seen in found}
        if not missing:
            return
        for seen in await asyncio.to_thread(beside, self._pattern):
            if seen.inode in missing and seen.path.suffix != ".gz":
                missing.discard(seen.inode)
                self._files[seen.key] = self._file(seen)
        for inode in missing:
            await self._outlet.forget(self._source, self._before.pop(inode))

    def _file(self, seen: Seen) -> ContentFile:
        known = self._before.pop(seen.inode, None)
        stream = known.stream if known else f"{self._prefix}{token()[:12]}"
        return ContentFile(seen, stream, known, self._outlet.shape_of(self._source))

    async def read(self, stop: asyncio.Event) -> bool:
        """Put what each file has new, at most one chunk of each; whether there was any."""
        moved = False
        for key, file in list(self._files.items()):
            if stop.is_set():
                return True
            if not file.is_open and file.read_to == file.seen.signature:
                if file.is_away:
                    await self._drop(key, file)
                continue
            lines = self._poll(file)
            if lines:
                moved = True
                file.quiet_since = 0.0
                await self._put(file, lines, stop)
                await asyncio.sleep(0)  # others may run between two chunks
            else:
                await self._rest(key, file, stop)
        self._close_quiet_ones()
        return moved

    def _poll(self, file: ContentFile) -> list[Line]:
        try:
            return file.poll()
        except OSError as error:
            self._warn(f"a file cannot be followed: {error.strerror}", str(file.path))
            return []

    async def _put(self, file: ContentFile, lines: list[Line], stop: asyncio.Event) -> None:
        await self._outlet.begin(self._source, at_start(lines[0].after), stop)
        for line in lines:
            raw = Raw(line.seq, line.data, f"{file.path}:{line.seq + 1}")
            await self._outlet.put(self._source, raw, line.after, len(line.data))

    async def _rest(self, key: tuple[int, int], file: ContentFile, stop: asyncio.Event) -> None:
        """Nothing new: remember it, and finish a file that has gone away and stays quiet."""
        now = asyncio.get_running_loop().time()
        if file.is_open:  # one that has just been left, or may not be read, is tried again
            file.read_to = file.seen.signature
        file.quiet_since = file.quiet_since or now
        if file.is_away and now - file.quiet_since >= limits.FOLLOW_QUIET_SECONDS:
            if lines := file.rest():
                await self._put(file, lines, stop)
            await self._drop(key, file)

    async def _drop(self, key: tuple[int, int], file: ContentFile) -> None:
        file.close()
        del self._files[key]
        if file.place.epoch:
            await self._outlet.forget(self._source, file.place)

    def _close_quiet_ones(self) -> None:
        opened = [file for file in self._files.values() if file.is_open]
        if len(opened) > limits.FOLLOW_OPEN_MAX:
            # Those that have gone away cannot be opened again; the busiest have no quiet time.
            opened.sort(key=lambda file: (file.is_away, file.quiet_since or float("inf")))
            for file in opened[: len(opened) - limits.FOLLOW_OPEN_MAX]:
                file.close()

    def _warn(self, what: str, path: str) -> None:
        if what + path not in self._told:
            self._told.add(what + path)
            log.warning(what, pattern=self._pattern, path=path)
