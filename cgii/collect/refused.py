"""Keeps what the centre refuses for good beside the spool, for whoever wants to know why."""

from pathlib import Path

from cgii.base import limits
from cgii.base.durable import private_folder, write_file
from cgii.collect.spool import Entry

REFUSED = "refused"  # the folder's name


def set_aside(spool: Path, entry: Entry, reason: str) -> None:
    """Keep a batch of the spool in this folder, and the reason; the newest of them stay."""
    folder = spool / REFUSED
    private_folder(folder)
    for old in sorted(folder.iterdir())[: -2 * limits.SPOOL_REFUSED_MAX or None]:
        old.unlink()
    name = f"{entry.at.segment:012d}-{entry.at.offset:09d}"
    write_file(folder / f"{name}.json.gz", entry.body, mode=0o600)
    write_file(folder / f"{name}.txt", f"{reason}\n".encode(), mode=0o600)
