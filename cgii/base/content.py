"""Finds content (sources, rules, playbooks, reports, boards): checkout, wheel, site's overlay."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cgii.base.ids import digest

Kind = Literal["collectors", "rules", "playbooks", "reports", "dashboards"]
KINDS: tuple[Kind, ...] = ("collectors", "rules", "playbooks", "reports", "dashboards")
PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class ContentFile:
    """One file: where it is, and its name below its kind's folder (`sigma/linux/x.yml`)."""

    path: Path
    name: str
    from_site: bool


def shipped(kind: Kind) -> Path:
    """The folder that came with the program: packed in a wheel, else beside the package."""
    packed = PACKAGE / "_content" / kind
    return packed if packed.is_dir() else PACKAGE.parent / kind


def find(kind: Kind, pattern: str, site: Path | None = None) -> Iterator[ContentFile]:
    """Files of `kind` that fit the glob `pattern`, sorted by name; a site's file wins over ours.

    An empty file in the site folder hides the shipped one of the same name.
    """
    found: dict[str, ContentFile] = {}
    for folder, from_site in ((shipped(kind), False), (site / kind if site else None, True)):
        if folder is None or not folder.is_dir():
            continue
        for path in folder.glob(pattern):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                found[name] = ContentFile(path, name, from_site)
    for name in sorted(found):
        if found[name].path.stat().st_size:
            yield found[name]


def stamp(kind: Kind, pattern: str, site: Path | None = None, *, leave_out: str = "") -> str:
    """Another text whenever a file of `kind` came, went or was written; no file is opened.

    Files below the folder `leave_out` do not count.
    """
    folders = [shipped(kind), *([site / kind] if site is not None else [])]
    return digest(*(line for folder in folders for line in _stamps(folder, pattern, leave_out)))


def _stamps(folder: Path, pattern: str, leave_out: str) -> Iterator[str]:
    for path in sorted(folder.glob(pattern)):
        name = path.relative_to(folder)
        if name.parts[0] == leave_out:
            continue
        try:
            stat = path.stat()
        except OSError:  # it has just gone
            continue
        shown = os.fsencode(name).decode(errors="backslashreplace")  # not every name is UTF-8
        yield f"{shown} {stat.st_size} {stat.st_mtime_ns}"


def reference(name: str) -> Path:
    """A table inside the package: `reference("taxonomy.yml")`."""
    return PACKAGE / "reference" / name
