"""`cgii restore-events`: what a damaged month still has comes back, however it is damaged."""

import contextlib
import json
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cgii.base.errors import Invalid, Unavailable
from cgii.cli.app import build
from cgii.model.event import Event
from cgii.store.events import EventQuery, open_events
from cgii.store.events_aside import set_aside
from cgii.store.events_month import path_of
from cgii.store.events_salvage import Salvage
from tests.event_oracle import NOON, make_event
from tests.ports import free_port
from tests.unit.cli.test_read_only import bound_by_modes

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


def _as_stored(position: int) -> bytes:
    """The nine bytes that SQLite makes of a large key."""
    value = position % 2**64
    heads = (value >> 8 + 7 * place & 0x7F | 0x80 for place in reversed(range(8)))
    return bytes([*heads, value & 0xFF])


def _misplace(path: Path, number: int, position: int) -> None:
    """Change the position of one row, where it is."""
    db = sqlite3.connect(path)
    sql = "SELECT position FROM event ORDER BY position LIMIT 1 OFFSET ?"
    (before,) = db.execute(sql, (number,)).fetchone()
    db.close()
    _replace(path, "event", _as_stored(before), _as_stored(position))


def _replace(path: Path, table: str, old: bytes, new: bytes) -> None:
    """Change bytes in the pages of a table or index; in free space of a page, too."""
    db = sqlite3.connect(path)
    numbers = [row[0] for row in db.execute("SELECT pageno FROM dbstat WHERE name = ?", (table,))]
    size = db.execute("PRAGMA page_size").fetchone()[0]
    db.close()
    content = path.read_bytes()
    with path.open("r+b") as file:
        for begin in ((number - 1) * size for number in numbers):
            file.seek(begin)
            file.write(content[begin : begin + size].replace(old, new))
    assert path.read_bytes() != content


def test_on_a_terminal_it_shows_how_far_it_is(
    aside: Path, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")

    done = _run(NAME)

    assert done.exit_code == 0, done.output
    assert "se leen" in done.stderr
    assert f"{len(events):,}" in done.stderr


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


@pytest.mark.parametrize("position", [2**61, 2**63 - 1, -(2**63)])
@pytest.mark.parametrize("index", [True, False])
def test_a_damaged_position_hides_no_event(aside: Path, position: int, index: bool) -> None:
    _misplace(aside, COUNT // 3 + 1, position)
    if not index:
        _damage(aside, "sqlite_autoindex_event_1", COUNT)
    done = _run(NAME)
    assert done.exit_code == 0, done.output
    assert f"{COUNT} devueltos, 0 ya estaban, 0 dañados" in done.stdout


@pytest.mark.parametrize("position", [2**61, 2**63 - 1, -(2**63)])
def test_a_damaged_position_and_damaged_pages_after_it_hide_no_more_than_their_own(
    aside: Path, tmp_path: Path, events: list[Event], position: int
) -> None:
    _misplace(aside, COUNT // 3 + 1, position)
    _damage(aside, "event", 2)
    assert _run(NAME).exit_code == 3
    back = open_events("", tmp_path / "events").get_many(event.id for event in events)
    assert len(back) > COUNT * 0.8
    assert events[-1].id in back


def test_a_position_past_every_other_before_damaged_pages_is_no_traceback(aside: Path) -> None:
    _damage(aside, "sqlite_autoindex_event_1", COUNT)
    _misplace(aside, COUNT // 3 + 1, 2**63 - 1)
    _damage(aside, "event", 2)
    done = _run(NAME)
    assert done.exit_code == 3, done.output


def test_an_event_whose_id_is_damaged_is_not_stored_twice(
    aside: Path, tmp_path: Path, events: list[Event]
) -> None:
    row = bytes.fromhex(events[70].id) + b"linux_auth"
    store = open_events("", tmp_path / "events")
    store.write(events)
    _replace(aside, "event", row, bytes([row[0] ^ 1]) + row[1:])
    done = _run(NAME)
    assert done.exit_code == 3, done.output
    assert f"0 devueltos, {COUNT - 1} ya estaban, 1 dañados" in done.stdout
    assert f"{NAME}: 1 de los dañados no se devuelven porque su identificador" in done.output
    assert store.count(EventQuery()) == COUNT


def test_a_damaged_index_of_ids_makes_no_event_a_damaged_one(
    aside: Path, events: list[Event]
) -> None:
    key = sorted(bytes.fromhex(event.id) for event in events)[COUNT // 2]
    _replace(aside, "sqlite_autoindex_event_1", key, b"\xff" * 16)
    done = _run(NAME)
    assert done.exit_code == 0, done.output
    assert f"{COUNT} devueltos, 0 ya estaban, 0 dañados" in done.stdout


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


def test_a_file_that_may_not_be_read_is_told(aside: Path) -> None:
    aside.chmod(0)
    with bound_by_modes():
        done = _run(NAME)
    assert isinstance(done.exception, Invalid)
    assert f"No se puede abrir {aside}: compruebe" in str(done.exception)


@pytest.mark.parametrize(
    ("events", "words", "sentence"),
    [
        ("", ("cgii-refused",), "CGII_EVENTS no nombra un Elasticsearch"),
        ("", ("./cgii-refused",), "No existe el archivo cgii-refused"),
        ("http://127.0.0.1:{port}/cgii", ("otro-refused",), "está en cgii-refused, no en otro-re"),
        ("http://127.0.0.1:{port}/cgii", ("cgii-refused", "--delete"), "--delete es para archivos"),
    ],
)
def test_an_index_that_is_not_the_centres_is_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    events: str,
    words: tuple[str, ...],
    sentence: str,
) -> None:
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    monkeypatch.setenv("CGII_EVENTS", events.format(port=free_port()))
    done = _run(*words)
    assert isinstance(done.exception, Invalid)
    assert sentence in str(done.exception)


def test_a_server_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    monkeypatch.setenv("CGII_EVENTS", f"http://127.0.0.1:{free_port()}/cgii")
    done = _run("cgii-refused")
    assert isinstance(done.exception, Unavailable)
    assert "Elasticsearch no responde" in str(done.exception)


def test_doctor_names_the_command(aside: Path) -> None:
    told = CliRunner().invoke(build("doctor"), ["doctor"]).output
    assert f"apartados: {aside.name}: corregida la causa" in told
    assert f"`cgii restore-events {aside.name}`" in told
