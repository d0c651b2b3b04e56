"""Rejects are read again once their definition is mended: the same identity, once, with alerts."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient
from typer.testing import CliRunner

from cgii.base import limits
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.centre import build as build_centre
from cgii.cli.app import build
from cgii.model.event import Origin, Raw
from cgii.model.people import Role
from cgii.model.records import AuditEntry, Reject, Sensor, SourceVolume
from cgii.pipeline import take
from cgii.replay import Replay, replay_rejects
from cgii.store.event_shapes import EventQuery
from cgii.worker import run_one
from tests.make import NOW, make_user
from tests.make_web import make_pages

HEAD = """\
name: tramites
title: Trámites
description: Ingresos al sistema de trámites.
parser: patterns
time: [{field: hora, format: iso}]
logsource: {product: linux, service: sshd}
ecs:
  source.ip: {from: ip, as: ip}
patterns:
"""
OLD = "  - {name: a, regex: '^(?P<hora>\\S+) INGRESO (?P<ip>\\S+)$'}\n"
NEW = OLD + "  - {name: b, regex: '^(?P<hora>\\S+) SALIDA (?P<ip>\\S+) ?(?P<rest>.*)$'}\n"
RULE = """\
title: Salida prohibida
id: salida-prohibida
logsource: {product: linux, service: sshd}
detection: {s: {ip: 203.0.113.9}, condition: s}
level: high
"""
TIME = "2026-11-20T10:00:00-04:00"
LINES = [
    f"{TIME} INGRESO 203.0.113.7",
    f"{TIME} SALIDA 203.0.113.9",
    f"{TIME} OTRA COSA",
    "",
    f"{TIME} SALIDA 203.0.113.8 ñ{'x' * limits.REJECT_SAMPLE_CHARS_MAX}",
    f"{TIME} SALIDA 203.0.113.8 {'ñ' * 2_500}",
]
ORIGIN = Origin("tramites", "file:/var/log/tramites", "1")


def write(site: Path, patterns: str) -> None:
    (site / "collectors").mkdir(parents=True, exist_ok=True)
    (site / "collectors" / "tramites.yml").write_text(HEAD + patterns)
    (site / "rules" / "sigma").mkdir(parents=True, exist_ok=True)
    (site / "rules" / "sigma" / "salida.yml").write_text(RULE)


def begin(folder: Path, site: Path) -> Centre:
    """A centre as the command would begin it."""
    centre = build_centre(load(data=folder / "data", site=site))
    centre.clock = lambda: NOW
    return centre


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return tmp_path / "site"


@pytest.fixture
def mended(tmp_path: Path, site: Path) -> Iterator[Centre]:
    """A centre that refused some records by the old definition, begun again with the new one."""
    write(site, OLD)
    before = begin(tmp_path, site)
    raws = [Raw(number, line.encode()) for number, line in enumerate(LINES)]
    assert take(before, ORIGIN, raws).rejects == 5
    before.close()
    write(site, NEW)
    centre = begin(tmp_path, site)
    yield centre
    centre.close()


def left(centre: Centre) -> list[tuple[int, str]]:
    with centre.database.reading() as session:
        rows = session.execute(select(Reject.seq, Reject.reason).order_by(Reject.seq))
        return [(seq, reason) for seq, reason in rows]


def test_what_is_understood_now_becomes_an_event_with_its_alerts(mended: Centre) -> None:
    told = replay_rejects(mended, "tramites")

    reasons = {"no pattern fits": 1}
    assert told == Replay(read=2, refused=1, not_whole=2, alerts=1, reasons=reasons)
    assert left(mended) == [(2, "no pattern fits"), (3, "empty"), (4, "no pattern fits")]
    assert mended.events.stats().events == 3
    with mended.database.reading() as session:
        volume = session.scalars(select(SourceVolume)).one()
    assert (volume.event_count, volume.reject_count) == (3, 3)


def test_rejects_that_an_older_version_named_otherwise_are_read_too(mended: Centre) -> None:
    with mended.database.transaction() as session:
        for row in session.scalars(select(Reject)):
            row.id = f"{row.seq:031x}f"

    assert replay_rejects(mended, "tramites").read == 2
    assert [seq for seq, _ in left(mended)] == [2, 3, 4]
    assert replay_rejects(mended, "tramites").read == 0
    assert mended.events.stats().events == 3


def test_a_second_time_changes_nothing(mended: Centre) -> None:
    replay_rejects(mended, "tramites")
    told = replay_rejects(mended, "tramites")

    assert (told.read, told.alerts, mended.events.stats().events) == (0, 0, 3)


def falls(*given: object, **more: object) -> None:
    raise KeyboardInterrupt


def test_what_was_stored_before_a_fall_is_not_stored_twice(
    mended: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process ends between the two stores: the rejects are still there, and are read again."""
    with monkeypatch.context() as patch:
        patch.setattr("cgii.replay.examine", falls)
        with pytest.raises(KeyboardInterrupt):
            replay_rejects(mended, "tramites")
    assert len(left(mended)) == 5

    assert replay_rejects(mended, "tramites").alerts == 1
    assert mended.events.stats().events == 3


def test_only_the_asked_reason_and_source_are_read(mended: Centre) -> None:
    assert replay_rejects(mended, "tramites", reason="empty") == Replay(not_whole=1)
    assert replay_rejects(mended, "syslog") == Replay()
    assert len(left(mended)) == 5


def test_many_are_read_in_parts_and_counted_for_their_sensor(
    tmp_path: Path, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REPLAY_BATCH", 7)
    write(site, OLD)
    centre = begin(tmp_path, site)
    with centre.database.transaction() as session:
        session.add(Sensor(id=1, name="s", token_hash="x", created_at=NOW))
    origin = Origin("tramites", "sensor:1/tramites", "1", sensor_id=1)
    lines = [f"{TIME} SALIDA 192.0.2.{number}".encode() for number in range(50)]
    take(centre, origin, [Raw(number, line) for number, line in enumerate(lines)])
    centre.close()
    write(site, NEW)
    centre = begin(tmp_path, site)

    assert replay_rejects(centre, "tramites").read == 50
    with centre.database.reading() as session:
        sensor = session.get_one(Sensor, 1)
        assert (sensor.event_count, sensor.reject_count, sensor.heard_at) == (50, 0, NOW)
        assert session.scalar(select(func.count()).select_from(Reject)) == 0
    centre.close()


def test_the_command_says_what_it_did_and_leaves_a_trace(
    mended: Centre, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGII_DATA", str(mended.settings.data))
    monkeypatch.setenv("CGII_SITE", str(site))

    def run(*words: str) -> tuple[int, str, BaseException | None]:
        done = CliRunner().invoke(build("replay-rejects"), ["replay-rejects", *words])
        return done.exit_code, done.output, done.exception

    code, output, _ = run("tramites")
    assert code == 0
    assert "tramites: 2 leídos, 1 siguen rechazados, 1 alertas." in output
    assert "Ningún patrón de la fuente lo reconoce: 1" in output
    assert "2 no se guardaron enteros" in output
    told = json.loads(run("tramites", "--json")[1])
    assert (told["read"], told["refused"], told["not_whole"]) == (0, 1, 2)
    with mended.database.reading() as session:
        assert "rejects.replayed" in session.scalars(select(AuditEntry.action)).all()
    assert "No existe la fuente nada" in str(run("nada")[2])
    assert "No existe el motivo x" in str(run("tramites", "--reason", "x")[2])


def test_a_replayed_line_has_the_address_of_its_sender(tmp_path: Path, site: Path) -> None:
    write(site, OLD)
    before = begin(tmp_path, site)
    line = f"{TIME} SALIDA x".encode()
    peers = ("198.51.100.7", "/var/log/tr\udce1mites\0.log:12", "")
    take(before, ORIGIN, [Raw(number, line, peer) for number, peer in enumerate(peers)])
    before.close()
    write(site, NEW)
    centre = begin(tmp_path, site)

    assert replay_rejects(centre, "tramites").read == 3
    found = centre.events.search(EventQuery(text="source:tramites")).events
    seen = {event.ecs.get("log.source.address") for event in found}
    assert seen == {"198.51.100.7", None}
    assert {event.ecs.get("log.file.line") for event in found} == {12, None}
    centre.close()


def test_a_replay_says_how_far_it_is_and_stops_when_asked(
    mended: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "REPLAY_BATCH", 2)
    said: list[tuple[int, str]] = []

    def stop_at_the_second(percent: int, text: str) -> bool:
        said.append((percent, text))
        return len(said) == 2

    told = replay_rejects(mended, "tramites", progress=stop_at_the_second)
    assert said == [(0, "0 de 5 rechazos"), (40, "2 de 5 rechazos")]
    assert told.is_stopped
    assert told.sentence().startswith("Se detuvo antes del final: ")

    replay_rejects(mended, "tramites")
    assert mended.events.stats().events == 3


# --- the button ---------------------------------------------------------------------------------
def enter(centre: Centre, role: Role) -> TestClient:
    with centre.database.transaction() as session:
        user = make_user(session, role)
    return make_pages(centre).visit(user)


def test_the_button_reads_them_again_by_the_definition_of_now(tmp_path: Path, site: Path) -> None:
    write(site, OLD)
    centre = begin(tmp_path, site)
    take(centre, ORIGIN, [Raw(number, line.encode()) for number, line in enumerate(LINES)])
    write(site, NEW)  # mended while the centre goes on
    coordinator = enter(centre, Role.COORDINATOR)
    assert "/fuentes/tramites/releer" in coordinator.get("/fuentes/tramites").text

    place = coordinator.post("/fuentes/tramites/releer").headers["location"]
    assert "En espera de turno" in coordinator.get(place).text
    assert run_one(centre, "test")
    text = coordinator.get(place).text
    assert "2 leídos, 1 siguen rechazados, 1 alertas. 2 no se guardaron enteros" in text
    assert 'href="/fuentes/tramites"' in text
    with centre.database.reading() as session:
        entries = session.execute(select(AuditEntry.action, AuditEntry.actor))
        trail = [tuple(row) for row in entries if row.action.startswith("rejects")]
    assert [action for action, _ in trail] == ["rejects.replay_asked", "rejects.replayed"]
    assert len({actor for _, actor in trail}) == 1, "the one who asked did it"
    centre.close()


def test_the_button_is_pressed_twice_and_works_once(mended: Centre) -> None:
    coordinator = enter(mended, Role.COORDINATOR)
    first = coordinator.post("/fuentes/tramites/releer").headers["location"]
    assert coordinator.post("/fuentes/tramites/releer").headers["location"] == first

    other = enter(mended, Role.ADMINISTRATOR).post("/fuentes/tramites/releer")
    assert other.headers["location"] == "/fuentes/tramites"


def test_another_reason_is_told_to_wait_and_is_not_said_to_be_asked(mended: Centre) -> None:
    coordinator = enter(mended, Role.COORDINATOR)
    first = coordinator.post("/fuentes/tramites/releer", data={"reason": "empty"})
    second = coordinator.post("/fuentes/tramites/releer", data={"reason": "no pattern fits"})

    assert second.headers["location"] == first.headers["location"]
    assert "otro motivo" in unquote(second.headers["set-cookie"])
    with mended.database.reading() as session:
        asked = select(AuditEntry.action).where(AuditEntry.action == "rejects.replay_asked")
        assert len(session.scalars(asked).all()) == 1


def test_a_button_for_nothing_is_refused(mended: Centre) -> None:
    coordinator = enter(mended, Role.COORDINATOR)
    asked = {"/fuentes/tramites/releer": {"reason": "x"}, "/fuentes/ninguna/releer": {}}

    answers = [coordinator.post(path, data=data).status_code for path, data in asked.items()]
    assert answers == [422, 404]
    analyst = enter(mended, Role.ANALYST)
    assert analyst.post("/fuentes/tramites/releer").status_code == 403
    assert "releer" not in analyst.get("/fuentes/tramites").text
