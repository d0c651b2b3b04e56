"""Coloured YAML is the same text, in pieces, and is made in a moment whatever the text."""

from hypothesis import given
from hypothesis import strategies as st

from cgii.web.yaml_marks import coloured
from tests.effort import SECONDS_MAX, seconds


@given(st.text(alphabet=st.sampled_from("ab:#'\" -|*.1\n[]{}\\é")))
def test_the_pieces_are_the_text(text: str) -> None:
    assert ["".join(piece.text for piece in line) for line in coloured(text)] == text.splitlines()


def test_keys_texts_comments_and_words_are_told_apart() -> None:
    [line] = coloured("  Image|endswith: 'x' # why")
    [condition] = coloured("condition: a and not b")

    assert [(piece.kind, piece.text) for piece in line if piece.kind] == [
        ("key", "Image|endswith"),
        ("text", "'x'"),
        ("comment", "# why"),
    ]
    assert [piece.text for piece in condition if piece.kind == "word"] == ["and", "not"]


def test_long_lines_and_long_texts_take_no_time() -> None:
    assert seconds(lambda: coloured("a b.c " * 50_000)) < SECONDS_MAX
    assert seconds(lambda: coloured("x: 'y' and z\n" * 20_000)) < SECONDS_MAX
