"""The source definitions that the centre offers to its sensors, read again when a file changed.

A file that is wrong just now, perhaps because somebody is writing it, is not offered: what it said
before goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from cgii.base import content, logs
from cgii.base.ids import digest
from cgii.collect import gaps
from cgii.collect.definition import read_definition

PATTERN = "*.yml"

log = logs.logger("collect")


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
                before = self._known[1].files if self._known is not None else {}
                self._known = stamp, _read(self._site, before)
            return self._known[1]


def _read(site: Path | None, before: Mapping[str, str]) -> Offer:
    files = {}
    for found in content.find("collectors", PATTERN, site):
        name = gaps.shown(found.name)
        text = found.path.read_text(encoding="utf-8", errors="replace")
        if text != before.get(name) and found.from_site and not _is_usable(found.path):
            if name not in before:
                continue
            text = before[name]
        files[name] = text
    parts = (part for pair in sorted(files.items()) for part in pair)
    return Offer(digest("sources", *parts), files)


def _is_usable(path: Path) -> bool:
    definition, problems = read_definition(path)
    for problem in problems:
        log.warning("a definition is not offered to sensors as it is", reason=str(problem))
    return definition is not None
