"""Evidence on disk: each file is named by its SHA-256, complete or absent, and never executed."""

import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Protocol

from cgii.base import limits
from cgii.base.durable import sync_folder
from cgii.base.errors import Invalid, NotFound, Unavailable

_CHUNK_BYTES = 1024 * 1024
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Stream(Protocol):
    """What can be read in pieces: an open file, an upload."""

    def read(self, size: int, /) -> bytes:
        """The next bytes, `size` at most; none at the end."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that is safely on disk."""

    sha256: str
    size: int


def save(stream: Stream, folder: Path, max_bytes: int = limits.UPLOAD_BYTES_MAX) -> Stored:
    """Store what the stream gives, durably. The same content twice is one file.

    Raises Invalid when it is empty or larger than `max_bytes`, Unavailable when the disk fails.
    """
    folder.mkdir(parents=True, exist_ok=True)
    incoming = folder / f".incoming-{secrets.token_hex(16)}"
    try:
        stored = _copy(stream, incoming, max_bytes)
        os.replace(incoming, folder / stored.sha256)
        sync_folder(folder)
    except OSError as error:
        raise Unavailable(
            "No se pudo guardar el archivo; revise el espacio en disco y vuelva a intentarlo."
        ) from error
    finally:
        incoming.unlink(missing_ok=True)
    return stored


def _copy(stream: Stream, path: Path, max_bytes: int) -> Stored:
    hasher = hashlib.sha256()
    size = 0
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as file:
        while chunk := stream.read(_CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise Invalid(
                    "El archivo pesa más de {most} MB; divídalo o comprímalo.",
                    field="file",
                    most=max(1, max_bytes // (1024 * 1024)),
                )
            hasher.update(chunk)
            file.write(chunk)
        if size == 0:
            raise Invalid("El archivo está vacío.", field="file")
        file.flush()
        os.fsync(file.fileno())
    return Stored(hasher.hexdigest(), size)


def open_stored(folder: Path, sha256: str) -> BufferedReader:
    """The file with this content, for reading. Raises NotFound."""
    try:
        return _path(folder, sha256).open("rb")
    except FileNotFoundError as error:
        raise _missing() from error


def verify(folder: Path, sha256: str) -> bool:
    """Whether the file still has the content that its name promises. Raises NotFound."""
    with open_stored(folder, sha256) as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == sha256


def _path(folder: Path, sha256: str) -> Path:
    """The only way from a name to a place: a name that is no digest has none."""
    if not _SHA256.fullmatch(sha256):
        raise _missing()
    return folder / sha256


def _missing() -> NotFound:
    return NotFound("El archivo no existe o ya no está guardado.")
