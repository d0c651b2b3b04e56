"""A board's file is read strictly, and its faults are said with their line."""

from pathlib import Path

import pytest

from cgii.base.errors import ContentError
from cgii.measure.boards import check_dashboards, load_boards, read_board

GOOD = """\
id: mine
title: El mío
about: Para probar.
period: 12m
roles: [analyst]
panels:
- id: one
  metric: attended_in_time
  chart: number
"""


def test_a_good_board_is_read() -> None:
    board = read_board(GOOD, Path("mine.yml"))
    assert board.panels[0].title == "Atendidos oportunamente"
    assert board.panel("one") is board.panels[0]
    assert board.panel("two") is None


@pytest.mark.parametrize(
    ("old", "new", "line", "word"),
    [
        ("metric: attended_in_time", "metric: happiness", 8, "happiness"),
        ("chart: number", "chart: pie3d", 9, "pie3d"),
        ("period: 12m", "period: always", 4, "always"),
        ("roles: [analyst]", "roles: [reporter]", 5, "reporter"),
        ("roles: [analyst]", "roles: []", 5, "roles"),
        ("title: El mío", "tittle: El mío", 2, "tittle"),
        ("  chart: number\n", "  chart: number\n  width: 40\n", 10, "width"),
        ("about: Para probar.\n", "", 1, "about"),
        ("panels:", "panels: [", 7, "YAML"),
    ],
)
def test_a_fault_is_said_with_its_line(old: str, new: str, line: int, word: str) -> None:
    with pytest.raises(ContentError) as caught:
        read_board(GOOD.replace(old, new), Path("mine.yml"))
    assert caught.value.line == line
    assert word in caught.value.reason


def test_two_panels_of_one_name_are_refused() -> None:
    twice = GOOD + "- id: one\n  metric: times\n  chart: table\n"
    with pytest.raises(ContentError, match="one"):
        read_board(twice, Path("mine.yml"))


def test_one_bad_board_does_not_hide_the_others(tmp_path: Path) -> None:
    folder = tmp_path / "dashboards"
    folder.mkdir()
    (folder / "bad.yml").write_text("id: bad\n")
    (folder / "binary.yml").write_bytes(b"\xff\xfe")
    (folder / "mine.yml").write_text(GOOD)
    boards, errors = load_boards(tmp_path)
    assert {"goals", "mine"} <= set(boards)
    assert len(errors) == len(check_dashboards(tmp_path)) == 2
