"""Reads what can still be read of a damaged month's file, event by event; changes nothing in it."""

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.store.events_document import event_or_none

Row = tuple[int, Any, Any]  # position, id, number of the document: none where it is the position

_FIRST, _LAST = -(2**63), 2**62 + 2**61  # events are before the year 2109, which is 2**62
_KEPT = {1: "NULL", 2: "kept"}  # by version of the tables
_BY_ID = "sqlite_autoindex_event_1"
_ID_BYTES = 16
_BATCH_EVENTS = 1_000


class Salvage:
    """The readable events of one file. Raises Invalid when it is no file of events at all."""

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise Invalid("No existe el archivo {path}.", path=path)
        self.name = path.name
        self.read = 0
        self.unnamed = 0  # of the damaged, those whose id is: stored, they would be there twice
        self._failed = 0
        try:
            self._db = sqlite3.connect(
                f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None
            )
        except sqlite3.OperationalError as error:
            raise Invalid(
                "No se puede abrir {path}: compruebe que el usuario del centro tiene permiso de "
                "leerlo.",
                path=path,
            ) from error
        try:
            self._db.execute("PRAGMA cell_size_check = ON")
            # Outside a transaction, damage that one statement meets would stop the others.
            self._db.execute("BEGIN")
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
            self._kept = _KEPT[version]
            self._db.execute(f"SELECT id, {self._kept} FROM event LIMIT 0")  # noqa: S608 constants
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

    def _rows(self) -> Iterator[tuple[bytes, Any]]:
        """The id of each event and the number of its document; what is damaged is counted."""
        after: int | None = _FIRST
        while after is not None:
            with suppress(sqlite3.DatabaseError):
                # A damaged position stands out of order; what follows it is read all the same.
                for row in self._from(after):
                    place = self._place(row)
                    if place is None:
                        self._failed += 1
                        self.unnamed += 1
                        continue
                    yield row[1], place if row[2] is None else row[2]
                    after = max(after, place) if place < _LAST else after
                return
            # Python steps ahead, so damage hides the last row before it.
            try:
                place, *last = self._next(after)
            except sqlite3.DatabaseError:
                self._failed += 1
                after = self._after_damage(after)
                continue
            yield last[0], place if last[1] is None else last[1]
            after = place

    def _from(self, after: int, ending: str = "") -> sqlite3.Cursor:
        return self._db.execute(
            f"SELECT position, id, {self._kept} FROM event"  # noqa: S608 constants
            f" WHERE position > ? ORDER BY position {ending}",
            (after,),
        )

    def _place(self, row: Row) -> int | None:
        """The position of a row, as the index of ids has it; None when its id is damaged.

        The index tells which of both is damaged. Where it cannot, they are believed.
        """
        if not isinstance(row[1], bytes) or len(row[1]) != _ID_BYTES:
            return None
        try:
            found = self._db.execute(
                f"SELECT position FROM event INDEXED BY {_BY_ID} WHERE id = ?",  # noqa: S608 constant
                (row[1],),
            ).fetchone()
        except sqlite3.DatabaseError:
            return row[0]
        if found is not None:
            return int(found[0])
        return None if self._is_index_in_order else row[0]

    @cached_property
    def _is_index_in_order(self) -> bool:
        """Whether an id that is not found in the index is not in it. Reads all of it."""
        before = b""
        with suppress(sqlite3.DatabaseError):
            for (key,) in self._db.execute(
                f"SELECT id FROM event INDEXED BY {_BY_ID} ORDER BY id"  # noqa: S608 constant
            ):
                if not isinstance(key, bytes) or key <= before:
                    return False
                before = key
            return True
        return False

    def _next(self, after: int) -> tuple[int, bytes, Any]:
        """Place, id and number of the next row. Raises DatabaseError when it is damaged or none."""
        row = self._from(after, "LIMIT 1").fetchone()
        place = None if row is None else self._place(row)
        if place is None or not after < place < _LAST:
            raise sqlite3.DatabaseError("damaged, or out of order")
        return place, row[1], row[2]

    def _after_damage(self, after: int) -> int | None:
        """The first position past damage after which a row can be read; None when there is none."""
        step = 1
        while after + step < _LAST and not self._is_readable(after + step):
            step *= 2
        if after + step >= _LAST:
            return None
        low, high = after + step // 2, after + step
        while high - low > 1:  # readable after `high`, and not after `low`
            middle = (low + high) // 2
            low, high = (low, middle) if self._is_readable(middle) else (middle, high)
        return high

    def _is_readable(self, after: int) -> bool:
        with suppress(sqlite3.DatabaseError):
            self._next(after)
            return True
        return False

    def _event(self, key: bytes, number: Any) -> Event | None:
        try:
            row = self._db.execute(
                "SELECT body FROM document WHERE rowid = ?", (number,)
            ).fetchone()
        except sqlite3.DatabaseError:
            return None
        return None if row is None else event_or_none(key, row[0])
