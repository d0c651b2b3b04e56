"""Reports: seen now, made in the background and kept with their hash, never beyond their TLP."""

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.jobs import JOBS, JobContext
from cgii.model.people import Role, User
from cgii.model.records import Job
from cgii.store import queue
from tests.make import NOW, make_incident, make_user
from tests.make_measures import make_small_year
from tests.make_web import Pages, make_centre, make_pages


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    centre = make_centre(tmp_path / "data")
    centre.clock = lambda: NOW
    with centre.database.transaction() as session:
        make_small_year(session)
    yield make_pages(centre)
    centre.close()


def enter(pages: Pages, role: Role = Role.MANAGEMENT) -> TestClient:
    return pages.visit(person(pages, role))


def person(pages: Pages, role: Role) -> User:
    with pages.centre.database.transaction() as session:
        return make_user(session, role)


def run_jobs(pages: Pages) -> None:
    """What a worker does with the reports that wait."""
    with pages.centre.database.reading() as session:
        waiting = session.scalars(select(Job).where(Job.name == "make_report")).all()
    for job in waiting:
        context = JobContext(
            job.id, NOW, lambda percent, text: False, job.created_at, job.created_by_id
        )
        result = JOBS["make_report"].function(pages.centre, context, **job.arguments)
        with pages.centre.database.transaction() as session:
            leased = queue.lease(session, "test", now=NOW, only_id=job.id)
            assert leased is not None
            queue.finish(session, job.id, "test", now=NOW, result=result)


def test_what_can_be_produced_is_listed_with_its_parts(pages: Pages) -> None:
    text = enter(pages).get("/informes").text

    for report in pages.centre.content.reports.values():
        assert report.title in text
    assert 'value="2026-10" selected' in text  # the month that is over
    assert "Todavía no se produjo ningún documento" in text


def test_a_report_is_seen_with_its_own_style_and_nothing_else(pages: Pages) -> None:
    answer = enter(pages).get("/informes/monthly/ver?periodo=2026-T3")

    assert answer.status_code == 200
    assert "tercer trimestre de 2026" in answer.text
    policy = answer.headers["content-security-policy"]
    assert "script-src" not in policy
    assert "default-src 'none'" in policy
    assert "sandbox" in policy


def test_the_report_says_the_boards_numbers(pages: Pages) -> None:
    browser = enter(pages)
    panels = browser.get("/api/v1/boards/goals?periodo=2026").json()["panels"]
    document = browser.get("/informes/monthly/ver?periodo=2026").text

    for panel in panels[:3]:
        assert panel["value_text"] in document


def test_an_unreadable_period_is_refused_in_a_sentence(pages: Pages) -> None:
    answer = enter(pages).get("/informes/monthly/ver?periodo=ayer")

    assert answer.status_code == 422
    assert "No se entiende el período" in answer.text


def test_a_pdf_is_made_in_the_background_kept_and_downloaded(pages: Pages) -> None:
    browser = enter(pages)
    sent = {"periodo": "2026-10", "level": "central"}
    first = browser.post("/informes/monthly/producir", data=sent)
    again = browser.post("/informes/monthly/producir", data=sent)
    progress = first.headers["location"]

    assert again.headers["location"] == progress  # one at a time
    assert "En espera de turno" in browser.get(progress).text
    run_jobs(pages)
    done = browser.get(progress).text
    [place] = re.findall(r'href="(/informes/documentos/\d+)"', done)
    file = browser.get(place)
    listed = browser.get("/informes").text

    assert file.content.startswith(b"%PDF")
    assert file.headers["x-content-sha256"] == hashlib.sha256(file.content).hexdigest()
    assert file.headers["x-content-sha256"] in listed
    assert "octubre de 2026" in listed


def test_auditors_and_entities_produce_nothing(pages: Pages) -> None:
    auditor, reporter = enter(pages, Role.AUDITOR), enter(pages, Role.REPORTER)

    assert auditor.get("/informes").status_code == 200
    assert auditor.post("/informes/monthly/producir", data={}).status_code == 403
    assert reporter.get("/informes").status_code == 403
    assert reporter.get("/informes/documentos/1").status_code == 403


def test_a_report_of_cases_is_not_made_of_a_period(pages: Pages) -> None:
    browser = enter(pages)

    assert browser.get("/informes/incident/ver?periodo=2026-10").status_code == 404
    assert browser.post("/informes/incident/producir", data={}).status_code == 404


def test_an_incident_is_a_document_unless_it_is_red(pages: Pages) -> None:
    with pages.centre.database.transaction() as session:
        amber = make_incident(session, title="Sitio alterado", tlp="AMBER").code
        red = make_incident(session, tlp="RED").code
    browser = enter(pages, Role.ANALYST)

    assert "Sitio alterado" in browser.get(f"/informes/incidente/{amber}").text
    assert browser.get(f"/informes/incidente/{amber}?formato=pdf").content.startswith(b"%PDF")
    refused = browser.get(f"/informes/incidente/{red}")
    assert refused.status_code == 403
    assert "TLP:RED" in refused.text
