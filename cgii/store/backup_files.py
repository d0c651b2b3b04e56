"""The files of a backup: what is kept of each, and the list of them that lies beside them."""

import errno
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

import orjson

from cgii.base.durable import write_file
from cgii.base.errors import Invalid
from cgii.base.reasons import why

MANIFEST = "manifest.json"
VERSION = 1  # of the manifest
_LEFT_OUT = frozenset({"cache"})  # is made anew
LOG = "-wal"  # what SQLite has beside a file that is open: what was stored last
_INDEX = "-shm"  # of the log, made anew
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_WHOLE = "ok"  # SQLite's answer


@dataclass(frozen=True, slots=True)
class Kept:
    """One file: its name below the data folder, and what the copy must be."""

    name: str  # with slashes
    size: int  # bytes
    sha256: str
    mode: int  # its permissions
    source: tuple[int, ...]  # while this is the same in the data folder, so is the content


def kept_file(folder: Path, name: str, source: tuple[int, ...]) -> Kept:
    """What there is to say of a copy that lies in a backup's folder."""
    path = folder / name
    found = path.stat()
    return Kept(name, found.st_size, sha256_of(path), found.st_mode & 0o777, source)


def write_manifest(folder: Path, files: tuple[Kept, ...]) -> None:
    """The list of a backup's files, on disk when this returns."""
    kept = {"version": VERSION, "files": [asdict(one) for one in files]}
    write_file(folder / MANIFEST, orjson.dumps(kept, option=orjson.OPT_INDENT_2), mode=0o600)


def files_of(backup: Path) -> tuple[Kept, ...]:
    """What a backup has, by its list. Raises Invalid when it is none of ours."""
    try:
        manifest = orjson.loads((backup / MANIFEST).read_bytes())
        files = tuple(
            Kept(
                str(one["name"]), int(one["size"]), str(one["sha256"]),
                int(one["mode"]) & 0o777,
                tuple(map(int, one["source"])),
            )
            for one in manifest["files"]
        )  # fmt: skip
        version = manifest["version"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Invalid(
            "{path} no es un respaldo completo: su lista {name} falta o no se puede leer.",
            path=backup,
            name=MANIFEST,
        ) from error
    if version != VERSION:
        raise Invalid("{path} es de otra versión del programa; actualícelo.", path=backup)
    if not all(_is_below(one.name) for one in files):
        raise Invalid("La lista de {path} nombra archivos fuera de la carpeta.", path=backup)
    return files


def names_in(data: Path, without: Path) -> Iterator[str]:
    """The files of a data folder that are worth keeping, in order; without hidden ones.

    What SQLite has beside an open file is in the copy of that file. Links are followed, for events
    may lie on another disk; but not into `without`, where the backups are. Raises OSError for what
    nobody can look into: a folder of somebody else's, a link to a disk that is not there.
    """
    seen = {without.resolve()}
    for folder, folders, files in os.walk(data, onerror=_must_be_gone, followlinks=True):
        here = Path(folder).relative_to(data)
        hidden = _LEFT_OUT if folder == str(data) else ()
        folders[:] = sorted(one for one in folders if one[0] != "." and one not in hidden)
        if (real := Path(folder).resolve()) in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in sorted(files):
            path = Path(folder, name)
            if name[0] == "." or name.endswith(".lock") or _is_in_copy(path):
                continue
            if path.is_symlink():
                path.stat()
            if path.is_file():
                yield (here / name).as_posix()


def _must_be_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error


def _is_in_copy(path: Path) -> bool:
    """Whether it belongs to a file of SQLite's, and the copy of that has what is in it.

    A file that was set aside is copied byte by byte, and its log with it.
    """
    name = path.name
    is_beside = name.endswith(_INDEX) or (name.endswith(LOG) and is_database(name[: -len(LOG)]))
    return is_beside and path.with_name(name[: -len(LOG)]).exists()


def copy_file(source: Path, target: Path) -> None:
    """Copy the content. The OSError for a full disk names the target."""
    try:
        shutil.copyfile(source, target)
    except OSError as error:
        if error.errno in _NO_ROOM:
            error.filename, error.filename2 = str(target), None
        raise


def faults_of(backup: Path, kept: Kept) -> Iterator[str]:
    """What is wrong with a file of a backup, in a sentence."""
    path = backup / kept.name
    try:
        if path.stat().st_size != kept.size or sha256_of(path) != kept.sha256:
            yield f"{kept.name}: no es el que se respaldó"
        elif is_database(kept.name) and not is_sound(path):
            yield f"{kept.name}: está dañado"
    except OSError as error:
        yield f"{kept.name}: no se puede leer ({why(error)})"


def is_database(name: str) -> bool:
    """Whether it is a file of SQLite's that is in use."""
    return name.endswith(".sqlite")


def is_sound(path: Path) -> bool:
    """Whether SQLite finds nothing wrong with a file that nobody has open."""
    with closing(sqlite3.connect(f"{path.resolve().as_uri()}?immutable=1", uri=True)) as db:
        try:
            return bool(db.execute("PRAGMA quick_check(1)").fetchone()[0] == _WHOLE)
        except sqlite3.DatabaseError:
            return False


def sha256_of(path: Path) -> str:
    """The digest of a file's content, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _is_below(name: str) -> bool:
    path = PurePosixPath(name)
    is_inside = not path.is_absolute() and ".." not in path.parts
    return is_inside and bool(path.name) and "\0" not in name
