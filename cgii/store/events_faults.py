"""What can be wrong with a month's file: damaged, of no use, or only busy; and how that is said."""

import errno
import sqlite3
from contextlib import suppress
from pathlib import Path

from cgii.base import limits
from cgii.base.errors import Unavailable

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM)
_TOO_MANY_OPEN = (errno.EMFILE, errno.ENFILE)


class Unusable(Unavailable):
    """A month's file that nobody can use as it is; who does not need it goes on without it."""


def is_damage(error: sqlite3.Error) -> bool:
    """Whether the file itself is broken, rather than busy, full or asked wrongly."""
    return _code(error) in _DAMAGED


def is_hollow(path: Path) -> bool:
    """Whether it is a file of no bytes, which SQLite would take for a new database."""
    with suppress(FileNotFoundError):
        return path.is_file() and path.stat().st_size == 0
    return False


def hollow() -> sqlite3.DatabaseError:
    """The damage of a file of no bytes."""
    error = sqlite3.DatabaseError("file is empty")
    error.sqlite_errorcode = sqlite3.SQLITE_NOTADB
    error.sqlite_errorname = "SQLITE_NOTADB"
    return error


def unavailable(error: sqlite3.Error, name: str) -> Unavailable:
    """The sentence for a file that does not answer now."""
    reason = _reason(error)
    if reason.startswith("SQLITE_INTERRUPT"):
        return Unavailable(
            "La búsqueda tardó más de {seconds} segundos y se detuvo; acorte el intervalo de "
            "tiempo o agregue una condición.",
            seconds=limits.QUERY_SECONDS_MAX,
        )
    return Unavailable(
        "El archivo de eventos {name} no responde ({reason}); revise el espacio en disco y vuelva "
        "a intentarlo.",
        name=name,
        reason=reason,
    )


def not_opened(error: sqlite3.Error, path: Path) -> Unavailable:
    """The sentence for a file that could not be opened: an Unusable unless that will pass."""
    if _code(error) in _PASSING or _are_too_many_open(path):
        return unavailable(error, path.name)
    return Unusable(
        "No se puede usar el archivo de eventos {name} ({reason}); revise sus permisos y el disco, "
        "o llévelo a otra carpeta.",
        name=path.name,
        reason=_reason(error),
    )


def _code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _reason(error: sqlite3.Error) -> str:
    return str(getattr(error, "sqlite_errorname", "SQLITE_ERROR"))


def _are_too_many_open(path: Path) -> bool:
    """Whether this process may open nothing more, which SQLite does not tell."""
    try:
        with path.open("rb"):
            return False
    except OSError as error:
        return error.errno in _TOO_MANY_OPEN
