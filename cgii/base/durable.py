"""Files that are on disk when a function returns, whole or not at all."""

import os
import stat
from pathlib import Path


def sync_folder(folder: Path) -> None:
    """Write the folder itself to disk, as a new or renamed file's name needs it."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
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
