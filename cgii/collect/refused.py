"""Keeps what the centre refuses for good beside the spool, for whoever wants to know why."""

from pathlib import Path

from cgii.base import limits
from cgii.collect.spool import Entry

REFUSED = "refused"  # the folder's name


def set_aside(spool: Path, entry: Entry, reason: str) -> None:
    """Keep a batch of the spool in this folder, and the reason; the newest of them stay."""
    folder = spool / REFUSED
    folder.mkdir(exist_ok=True)
    for old in sorted(folder.iterdir())[: -2 * limits.SPOOL_REFUSED_MAX or None]:
        old.unlink()
    name = f"{entry.at.segment:012d}-{entry.at.offset:09d}"
    (folder / f"{name}.json.gz").write_bytes(entry.body)
    (folder / f"{name}.txt").write_text(reason + "\n", encoding="utf-8")
