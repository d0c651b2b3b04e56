"""What can be wrong with a month's file: damaged, of no use, or only busy; and how that is said."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.store.events_aside import is_begun

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNREADABLE = (sqlite3.SQLITE_IOERR_READ, sqlite3.SQLITE_IOERR_SHORT_READ)


class Unusable(Unavailable):
    """A month's file that nobody can use as it is; who does not need it goes on without it."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than busy, full or asked wrongly."""
    return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in _DAMAGED


def must_be_whole(path: Path) -> None:
    """Raise damage that SQLite would not see: no bytes, which it would take for a new database.

    Or a log that was set aside without its file: in it is what was stored last.
    """
    with suppress(FileNotFoundError):
        if path.is_file() and path.stat().st_size == 0:
            raise _broken("file is empty")
    if is_begun(path):
        raise _broken("its log was set aside, and it was not")


def _broken(reason: str) -> sqlite3.DatabaseError:
    error = sqlite3.DatabaseError(reason)
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    error.sqlite_errorname = "SQLITE_NOTADB"
    return error


def unavailable(error: sqlite3.Error, name: str) -> Unavailable:
    """The sentence for a file that does not answer now."""
    reason = _reason(error)
    if reason.startswith("SQLITE_INTERRUPT"):
        return too_long()
    return Unavailable(
        "El archivo de eventos {name} no responde ({reason}); revise el espacio en disco y vuelva "
        "a intentarlo.",
        name=name,
        reason=reason,
    )


def too_long() -> Unavailable:
    """The sentence for a search whose time is up."""
    return Unavailable(
        "La búsqueda tardó más de {seconds} segundos y se detuvo; acorte el intervalo de "
        "tiempo o agregue una condición.",
        seconds=limits.QUERY_SECONDS_MAX,
    )


def not_opened(error: sqlite3.Error, path: Path) -> Unavailable:
    """The sentence for a file that could not be opened: an Unusable unless that may pass.

    A full disk and too many open files show in many errors of SQLite's. What they stop must stay
    stopped: who goes on without a month does not see that an event is in it already.
    """
    if _may_pass(error, path):
        return unavailable(error, path.name)
    return Unusable(
        "No se puede usar el archivo de eventos {name} ({reason}); revise sus permisos y el disco, "
        "o llévelo a otra carpeta.",
        name=path.name,
        reason=_reason(error),
    )


def _may_pass(error: sqlite3.Error, path: Path) -> bool:
    if path.exists() and not path.is_file():
        return False
    try:
        path.open("r+b").close()
    except PermissionError:
        return False
    except OSError:  # no more files can be opened; the disk is in read-only mode; it is gone
        return True
    return getattr(error, "sqlite_errorcode", 0) not in _UNREADABLE


def _reason(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", "SQLITE_ERROR"))
