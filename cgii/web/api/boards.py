"""Figures for programs of the centre's people: the boards and their panels as JSON."""

from fastapi import APIRouter, Request

from cgii.base.errors import Invalid
from cgii.measure.panels import fill_board
from cgii.web.access import require
from cgii.web.answers import JsonResponse
from cgii.web.deps import CurrentSession, CurrentVisitor, TheCentre
from cgii.web.figures import board_for, read_wanted

router = APIRouter(prefix="/api/v1/boards", tags=["boards"])


@router.get("", dependencies=[require("board.see")])
def board_list(visitor: CurrentVisitor, centre: TheCentre) -> JsonResponse:
    """The boards that this person may see."""
    boards = [
        {"id": board.id, "title": board.title, "about": board.about, "period": board.period}
        for board in centre.content.boards.values()
        if visitor.role in board.roles
    ]
    return JsonResponse({"boards": boards})


@router.get("/{board_id}", dependencies=[require("board.see")])
def show_board(
    request: Request,
    session: CurrentSession,
    visitor: CurrentVisitor,
    centre: TheCentre,
    board_id: str,
) -> JsonResponse:
    """Every panel of a board: number, table, chart, definition, target, earlier figure.

    `periodo` is as on the page (2026-10, 2026-T4, 2026, 12m, 30d, 2026-10-01..2026-10-15);
    `entity`, `level`, `kind`, `sector`, `severity`, `rsit_class` and `origin` narrow it.
    """
    board = board_for(centre.content.boards, board_id, visitor.role)
    wanted = read_wanted(request.query_params, board.period, now=centre.clock())
    if wanted.problem:  # a program must hear of its mistake
        raise Invalid(wanted.problem)
    panels = fill_board(session, board, wanted.period, wanted.filters)
    return JsonResponse(
        {
            "id": board.id,
            "title": board.title,
            "period": {
                "code": wanted.period.code,
                "start": wanted.period.start,
                "end": wanted.period.end,
                "as_of": wanted.period.as_of,
            },
            "panels": [panel.as_dict() for panel in panels],
        }
    )
