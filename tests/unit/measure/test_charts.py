"""Drawings and options: JSON without functions, colours by name, target, parts to open."""

import json

from cgii.measure.charts import COLOURS, Drawing, chart_option, draw
from cgii.measure.metric import Cell, Column, Row, Table

TABLE = Table(
    "Mes",
    (
        Column("share", "Oportunos", "percent", "main"),
        Column("late", "Tarde", "count", "bad"),
        Column("p50", "P50", "seconds"),
    ),
    (
        Row("a", "ene", (Cell(90.04), Cell(3, "a:late"), Cell(7200))),
        Row("b", "feb", (Cell(None), Cell(0, "b:late"), Cell(None)), "good"),
    ),
    3,
    target=90,
)


def _drawing(kind: str, *names: str) -> Drawing:
    drawing = draw(kind, TABLE, names, target=TABLE.target)
    assert drawing is not None
    return drawing


def test_columns_of_different_units_never_share_an_axis() -> None:
    assert [series.key for series in _drawing("bar").series] == ["share"]


def test_seconds_are_drawn_as_hours() -> None:
    drawing = _drawing("line", "p50")
    assert drawing.unit == "horas"
    assert [point.value for point in drawing.series[0].points] == [2.0, None]


def test_the_target_line_stands_only_on_per_cent() -> None:
    assert _drawing("line").target == 90
    assert _drawing("bar", "late").target is None
    marks = chart_option(_drawing("line"))["series"][0]["markLine"]
    assert marks["data"] == [{"yAxis": 90}]


def test_a_clicked_bar_carries_its_part() -> None:
    data = chart_option(_drawing("bar", "late"))["series"][0]["data"]
    assert data[0] == {"value": 3, "part": "a:late"}


def test_numbers_and_tables_have_no_chart() -> None:
    assert draw("number", TABLE, (), target=None) is None
    assert draw("table", TABLE, (), target=None) is None
    assert draw("bar", Table("x", TABLE.columns, (), 0), (), target=None) is None


def test_every_kind_is_json_with_named_colours_only() -> None:
    for kind in ("bar", "hbar", "line", "stacked", "funnel", "donut"):
        text = json.dumps(chart_option(_drawing(kind, "late")))
        named = {piece.split('"')[0] for piece in text.split('"@')[1:]}
        assert named
        assert named <= set(COLOURS)
        assert "#" not in text
