"""What `cgii doctor` says about the events, their files, and the broker."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cgii.cli.app import build
from cgii.store.events import open_events
from tests.event_oracle import make_event
from tests.ports import free_port


@pytest.mark.parametrize(
    ("keep_gib", "sentence"),
    [
        ("0", "bien   eventos: 1 guardados (SQLite)\n"),
        ("2", "bien   eventos: 1 guardados (SQLite), 0.0 de 2 GiB\n"),
        ("0.00001", "FALTA  eventos: 1 guardados (SQLite), 0.0 de 1e-05 GiB: la tarea"),
    ],
)
def test_the_room_for_events_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, keep_gib: str, sentence: str
) -> None:
    store = open_events("", tmp_path / "events")
    store.write([make_event(1)])
    store.close()
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    monkeypatch.setenv("CGII_EVENTS_KEEP_GIB", keep_gib)
    assert sentence in CliRunner().invoke(build("doctor"), ["doctor"]).output


def test_a_file_of_events_that_cannot_be_used_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "events" / "events-2026-08.sqlite").mkdir(parents=True)
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    told = CliRunner().invoke(build("doctor"), ["doctor"]).output
    assert "FALTA  eventos: 0 guardados (SQLite); no se pueden usar" in told
    assert "events-2026-08.sqlite" in told


def test_a_broker_that_does_not_answer_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    monkeypatch.setenv("CGII_BROKER", f"amqp://u:TopSecret@127.0.0.1:{free_port()}//")
    told = CliRunner().invoke(build("doctor"), ["doctor"])
    assert "FALTA  tareas: No se puede usar RabbitMQ (" in told.output
    assert "TopSecret" not in told.output
    assert told.exit_code == 1
