"""Files that are on disk when a function returns, whole or not at all; and what to say if not."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cgii.base.errors import Unavailable
from cgii.base.reasons import why


@contextmanager
def told_if_unusable(folder: Path) -> Iterator[None]:
    """Raise Unavailable, with what to look at, for a file or folder that may not be used."""
    try:
        yield
    except OSError as error:
        raise _unusable(error.filename or folder, why(error)) from error


def must_be_writable(folder: Path) -> None:
    """Raise Unavailable for a folder in which this process can make no file."""
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
        raise _unusable(folder, "no se puede escribir en la carpeta")


def _unusable(path: Path | str, reason: str) -> Unavailable:
    return Unavailable(
        "No se puede usar {path}: {reason}. Revise que el disco no esté en solo lectura y quién es "
        "el dueño de la carpeta, y ejecute la orden como el usuario del servicio.",
        path=path,
        reason=reason,
    )


def sync_folder(folder: Path) -> None:
    """Write the folder itself to disk, as a new or renamed file's name needs it."""
    _sync(folder, os.O_DIRECTORY)


def sync_file(path: Path) -> None:
    """Write to disk what somebody else wrote into a file."""
    _sync(path, 0)


def _sync(path: Path, flags: int) -> None:
    handle = os.open(path, os.O_RDONLY | flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def private_folder(folder: Path) -> None:
    """Have a folder that only its owner enters, also if it was there."""
    folder.mkdir(mode=0o700, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)


def write_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write a file that is not there, or is left over; on disk when this returns."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Put a file in the place of the one before, as a whole. Its folder is not written."""
    written = path.with_suffix(".new")
    write_file(written, data, mode=mode)
    written.replace(path)
