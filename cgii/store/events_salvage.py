"""Reads what can still be read of a damaged month's file, event by event; changes nothing in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.store.events_document import event_or_none

_FIRST, _LAST = -(2**63), 2**63 - 1
_DOCUMENT_NUMBER = {1: "position", 2: "coalesce(kept, position)"}  # by version of the tables
_ID_BYTES = 16
_BATCH_EVENTS = 1_000


class Salvage:
    """The readable events of one file. Raises Invalid when it is no file of events at all."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Invalid("No existe el archivo {path}.", path=path)
        self.name = path.name
        self.read = 0
        self._failed = 0
        self._db = sqlite3.connect(
            f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
        )
        try:
            self._db.execute("PRAGMA cell_size_check = ON")
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            self._number = _DOCUMENT_NUMBER[version]
            self._db.execute(f"SELECT id, {self._number} FROM event LIMIT 0")  # noqa: S608 constants
        except (sqlite3.Error, KeyError) as error:
            self._db.close()
            raise Invalid(
                "No se puede leer nada de {path}: no es un archivo de eventos de CGII, o está "
                "dañado desde el comienzo; pruebe con `sqlite3 {path} .recover`.",
                path=path,
            ) from error

    @property
    def damaged(self) -> int:
        """How many events could not be read, as far as the file still says how many it had."""
        return max(self._failed, (self._tally() or 0) - self.read)

    @property
    def is_counted(self) -> bool:
        """Whether the file still says how many events it had; else more may be missing."""
        told = self._tally()
        return told is not None and told >= self.read

    def batches(self) -> Iterator[list[Event]]:
        """The events in the order of their time, many at once."""
        batch: list[Event] = []
        for key, number in self._rows():
            event = self._event(key, number)
            if event is None:
                self._failed += 1
                continue
            self.read += 1
            batch.append(event)
            if len(batch) == _BATCH_EVENTS:
                yield batch
                batch = []
        if batch:
            yield batch

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def _tally(self) -> int | None:
        with suppress(sqlite3.Error, TypeError, ValueError, OverflowError):
            return int(self._db.execute("SELECT events FROM tally").fetchone()[0])
        return None

    def _rows(self) -> Iterator[tuple[Any, Any]]:
        """The id of each event and the number of its document."""
        at: int | None = _FIRST
        while at is not None:
            with suppress(sqlite3.DatabaseError):
                for position, *row in self._from(at):
                    if position < at:
                        break  # a damaged page: the positions are out of order
                    yield row[0], row[1]
                    at = position + 1
                else:
                    return
            # Python steps ahead, so damage hides the last row before it.
            try:
                last = self._next(at)
            except sqlite3.DatabaseError:
                self._failed += 1
                at = self._after_damage(at)
                continue
            if last is None:
                return
            yield last[1], last[2]
            at = last[0] + 1

    def _from(self, position: int, ending: str = "") -> sqlite3.Cursor:
        return self._db.execute(
            f"SELECT position, id, {self._number} FROM event"  # noqa: S608 constants
            f" WHERE position >= ? ORDER BY position {ending}",
            (position,),
        )

    def _next(self, position: int) -> tuple[int, Any, Any] | None:
        """The first row from a position on; None when there is none. Raises DatabaseError."""
        row: tuple[int, Any, Any] | None = self._from(position, "LIMIT 1").fetchone()
        if row is not None and row[0] < position:
            raise sqlite3.DatabaseError("positions out of order")
        return row

    def _after_damage(self, at: int) -> int | None:
        """The first position that can be read past one that cannot; None when there is none."""
        step = 1
        while not self._is_readable(at + step):
            step *= 2
            if at + step > _LAST:
                return None
        low, high = at + step // 2, at + step
        while high - low > 1:  # readable from `high` on, and not at `low`
            middle = (low + high) // 2
            low, high = (low, middle) if self._is_readable(middle) else (middle, high)
        return high

    def _is_readable(self, position: int) -> bool:
        try:
            self._next(position)
        except sqlite3.DatabaseError:
            return False
        return True

    def _event(self, key: Any, number: Any) -> Event | None:
        if not isinstance(key, bytes) or len(key) != _ID_BYTES:
            return None
        try:
            row = self._db.execute(
                "SELECT body FROM document WHERE rowid = ?", (number,)
            ).fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else event_or_none(key, row[0])
