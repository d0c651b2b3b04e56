"""Events move from files into Elasticsearch whole, also when the move is killed in the middle."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from cgii.base import limits
from cgii.base.errors import Invalid, Unavailable
from cgii.cli.app import build
from cgii.cli.move_events import FILE_NAME
from cgii.model.event import Event
from cgii.store.events import EventQuery, EventStore, open_events
from cgii.store.events_move import Comparison, Marks, Move
from tests.event_oracle import NOON, make_event
from tests.ports import free_port

PATIENCE_SECONDS = 240


def _events(count: int) -> list[Event]:
    """Events of two months of receipt, with values that a careless copy would change."""
    return [
        make_event(
            seq,
            received_at=NOON + timedelta(days=seq % 2 * 20, microseconds=seq),
            ecs={"user.name": ["Ana", "Sesión"], "source.port": seq},
            fields={"f": 1.5, "deep": {"a": [1, None]}, "huge": 2**63},
            original=f"line {seq} ñ\x07",
            notes=("year",),
        )
        for seq in range(count)
    ]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of data with two months of events in files."""
    files = open_events("", tmp_path / "events")
    files.write(_events(60))
    files.close()
    return tmp_path


@pytest.fixture
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventStore]:
    """A store to move into; any kind serves where no process is killed."""
    store = open_events("", tmp_path_factory.mktemp("target"))
    yield store
    store.close()


def _move(data: Path, target: EventStore) -> tuple[Move, dict[str, Comparison]]:
    move = Move(data / "events", target, Marks(data / FILE_NAME, "target"))
    found = {}
    for month in move.months():
        list(move.copy(month))
        found[month] = Comparison(month)
        list(move.compare(month, found[month]))
    return move, found


def test_every_event_arrives_as_it_was(data: Path, target: EventStore) -> None:
    move, found = _move(data, target)
    assert {month: one.events for month, one in found.items()} == {"2026-11": 30, "2026-12": 30}
    assert all(one.is_whole for one in found.values())
    assert target.get_many(event.id for event in _events(60)) == {
        event.id: event for event in _events(60)
    }
    assert move.delete(found["2026-11"])
    assert list(move.months()) == ["2026-12"]
    move.close()


def test_a_batch_that_was_copied_is_not_read_again(
    data: Path, target: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BULK_DOCUMENTS_MAX", 10)
    first = Move(data / "events", target, Marks(data / FILE_NAME, "target"))
    assert next(first.copy("2026-11")) == 10
    assert next(first.copy("2026-11")) == 10
    first.close()
    again = Move(data / "events", target, Marks(data / FILE_NAME, "target"))
    assert list(again.copy("2026-11")) == [10]
    other = Move(data / "events", target, Marks(data / FILE_NAME, "another target"))
    assert list(other.copy("2026-11")) == [10, 10, 10]
    again.close()
    other.close()


def test_what_is_missing_or_changed_is_told_and_nothing_is_deleted(
    data: Path, target: EventStore
) -> None:
    kept = _events(60)
    target.write([replace(kept[0], original="changed")])
    target.write([replace(kept[2], received_at=kept[2].received_at + timedelta(hours=1))])
    move = Move(data / "events", target, Marks(data / FILE_NAME, "target"))
    lost = iter(move.copy("2026-11"))
    next(lost)
    target.prune(NOON + timedelta(days=90))
    target.write([replace(kept[0], original="changed"), *kept[4:60:2]])
    found = Comparison("2026-11")
    list(move.compare("2026-11", found))
    assert (found.events, found.missing, found.different, found.found) == (30, 1, 1, 29)
    assert set(found.ids) == {kept[0].id, kept[2].id}
    assert not move.delete(found)
    assert list(move.copy("2026-11")) == [30]  # from the beginning
    move.close()


def test_a_damaged_event_stops_no_move_and_keeps_its_month(data: Path, target: EventStore) -> None:
    db = sqlite3.connect(data / "events" / "events-2026-11.sqlite")
    db.execute("UPDATE document SET body = x'00' WHERE number = 7")
    db.commit()
    db.close()
    move, found = _move(data, target)
    assert (found["2026-11"].events, found["2026-11"].unreadable) == (29, 1)
    assert [move.delete(one) for one in found.values()] == [False, True]
    move.close()


def test_a_record_that_its_sensor_sent_again_is_there(data: Path, target: EventStore) -> None:
    again = [replace(one, received_at=one.received_at + timedelta(hours=1)) for one in _events(60)]
    target.write(again)
    _, found = _move(data, target)
    assert all(one.is_whole for one in found.values())
    assert sum(one.again for one in found.values()) == 60


def test_a_month_that_got_more_since_is_not_deleted(data: Path, target: EventStore) -> None:
    move, found = _move(data, target)
    late = open_events("", data / "events")
    late.write([make_event(1_000)])
    late.close()
    assert not move.delete(found["2026-11"])
    assert move.delete(found["2026-12"])
    move.close()


def test_a_month_that_another_process_has_open_is_not_deleted(
    data: Path, target: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "STORE_WAIT_SECONDS", 0.1)
    move, found = _move(data, target)
    writer = open_events("", data / "events")
    writer.write(_events(1))  # nothing new: the count stays
    assert not move.delete(found["2026-11"])
    writer.write([make_event(1_000)])
    writer.close()
    assert list(move.months()) == ["2026-11", "2026-12"]
    assert not move.delete(found["2026-11"])
    move.close()
    again = open_events("", data / "events")
    assert again.write([make_event(1_001)]) == 1
    assert again.stats().events == 62
    again.close()


def test_a_month_with_refused_events_is_told_and_not_deleted(
    data: Path, target: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = _events(60)[4].id
    monkeypatch.setattr(target, "refused", lambda ids: {lost}.intersection(ids))
    move, found = _move(data, target)
    assert (found["2026-11"].refused, found["2026-11"].is_whole) == (1, True)
    assert not move.delete(found["2026-11"])
    assert move.delete(found["2026-12"])
    move.close()


@pytest.fixture(
    params=[
        b'{"target": "tar',
        b"[]",
        b'{"months": 1}',
        b'{"target": "target", "months": {"2026-11": 1}}',
        b'{"target": "target", "months": {"2026-11": [1]}}',
    ]
)
def damaged(request: pytest.FixtureRequest, data: Path) -> Path:
    """A file of marks that somebody edited, or a disk lost."""
    path = data / FILE_NAME
    path.write_bytes(request.param)
    return path


@pytest.mark.usefixtures("damaged")
def test_a_damaged_mark_begins_anew(data: Path, target: EventStore) -> None:
    _, found = _move(data, target)
    assert all(one.is_whole for one in found.values())
    assert not Marks(data / FILE_NAME, "target").is_damaged


def test_a_damaged_mark_is_told(damaged: Path, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CGII_DATA", str(data))
    monkeypatch.setenv("CGII_EVENTS", f"http://127.0.0.1:{free_port()}/cgii")
    done = _run()
    assert f"{damaged.name} está dañado" in done.stderr
    assert isinstance(done.exception, Unavailable)


def _run(*words: str) -> Result:
    return CliRunner().invoke(build("move-events"), ["move-events", *words])


def test_the_settings_must_name_a_target(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CGII_DATA", str(data))
    monkeypatch.setenv("CGII_EVENTS", "")
    assert isinstance(_run().exception, Invalid)


@pytest.mark.elasticsearch
def test_a_move_that_is_killed_goes_on_and_loses_nothing(
    elastic_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = _events(12_000)
    files = open_events("", tmp_path / "events")
    files.write(events)
    files.close()
    environment = os.environ | {"CGII_DATA": str(tmp_path), "CGII_EVENTS": elastic_url}
    command = [sys.executable, "-m", "cgii", "move-events"]
    _kill_in_the_middle(command, environment, tmp_path / FILE_NAME)
    store = open_events(elastic_url, tmp_path)
    assert 0 < store.count(EventQuery()) < len(events)

    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2026-11: 6000 eventos, 6000 en el destino" in done.stdout
    assert not (tmp_path / FILE_NAME).exists()
    files = open_events("", tmp_path / "events")
    assert list(store.scan(EventQuery())) == list(files.scan(EventQuery()))
    files.close()

    _lose_one(store, elastic_url, monkeypatch, tmp_path)
    store.close()


def _kill_in_the_middle(command: list[str], environment: dict[str, str], marks: Path) -> None:
    process = subprocess.Popen(command, env=environment)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not marks.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def _lose_one(store: EventStore, url: str, monkeypatch: pytest.MonkeyPatch, data: Path) -> None:
    """With a month lost from the target between copy and comparison the command fails."""
    monkeypatch.setenv("CGII_DATA", str(data))
    monkeypatch.setenv("CGII_EVENTS", url)
    whole = Move.copy

    def lossy(move: Move, month: str) -> Iterator[int]:
        yield from whole(move, month)
        store.prune(NOON + timedelta(days=20))

    monkeypatch.setattr(Move, "copy", lossy)
    done = _run("--delete")
    assert done.exit_code == 1
    assert "faltan 6000" in done.stdout
    assert "2026-12: borrado de los archivos" in done.stdout
    monkeypatch.setattr(Move, "copy", whole)
    done = _run("--delete")
    assert done.exit_code == 0, done.output
    assert "2026-11: borrado de los archivos" in done.stdout
    assert store.count(EventQuery()) == 12_000
    assert not list((data / "events").glob("*.sqlite"))
