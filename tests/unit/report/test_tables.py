"""CSV and XLSX: accents kept, no cell becomes a formula, the same bytes each time."""

import csv
import io
import zipfile
from datetime import date
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.report.tables import to_csv, to_xlsx
from tests.make import NOW

COLUMNS = ("Código", "Número", "Cuándo")


def _read(made: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(made.decode("utf-8-sig"), newline="")))


def test_a_csv_opens_with_accents_and_la_paz_time() -> None:
    made = to_csv(COLUMNS, [("añ", 1.5, NOW), (None, True, date(2026, 1, 2))])
    assert made.startswith(b"\xef\xbb\xbf")
    assert _read(made) == [
        list(COLUMNS),
        ["añ", "1.5", "2026-11-20 10:00:00-04:00"],
        ["", "sí", "2026-01-02"],
    ]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_text_never_starts_a_formula(start: str) -> None:
    cell = _read(to_csv(("a",), [(f"{start}1+1",)]))[1][0]
    assert cell == f"'{start}1+1"


def test_a_heading_never_starts_a_formula_either() -> None:
    heads = ("=1", "@SUM(A1)", "@timestamp")
    assert _read(to_csv(heads, []))[0] == ["'=1", "'@SUM(A1)", "@timestamp"]


def test_a_negative_number_stays_a_number() -> None:
    assert _read(to_csv(("a",), [(-5,)]))[1] == ["-5"]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\x00")), min_size=1))
def test_any_text_survives_the_csv(cells: list[str]) -> None:
    found = _read(to_csv(["c"] * len(cells), [cells]))[1]
    assert [cell.removeprefix("'") for cell in found] == [cell.removeprefix("'") for cell in cells]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in found)


def _sheet(made: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(made)) as book:
        return book.read("xl/worksheets/sheet1.xml").decode()


def test_a_workbook_has_text_as_text_and_numbers_as_numbers() -> None:
    made = to_xlsx(COLUMNS, [("=1+1", 7, NOW), ("http://example.bo", -1.5, None)])
    sheet = _sheet(made)
    ElementTree.fromstring(sheet)
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert "<v>7</v>" in sheet
    assert "<v>-1.5</v>" in sheet
    assert "autoFilter" in sheet


def test_the_same_table_gives_the_same_bytes() -> None:
    rows = [("a", 1, NOW)]
    assert to_xlsx(COLUMNS, rows) == to_xlsx(COLUMNS, rows)
    assert to_csv(COLUMNS, rows) == to_csv(COLUMNS, rows)
    assert to_xlsx((), []) == to_xlsx((), [])
