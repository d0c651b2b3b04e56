"""Boards: the panels of a board, the rows behind each number, their figures as files."""

from collections.abc import Iterable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from cgii.base import limits
from cgii.measure.boards import Board
from cgii.measure.panels import PanelData, fill_board, fill_panel, panel_table
from cgii.measure.rows import list_rows
from cgii.web.access import require
from cgii.web.answers import render
from cgii.web.deps import CurrentSession, CurrentVisitor, TheCentre
from cgii.web.exports import as_file
from cgii.web.figures import (
    Wanted,
    board_for,
    chart_height,
    chart_spec,
    narrowings,
    panel_of,
    period_choices,
    read_wanted,
    row_url,
)

router = APIRouter(prefix="/tableros", include_in_schema=False)
KINDS = ("csv", "xlsx")


@router.get("", dependencies=[require("board.see")])
def first_board(
    request: Request, session: CurrentSession, visitor: CurrentVisitor, centre: TheCentre
) -> Response:
    """The first board of this person: for management, the national goals."""
    boards = _boards_of(centre.content.boards.values(), visitor.role)
    if not boards:
        return render(request, "boards/none.html")
    return show_board(request, session, visitor, centre, boards[0].id)


@router.get("/{board_id}", dependencies=[require("board.see")])
def show_board(
    request: Request,
    session: CurrentSession,
    visitor: CurrentVisitor,
    centre: TheCentre,
    board_id: str,
) -> Response:
    """All panels of a board for the period and the filters of the URL."""
    board = board_for(centre.content.boards, board_id, visitor.role)
    wanted = read_wanted(request.query_params, board.period, now=centre.clock())
    panels = fill_board(session, board, wanted.period, wanted.filters)
    return render(
        request,
        "boards/board.html",
        board=board,
        boards=_boards_of(centre.content.boards.values(), visitor.role),
        wanted=wanted,
        panels=panels,
        specs={panel.id: _spec(board, panel, wanted) for panel in panels},
        heights={panel.id: chart_height(panel) for panel in panels},
        periods=period_choices(centre.clock()),
        narrowings=narrowings(),
        place=f"/tableros/{board.id}",
    )


@router.get("/{board_id}/{panel_id}/datos", dependencies=[require("board.see")])
def panel_file(
    request: Request,
    session: CurrentSession,
    visitor: CurrentVisitor,
    centre: TheCentre,
    board_id: str,
    panel_id: str,
) -> Response:
    """The figures of one panel as CSV or XLSX."""
    board = board_for(centre.content.boards, board_id, visitor.role)
    panel = panel_of(board, panel_id)
    wanted = read_wanted(request.query_params, board.period, now=centre.clock())
    heads, rows = panel_table(session, panel, wanted.period, wanted.filters)
    name = f"{board.id}-{panel.id}-{wanted.period.code}"
    return as_file(_kind(request), name, heads, rows)


@router.get("/{board_id}/{panel_id}/filas", dependencies=[require("board.see")])
def panel_rows(
    request: Request,
    session: CurrentSession,
    visitor: CurrentVisitor,
    centre: TheCentre,
    board_id: str,
    panel_id: str,
) -> Response:
    """The rows that a number counted, exactly those; `parte` says which number."""
    board = board_for(centre.content.boards, board_id, visitor.role)
    panel = panel_of(board, panel_id)
    wanted = read_wanted(request.query_params, board.period, now=centre.clock())
    part = request.query_params.get("parte", "")[: limits.NAME_CHARS_MAX]
    is_file = request.query_params.get("formato") in KINDS
    page = 1 if is_file else _page(request)
    found = list_rows(
        session,
        panel.metric,
        wanted.period,
        wanted.filters,
        part=part,
        limit=limits.EXPORT_ROWS_MAX if is_file else limits.PAGE_ROWS,
        offset=(page - 1) * limits.PAGE_ROWS,
    )
    if is_file:
        name = f"{board.id}-{panel.id}-{wanted.period.code}-filas"
        return as_file(_kind(request), name, found.columns, found.rows)
    pairs = zip(found.keys, found.rows, strict=True)
    filled = fill_panel(session, panel, wanted.period, wanted.filters)
    return render(
        request,
        "boards/rows.html",
        board=board,
        panel=filled,
        wanted=wanted,
        part=part,
        label=_label(filled, part),
        found=found,
        rows=[(row_url(found.subject, key, cells), cells) for key, cells in pairs],
        page=page,
        pages=max(1, -(-found.total // limits.PAGE_ROWS)),
        page_rows=limits.PAGE_ROWS,
        place=f"/tableros/{board.id}/{panel.id}/filas",
    )


def _boards_of(boards: Iterable[Board], role: str) -> list[Board]:
    return [board for board in boards if role in board.roles]


def _spec(board: Board, panel: PanelData, wanted: Wanted) -> dict[str, Any] | None:
    path = f"/tableros/{board.id}/{panel.id}/filas"
    return chart_spec(panel, lambda part: wanted.url(path, parte=part))


def _label(panel: PanelData, part: str) -> str:
    """The words of the number that was clicked: its row, and its column if there are several."""
    for row in panel.rows:
        for cell, column in zip(row["cells"], panel.columns, strict=True):
            if cell["part"] == part:
                many = len(panel.columns) > 1
                return f"{row['label']} · {column['label']}" if many else str(row["label"])
    return ""


def _kind(request: Request) -> str:
    return "xlsx" if request.query_params.get("formato") == "xlsx" else "csv"


def _page(request: Request) -> int:
    text = request.query_params.get("pagina", "1")
    return max(1, int(text)) if text.isdecimal() and len(text) < 8 else 1
