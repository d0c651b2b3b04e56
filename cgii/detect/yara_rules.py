"""Finds YARA rule files, shipped or a site's, and names the version of the set they make."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from cgii.base import content, limits
from cgii.base.errors import ContentError
from cgii.base.ids import digest
from cgii.base.reasons import why
from cgii.model.verdicts import title_of

SUFFIXES = (".yar", ".yara")
FOLDER = "yara"  # below rules/
ENGINE = "1"  # how files are opened; a new one looks at all evidence again


@dataclass(frozen=True)
class YaraFile:
    """One file of rules. YARA gets its text and never a path, so nothing can be included."""

    namespace: str
    path: str
    text: str
    is_own: bool = True  # shipped or the site's, so held to our own standard


@dataclass(frozen=True)
class YaraSources:
    """The files of one set, and those that could not even be read."""

    files: tuple[YaraFile, ...] = ()
    rejected: tuple[ContentError, ...] = ()

    @cached_property
    def version(self) -> str:
        """A name that is another one whenever any text is."""
        parts = (part for file in self.files for part in (file.namespace, file.text))
        return digest("yara", ENGINE, *parts)[:16]


@dataclass(frozen=True)
class YaraRule:
    """One rule that compiled."""

    namespace: str
    name: str
    path: str
    line: int | None
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] = field(default_factory=dict)  # text, numbers, true or false

    @property
    def id(self) -> str:
        """`php_web_shells/php_shell_request_eval`."""
        return f"{self.namespace}/{self.name}"

    @property
    def title(self) -> str:
        """What people read: the title of its meta, else its name."""
        return title_of(self.name, self.meta)


def load_sources(
    site: Path | None = None, *, extra: Sequence[Path] = (), builtin: bool = True
) -> YaraSources:
    """The texts of all rules: shipped under the site's overlay if `builtin`, then `extra`."""
    places = [*(_own(site) if builtin else ()), *_given(extra)]
    files: list[YaraFile] = []
    rejected: list[ContentError] = []
    taken: set[str] = set()
    once: set[Path] = set()
    total = 0
    for name, path, is_own in places:
        if path.resolve() in once:
            continue
        once.add(path.resolve())
        found = _read(path)
        if isinstance(found, ContentError):
            rejected.append(found)
            continue
        total += len(found)
        if total > limits.YARA_SET_BYTES_MAX or len(files) >= limits.YARA_FILES_MAX:
            rejected.append(ContentError(path, "hay demasiadas reglas: no se lee"))
            continue
        namespace = _free(name, taken)
        files.append(YaraFile(namespace, str(path), found, is_own))
    return YaraSources(tuple(files), tuple(rejected))


def yara_files(places: Iterable[Path]) -> Iterator[Path]:
    """Every YARA file in the given files and folders, in a stable order."""
    for place in places:
        if place.is_dir():
            yield from sorted(p for p in place.rglob("*") if p.suffix in SUFFIXES and p.is_file())
        elif place.suffix in SUFFIXES:
            yield place


def _own(site: Path | None) -> Iterator[tuple[str, Path, bool]]:
    for suffix in SUFFIXES:
        for file in content.find("rules", f"{FOLDER}/**/*{suffix}", site):
            yield file.name.removeprefix(f"{FOLDER}/"), file.path, True


def _given(places: Sequence[Path]) -> Iterator[tuple[str, Path, bool]]:
    for place in places:
        base = place if place.is_dir() else place.parent
        for path in yara_files([place]):
            yield path.relative_to(base).as_posix(), path, False


def _free(name: str, taken: set[str]) -> str:
    """A namespace of its own for each file; two of one name are told apart by a number."""
    base = name.rsplit(".", 1)[0][-60:]
    namespace, number = base, 2
    while namespace in taken:
        namespace, number = f"{base}~{number}", number + 1
    taken.add(namespace)
    return namespace


def _read(path: Path) -> str | ContentError:
    try:
        data = path.read_bytes()
    except OSError as error:
        return ContentError(path, f"no se puede leer: {why(error)}")
    if len(data) > limits.YARA_FILE_BYTES_MAX:
        return ContentError(path, f"pesa más de {limits.YARA_FILE_BYTES_MAX} bytes")
    if b"\0" in data:
        return ContentError(path, "no es texto: son reglas compiladas, que no se aceptan")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode("latin-1")  # old public rules; their meta is all that differs
