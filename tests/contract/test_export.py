"""Both stores give the same file for the same events, in every format; the command writes it."""

import gzip
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import Result
from elasticsearch import Elasticsearch
from sqlalchemy import select
from typer.testing import CliRunner

from cgii.base import limits
from cgii.base.errors import Invalid, NotFound, Unavailable
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.centre import build as build_centre
from cgii.cli.app import build
from cgii.model.event import Event
from cgii.model.records import AuditEntry
from cgii.report.event_lines import FORMATS
from cgii.store.events import EventQuery, open_events
from tests.event_oracle import NOON, make_event
from tests.make import make_entity


def _events() -> list[Event]:
    return [
        make_event(
            seq,
            at=NOON + timedelta(milliseconds=seq * 13 % 40, microseconds=seq),
            received_at=NOON + timedelta(days=seq % 2 * 20),
            original=f"=failed {seq}\nñ",
            ecs={
                "user.name": ["ana", "Root"][seq % 2],
                "source.ip": f"10.0.0.{seq % 9}",
                "event.category": "authentication",
                "host.name": "srv1",
                "log.level": "warning",
            },
            fields={"half": "a\ud800b", "huge": 2**70, "f": 1.5},
            entity_id=1 + seq % 2,
        )
        for seq in range(120)
    ]


@pytest.fixture
def centre(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Centre]:
    """A centre with the events, which the command will use."""
    made = build_centre(load(data=tmp_path / "data"))
    with made.database.transaction() as session:
        session.add(make_entity(session, id=1, code="0001"))
        session.add(make_entity(session, id=2, code="0002"))
    made.events.write(_events())
    monkeypatch.setenv("CGII_DATA", str(made.settings.data))
    yield made
    made.close()


def _run(*words: str) -> Result:
    return CliRunner().invoke(build("export"), ["export", *words])


def test_the_command_writes_what_was_asked_for(centre: Centre, tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    done = _run("--query", "failed", "--entity", "0002", "--output", str(path))
    assert done.exit_code == 0, done.output
    assert "60 eventos." in done.stderr
    lines = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert {line["entity_id"] for line in lines} == {2}
    order = [(line["@timestamp"][:23], line["id"]) for line in lines]  # to the millisecond
    assert order == sorted(order)
    done = _run("--query", "failed", "--entity", "0002")
    assert done.stdout_bytes == path.read_bytes()
    with centre.database.reading() as session:
        assert list(session.scalars(select(AuditEntry.action))) == ["events.exported"] * 2
    assert [one.name for one in tmp_path.iterdir() if one.name != "data"] == ["out.jsonl"]


def test_times_and_columns_are_chosen(centre: Centre) -> None:
    until = (NOON + timedelta(milliseconds=13)).isoformat()
    words = ("--format", "csv", "--fields", "@timestamp,source.ip", "--to", until)
    rows = _run(*words).stdout_bytes.decode("utf-8-sig").splitlines()
    early = [event for event in _events() if event.at < NOON + timedelta(milliseconds=13)]
    assert rows[0] == "@timestamp,source.ip"
    assert len(rows) == 1 + len(early)
    day = _run("--from", "2026-11-23")
    assert (day.exit_code, day.stdout_bytes) == (0, b"")


def test_a_month_that_was_set_aside_is_told_and_has_a_return_code(
    centre: Centre, tmp_path: Path
) -> None:
    centre.events.close()
    (tmp_path / "data" / "events" / "events-2026-12.sqlite").write_bytes(b"no database" * 900)
    assert centre.events.search(EventQuery()).events  # quietly, as another process may do it
    done = _run("--output", str(tmp_path / "out.jsonl"))
    assert (done.exit_code, "60 eventos." in done.stderr) == (3, True)
    assert "Faltan los eventos de 2026-12: su archivo está dañado" in done.stderr
    assert _run("--to", "2026-11-29").exit_code == 0


def test_unreadable_events_are_counted(centre: Centre, tmp_path: Path) -> None:
    db = sqlite3.connect(tmp_path / "data" / "events" / "events-2026-12.sqlite")
    db.execute("UPDATE document SET body = x'00' WHERE number IN (3, 7)")
    db.commit()
    db.close()
    done = _run("--output", str(tmp_path / "out.jsonl"))
    assert (done.exit_code, "118 eventos." in done.stderr) == (3, True)
    assert "Eventos dañados, que no se pudieron escribir: 2." in done.stderr


def test_a_packed_file_holds_the_same_and_is_the_same_each_time(
    centre: Centre, tmp_path: Path
) -> None:
    first, second = tmp_path / "a.ocsf.gz", tmp_path / "b.ocsf.gz"
    for path in (first, second):
        assert _run("--format", "ocsf", "--output", str(path)).exit_code == 0
    assert first.read_bytes() == second.read_bytes()
    assert gzip.decompress(first.read_bytes()) == _run("--format", "ocsf").stdout_bytes


def test_a_file_has_its_name_only_when_it_is_complete(
    centre: Centre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.jsonl"
    path.write_bytes(b"of yesterday")

    def broken(store: Any, query: EventQuery) -> Iterator[Event]:
        yield from map(make_event, range(50))
        raise Unavailable("El disco no responde.")

    monkeypatch.setattr(type(centre.events), "scan", broken)
    done = _run("--output", str(path))
    assert isinstance(done.exception, Unavailable)
    assert path.read_bytes() == b"of yesterday"
    assert [one.name for one in tmp_path.iterdir() if one.name != "data"] == ["out.jsonl"]


def test_what_is_wrong_is_told_before_a_file_is_begun(centre: Centre, tmp_path: Path) -> None:
    path = tmp_path / "out"
    for words, error in [
        (("--query", "a AND"), Invalid),
        (("--format", "xml"), Invalid),
        (("--fields", "a"), Invalid),
        (("--entity", "9999"), NotFound),
        (("--from", "yesterday"), Invalid),
        (("--from", "2026-11-23", "--to", "2026-11-22"), Invalid),
        (("--from", "2026-11-23", "--to", "2026-11-23T00:00"), Invalid),
        (("--to", "9999-12-31"), Invalid),
        (("--output", str(tmp_path / "none" / "out")), Invalid),
        (("--output", "/"), Invalid),
        (("--output", "."), Invalid),
        (("--output", ""), Invalid),
    ]:
        done = _run("--output", str(path), *words)
        assert isinstance(done.exception, error), words
    assert not path.exists()


@pytest.mark.elasticsearch
def test_both_stores_give_the_same_bytes(
    elastic_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCAN_PAGE_EVENTS", 7)
    monkeypatch.setattr(limits, "SCAN_ROWS", 9)
    files, indices = open_events("", tmp_path), open_events(elastic_url, tmp_path)
    files.write(_events())
    indices.write(_events())
    for text in ("", "failed", "user.name:ana", "half:a*", "NOT source.ip:10.0.0.0/30"):
        query = EventQuery(text, entity_ids=frozenset({1}) if text else None)
        for form, lines in FORMATS.items():
            made = b"".join(lines(files.scan(query)))
            assert made
            assert made == b"".join(lines(indices.scan(query))), (form, text)
    _is_what_the_index_keeps(
        elastic_url, b"".join(FORMATS["ecs"](files.scan(EventQuery("10.0.0.5"))))
    )
    files.close()
    indices.close()


def _is_what_the_index_keeps(url: str, made: bytes) -> None:
    server, _, prefix = url.rpartition("/")
    with Elasticsearch(server) as client:
        for line in made.splitlines():
            told = orjson.loads(line)
            found = client.search(
                index=f"{prefix}-events-*", query={"term": {"cgii.id": told["cgii"]["id"]}}
            )
            assert found["hits"]["hits"][0]["_source"] == told
