"""Every shipped board can be used and fills on a small year, quickly and whole."""

import json
from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from cgii.measure.boards import check_dashboards, load_boards
from cgii.measure.filters import Filters
from cgii.measure.panels import fill_board
from cgii.measure.period import parse_period
from cgii.model.registry import Table
from cgii.store.database import Database
from tests.make import NOW
from tests.make_measures import make_small_year

BOARDS, _ = load_boards()


@pytest.fixture(scope="module")
def small_year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A reading session over a small year, built once."""
    folder = tmp_path_factory.mktemp("boards")
    database = Database(f"sqlite:///{folder / 'record.sqlite'}")
    Table.metadata.create_all(database.engine)
    with database.transaction() as session:
        make_small_year(session)
    with database.reading() as session:
        yield session
    database.close()


def test_no_shipped_board_has_a_fault() -> None:
    assert check_dashboards() == []
    assert {"goals", "response", "operations", "plans"} <= set(BOARDS)


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_board_fills_every_panel(small_year: Session, name: str) -> None:
    board = BOARDS[name]
    for period in (board.period, "2026-10", "30d"):
        panels = fill_board(small_year, board, parse_period(period, now=NOW), Filters())
        assert [panel.id for panel in panels] == [panel.id for panel in board.panels]
        assert json.dumps([panel.as_dict() for panel in panels])


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_a_chart_is_drawn_where_there_are_numbers(small_year: Session, name: str) -> None:
    period = parse_period("12m", now=NOW)
    for panel in fill_board(small_year, BOARDS[name], period, Filters()):
        wants_chart = panel.kind not in ("number", "table")
        assert (panel.chart is not None) == (wants_chart and bool(panel.rows)), panel.id


@pytest.mark.parametrize("name", sorted(BOARDS))
def test_the_rows_of_a_board_s_grid_fit_twelve_columns(name: str) -> None:
    filled = 0
    for panel in BOARDS[name].panels:
        filled = panel.width if filled + panel.width > 12 else filled + panel.width
        assert panel.width >= 3
    assert filled == 12, "the last row of the grid has a hole"
