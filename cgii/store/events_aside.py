"""Files of months that were set aside as damaged: what they are called, and what they take."""

import os
import re
from contextlib import suppress
from pathlib import Path

from cgii.base.durable import sync_folder
from cgii.store.event_shapes import Gap

MONTH = r"[1-9]\d{3}-(?:0[1-9]|1[0-2])"
_NAME = re.compile(rf"events-({MONTH})\.sqlite\.damaged-\d+")
ENDINGS = ("-wal", "-shm", "")  # the log goes first: a new file must never meet an old log


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
