"""What is a word, and what of an event a bare word can find."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.store.words import (
    _folded,
    fold,
    full_text,
    full_texts,
    is_marked_up,
    leaves,
    shown,
    words,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Failed password, ssh2!", ("failed", "password", "ssh2")),
        ("Sesión INICIADA en «Ñuflo»", ("sesion", "iniciada", "en", "nuflo")),
        ("from 10.1.2.3:22", ("from", "10x1x2x3", "22")),
        ("1.2.3.4.5 v1.2", ("1x2x3x4", "5", "v1", "2")),
        ("C:\\a_b\\c.exe", ("c", "a", "b", "c", "exe")),
        ("日本 ٣", ("日本", "٣")),
        ("a\x00b\x01c = d", ("a", "b", "c", "d")),
        ("--- …", ()),
    ],
)
def test_a_word_is_a_run_of_letters_and_digits(text: str, expected: tuple[str, ...]) -> None:
    assert words(text) == expected


def test_case_and_accents_do_not_matter() -> None:
    assert fold("SESIÓN") == fold("sesión") == fold("sesio\u0301n") == "sesion"
    assert fold("STRASSE") == fold("straße")


def test_values_that_stand_in_the_line_are_not_repeated() -> None:
    line = "user=root from 10.1.2.3"
    assert full_text(line, {"user": "root", "ip": "10.1.2.3"}, {}) == "user root from 10x1x2x3"
    assert full_text(line, {"part": "roo"}, {}).split() == [*words(line), "=", "roo"]


def test_the_text_of_a_json_record_is_its_values() -> None:
    assert full_text('{"a":"x\\ty"}', {"a": "x\ty"}, {"b": ["z", 5]}).split() == (
        ["x", "y", "=", "z", "=", "5"]
    )
    assert full_text("<38>sshd: x", {"a": "x"}, {}).split() == ["38", "sshd", "x"]
    assert full_text("<Event><A>x</A></Event>", {"A": "x"}, {}) == "x"


def test_no_text_can_look_like_the_border_between_two() -> None:
    assert full_text("a\x01b", {"c": "d\x01=e"}, {}).split() == ["a", "b", "=", "d", "e"]


@given(st.text(st.characters(max_codepoint=0x2100), max_size=12))
def test_the_quick_way_for_latin_letters_folds_as_the_long_one(text: str) -> None:
    assert fold(text) == _folded(text)


PIECES = st.sampled_from(
    ["a", "Ñu", "10.1.2.3", "=", "\x01", " ", "\t", "x-y", "日本", "ß", "{", "<a>"]
)
TEXTS = st.lists(PIECES, max_size=5).map("".join)
VALUES = st.one_of(TEXTS, st.integers(0, 9), st.booleans(), st.none(), st.lists(TEXTS, max_size=2))
RECORDS = st.tuples(
    TEXTS, st.dictionaries(st.sampled_from("pq"), VALUES), st.dictionaries(st.just("r"), VALUES)
)


@given(records=st.lists(RECORDS, max_size=5))
def test_many_records_are_split_as_each_alone(records: list[Any]) -> None:
    together = full_texts(records)
    assert together == [full_text(*record) for record in records]
    for (line, fields, ecs), text in zip(records, together, strict=True):
        padded = f" {text} "
        for value in (line, *leaves(fields), *leaves(ecs)):
            if value is line and is_marked_up(line, fields):
                continue
            spelled = " ".join(words(shown(value)))
            assert not spelled or f" {spelled} " in padded
