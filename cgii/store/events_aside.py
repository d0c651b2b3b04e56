"""Files of months that were set aside as damaged: how that is done, and what they take."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from cgii.base.durable import sync_folder, told_if_unusable
from cgii.store.event_shapes import Gap

MONTH = r"[1-9]\d{3}-(?:0[1-9]|1[0-2])"
_NAME = re.compile(rf"events-({MONTH})\.sqlite\.damaged-\d+")
ENDINGS = ("-wal", "-shm", "")  # the log goes first: a new file must never meet an old log


@contextmanager
def names_stay(folder: Path) -> Iterator[None]:
    """Meanwhile no process sets a month aside or deletes one; any number may be here at once.

    SQLite opens, and at the end deletes, what lies beside a file by its name: a file is opened and
    closed here. Never wait here for `names_change`.
    """
    with ExitStack() as stack:
        # Where no more files can be opened SQLite says so itself, and closing must go on.
        with suppress(OSError):
            stack.enter_context(_locked(folder, fcntl.LOCK_SH))
        yield


@contextmanager
def names_change(folder: Path) -> Iterator[None]:
    """Meanwhile nobody else opens, closes, makes or renames an event file of the folder.

    Raises Unavailable, with what to look at, when the folder or a file of it may not be changed.
    """
    with told_if_unusable(folder), _locked(folder, fcntl.LOCK_EX):
        yield


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    # The folder itself is locked: a file for it could not be made on a full or read-only disk. The
    # lock goes with its process, however that ends.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network disks lock no folder: there it goes on without
            fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def put_aside(path: Path, aside: Path) -> None:
    """Rename an event file and what lies beside it: all of it or, when that fails, nothing."""
    done: list[str] = []
    try:
        for ending in ENDINGS:
            with suppress(FileNotFoundError):
                os.rename(f"{path}{ending}", f"{aside}{ending}")
                done.append(ending)
    except OSError:
        for ending in reversed(done):
            os.rename(f"{aside}{ending}", f"{path}{ending}")
        raise


def is_begun(path: Path) -> bool:
    """Whether a process was killed when it had put aside only what lies beside this file."""
    with suppress(FileNotFoundError):
        aside = path.with_name(aside_name(path.name, path.stat().st_ino))
        return Path(f"{aside}-wal").exists() and not aside.exists()
    return False


def aside_name(month_file: str, inode: int) -> str:
    """What a month's file is called once it is set aside."""
    return f"{month_file}.damaged-{inode}"


def set_aside(folder: Path) -> list[Gap]:
    """The files that were set aside, oldest month first."""
    found = (_NAME.fullmatch(name) for name in os.listdir(folder))
    return sorted((Gap(match[1], match[0]) for match in found if match), key=lambda one: one.file)


def aside_bytes(folder: Path, month: str) -> int:
    """What the files of a month that were set aside take on disk."""
    total = 0
    for gap in set_aside(folder):
        if gap.month == month:
            for ending in ENDINGS:
                with suppress(FileNotFoundError):
                    total += os.stat(folder / f"{gap.file}{ending}").st_size
    return total


def drop(folder: Path, gap: Gap) -> None:
    """Delete one of the files."""
    unlink(folder / gap.file)
    sync_folder(folder)


def unlink(path: Path) -> None:
    """Delete an event file and what SQLite keeps beside it, as far as they are there."""
    for ending in ENDINGS:
        Path(f"{path}{ending}").unlink(missing_ok=True)
