"""Documents: the boards' numbers, only what was shared, the same bytes each time."""

import io
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from pypdf import PdfReader
from sqlalchemy.orm import Session

from cgii.base.errors import Invalid, NotAllowed, NotFound, Unavailable
from cgii.measure.boards import load_boards
from cgii.measure.filters import Filters
from cgii.measure.panels import fill_board
from cgii.measure.period import parse_period
from cgii.model.registry import Table
from cgii.report.definition import load_reports
from cgii.report.pdf import make_pdf
from cgii.report.produce import produce
from cgii.store.database import Database
from tests.make import NOW, make_entity, make_incident
from tests.make_measures import (
    OCTOBER,
    START,
    make_entry,
    make_notice_row,
    make_plan_row,
    make_small_year,
    make_submission_row,
)

REPORTS, _ = load_reports()
MONTHLY, INCIDENT, RECEIPT = (REPORTS[name] for name in ("monthly", "incident", "receipt"))


def _has_pango() -> bool:
    try:
        make_pdf("<p>a</p>")
    except Unavailable:
        return False
    return True


needs_pango = pytest.mark.skipif(not _has_pango(), reason="Pango is not installed: no PDF here")


@pytest.fixture(scope="module")
def small_year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A reading session over a small year, built once."""
    folder = tmp_path_factory.mktemp("reports")
    database = Database(f"sqlite:///{folder / 'record.sqlite'}")
    Table.metadata.create_all(database.engine)
    with database.transaction() as session:
        make_small_year(session)
    with database.reading() as session:
        yield session
    database.close()


def _text(session: Session, code: str) -> str:
    return produce(session, INCIDENT, code, "html", now=NOW).decode()


def test_the_monthly_report_says_the_boards_numbers(small_year: Session) -> None:
    made = produce(small_year, MONTHLY, OCTOBER, "html", now=NOW).decode()
    boards, _ = load_boards()
    in_report = {panel.metric for panel in MONTHLY.panels}
    checked = 0
    for board in boards.values():
        for panel in fill_board(small_year, board, OCTOBER, Filters()):
            if panel.metric not in in_report or not panel.value_text:
                continue
            assert panel.value_text in made, panel.id
            assert f"n = {panel.n}" in made, panel.id
            checked += 1
    assert checked >= 6


def test_the_monthly_report_has_its_parts(small_year: Session) -> None:
    made = produce(small_year, MONTHLY, OCTOBER, "html", now=NOW).decode()
    for words in ("octubre de 2026", "TLP:AMBER", "Metas nacionales", "<svg", "Fórmula:", "meta:"):
        assert words in made
    assert "None" not in made
    assert "las cifras son parciales" not in made


def test_a_report_of_a_running_month_says_so(small_year: Session) -> None:
    running = parse_period("2026-11", now=NOW)
    assert b"las cifras son parciales" in produce(small_year, MONTHLY, running, "html", now=NOW)


def test_a_report_of_an_empty_record_is_made(session: Session) -> None:
    assert b"Sin casos" in produce(session, MONTHLY, OCTOBER, "html", now=NOW)


def test_the_same_inputs_give_the_same_html(small_year: Session) -> None:
    first = produce(small_year, MONTHLY, OCTOBER, "html", now=NOW)
    assert first == produce(small_year, MONTHLY, OCTOBER, "html", now=NOW)


@needs_pango
def test_the_same_inputs_give_the_same_pdf(small_year: Session) -> None:
    first = produce(small_year, MONTHLY, OCTOBER, "pdf", now=NOW)
    assert first == produce(small_year, MONTHLY, OCTOBER, "pdf", now=NOW)
    later = produce(small_year, MONTHLY, OCTOBER, "pdf", now=NOW + timedelta(days=1))
    assert first != later


@needs_pango
def test_the_pdf_has_pages_text_and_its_title(small_year: Session) -> None:
    made = produce(small_year, MONTHLY, OCTOBER, "pdf", now=NOW)
    reader = PdfReader(io.BytesIO(made))
    assert reader.metadata is not None
    assert reader.metadata.title == "Informe estadístico mensual: octubre de 2026"
    second = reader.pages[1].extract_text()
    assert "TLP:AMBER" in second
    assert f"Página 2 de {len(reader.pages)}" in second
    assert reader.pages[0].mediabox.height == pytest.approx(841.9, abs=0.1)


@needs_pango
def test_a_document_fetches_nothing(tmp_path: Path) -> None:
    sheet = tmp_path / "leak.css"
    sheet.write_text("p::before { content: 'LEAKED' }")
    made = make_pdf(
        f"<link rel=stylesheet href='{sheet.as_uri()}'>"
        "<link rel=stylesheet href='data:text/css,p::after{content:%22LEAKED%22}'>"
        "<img src='http://127.0.0.1:9/x'><p>seen</p>"
    )
    text = PdfReader(io.BytesIO(made)).pages[0].extract_text()
    assert "seen" in text
    assert "LEAKED" not in text


def test_without_pango_the_sentence_names_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)
    with pytest.raises(Unavailable, match="apt install libpango"):
        make_pdf("<p>a</p>")


def test_an_incident_s_card_shows_only_what_was_shared(session: Session) -> None:
    incident = make_incident(session, received_at=START, summary="Sospecha interna")
    make_entry(session, incident, "Cambie las claves <hoy>", is_shared=True)
    make_entry(session, incident, "El informante es el administrador")
    made = _text(session, incident.code)
    assert "Cambie las claves &lt;hoy&gt;" in made
    assert "informante" not in made
    assert "Sospecha interna" not in made
    assert "TLP:AMBER" in made


def test_the_card_carries_the_incident_s_own_tlp(session: Session) -> None:
    incident = make_incident(session, tlp="AMBER+STRICT")
    assert "TLP:AMBER+STRICT" in _text(session, incident.code)


def test_no_card_is_made_of_a_red_incident(session: Session) -> None:
    incident = make_incident(session, tlp="RED")
    with pytest.raises(NotAllowed, match="TLP:RED"):
        _text(session, incident.code)


def test_a_notice_gets_its_receipt(session: Session) -> None:
    notice = make_notice_row(session, make_entity(session, name="Ministerio <X>"))
    made = produce(session, RECEIPT, notice.code, "html", now=NOW).decode()
    for words in (notice.code, notice.content_sha256, "12 oct 2026, 10:00", "&lt;X&gt;"):
        assert words in made


@needs_pango
def test_a_filed_plan_gets_its_receipt_as_pdf(session: Session) -> None:
    filed = make_submission_row(session, make_plan_row(session, make_entity(session)))
    made = produce(session, RECEIPT, filed.code, "pdf", now=NOW)
    assert filed.code in PdfReader(io.BytesIO(made)).pages[0].extract_text()


def test_what_does_not_exist_is_not_found(session: Session) -> None:
    for report in (INCIDENT, RECEIPT):
        with pytest.raises(NotFound):
            produce(session, report, "CGII-1999-000001", "html", now=NOW)


def test_a_wrong_format_or_subject_is_refused(session: Session) -> None:
    with pytest.raises(Invalid):
        produce(session, MONTHLY, OCTOBER, "docx", now=NOW)
    with pytest.raises(Invalid):
        produce(session, MONTHLY, "CGII-2026-000001", "html", now=NOW)
    with pytest.raises(Invalid):
        produce(session, INCIDENT, OCTOBER, "html", now=NOW)
