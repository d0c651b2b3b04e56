"""A list as a file: CSV or XLSX of everything that its filters let through, within a limit."""

from collections.abc import Sequence
from typing import TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import Session
from starlette.requests import Request
from starlette.responses import Response

from cgii.base import limits
from cgii.report.tables import Value, to_csv, to_xlsx
from cgii.web.answers import download
from cgii.web.tables import Listing, cells, show

Row = TypeVar("Row")
CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def export(
    session: Session, listing: Listing, query: Select[Row], request: Request, *, name: str
) -> Response | None:
    """The list as a file when the URL asks for one (`formato=csv|xlsx`), else None."""
    kind = request.query_params.get("formato")
    if kind not in ("csv", "xlsx"):
        return None
    heads, rows = cells(show(session, listing, query, request, rows_max=limits.EXPORT_ROWS_MAX))
    return as_file(kind, name, heads, rows)


def as_file(
    kind: str, name: str, heads: Sequence[str], rows: Sequence[Sequence[Value]]
) -> Response:
    """Heads and rows as a file to download; kind is "csv" or "xlsx"."""
    if kind == "csv":
        return download(to_csv(heads, rows), f"{name}.csv", CSV_TYPE)
    return download(to_xlsx(heads, rows), f"{name}.xlsx", XLSX_TYPE)
