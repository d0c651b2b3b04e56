"""The source definitions that the centre offers to its sensors, read again when a file changed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from cgii.base import content
from cgii.base.ids import digest
from cgii.collect import gaps

PATTERN = "*.yml"


@dataclass(frozen=True, slots=True)
class Offer:
    """The files by name, and a version: the same in every process that offers the same files."""

    version: str
    files: Mapping[str, str]


class OfferedSources:
    """What one process offers. Hundreds of sensors ask each minute, and it seldom changes."""

    def __init__(self, site: Path | None) -> None:
        self._site = site
        self._lock = Lock()  # who comes together reads once
        self._known: tuple[str, Offer] | None = None

    def current(self) -> Offer:
        """What holds now: the files are looked at, and read if one is new. Raises OSError."""
        with self._lock:
            # Before the files are read: what is written meanwhile is found by the next look.
            stamp = content.stamp("collectors", PATTERN, self._site)
            if self._known is None or self._known[0] != stamp:
                self._known = stamp, _read(self._site)
            return self._known[1]


def _read(site: Path | None) -> Offer:
    files = {
        gaps.shown(found.name): found.path.read_text(encoding="utf-8", errors="replace")
        for found in content.find("collectors", PATTERN, site)
    }
    parts = (part for pair in sorted(files.items()) for part in pair)
    return Offer(digest("sources", *parts), files)
