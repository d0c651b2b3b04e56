"""From a file to its verdict: the command, the jobs, the evidence's tile, the page of rules."""

import json
import os
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import pytest
from sqlalchemy import select

from cgii.cli.app import main
from cgii.model.alerts import AlertGroup
from cgii.model.evidence_scans import EvidenceScan
from cgii.model.incidents import Evidence, Incident
from cgii.model.people import Role, User
from cgii.model.records import Job
from cgii.respond.evidence import attach
from cgii.store import queue
from cgii.store.files import save
from cgii.worker import run_one
from tests.make import make_entity, make_incident, make_user
from tests.make_web import Pages, make_centre, make_pages
from tests.yara_samples import zipped

pytest.importorskip("yara", reason="yara-python is not installed")
SHELL = b"<?p" + b"hp sys" + b"tem($_GE" + b"T['x']); ?>"


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    """The pages of an empty centre with a site folder of its own."""
    (tmp_path / "site").mkdir()
    centre = make_centre(tmp_path / "data", site=tmp_path / "site")
    yield make_pages(centre)
    centre.close()


def keep(pages: Pages, data: bytes, name: str = "a.php", **given: object) -> tuple[int, str]:
    """A case with this file; the ids of the file and of the case."""
    stored = save(BytesIO(data), pages.centre.files_folder)
    with pages.centre.database.transaction() as session:
        incident = make_incident(session, **given)
        evidence = attach(pages.centre.act(session), stored, name, incident=incident)
        return evidence.id, incident.code


def work(pages: Pages) -> None:
    """Run every job that is due."""
    while run_one(pages.centre, "test"):
        pass


def last(pages: Pages, evidence_id: int) -> EvidenceScan:
    """The latest scan of a file."""
    with pages.centre.database.reading() as session:
        query = select(EvidenceScan).filter_by(evidence_id=evidence_id, is_latest=True)
        scan = session.scalars(query).one()
        list(scan.matches)
        return scan


def person(pages: Pages, role: Role = Role.ANALYST, **given: object) -> User:
    """An account."""
    with pages.centre.database.transaction() as session:
        return make_user(session, role, **given)


def run(*words: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """What the command ends with."""
    monkeypatch.setattr(sys, "argv", ["cgii", *words])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_says_what_it_found_and_ends_accordingly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "a.php").write_bytes(SHELL)
    (tmp_path / "web" / "b.txt").write_bytes(b"nada")
    (tmp_path / "c.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(30))

    assert run("yara", str(tmp_path / "web" / "b.txt"), monkeypatch=monkeypatch) == 0
    assert run("yara", str(tmp_path / "c.7z"), monkeypatch=monkeypatch) == 3
    assert run("yara", str(tmp_path / "falta"), monkeypatch=monkeypatch) == 3
    capfdbinary.readouterr()
    assert run("yara", str(tmp_path), "--json", "--stats", monkeypatch=monkeypatch) == 1

    out, err = capfdbinary.readouterr()
    verdicts = {Path(one["file"]).name: one for one in map(json.loads, out.splitlines())}
    assert {name: one["verdict"] for name, one in verdicts.items()} == {
        "a.php": "match", "b.txt": "clean", "c.7z": "unknown",
    }  # fmt: skip
    assert verdicts["a.php"]["matches"][0]["rule"] == "php_shell_runs_what_is_sent"
    assert "archivos 3 · coinciden 1 · sin coincidencias 1 · no se pudo saber 1" in err.decode()


def test_the_command_without_usable_rules_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.yar").write_text("rule rota {")
    words = ("yara", str(tmp_path), "--rules", str(tmp_path), "--no-builtin")
    assert run(*words, monkeypatch=monkeypatch) == 2
    told = capfd.readouterr().err
    assert "regla rechazada" in told
    assert "No hay ninguna regla de YARA que se pueda usar." in told


def test_a_pipe_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "tubo")
    assert run("yara", str(tmp_path), monkeypatch=monkeypatch) == 3


def test_a_kept_file_gets_its_verdict_by_itself(pages: Pages) -> None:
    evidence_id, code = keep(pages, zipped({"web/a.php": SHELL}), "sitio.zip")
    work(pages)
    scan = last(pages, evidence_id)
    assert (scan.outcome, scan.rules_version) == ("match", pages.centre.yara.sources().version)
    assert scan.matches[0].member == "web/a.php"

    text = pages.visit(person(pages)).get(f"/incidentes/{code}?ver=evidencias").text
    assert "Coincide" in text
    assert "Web shell en PHP que ejecuta lo que recibe" in text
    assert "Volver a analizar" in text


def test_a_file_of_100_megabytes_is_seen_whole(pages: Pages) -> None:
    data = b"0123456789abcdef" * (100 * 1024 * 1024 // 16 - 4)
    evidence_id, _ = keep(pages, data + SHELL, "grande.php")
    work(pages)
    scan = last(pages, evidence_id)
    assert (scan.outcome, scan.bytes_scanned) == ("match", len(data) + len(SHELL))


def test_a_new_rule_is_tried_on_old_evidence(pages: Pages) -> None:
    evidence_id, _ = keep(pages, b"texto con MARCA-7", "nota.txt")
    work(pages)
    assert last(pages, evidence_id).outcome == "clean"
    site = pages.centre.settings.site
    assert site is not None
    (site / "rules" / "yara").mkdir(parents=True)
    (site / "rules" / "yara" / "nueva.yar").write_text(
        'rule nueva { strings: $a = "MARCA-7" condition: $a }'
    )
    with pages.centre.database.transaction() as session:
        queue.enqueue(session, "rescan_evidence", now=pages.centre.clock())
    work(pages)
    scan = last(pages, evidence_id)
    assert (scan.outcome, [one.rule for one in scan.matches]) == ("match", ["nueva/nueva"])
    with pages.centre.database.transaction() as session:
        again = queue.enqueue(session, "rescan_evidence", now=pages.centre.clock())
    work(pages)
    with pages.centre.database.reading() as session:
        assert session.get_one(Job, again.id).result == {"files": 0}


def test_evidence_whose_file_is_gone_is_unknown(pages: Pages) -> None:
    evidence_id, _ = keep(pages, b"x")
    for path in pages.centre.files_folder.iterdir():
        path.unlink()
    work(pages)
    scan = last(pages, evidence_id)
    assert (scan.outcome, scan.reasons) == ("unknown", ["unreadable"])


def test_scans_in_parallel_keep_to_their_files(pages: Pages) -> None:
    ids = [keep(pages, SHELL if n % 2 else b"nada %d" % n)[0] for n in range(6)]
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda n: run_one(pages.centre, f"test{n}"), range(12)))
    work(pages)
    outcomes = [last(pages, one).outcome for one in ids]
    assert outcomes == ["match" if n % 2 else "clean" for n in range(6)]


def test_an_analyst_has_a_file_looked_into_again_and_shares_what_it_said(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        entity_id = make_entity(session).id
    reporter = person(pages, Role.REPORTER, entity_id=entity_id)
    evidence_id, code = keep(pages, SHELL, entity_id=entity_id, origin="notice")
    work(pages)
    analyst = pages.visit(person(pages))
    theirs = pages.visit(reporter)

    refused = analyst.post(f"/evidencias/{evidence_id}/compartir-resultado")
    assert refused.status_code == 409
    analyst.post(f"/incidentes/{code}/evidencias/{evidence_id}/compartir")
    case = theirs.get(f"/portal/casos/{code}").text
    assert "a.php" in case
    assert "Coincide" not in case

    assert analyst.post(f"/evidencias/{evidence_id}/analizar").status_code == 303
    assert "por analizar" in analyst.get(f"/incidentes/{code}?ver=evidencias").text
    work(pages)
    assert analyst.post(f"/evidencias/{evidence_id}/compartir-resultado").status_code == 303
    assert "Coincide" in theirs.get(f"/portal/casos/{code}").text


def test_a_second_entity_neither_sees_nor_scans(pages: Pages) -> None:
    evidence_id, _ = keep(pages, SHELL)
    work(pages)
    for role in (Role.REPORTER, Role.OFFICER, Role.MAE):
        stranger = pages.visit(person(pages, role))
        for deed in ("analizar", "compartir-resultado"):
            assert stranger.post(f"/evidencias/{evidence_id}/{deed}").status_code in (403, 404)
    auditor = pages.visit(person(pages, Role.AUDITOR))
    assert auditor.post(f"/evidencias/{evidence_id}/analizar").status_code == 403


def test_the_page_lists_families_what_they_found_and_what_was_refused(pages: Pages) -> None:
    keep(pages, SHELL)
    work(pages)
    site = pages.centre.settings.site
    assert site is not None
    (site / "rules" / "yara").mkdir(parents=True)
    (site / "rules" / "yara" / "rota.yar").write_text("rule rota {\n  condition: nada\n}\n")
    text = pages.visit(person(pages)).get("/reglas/yara").text
    assert "18 familias" in text
    assert "php_web_shells/" in text
    assert "php_shell_runs_what_is_sent" in text
    assert 'class="num">1<' in text
    assert "rota.yar:2" in text
    assert "undefined identifier" in text


def test_the_page_says_when_the_library_is_missing(
    pages: Pages, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cgii.web.pages import yara as page

    monkeypatch.setattr(page, "is_available", lambda: False)
    assert "Falta la biblioteca de YARA" in pages.visit(person(pages)).get("/reglas/yara").text


def test_nobody_of_an_entity_reads_the_rules(pages: Pages) -> None:
    assert pages.visit(person(pages, Role.OFFICER)).get("/reglas/yara").status_code == 403


def test_evidence_of_a_closed_case_is_still_told(pages: Pages) -> None:
    evidence_id, code = keep(pages, SHELL, closed_at=None)
    with pages.centre.database.transaction() as session:
        incident = session.scalars(select(Incident).filter_by(code=code)).one()
        incident.closed_at = pages.centre.clock()
    work(pages)
    assert last(pages, evidence_id).outcome == "match"
    with pages.centre.database.reading() as session:
        assert session.get_one(Evidence, evidence_id).withdrawn_at is None


def test_what_rules_find_in_a_closed_case_is_an_alert_that_leads_to_them(pages: Pages) -> None:
    evidence_id, code = keep(pages, SHELL)
    with pages.centre.database.transaction() as session:
        incident = session.scalars(select(Incident).where(Incident.code == code)).one()
        incident.closed_at = pages.centre.clock()
    work(pages)
    assert last(pages, evidence_id).outcome == "match"
    with pages.centre.database.reading() as session:
        group = session.scalars(select(AlertGroup)).one()

    analyst = pages.visit(person(pages))
    page = analyst.get(f"/alertas/{group.id}").text
    assert "YARA reconoce a.php" in page
    assert "Ya no está en vigor" not in page
    assert "por el sensor" not in page
    assert group.rule_id.startswith("yara.")
    led = analyst.get(f"/reglas/{group.rule_id}")
    assert (led.status_code, led.headers["location"]) == (303, "/reglas/yara")
    assert group.rule_title in analyst.get("/alertas").text
