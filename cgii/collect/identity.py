"""The sensor's secret key on its disk, and the next one while the centre may not know it yet."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import orjson

from cgii.base import clock, limits
from cgii.base.durable import replace_file, sync_folder
from cgii.base.errors import Invalid, Unavailable
from cgii.base.reasons import why
from cgii.base.signatures import SecretKey


@dataclass(frozen=True)
class KeyFile:
    """A key and when it was made."""

    key: SecretKey
    made_at: datetime


class Identity:
    """Two files in the sensor's folder, readable by nobody else, each replaced as a whole.

    A key is on disk before the centre hears of it: whoever loses the answer asks again with it.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "key.json"
        self._next_path = folder / "key.next.json"
        self._current = _read(self._path)

    @property
    def key(self) -> SecretKey | None:
        """The key that signs; None before the sensor was enrolled."""
        return self._current.key if self._current else None

    def signing(self) -> SecretKey:
        """The key that signs, of a sensor that was enrolled."""
        assert self._current is not None
        return self._current.key

    @property
    def is_old(self) -> bool:
        """Whether it is time for another key, or one was begun that the centre may know."""
        if self._current is None:
            return False
        # Made in the future: by a clock that was wrong, and the key would never be old.
        age = abs(clock.now() - self._current.made_at)
        return age > timedelta(days=limits.SENSOR_KEY_DAYS) or self._next_path.exists()

    def next(self) -> SecretKey:
        """The key that shall follow; made, and kept, if there is none. Raises Unavailable."""
        found = _read(self._next_path)
        if found is None:
            found = KeyFile(SecretKey.fresh(), clock.now())
            _write(self._next_path, found)
        return found.key

    def accept_next(self) -> None:
        """The centre knows the next key: it is the one that signs. Raises Unavailable."""
        found = _read(self._next_path)
        if found is None:
            raise Unavailable("La llave nueva del sensor ya no está; se creará otra.")
        try:
            self._next_path.replace(self._path)
            sync_folder(self._path.parent)
        except OSError as error:
            raise _unwritable(error) from error
        self._current = found  # not before it is on disk: its first use ends the one before

    def drop_next(self) -> None:
        """Let go of a key that the centre will not have."""
        self._next_path.unlink(missing_ok=True)


def _read(path: Path) -> KeyFile | None:
    try:
        kept = orjson.loads(path.read_bytes())
        return KeyFile(
            SecretKey(bytes.fromhex(kept["seed"])), datetime.fromisoformat(kept["made_at"])
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Invalid("No se puede leer {path}: {why}.", path=path, why=why(error)) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid(
            "La llave del sensor en {path} está dañada. Bórrela y vuelva a inscribir el sensor con "
            "«cgii collect enrol».",
            path=path,
        ) from error


def _write(path: Path, kept: KeyFile) -> None:
    text = orjson.dumps({"seed": kept.key.seed.hex(), "made_at": kept.made_at.isoformat()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text, mode=0o600)
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable("El sensor no puede guardar su llave: {reason}.", reason=why(error))
