"""Tables as files: CSV that a spreadsheet opens rightly, and XLSX; no cell becomes a formula."""

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime

from cgii.base.clock import local

Value = str | int | float | bool | date | datetime | None

# A spreadsheet takes a text that starts so as a formula; after a quote it is text.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n")
MADE = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # the same table, the same bytes
COLUMN_CHARS_MAX = 60
PLAIN_HEADS = frozenset({"@timestamp"})  # ours: no formula, and programs look for the name


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """UTF-8 with a mark, so that Excel reads the accents; moments are in La Paz time."""
    return b"\xef\xbb\xbf" + _lines([[_head(one) for one in columns]]) + csv_lines(rows)


def csv_lines(rows: Iterable[Sequence[Value]]) -> bytes:
    """Lines of a CSV file alone, for one that is written piece by piece."""
    return _lines([_safe(_plain(value)) for value in row] for row in rows)


def _lines(rows: Iterable[Sequence[str | int | float | None]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode()


def to_xlsx(
    columns: Sequence[str], rows: Iterable[Sequence[Value]], *, sheet: str = "Datos"
) -> bytes:
    """One sheet with a frozen, filtered heading; numbers stay numbers, all else is text."""
    # Here and not above: few processes ever write one.
    import xlsxwriter

    made = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(made, options) as book:
        book.set_properties({"created": MADE})
        page = book.add_worksheet(sheet)
        bold = book.add_format({"bold": True})
        widths = [len(column) for column in columns]
        for place, column in enumerate(columns):
            page.write_string(0, place, column, bold)
        line = 0
        for line, row in enumerate(rows, start=1):
            for place, value in enumerate(row):
                plain = _plain(value)
                if isinstance(plain, str):
                    page.write_string(line, place, plain)
                elif plain is not None:
                    page.write_number(line, place, plain)
                widths[place] = max(widths[place], len(str(plain)))
        for place, width in enumerate(widths):
            page.set_column(place, place, min(width, COLUMN_CHARS_MAX) + 2)
        page.freeze_panes(1, 0)
        if columns:
            page.autofilter(0, 0, line, len(columns) - 1)
    return made.getvalue()


def _plain(value: Value) -> str | int | float | None:
    if isinstance(value, bool):
        return "sí" if value else "no"
    if isinstance(value, datetime):
        return local(value).isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date):
        return value.isoformat()
    return value


def _head(column: str) -> str | int | float | None:
    return column if column in PLAIN_HEADS else _safe(column)


def _safe(value: str | int | float | None) -> str | int | float | None:
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value
