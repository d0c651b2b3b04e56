"""Which regular files a folder or a pattern names just now."""

import glob
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import nlargest
from itertools import islice
from pathlib import Path

from cgii.base import limits


@dataclass(frozen=True, slots=True)
class Seen:
    """A file as one look found it."""

    path: Path
    device: int
    inode: int
    size: int
    changed_ns: int

    @property
    def key(self) -> tuple[int, int]:
        """What stays when it is renamed."""
        return self.device, self.inode

    @property
    def signature(self) -> str:
        """Changes when the file does."""
        return f"{self.inode:x}.{self.size}.{self.changed_ns}"


@dataclass(frozen=True, slots=True)
class Matched:
    """What one look at a pattern found."""

    files: list[Seen]  # by name
    beyond: int  # further names, at which nobody looked; counted up to as many as were looked at


def matching(pattern: str) -> Matched:
    """The files now; links are left out, so that a pattern stays within its folders."""
    fixed = _fixed(pattern)
    if os.path.isdir(pattern):
        pattern = os.path.join(glob.escape(pattern), "*")
    names = glob.iglob(pattern, recursive=True)
    taken = sorted(islice(names, limits.FOLLOW_LOOKED_AT_MAX))
    beyond = sum(1 for _ in islice(names, limits.FOLLOW_LOOKED_AT_MAX))
    return Matched(looked_at(_within(fixed, taken)), beyond)


def newest(found: list[Seen], most: int) -> list[Seen]:
    """So many that changed last, in the order given: an old file is the one that can be missed."""
    if len(found) <= most:
        return found
    kept = {seen.path for seen in nlargest(most, found, key=lambda seen: seen.changed_ns)}
    return [seen for seen in found if seen.path in kept]


def beside(pattern: str) -> list[Seen]:
    """All files of the folders that a pattern looks into: one may have been renamed out of it."""
    folder = pattern if os.path.isdir(pattern) else os.path.dirname(pattern)
    names = glob.iglob(os.path.join(folder, "*"), recursive=True)
    return looked_at(_within(_fixed(pattern), islice(names, limits.FOLLOW_LOOKED_AT_MAX)))


def _fixed(pattern: str) -> str:
    """The folder that a pattern names itself, which may be a link."""
    if os.path.isdir(pattern):
        return pattern
    folder = os.path.dirname(pattern)
    while glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or os.curdir


def _within(fixed: str, names: Iterable[str]) -> Iterator[str]:
    """Those that no linked folder leads to."""
    real = os.path.realpath(fixed)
    known: dict[str, bool] = {}
    for name in names:
        folder = os.path.dirname(name) or os.curdir
        if folder not in known:
            below = os.path.normpath(os.path.join(real, os.path.relpath(folder, fixed)))
            known[folder] = os.path.realpath(folder) == below
        if known[folder]:
            yield name


def looked_at(names: Iterable[str]) -> list[Seen]:
    """What there is to say of those that are regular files."""
    found = []
    for name in names:
        try:
            known = os.lstat(name)
        except OSError:
            continue  # it went away while we looked
        if stat.S_ISREG(known.st_mode):
            row = (known.st_dev, known.st_ino, known.st_size, known.st_mtime_ns)
            found.append(Seen(Path(name), *row))
    return found
