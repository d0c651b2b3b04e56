"""The YARA rules of one centre: read anew at each use, compiled for the pages when they changed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from threading import Lock

from cgii.base import counters
from cgii.base.settings import Settings
from cgii.detect.yara_child import Bounds, Compiled, Target, compile_rules, scan
from cgii.detect.yara_rules import YaraSources, load_sources
from cgii.model.verdicts import Verdict


class YaraLibrary:
    """Shipped rules under the site's. A file that changes holds from the next scan on."""

    def __init__(self, site: Path | None, bounds: Bounds) -> None:
        self._site = site
        self.bounds = bounds
        self._compiled: Compiled | None = None
        self._lock = Lock()

    def sources(self) -> YaraSources:
        """The rules as they stand in their files now."""
        return load_sources(self._site)

    def compiled(self) -> Compiled:
        """Every rule with its meta, and what was refused; kept until a file changes."""
        sources = self.sources()
        with self._lock:
            if self._compiled is None or self._compiled.version != sources.version:
                self._compiled = compile_rules(sources, self.bounds)
                counters.RULES_LOADED.labels("yara").set(len(self._compiled.rules))
            return self._compiled

    def scan(self, targets: Sequence[Target]) -> Iterator[Verdict]:
        """A verdict for each open file, in order."""
        for verdict in scan(self.sources(), targets, self.bounds):
            counters.FILES_SCANNED.labels(verdict.outcome).inc()
            counters.FILE_SCAN_SECONDS.observe(verdict.seconds)
            yield verdict


def bounds_of(settings: Settings) -> Bounds:
    """What the settings allow one scan to take."""
    return Bounds(
        file_bytes=settings.yara_mb * 1024 * 1024,
        seconds=settings.yara_seconds,
        memory_bytes=settings.yara_memory_mb * 1024 * 1024,
        depth=settings.yara_depth,
    )
