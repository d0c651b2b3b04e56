"""The folder of month files: who has which open, and what happens to a damaged one."""

import os
import re
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from cgii.base import counters, limits
from cgii.base.durable import sync_folder
from cgii.base.errors import Unavailable
from cgii.base.logs import logger
from cgii.store import events_month
from cgii.store.events_aside import (
    MONTH,
    aside_bytes,
    aside_name,
    drop,
    names_change,
    names_stay,
    put_aside,
    set_aside,
    unlink,
)
from cgii.store.events_document import document_or_none
from cgii.store.events_faults import is_damage, not_opened, too_long, unavailable
from cgii.store.events_plan import Plan
from cgii.store.query_fields import comparable, values

log = logger("store")
_UNFINISHED = re.compile(rf"\.events-{MONTH}\.sqlite-[0-9a-f]{{16}}(?:-wal|-shm|-journal)?")
_WRITERS_MAX = 3  # a month and its neighbours, which may all be locked at once
_OPCODES_BETWEEN_LOOKS = 20_000  # some 2 ms; each look needs the lock of Python


def _is_single_file(db: sqlite3.Connection) -> bool:
    """Take a file out of the WAL mode; whether that could be done: nobody else has it open."""
    try:
        return bool(db.execute("PRAGMA journal_mode = DELETE").fetchone()[0] == "delete")
    except sqlite3.OperationalError as error:
        if (error.sqlite_errorcode & 0xFF) == sqlite3.SQLITE_BUSY:
            return False
        raise


class Reader:
    """A connection for reading one month, with the functions that our SQL calls."""

    def __init__(self, month: str, path: Path, inode: int) -> None:
        self.month = month
        self.inode = inode
        self._plan: Plan | None = None
        self._until = 0.0
        self.db = events_month.connect_for_reading(path)
        self.db.create_function("meets", 2, self._meets)
        self.db.create_function("fits", 2, self._fits)
        self.db.create_function("found", 2, self._found)

    def stop_after(self, until: float) -> None:
        """Interrupt what runs when the monotonic clock passes `until`."""
        self._until = until
        self._look_every(_OPCODES_BETWEEN_LOOKS)

    def _look_every(self, opcodes: int) -> None:
        self.db.set_progress_handler(lambda: time.monotonic() > self._until, opcodes)

    @contextmanager
    def counting(self, length: int) -> Iterator[None]:
        """For walks beside other threads: looks at the clock before, and seldom on the way.

        Raises Unavailable when time is up, and DataError where a text or a document would be
        longer than `length`; 0 means no bound.
        """
        if time.monotonic() > self._until:
            raise too_long()
        bound = self.db.getlimit(sqlite3.SQLITE_LIMIT_LENGTH)
        self._look_every(_OPCODES_BETWEEN_LOOKS * 250)
        self.db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, length or bound)
        try:
            yield
        finally:
            self.db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, bound)
            self._look_every(_OPCODES_BETWEEN_LOOKS)

    def run(
        self, plan: Plan, statement: str, *, before: Sequence[Any] = (), after: Sequence[Any] = ()
    ) -> list[Any]:
        """The rows of a plan's statement; the plan's values stand between the other two's."""
        self._plan = plan
        return self.db.execute(statement, (*before, *plan.where.values, *after)).fetchall()

    def _meets(self, number: int, body: bytes) -> bool:
        assert self._plan is not None
        document = document_or_none(body)
        return document is not None and self._plan.document_tests[number](document)

    def _fits(self, number: int, text: object) -> bool:
        assert self._plan is not None
        return text is not None and self._plan.text_tests[number](str(text))

    def _found(self, field: str, body: bytes) -> str:
        """The field's values in a document, each once, as a JSON array."""
        document = document_or_none(body)
        each = () if document is None else values(document, field)
        found = dict.fromkeys(comparable(field, value) for value in each)
        return orjson.dumps(list(found)).decode()


class MonthFiles:
    """Opens month files, keeps idle readers, and sets damaged files aside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        self._idle: list[Reader] = []
        self._writers: dict[str, tuple[sqlite3.Connection, int]] = {}

    def months(self) -> list[str]:
        """The months that have a file, oldest first."""
        return events_month.months(self.folder)

    def kept_months(self) -> list[str]:
        """The months that have a file, or only damaged ones that were set aside; oldest first."""
        return sorted({*self.months(), *(gap.month for gap in set_aside(self.folder))})

    @contextmanager
    def reading(self, month: str, until: float) -> Iterator[Reader | None]:
        """A reader of one month for one question; None when the file is gone or was damaged.

        Damage met on the way sets the file aside and ends the block quietly. Raises Unusable when
        the file cannot be opened, Unavailable when it does not answer or cannot be set aside.
        """
        path = events_month.path_of(self.folder, month)
        reader = self._take(month, path)
        if reader is None:
            yield None
            return
        is_whole = False
        try:
            reader.stop_after(until)
            yield reader
            is_whole = True
        except sqlite3.Error as error:
            if not is_damage(error):
                raise unavailable(error, path.name) from error
            self.set_aside(month, reader.inode, error, opened=reader.db)
        finally:
            if is_whole:
                self._give_back(reader)
            else:  # also when the question ended in an error of its own
                self._close(reader.db)

    def _take(self, month: str, path: Path) -> Reader | None:
        """An idle reader of the file or a new one; None when it is gone or was damaged."""
        inode = self.inode(month)
        with self._lock:
            for place, reader in enumerate(self._idle):
                if reader.month == month and reader.inode == inode:
                    return self._idle.pop(place)
        try:
            with names_stay(self.folder):
                inode = self.inode(month)
                return Reader(month, path, inode)
        except sqlite3.Error as error:
            if is_damage(error):
                self.set_aside(month, inode, error)
            elif path.exists():
                raise not_opened(error, path) from error
            return None

    def _give_back(self, reader: Reader) -> None:
        with self._lock:
            self._idle.append(reader)
            extra = self._idle.pop(0) if len(self._idle) > limits.STORE_READERS_MAX else None
        if extra is not None:
            self._close(extra.db)

    def _close(self, db: sqlite3.Connection) -> None:
        with names_stay(self.folder):
            db.close()

    def writer(self, month: str) -> tuple[sqlite3.Connection, int]:
        """The connection for writing one month and its file's inode; the caller has a lock.

        Raises Unusable when the file cannot be opened, and what SQLite raises.
        """
        path = events_month.path_of(self.folder, month)
        kept = self._writers.get(month)
        if kept is not None and self.inode(month) == kept[1]:
            self._writers[month] = self._writers.pop(month)  # the last to be given up
            return kept
        self.drop_writer(month)  # another process set the file aside, or it was pruned
        while len(self._writers) >= _WRITERS_MAX:
            self.drop_writer(next(iter(self._writers)))
        inode = 0
        try:
            with names_stay(self.folder):
                inode = self.inode(month)
                self._writers[month] = (events_month.connect(path), self.inode(month))
        except sqlite3.Error as error:
            if not is_damage(error):
                raise not_opened(error, path) from error
            self.set_aside(month, inode, error)
            with names_stay(self.folder):
                self._writers[month] = (events_month.connect(path), self.inode(month))
        return self._writers[month]

    def drop_writer(self, month: str) -> None:
        """Close the connection for writing a month, if there is one."""
        db = self.taken_writer(month)
        if db is not None:
            self._close(db)

    def taken_writer(self, month: str) -> sqlite3.Connection | None:
        """The connection for writing a month, which the caller closes now."""
        kept = self._writers.pop(month, None)
        return kept[0] if kept is not None else None

    def must_take(self, month: str) -> None:
        """Raise Unavailable when the month has a file that cannot be opened or written."""
        path = events_month.path_of(self.folder, month)
        with self.reading(month, time.monotonic() + limits.QUERY_SECONDS_MAX):
            if path.exists() and not os.access(path, os.W_OK, effective_ids=True):
                raise not_opened(sqlite3.OperationalError("read-only"), path)

    def inode(self, month: str) -> int:
        """Which file has the month's name now; 0 when none has."""
        try:
            return events_month.path_of(self.folder, month).stat().st_ino
        except FileNotFoundError:
            return 0

    def set_aside(
        self,
        month: str,
        inode: int,
        error: sqlite3.Error,
        *,
        opened: sqlite3.Connection | None = None,
    ) -> None:
        """Rename a damaged file, unless somebody did; the month goes on in a new file.

        Closes the connection that met the damage. Raises Unavailable when nothing can be renamed.
        """
        path = events_month.path_of(self.folder, month)
        name = aside_name(path.name, inode)
        with names_change(self.folder):
            # While it is open, no new file can have got its inode.
            is_there = inode != 0 and self.inode(month) == inode
            if opened is not None:
                opened.close()
            if not is_there:
                return
            put_aside(path, self.folder / name)
            sync_folder(self.folder)
        counters.EVENT_FILES_SET_ASIDE.inc()
        log.error("event file set aside", file=path.name, now=name, reason=str(error))

    def remove(self, month: str) -> bool:
        """Delete a month and what was set aside of it; whether that could be done.

        Readers that have it open finish in peace.
        """
        self.drop_writer(month)
        path = events_month.path_of(self.folder, month)
        try:
            for gap in set_aside(self.folder):
                if gap.month == month:
                    drop(self.folder, gap)
            with names_change(self.folder):
                unlink(path)
        except (OSError, Unavailable) as error:  # somebody made a folder of that name
            log.error("event file not deleted", file=path.name, reason=str(error))
            return False
        sync_folder(self.folder)
        return True

    def drop_unfinished(self, before: datetime) -> None:
        """Delete what is left of processes that were killed while they made a month's file.

        None is making one, for that is done with `names_stay`; but some network disks lock no
        folder, so what changed after `before` stays. A second name of the finished month goes at
        once: with it the month's room would not be free when the month is deleted.
        """
        left = [name for name in os.listdir(self.folder) if _UNFINISHED.fullmatch(name)]
        if not left:
            return
        try:
            with names_change(self.folder):
                for name in left:
                    path = self.folder / name
                    with suppress(FileNotFoundError):
                        found = path.stat()
                        if found.st_nlink > 1 or found.st_mtime < before.timestamp():
                            path.unlink()
        except Unavailable as error:
            log.error("what is left of event files not deleted", reason=str(error))

    def remove_if_whole(self, month: str, inode: int, events: int) -> bool:
        """Delete a month if it still has so many events and no other process has it open.

        It leaves the WAL mode first: then there is one file, locked against everybody, and what
        somebody writes who waits for the lock fails, because the file has no name any more.
        """
        self.close()
        if self.inode(month) != inode:
            return False
        db, at = self.writer(month)
        try:
            if at != inode or not _is_single_file(db):
                return False
            db.execute("BEGIN EXCLUSIVE")
            if db.execute("SELECT events FROM tally").fetchone()[0] == events:
                events_month.path_of(self.folder, month).unlink()
                sync_folder(self.folder)
                return True
            db.execute("ROLLBACK")
            db.execute("PRAGMA journal_mode = WAL")
            return False
        except sqlite3.Error as error:
            raise unavailable(error, events_month.path_of(self.folder, month).name) from error
        finally:
            self.drop_writer(month)

    def size_bytes(self, month: str) -> int:
        """What the month takes on disk, with what was set aside of it."""
        path = events_month.path_of(self.folder, month)
        total = aside_bytes(self.folder, month)
        for ending in ("", "-wal"):
            with suppress(FileNotFoundError):
                total += os.stat(f"{path}{ending}").st_size
        return total

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            idle, self._idle = self._idle, []
        for reader in idle:
            self._close(reader.db)
        for month in list(self._writers):
            self.drop_writer(month)
