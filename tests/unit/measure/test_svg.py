"""Charts for paper: well-formed, described, escaped, the same every time."""

from xml.etree import ElementTree

import pytest

from cgii.measure.charts import COLOURS, Drawing, Point, Series
from cgii.measure.svg import PAPER, chart_svg

KINDS = ("bar", "hbar", "line", "stacked", "funnel", "donut")


def _drawing(kind: str, *values: float | None, unit: str = "") -> Drawing:
    points = tuple(Point(value, f"{value}", "") for value in values)
    names = tuple(f"<b>{place}&" for place in range(len(values)))
    series = (Series("a", "Uno <i>", "main", points), Series("b", "Dos", "bad", points))
    return Drawing(kind, names, series, unit, 90 if unit == "%" else None)


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_is_well_formed_and_says_what_it_shows(kind: str) -> None:
    drawn = chart_svg(_drawing(kind, 1, None, 30), "Título & más", "Qué <muestra>")
    root = ElementTree.fromstring(drawn)
    texts = {child.tag.split("}")[1]: child.text for child in root[:2]}
    assert texts == {"title": "Título & más", "desc": "Qué <muestra>"}
    assert drawn == chart_svg(_drawing(kind, 1, None, 30), "Título & más", "Qué <muestra>")


@pytest.mark.parametrize("kind", KINDS)
def test_a_chart_of_nothing_or_zero_is_drawn(kind: str) -> None:
    for drawing in (_drawing(kind), _drawing(kind, 0, 0), _drawing(kind, None)):
        ElementTree.fromstring(chart_svg(drawing, "t", "d"))


def test_every_named_colour_has_its_ink() -> None:
    assert set(PAPER) == set(COLOURS)


def test_no_bar_leaves_the_plot() -> None:
    for value in (0.4, 1, 3, 7, 99, 1_234):
        root = ElementTree.fromstring(chart_svg(_drawing("stacked", value), "t", "d"))
        tops = [float(box.get("y", "0")) for box in root.iter() if box.tag.endswith("rect")]
        assert min(tops) >= 6


def test_the_target_is_drawn_with_its_word() -> None:
    assert "meta 90 %" in chart_svg(_drawing("line", 50, 95, unit="%"), "t", "d")
