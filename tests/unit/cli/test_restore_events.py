"""`cgii restore-events`: what a damaged month still has comes back, however it is damaged."""

import contextlib
import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cgii.base.errors import Invalid
from cgii.cli.app import build
from cgii.model.event import Event
from cgii.store.events import EventQuery, open_events
from cgii.store.events_aside import set_aside
from cgii.store.events_month import path_of
from cgii.store.events_salvage import Salvage
from tests.event_oracle import NOON, make_event

COUNT = 3_000
NAME = "events-2026-11.sqlite.damaged-7"


@pytest.fixture
def events() -> list[Event]:
    """A month of them, with long documents."""
    return [make_event(seq, original=f"line {seq} " + "x" * 300) for seq in range(COUNT)]


@pytest.fixture
def aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]) -> Path:
    """Their file, set aside whole in the folder of a centre."""
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    store = open_events("", tmp_path / "events")
    store.write(events)
    store.close()
    return path_of(tmp_path / "events", "2026-11").rename(tmp_path / "events" / NAME)


def _run(*words: str) -> Result:
    return CliRunner().invoke(build("restore-events"), ["restore-events", *words])


def _damage(path: Path, table: str, pages: int) -> None:
    """Overwrite leaf pages in the middle of a table."""
    db = sqlite3.connect(path)
    sql = "SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path"
    numbers = [row[0] for row in db.execute(sql, (table,))]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    with path.open("r+b") as file:
        for number in numbers[len(numbers) // 2 :][:pages]:
            file.seek((number - 1) * size)
            file.write(b"\xa5" * size)


def test_a_month_with_a_broken_full_text_comes_back_whole(
    aside: Path, tmp_path: Path, events: list[Event]
) -> None:
    db = sqlite3.connect(aside)
    db.execute("UPDATE words_data SET block = x'00' WHERE id < 100")
    db.commit()
    db.close()
    done = _run(NAME)
    assert done.exit_code == 0, done.output
    assert f"{COUNT} eventos leídos, {COUNT} devueltos, 0 ya estaban, 0 dañados" in done.stdout
    store = open_events("", tmp_path / "events")
    assert list(store.scan(EventQuery())) == events
    assert store.gaps(EventQuery())  # the file is still there
    again = _run(NAME, "--delete")
    assert f"0 devueltos, {COUNT} ya estaban" in again.stdout
    assert set_aside(tmp_path / "events") == []
    assert store.count(EventQuery("line")) == COUNT


@pytest.mark.parametrize("table", ["event", "document"])
def test_what_lies_around_damaged_pages_comes_back(
    aside: Path, tmp_path: Path, events: list[Event], table: str
) -> None:
    _damage(aside, table, 2)
    done = _run(str(aside))
    assert done.exit_code == 3, done.output
    store = open_events("", tmp_path / "events")
    back = store.get_many(event.id for event in events)
    assert COUNT // 2 < len(back) < COUNT
    assert f"{len(back)} devueltos, 0 ya estaban, {COUNT - len(back)} dañados" in done.stdout
    assert all(back[event.id] == event for event in events if event.id in back)
    assert {events[0].id, events[-1].id} <= back.keys()


def test_a_file_of_which_something_was_not_read_is_not_deleted(aside: Path, tmp_path: Path) -> None:
    _damage(aside, "document", 1)
    done = _run(NAME, "--delete")
    assert done.exit_code == 3, done.output
    assert aside.exists()
    assert f"{NAME} no se borra: para lo que falta, pruebe con `sqlite3 {aside} .recover`" in (
        done.output
    )
    with contextlib.closing(sqlite3.connect(tmp_path / "cgii.sqlite")) as db:
        sql = "SELECT data FROM audit_entry WHERE action = 'events.restored'"
        assert json.loads(db.execute(sql).fetchone()[0])["deleted"] is False


def test_a_file_that_lost_its_tally_is_not_called_whole(aside: Path) -> None:
    _damage(aside, "tally", 1)
    done = _run(NAME, "--delete")
    assert done.exit_code == 3, done.output
    assert f"{COUNT} devueltos, 0 ya estaban, 0 dañados" in done.stdout
    assert f"{NAME} ya no dice cuántos eventos tenía" in done.output
    assert aside.exists()


def test_each_damaged_stretch_counts_when_the_tally_is_lost(aside: Path) -> None:
    _damage(aside, "tally", 1)
    _damage(aside, "event", 2)
    done = _run(NAME)
    assert done.exit_code == 3, done.output
    assert "0 ya estaban, 1 dañados" in done.stdout


def test_the_file_is_left_as_it_was(aside: Path) -> None:
    before = aside.read_bytes()
    _run(NAME)
    assert aside.read_bytes() == before


def test_a_run_that_was_stopped_is_repeated(
    aside: Path, tmp_path: Path, events: list[Event]
) -> None:
    store = open_events("", tmp_path / "events")
    salvage = Salvage(aside)
    store.write(next(salvage.batches()))
    salvage.close()
    late = make_event(COUNT + 1, at=NOON + timedelta(minutes=3))
    assert store.write([late]) == 1  # the month goes on meanwhile
    assert "2000 devueltos, 1000 ya estaban" in _run(NAME).stdout
    assert store.count(EventQuery()) == COUNT + 1


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("nothing.sqlite",), "No existe el archivo"),
        (("note.txt",), "No se puede leer nada"),
        (("empty",), "No se puede leer nada"),
        (("cgii.sqlite",), "No se puede leer nada"),
        (("note.txt", "--delete"), "--delete solo borra"),
    ],
)
def test_what_is_no_file_of_events_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    (tmp_path / "note.txt").write_text("no database" * 900)
    (tmp_path / "empty").touch()
    sqlite3.connect(tmp_path / "cgii.sqlite").execute("CREATE TABLE x (y)").connection.close()
    done = _run(str(tmp_path / words[0]), *words[1:])
    assert isinstance(done.exception, Invalid)
    assert sentence in str(done.exception)
