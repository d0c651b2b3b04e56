"""Follows every file that a pattern names, also those that appear, are renamed or go away.

Here a content is known by its inode, not its path: a file renamed within the pattern goes on where
it was. Each has a stream of its own, named by chance and kept before its first line is on its way,
because a file system gives an inode anew as soon as it is free.
"""

import asyncio
import errno
import os
import resource
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from cgii.base import limits, logs
from cgii.base.ids import token
from cgii.collect.inputs.contents import ENDED, Content, Epoch, is_packed
from cgii.collect.inputs.follow import FollowedFile, Line, Position
from cgii.collect.inputs.following import WAY, keep_left, tell_missed, tell_rotated, wait
from cgii.collect.inputs.left_out import LeftOut
from cgii.collect.inputs.matching import Seen, beside, matching, newest
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
    def is_finished(self) -> bool:
        """Whether there was nothing more, and no record waits for its end."""
        return self.read_to == self.seen.signature and not self.pending

    @property
    def takes_a_late_descriptor(self) -> bool:
        """Whether the process has few left: a system gives the lowest number that is free."""
        most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        return self._file is not None and 0 < most * 3 // 4 <= self._file.descriptor

    @property
    def unread(self) -> int:
        """Bytes that were not read, of what lies there or lay there at the last look."""
        if is_packed(self.seen.path) or (self._at is not None and self._at.offset == ENDED):
            return 0
        size = self.seen.size if self._file is None else self._file.size
        known = self._at.offset if self._at is not None else 0
        return max(size - max(self._offset + self.pending, known), 0)

    @property
    def place(self) -> Position:
        """How far it was read."""
        return self._at or Position(self.stream, "", 0, 0)

    def rest(self) -> list[Line]:
        """The last line, which has no end, of a file that nobody writes to any more."""
        return list(self._lines(self._cutter.end()))

    def _was_renamed(self, file: Content) -> bool:
        return False  # it is the same content, and the pattern finds the new one

    def _is_where_we_were(self, file: Content) -> bool:
        known = self._at
        if known is not None and Epoch.read(known.epoch).inode != f"{file.key[1]:x}":
            return file.holds(Epoch.read(known.epoch), known.offset)  # a copy of it
        return super()._is_where_we_were(file)

    @property
    def _may_have_missed(self) -> bool:
        return False  # the pattern sees what comes and goes, and asks no quiet file

    def _look_for_earlier(self) -> None:
        self._earlier = []  # a place is given only with the content that it lies in

    def _candidates(self) -> Iterator[Path]:
        for path in super()._candidates():
            try:
                known = os.lstat(path)
                if (known.st_dev, known.st_ino) == self.seen.key:
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
        # What was followed in the run before, by the inode that its epoch begins with: several,
        # where folders lie on several disks.
        self._before: dict[int, list[Position]] = {}
        for known in outlet.known_within(self._prefix):
            if inode := known.epoch.partition(".")[0]:
                self._before.setdefault(int(inode, 16), []).append(known)
        self._looks = 0
        self._looked_into: set[str] = set()  # signatures of what may be a copy
        self._opened: list[ContentFile] = []
        self._is_short = False  # of descriptors
        # Files that were read to their end and gave way, with their places.
        self._read: dict[tuple[int, int], Position] = {}
        self._left_out = LeftOut(WAY, pattern.pattern, outlet)
        self._told: set[str] = set()

    def close(self) -> None:
        """Let go of all files."""
        for file in self._files.values():
            file.close()

    async def look(self) -> None:
        """Find what is new, renamed or gone."""
        matched = await asyncio.to_thread(matching, self._pattern)
        # Packed files are read whole, and only where a pattern asks for them.
        await self._left_out.names(matched.beyond)
        found = [seen for seen in matched.files if not is_packed(seen.path)]
        if self._before and found:  # with nothing there at all, a disk may not be mounted yet
            await self._find_again(found)
        here = {seen.key: seen for seen in found}
        for key, file in self._files.items():
            file.is_away = key not in here
            if not file.is_away:
                file.seen = here[key]
                file.path = here[key].path
        await self._choose(here)

    async def _choose(self, here: dict[tuple[int, int], Seen]) -> None:
        """Follow the newest; of too many, old ones that were read to their end give way."""
        self._read = {key: place for key, place in self._read.items() if key in here}
        wanted = {seen.key: seen for seen in newest(list(here.values()), limits.FOLLOW_FILES_MAX)}
        fresh = [seen for key, seen in wanted.items() if key not in self._files]
        surplus = len(self._files) + len(fresh) - limits.FOLLOW_FILES_MAX
        done = [
            key for key, file in self._files.items()
            if key not in wanted and file.is_finished and not file.is_away
        ]  # fmt: skip
        for key in done[: max(surplus, 0)]:
            self._read[key] = self._files[key].place
            await self._drop(key, self._files[key])
        for seen in newest(fresh, max(limits.FOLLOW_FILES_MAX - len(self._files), 0)):
            self._files[seen.key] = self._file(seen)
        await self._left_out.files({*(here.keys() - self._files.keys() - self._read.keys())})

    async def _find_again(self, found: list[Seen]) -> None:
        """What was renamed out of the pattern while nobody looked is read to its end."""
        self._looks += 1
        keys, inodes = {seen.key for seen in found}, {seen.inode for seen in found}
        if self._looks > limits.FOLLOW_FORGET_LOOKS:
            await self._give_up({seen.inode for seen in found if seen.key not in self._files})
            return
        # Later what is left is not what the pattern names, even if an inode is the same.
        if self._looks == 1 and self._before.keys() <= inodes:
            return
        there = await asyncio.to_thread(beside, self._pattern)
        paths = {seen.path for seen in there}
        for seen in there:
            if seen.key in keys or seen.key in self._files:
                continue
            if not is_packed(seen.path) and seen.inode in self._before:
                file = self._file(seen)
                if file.place.epoch:
                    self._files[seen.key] = file
                    continue
            # No copy while it may be packed, nor before those that are there have their places.
            if self._looks == 1 or (is_packed(seen.path) and seen.path.with_suffix("") in paths):
                continue
            if known := await asyncio.to_thread(self._copied, seen):
                shape = self._outlet.shape_of(self._source)
                self._files[seen.key] = ContentFile(seen, known.stream, known, shape)

    async def _give_up(self, without_room: set[int]) -> None:
        """What was followed before and is nowhere may have had more; inodes of what is there."""
        gone = sum(
            place.offset < ENDED
            for inode in self._before.keys() - without_room
            for place in self._before[inode]
        )
        if gone:
            await tell_rotated(self._outlet, gone, pattern=self._pattern)
        for known in [known for places in self._before.values() for known in places]:
            await self._outlet.forget(self._source, known)
        self._before = {}

    def _copied(self, seen: Seen) -> Position | None:
        """The place in a copy, packed or not, of what was followed; None if it never was."""
        if seen.signature in self._looked_into:
            return None
        places = [known for several in self._before.values() for known in several]
        try:
            with closing(Content(seen.path, is_packed=is_packed(seen.path))) as file:
                epochs = ((one, Epoch.read(one.epoch)) for one in places)
                known = next((one for one, it in epochs if file.holds(it, one.offset)), None)
                self._looked_into.add(seen.signature)
                return self._take(known) if file.key == seen.key else None
        except OSError:
            return None

    def _file(self, seen: Seen) -> ContentFile:
        known = self._known(seen)
        stream = known.stream if known else f"{self._prefix}{token()[:12]}"
        return ContentFile(seen, stream, known, self._outlet.shape_of(self._source))

    def _known(self, seen: Seen) -> Position | None:
        """The place of this content in the run before: another disk may have the same inode."""
        gone = self._read.pop(seen.key, None)
        if gone is not None and gone.epoch:
            return gone
        places = self._before.get(seen.inode)
        if places is None:
            return None
        try:
            with closing(Content(seen.path)) as file:
                is_it = file.key == seen.key
                known = next(
                    (one for one in places if is_it and file.is_of(Epoch.read(one.epoch))), None
                )
        except OSError:
            # It may not be read just now; the only place is most likely its own.
            known = places[0] if len(places) == 1 else None
        return self._take(known)

    def _take(self, known: Position | None) -> Position | None:
        """The content of this place was found."""
        if known is not None:
            inode = int(known.epoch.partition(".")[0], 16)
            self._before[inode].remove(known)
            if not self._before[inode]:
                del self._before[inode]
        return known

    async def read(self, stop: asyncio.Event) -> bool:
        """Put what each file has new, at most one chunk of each; whether there was any."""
        moved = False
        for key, file in list(self._files.items()):
            if stop.is_set():
                return True
            if not file.is_open and file.read_to == file.seen.signature:
                if file.is_away:
                    await self._finish(key, file, stop)
                elif lines := file.idle():
                    await self._put(file, lines, stop)
                continue
            lines = await self._poll(file)
            if lines:
                moved = True
                file.quiet_since = 0.0
                await self._put(file, lines, stop)
                await asyncio.sleep(0)  # others may run between two chunks
            else:
                await self._rest(key, file, stop)
        return moved

    async def _poll(self, file: ContentFile) -> list[Line]:
        was_open = file.is_open
        if not was_open:
            self._make_room()
        try:
            # What explains the first line stands before it, in a file of any size.
            lines = file.poll() if was_open else await asyncio.to_thread(file.poll)
        except OSError as error:
            self._is_short = error.errno == errno.EMFILE
            self._warn(f"a file cannot be followed: {error.strerror}", str(file.path))
            return []
        await tell_missed(file, self._outlet)
        await keep_left(file, self._source, self._outlet)  # which comes without lines here
        if file.is_open and not was_open:
            self._opened.append(file)
            self._is_short = file.takes_a_late_descriptor
        return lines

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
            await self._finish(key, file, stop)

    async def _finish(self, key: tuple[int, int], file: ContentFile, stop: asyncio.Event) -> None:
        """Give out what there is of a file that has gone away, and tell what there is not."""
        if lines := file.rest():
            await self._put(file, lines, stop)
        if file.unread:
            path = str(file.path)
            self._warn("a file went away before it was read to its end", path)
            await self._outlet.tell_loss(WAY, "damage", "gone", file=path, bytes=file.unread)
        file.missed |= is_packed(file.seen.path) and not file.is_finished
        await tell_missed(file, self._outlet)
        await self._drop(key, file)

    async def _drop(self, key: tuple[int, int], file: ContentFile) -> None:
        file.close()
        del self._files[key]
        if file.place.epoch:
            await self._outlet.forget(self._source, file.place)

    def _make_room(self) -> None:
        """Close what is too much before another file is opened: others need descriptors too."""
        opened = self._opened = [file for file in self._opened if file.is_open]
        most = len(opened) // 2 if self._is_short else limits.FOLLOW_OPEN_MAX - 1
        if len(opened) > most:
            # Those that have gone away cannot be opened again; the busiest have no quiet time.
            opened.sort(
                key=lambda file: (file.is_away, file.pending, file.quiet_since or float("inf"))
            )
            for file in opened[: len(opened) - most]:
                file.close()

    def _warn(self, what: str, path: str) -> None:
        if what + path not in self._told:
            self._told.add(what + path)
            log.warning(what, pattern=self._pattern, path=path)
