"""Texts and numbers compare as Sigma says (V1, V4, V8)."""

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.detect.values import elements, fold, number_of, text_of
from tests.unit.detect.build import fires


def test_folding_keeps_the_length_of_every_character() -> None:
    for code in range(sys.maxunicode + 1):
        assert len(fold(chr(code))) == 1, hex(code)


@given(st.text(), st.text())
def test_folding_a_whole_is_folding_its_parts(one: str, other: str) -> None:
    assert fold(one + other) == fold(one) + fold(other)


def test_a_greek_word_is_found_inside_a_longer_one() -> None:
    assert fires("sel: {a|contains: ΟΔΟΣ}", {"a": "οδοσήμανση"})


@pytest.mark.parametrize("found", [4625, "4625", 4625.0])
def test_a_number_in_a_rule_meets_the_same_number_however_written(found: object) -> None:
    assert fires("sel: {EventID: 4625}", {"EventID": found})


@pytest.mark.parametrize("found", [46250, "4625x", True, None, "", [1, 2]])
def test_a_number_in_a_rule_does_not_meet_anything_else(found: object) -> None:
    assert not fires("sel: {EventID: 4625}", {"EventID": found})


def test_a_text_in_a_rule_meets_the_number_that_reads_the_same() -> None:
    assert fires("sel: {EventID: '4625'}", {"EventID": 4625})
    assert not fires("sel: {EventID: '04625'}", {"EventID": 4625})


@pytest.mark.parametrize(("found", "expected"), [(True, True), ("true", True), (1, False)])
def test_true_in_a_rule_meets_true_but_not_one(found: object, expected: bool) -> None:
    assert fires("sel: {Signed: true}", {"Signed": found}) is expected


def test_one_in_a_rule_does_not_meet_true() -> None:
    assert not fires("sel: {Signed: 1}", {"Signed": True})


def test_numbers_beyond_a_float_are_told_apart() -> None:
    assert not fires("sel: {a: 9007199254740993}", {"a": 9007199254740992})


@pytest.mark.parametrize(
    ("text", "number"),
    [("12", 12), ("-3.5", -3.5), ("1e3", 1000), ("0x10", None), ("", None), ("nan", None),
     ("١٢", None), (" 1", None), ("1_000", None)],
)  # fmt: skip
def test_only_decimal_texts_are_numbers(text: str, number: object) -> None:
    assert number_of(text) == number


def test_objects_and_null_have_no_text() -> None:
    assert text_of({"a": 1}) is None
    assert text_of(None) is None


def test_a_number_of_ten_thousand_digits_does_no_harm() -> None:
    assert text_of(10**10_000) is not None


def test_nested_lists_are_opened() -> None:
    assert elements([1, [2, [3]], "x"]) == [1, 2, 3, "x"]
