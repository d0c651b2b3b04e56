"""What a scan of a file with YARA rules says; plain data, for sensors too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MATCH, CLEAN, UNKNOWN = "match", "clean", "unknown"
OUTCOMES = (MATCH, CLEAN, UNKNOWN)
LEVELS = ("critical", "high", "medium", "low", "informational")


def title_of(rule: str, meta: Mapping[str, Any]) -> str:
    """The title that a rule's meta gives, else the rule's name."""
    return str(meta.get("title") or rule)


@dataclass(frozen=True)
class Hit:
    """One place in the bytes: which string of the rule, where, how long, the SHA-256 of it."""

    identifier: str
    offset: int
    length: int
    sha256: str


@dataclass(frozen=True)
class FileMatch:
    """One rule that a file, or a member of an archive, matches."""

    rule: str
    namespace: str  # the rule file's name below its folder: "php_web_shells"
    tags: tuple[str, ...]
    meta: dict[str, Any]  # as the rule's author wrote it: text, numbers, true or false
    member: str  # inside an archive; empty: the file itself
    hits: tuple[Hit, ...]

    @property
    def title(self) -> str:
        """What people read: the title of its meta, else its name."""
        return title_of(self.rule, self.meta)

    @property
    def level(self) -> str:
        """critical, high, medium, low or informational; empty when its author gave none of them."""
        level = str(self.meta.get("level", ""))
        return level if level in LEVELS else ""


@dataclass(frozen=True)
class Verdict:
    """What is known of one file.

    "clean" means that all of it was looked at and nothing matched. Whatever was not looked at has
    a code in `reasons` (reference/detection.yml, `scan_reasons`); without a match that is
    "unknown".
    """

    outcome: str  # match clean unknown
    reasons: tuple[str, ...] = ()
    matches: tuple[FileMatch, ...] = ()
    members: int = 0  # looked into inside archives
    bytes_scanned: int = 0  # of the file and of its members
    seconds: float = 0.0
    rules_version: str = ""
