"""Reads the files of a set of rules from a folder, a ZIP or a TAR, and trusts none of them."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.reasons import why
from cgii.detect.rule_files import SUFFIXES

LICENCES = ("license", "licence", "copying", "notice")
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError)
LINK_MODE = 0o120000  # of a symbolic link, in the upper half of a ZIP's attributes


@dataclass(frozen=True, slots=True)
class Member:
    """One file: its name below the set, with slashes; None as content if it could not be read."""

    name: str
    content: bytes | None
    reason: str = ""

    @property
    def is_licence(self) -> bool:
        """Whether it says under which terms the rules may be used."""
        return PurePosixPath(self.name).name.lower().startswith(LICENCES)


def read_members(origin: Path) -> Iterator[Member]:
    """The rule files and licences of a folder or archive, in order of their names.

    Raises Invalid for what is neither, is damaged, is too large, or wants to write elsewhere.
    """
    if origin.is_dir():
        members = _of_folder(origin)
    elif not origin.exists():
        raise Invalid("No existe {path}.", path=origin)
    else:
        members = _of_archive(origin)
    total = 0
    for count, member in enumerate(members, start=1):
        total += len(member.content or b"")
        if count > limits.RULE_SET_FILES_MAX:
            raise Invalid(
                "El conjunto tiene más de {most} archivos de reglas; importe una parte.",
                most=limits.RULE_SET_FILES_MAX,
            )
        if total > limits.RULE_SET_BYTES_MAX:
            raise Invalid(
                "El conjunto desempaquetado pesa más de {most} bytes; importe una parte.",
                most=limits.RULE_SET_BYTES_MAX,
            )
        yield member


def _of_folder(folder: Path) -> Iterator[Member]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink() or not path.is_file() or not _is_wanted(name):
            continue  # a link could lead out of the folder
        try:
            with path.open("rb") as file:
                content = file.read(limits.RULE_FILE_BYTES_MAX + 1)
        except OSError as error:
            yield Member(name, None, f"no se puede leer: {why(error)}")
        else:
            yield _bounded(name, content)


def _of_archive(path: Path) -> Iterator[Member]:
    try:
        if zipfile.is_zipfile(path):
            yield from _of_zip(path)
        elif tarfile.is_tarfile(path):
            yield from _of_tar(path)
        else:
            raise Invalid("{path} no es una carpeta, ni un archivo ZIP o TAR.", path=path)
    except DAMAGED as error:
        raise Invalid(
            "{path} está dañado o no se puede leer: {reason}.", path=path, reason=why(error)
        ) from error
    except NotImplementedError as error:
        raise Invalid("{path} usa una compresión que no se admite.", path=path) from error


def _of_zip(path: Path) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        infos = archive.infolist()
        _refuse_crowd(len(infos))
        for info in sorted(infos, key=lambda one: one.filename):
            name = _safe(info.filename)
            is_link = (info.external_attr >> 16) & 0o170000 == LINK_MODE
            if info.is_dir() or is_link or not _is_wanted(name):
                continue
            if info.flag_bits & 1:
                raise Invalid("El archivo está cifrado; entréguelo sin contraseña.")
            with archive.open(info) as file:
                yield _bounded(name, file.read(limits.RULE_FILE_BYTES_MAX + 1))


def _of_tar(path: Path) -> Iterator[Member]:
    read = seen = 0
    with tarfile.open(path, "r:*") as archive:
        for info in archive:  # in its own order: going back would unpack it again
            seen += 1
            _refuse_crowd(seen)
            # What is passed over is unpacked all the same.
            read += info.size
            if read > limits.RULE_SET_BYTES_MAX * 4:
                raise Invalid(
                    "El conjunto desempaquetado pesa más de {most} bytes; importe una parte.",
                    most=limits.RULE_SET_BYTES_MAX,
                )
            name = _safe(info.name)
            if not info.isreg() or not _is_wanted(name):
                continue
            file = archive.extractfile(info)
            if file is not None:
                yield _bounded(name, file.read(limits.RULE_FILE_BYTES_MAX + 1))


def _refuse_crowd(count: int) -> None:
    if count > limits.ARCHIVE_ENTRIES_MAX:
        raise Invalid(
            "El archivo tiene más de {most} entradas; importe una parte.",
            most=limits.ARCHIVE_ENTRIES_MAX,
        )


def _safe(name: str) -> str:
    """The name below the set. Raises Invalid for one that leads out of it."""
    path = PurePosixPath(name.replace("\\", "/"))
    parts = path.parts
    if path.is_absolute() or ".." in parts or (parts and ":" in parts[0]):
        raise Invalid(
            "El archivo contiene una ruta que sale de su carpeta ({name}); no se importó nada.",
            name=name[:200],
        )
    return path.as_posix()


def _is_wanted(name: str) -> bool:
    path = PurePosixPath(name)
    if not name.isprintable() or len(name) > limits.RULE_PATH_CHARS_MAX:
        return False
    if any(part.startswith(".") for part in path.parts):
        return False  # .git, .github
    return path.suffix.lower() in SUFFIXES or (
        len(path.parts) <= 2 and path.name.lower().startswith(LICENCES)
    )


def _bounded(name: str, content: bytes) -> Member:
    if len(content) > limits.RULE_FILE_BYTES_MAX:
        return Member(name, None, f"pesa más de {limits.RULE_FILE_BYTES_MAX} bytes")
    return Member(name, content)
