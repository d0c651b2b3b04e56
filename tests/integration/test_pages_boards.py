"""Boards: the goals first, every number opens its rows, what cannot be read is told."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from cgii.measure.filters import Filters
from cgii.measure.panels import fill_board
from cgii.measure.period import parse_period
from cgii.model.people import Role
from cgii.web.figures import chart_spec
from tests.make import NOW, make_user
from tests.make_measures import make_small_year
from tests.make_web import Pages, make_centre, make_pages

YEAR = {"periodo": "2026"}


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[Pages]:
    centre = make_centre(tmp_path / "data")
    centre.clock = lambda: NOW
    with centre.database.transaction() as session:
        make_small_year(session)
    yield make_pages(centre)
    centre.close()


def enter(pages: Pages, role: Role = Role.MANAGEMENT) -> TestClient:
    with pages.centre.database.transaction() as session:
        user = make_user(session, role)
    return pages.visit(user)


def test_managements_first_screen_is_the_national_goals(pages: Pages) -> None:
    text = enter(pages).get("/tableros", params=YEAR).text

    assert "Metas nacionales" in text
    assert text.count("panel-goal") == 3
    assert "meta: 90 %" in text
    assert "meta: 100 %" in text


@pytest.mark.parametrize("board", ["goals", "response", "operations", "plans"])
def test_every_number_opens_as_many_rows_as_it_says(pages: Pages, board: str) -> None:
    browser = enter(pages)
    panels = browser.get(f"/api/v1/boards/{board}", params=YEAR).json()["panels"]
    numbers = {
        (panel["id"], cell["part"], cell["value"])
        for panel in panels
        for row in panel["rows"]
        for cell, column in zip(row["cells"], panel["columns"], strict=True)
        if cell["part"] and column["unit"] == "count"
    }
    assert numbers

    for panel, part, value in numbers:
        asked = YEAR | {"parte": part, "formato": "csv"}
        answer = browser.get(f"/tableros/{board}/{panel}/filas", params=asked)
        rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))[1:]
        if "Rechazos" in answer.text.splitlines()[0]:  # a row of volumes stands for many events
            assert sum(int(row[3].replace(".", "")) for row in rows) >= value
        else:
            assert len(rows) == value, (panel, part)


def test_the_rows_page_says_what_it_counts_and_links_each_case(pages: Pages) -> None:
    asked = YEAR | {"parte": "in_time"}
    text = enter(pages).get("/tableros/goals/attended/filas", params=asked).text

    assert "Atendidos oportunamente: En plazo" in text
    assert 'href="/incidentes/CGII-' in text


def test_the_address_carries_period_and_filters_to_the_rows(pages: Pages) -> None:
    text = enter(pages).get("/tableros/goals", params=YEAR | {"level": "central"}).text

    assert "/tableros/goals/attended/filas?periodo=2026&amp;level=central&amp;parte=" in text


def test_a_filter_narrows_the_figures(pages: Pages) -> None:
    browser = enter(pages)
    counts = {}
    for level in ("", "central", "territorial"):
        asked = YEAR | ({"level": level} if level else {})
        panels = browser.get("/api/v1/boards/goals", params=asked).json()["panels"]
        counts[level] = next(panel["n"] for panel in panels if panel["id"] == "attended")

    assert counts[""] > counts["central"] > counts["territorial"] > 0


def test_two_dates_are_a_period(pages: Pages) -> None:
    asked = {"desde": "2026-03-01", "hasta": "2026-03-31"}
    text = enter(pages).get("/tableros/goals", params=asked).text

    assert "1 mar 2026 al 31 mar 2026" in text


def test_an_unreadable_period_is_told_and_the_boards_own_is_shown(pages: Pages) -> None:
    answer = enter(pages).get("/tableros/goals", params={"periodo": "ayer"})

    assert answer.status_code == 200
    assert "No se entiende el período «ayer»" in answer.text
    assert "últimos 12 meses" in answer.text


def test_a_program_hears_of_an_unreadable_period(pages: Pages) -> None:
    answer = enter(pages).get("/api/v1/boards/goals", params={"periodo": "ayer"})

    assert answer.status_code == 422
    assert "ayer" in answer.json()["detail"]


def test_a_board_for_others_does_not_exist(pages: Pages) -> None:
    reviewer = enter(pages, Role.REVIEWER)

    assert reviewer.get("/tableros/operations").status_code == 404
    assert "/tableros/operations" not in reviewer.get("/tableros").text


def test_figures_are_files(pages: Pages) -> None:
    browser = enter(pages)
    asked = YEAR | {"formato": "csv"}
    answer = browser.get("/tableros/operations/severities/datos", params=asked)
    rows = list(csv.reader(io.StringIO(answer.content.decode("utf-8-sig"))))

    assert answer.headers["content-disposition"].endswith("operations-severities-2026.csv")
    assert [row[0] for row in rows[1:]] == ["Crítico", "Muy alto", "Alto", "Medio", "Bajo"]
    assert browser.get(
        "/tableros/operations/severities/datos", params=YEAR | {"formato": "xlsx"}
    ).content.startswith(b"PK")


def test_severities_are_drawn_in_their_own_colours(pages: Pages) -> None:
    board = pages.centre.content.boards["operations"]
    with pages.centre.database.reading() as session:
        panels = fill_board(session, board, parse_period("2026", now=NOW), Filters())
    [donut] = [panel for panel in panels if panel.id == "severities"]
    spec = chart_spec(donut, lambda part: part)

    assert spec is not None
    assert spec["series"][0]["colors"][:2] == [
        "--chart-severity-critico",
        "--chart-severity-muy_alto",
    ]


def test_an_empty_centre_has_boards_that_say_so(tmp_path: Path) -> None:
    centre = make_centre(tmp_path / "empty")
    browser = enter(make_pages(centre))
    for board in centre.content.boards:
        answer = browser.get(f"/tableros/{board}")
        assert answer.status_code == 200
        assert "Sin datos en este período" in answer.text or "Nada que mostrar" in answer.text
    centre.close()
