"""Backups of the data folder, made while the centre works, and the way back.

A backup is a folder such as `cgii-20261130T031500Z` with the files as they lie in the data folder
and a list of them. It appears complete or not at all. What has not changed since the backup before
is the same file in both (a hard link): a month that is over is copied once.
"""

import fcntl
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from cgii.base import limits
from cgii.base.durable import sync_file, sync_folder, told_if_unusable
from cgii.base.errors import Invalid, Unavailable
from cgii.base.reasons import why
from cgii.base.settings import EMBEDDED
from cgii.store import anchors
from cgii.store.backup_files import (
    LOG,
    MANIFEST,
    Kept,
    copy_file,
    faults_of,
    files_of,
    is_database,
    is_sound,
    kept_file,
    names_in,
    sha256_of,
    write_manifest,
)
from cgii.store.events_aside import MONTH, aside_name, names_stay
from cgii.store.events_faults import is_damage

_NAME = re.compile(r"cgii-\d{8}T\d{6}Z")
_MONTH = re.compile(rf"events/events-{MONTH}\.sqlite")
_UNFINISHED = re.compile(rf"\.(cgii-new|{_NAME.pattern})")  # being made, or being deleted
# So no seal is there of an entry that the record lacks, and no event is missing that it speaks of.
_FIRST = (anchors.FILE_NAME, EMBEDDED)
_REASONS = {
    sqlite3.SQLITE_FULL: "no queda espacio en el disco",
    sqlite3.SQLITE_IOERR: "error de entrada y salida",
    sqlite3.SQLITE_BUSY: "otro proceso lo tiene ocupado",
    sqlite3.SQLITE_CANTOPEN: "no se puede abrir",
    sqlite3.SQLITE_READONLY: "no hay permiso",
}
Told = Callable[[str], None]


def _silent(_name: str) -> None:
    pass


@dataclass(slots=True)
class Made:
    """A backup. `damaged` are event files that are in it as they are, set aside."""

    path: Path
    files: list[Kept] = field(default_factory=list)
    copied_bytes: int = 0
    linked: int = 0  # so many of the files are those of the backup before
    damaged: list[str] = field(default_factory=list)


def make(data: Path, folder: Path, *, now: datetime, keep: int, told: Told = _silent) -> Made:
    """Copy the data folder into a new one within `folder`; of older backups the newest stay.

    `keep` is how many there are then, at least 1. `told` hears the name of each file. Raises
    Invalid when the place is wrong or somebody else is at it, Unavailable when a disk fails or the
    record is damaged: nothing is left of this one then, and those before stay.
    """
    if folder.resolve().is_relative_to(data.resolve()):
        raise Invalid("El respaldo no puede quedar dentro de {data}: elija otro disco.", data=data)
    with _told_if_failed(folder):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _alone(folder):
            _sweep(folder)
            before = backups(folder)
            made = Made(folder / f"cgii-{now:%Y%m%dT%H%M%SZ}")
            if made.path in before:
                raise Invalid("{path} ya existe; repita en un segundo.", path=made.path)
            partial = folder / ".cgii-new"
            try:
                _Copy(data, partial, before[-1] if before else None, made).run(told)
                partial.rename(made.path)
            finally:
                shutil.rmtree(partial, ignore_errors=True)
            sync_folder(folder)
            for old in before[: max(0, len(before) + 1 - keep)]:
                gone = folder / f".{old.name}"
                old.rename(gone)
                shutil.rmtree(gone)
    return made


def backups(folder: Path) -> list[Path]:
    """The complete backups within a folder, oldest first."""
    found = (path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    return sorted(path for path in found if (path / MANIFEST).is_file())


def check(backup: Path, told: Told = _silent) -> list[str]:
    """What is wrong with a backup, a sentence each: files missing, changed or damaged."""
    faults: list[str] = []
    for kept in files_of(backup):
        told(kept.name)
        faults += faults_of(backup, kept)
    return faults


def put_back(backup: Path, data: Path, told: Told = _silent) -> int:
    """Put a backup's files into a data folder that has no others; how many they are.

    Repeat it when it was interrupted: what is there and the same stays, the record comes last.
    Raises Invalid when something else is there or the backup is not as it was made, Unavailable
    when a disk fails.
    """
    files = files_of(backup)
    if faults := check(backup, told):
        raise Invalid(
            "El respaldo no está íntegro y no se restauró nada. {faults}.", faults="; ".join(faults)
        )
    with told_if_unusable(data):
        data.mkdir(parents=True, exist_ok=True)
        known = {kept.name: kept for kept in files}
        there = set(names_in(data, backup.parent))
        for name in sorted(there):
            if name not in known or sha256_of(data / name) != known[name].sha256:
                raise Invalid(
                    "{data} ya tiene {name}, que no es el del respaldo. Detenga el centro, lleve "
                    "esa carpeta a otro lugar y repita.",
                    data=data,
                    name=name,
                )
        for kept in sorted(files, key=lambda one: one.name == EMBEDDED):
            if kept.name not in there:
                told(kept.name)
                _put(backup / kept.name, data / kept.name, kept.mode)
    return len(files)


def _put(source: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f".{target.name}.new")
    copy_file(source, fresh)
    fresh.chmod(mode)
    sync_file(fresh)
    fresh.rename(target)
    sync_folder(target.parent)


class _Copy:
    """One backup on its way."""

    def __init__(self, data: Path, folder: Path, before: Path | None, made: Made) -> None:
        self._data, self._folder, self._before, self._made = data, folder, before, made
        self._done: set[str] = set()
        self._known: dict[str, Kept] = {}
        self._listed_at = 0
        if before is not None:
            with suppress(Invalid):  # of another version: everything is copied
                self._known = {kept.name: kept for kept in files_of(before)}
                self._listed_at = (before / MANIFEST).stat().st_mtime_ns

    def run(self, told: Told) -> None:
        """Copy all there is, then write the list."""
        self._folder.mkdir(mode=0o700)
        # Twice: meanwhile a month may have been set aside under another name.
        places = self._data, self._folder.parent
        for names in (_FIRST, names_in(*places), names_in(*places)):
            for name in names:
                if name not in self._done and (self._data / name).is_file():
                    told(name)
                    self._file(name)
                    self._done.add(name)
        write_manifest(self._folder, tuple(self._made.files))
        for folder, _, _ in os.walk(self._folder, topdown=False):
            sync_folder(Path(folder))

    def _file(self, name: str) -> None:
        (self._folder / name).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            self._database(name) if is_database(name) else self._plain(name)
        except (OSError, Unavailable):
            if (self._data / name).exists():
                raise
            # Retention was faster, or it was set aside.

    def _plain(self, name: str, kept_as: str = "") -> None:
        path, target = self._data / name, self._folder / (kept_as or name)
        found = path.stat()
        source = found.st_ino, found.st_size, found.st_mtime_ns
        if not self._linked(name, source):
            copy_file(path, target)
            target.chmod(found.st_mode & 0o777)
            self._keep(kept_as or name, source)

    def _database(self, name: str) -> None:
        """By SQLite's own copying: as it is at one moment, whoever is writing."""
        path, target = self._data / name, self._folder / name
        inode = path.stat().st_ino
        source: tuple[int, ...] = ()
        is_month, is_whole = _MONTH.fullmatch(name) is not None, False
        try:
            with _opened(path) as db:
                db.execute("BEGIN")
                if is_month:
                    source = inode, *_size_of_month(db)
                    if self._linked(name, source):
                        return
                with closing(sqlite3.connect(target)) as copy:
                    db.backup(copy)
            is_whole = is_sound(target)
        except sqlite3.Error as error:
            if not is_damage(error):
                raise _failed(*_blamed(error, path, target)) from error
        if is_whole:
            target.chmod(path.stat().st_mode & 0o777)
            self._keep(name, source)
            return
        if not is_month:
            raise _failed(path, "está dañado")
        target.unlink(missing_ok=True)
        if path.stat().st_ino != inode:  # it was set aside meanwhile, and a new one begun
            self._database(name)
            return
        self._made.damaged.append(name)
        aside = aside_name(name, inode)
        if Path(f"{path}{LOG}").exists():
            self._plain(f"{name}{LOG}", kept_as=f"{aside}{LOG}")
        self._plain(name, kept_as=aside)

    def _linked(self, name: str, source: tuple[int, ...]) -> bool:
        """Whether the backup before has the same, and it is here now; not what changed there."""
        known = self._known.get(name)
        if self._before is None or known is None or known.source != source:
            return False
        (self._folder / name).unlink(missing_ok=True)
        try:
            found = (self._before / name).stat()
            if found.st_size != known.size or found.st_mtime_ns > self._listed_at:
                return False
            os.link(self._before / name, self._folder / name)
        except OSError:  # it is gone, or this kind of disk knows no links
            return False
        self._made.files.append(known)
        self._made.linked += 1
        return True

    def _keep(self, name: str, source: tuple[int, ...]) -> None:
        sync_file(self._folder / name)
        self._done.add(name)
        kept = kept_file(self._folder, name, source)
        self._made.files.append(kept)
        self._made.copied_bytes += kept.size


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for reading; nobody sets the file aside while it is opened or closed."""
    with names_stay(path.parent):
        db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=rw",  # a reader, too, writes beside a file in WAL mode
            uri=True,
            timeout=limits.STORE_WAIT_SECONDS,
            isolation_level=None,
        )
    try:
        with names_stay(path.parent):
            db.execute("PRAGMA schema_version").fetchone()
        yield db
    finally:
        with names_stay(path.parent):
            db.close()


def _size_of_month(db: sqlite3.Connection) -> tuple[int, int]:
    """Events are only ever added, and each has a document."""
    (events,) = db.execute("SELECT events FROM tally").fetchone()
    (last,) = db.execute("SELECT coalesce(max(number), 0) FROM document").fetchone()
    return events, last


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Invalid("Otro respaldo está en marcha en {folder}.", folder=folder) from error
        except OSError:
            pass  # some network disks lock no folder: there it goes on without
        yield
    finally:
        os.close(handle)


def _sweep(folder: Path) -> None:
    """Delete what an interrupted backup left."""
    for path in folder.iterdir():
        if _UNFINISHED.fullmatch(path.name):
            shutil.rmtree(path)


@contextmanager
def _told_if_failed(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise _failed(Path(error.filename or folder), why(error)) from error


def _blamed(error: sqlite3.Error, source: Path, target: Path) -> tuple[Path, str]:
    """Where something failed while one was copied into the other, and what."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    path = target if code in (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR) else source
    return path, _REASONS.get(code, str(error))


def _failed(path: Path, reason: str) -> Unavailable:
    return Unavailable(
        "El respaldo no se pudo hacer por {path} ({reason}). Los anteriores siguen como estaban.",
        path=path,
        reason=reason,
    )
