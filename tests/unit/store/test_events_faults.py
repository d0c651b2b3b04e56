"""Troubles of a month's file: those that are its own for good, and those that will pass."""

import errno
import os
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cgii.base.errors import Unavailable
from cgii.store.events import EventQuery, open_events
from cgii.store.events_faults import Unusable, not_opened
from cgii.store.events_files import MonthFiles
from cgii.store.events_month import path_of
from tests.event_oracle import NOON, make_event


def failure(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("as SQLite says it")
    error.sqlite_errorcode = code
    error.sqlite_errorname = "SQLITE_TEST"
    return error


@pytest.mark.parametrize(
    "code",
    [
        sqlite3.SQLITE_IOERR_SHMSIZE,  # a full disk
        sqlite3.SQLITE_CANTOPEN,  # no descriptor was left for the file beside it
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_FULL,
    ],
)
def test_a_file_that_can_be_opened_is_waited_for(tmp_path: Path, code: int) -> None:
    path = tmp_path / "events-2026-10.sqlite"
    path.write_bytes(b"whole")
    assert not isinstance(not_opened(failure(code), path), Unusable)


def test_a_file_that_never_was_is_waited_for(tmp_path: Path) -> None:
    error = not_opened(failure(sqlite3.SQLITE_FULL), tmp_path / "events-2026-10.sqlite")
    assert not isinstance(error, Unusable)


def test_too_many_open_files_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_more(*_: Any, **__: Any) -> Any:
        raise OSError(errno.EMFILE, "Too many open files")

    path = tmp_path / "events-2026-10.sqlite"
    path.write_bytes(b"whole")
    monkeypatch.setattr(Path, "open", no_more)
    assert not isinstance(not_opened(failure(sqlite3.SQLITE_CANTOPEN), path), Unusable)


def test_what_nobody_may_open_or_read_is_passed_by(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forbidden(*_: Any, **__: Any) -> Any:
        raise PermissionError(errno.EACCES, "Permission denied")

    path = tmp_path / "events-2026-10.sqlite"
    path.write_bytes(b"whole")
    assert isinstance(not_opened(failure(sqlite3.SQLITE_IOERR_READ), path), Unusable)
    assert isinstance(not_opened(failure(sqlite3.SQLITE_CANTOPEN), tmp_path), Unusable)
    monkeypatch.setattr(Path, "open", forbidden)
    assert isinstance(not_opened(failure(sqlite3.SQLITE_CANTOPEN), path), Unusable)


class Full(sqlite3.Connection):
    """A connection whose file has no room for what stands in its log."""

    def execute(self, statement: str, *args: Any) -> sqlite3.Cursor:
        if "wal_checkpoint" in statement:
            raise failure(sqlite3.SQLITE_FULL)
        return super().execute(statement, *args)


def test_a_month_that_had_no_room_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_events("", tmp_path)
    real = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: real(*a, **k, factory=Full))
    with pytest.raises(Unavailable, match=r"events-2026-11\.sqlite"):
        store.write([make_event(1)])
    assert list(tmp_path.iterdir()) == []  # neither the half of a month nor what it was made of
    monkeypatch.undo()
    assert store.write([make_event(1)])
    assert store.count(EventQuery()) == 1
    store.close()


def test_a_question_that_ends_in_an_error_of_its_own_leaves_no_connection(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(1)])
    store.close()
    files = MonthFiles(tmp_path)
    kept = []

    def ask() -> None:
        with files.reading("2026-11", 1e12) as reader:
            assert reader is not None
            kept.append(reader.db)
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        ask()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        kept[0].execute("SELECT 1")
    files.close()


def test_names_of_no_month_are_no_files_of_ours(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(1)])
    for name in (
        "events-2026-13.sqlite",
        "events-2026-00.sqlite.damaged-7",
        "events-0000-01.sqlite",
    ):
        (tmp_path / name).write_bytes(b"junk")
    assert store.count(EventQuery(start=NOON - timedelta(days=1))) == 1
    assert store.gaps(EventQuery()) == ()
    store.close()


def test_what_is_set_aside_of_this_month_costs_no_other_its_place(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(1, at=NOON - timedelta(days=30))])
    store.write([make_event(2)])
    room = store.stats().size_bytes
    aside = Path(f"{path_of(tmp_path, '2026-11')}.damaged-5")
    aside.write_bytes(b"x" * 1_000_000)
    assert store.shrink(room, NOON) == 0
    assert store.count(EventQuery()) == 2
    assert store.shrink(room - 1, NOON) == 1
    assert aside.exists()
    store.close()


@pytest.mark.parametrize(
    ("code", "said"), [(errno.EROFS, "solo lectura"), (errno.ENOSPC, "no queda espacio")]
)
def test_a_damaged_file_that_cannot_be_renamed_is_told_and_stays_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    store, other = open_events("", tmp_path), open_events("", tmp_path)
    store.write([make_event(1)])
    assert other.count(EventQuery()) == 1
    path = path_of(tmp_path, "2026-11")
    with path.open("r+b") as file:
        file.write(b"this is no database")
    before = sorted(tmp_path.iterdir())
    rename = os.rename

    def renamed(source: str, target: str) -> None:
        if source == str(path):  # the last one, after what lies beside it
            raise OSError(code, os.strerror(code), source)
        rename(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("cgii.store.events_aside.os.rename", renamed)
        with pytest.raises(Unavailable, match=said):
            open_events("", tmp_path).count(EventQuery())
    assert sorted(tmp_path.iterdir()) == before

    assert open_events("", tmp_path).count(EventQuery()) == 0
    assert len(open_events("", tmp_path).stats().set_aside) == 1
