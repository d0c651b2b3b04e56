"""Sigma conditions: precedence, quantifiers, and what rejects a rule."""

import itertools
from collections.abc import Callable

import pytest

from tests.unit.detect.build import refusal, rule_text
from tests.unit.detect.sigma.judge import true_of

THREE = "a: {a: 1}\nb: {b: 1}\nc: {c: 1}\ncondition: "


@pytest.mark.parametrize(
    ("condition", "meaning"),
    [
        ("a or b and c", lambda a, b, c: a or (b and c)),
        ("a and b or c", lambda a, b, c: (a and b) or c),
        ("not a and b", lambda a, b, c: (not a) and b),
        ("not a or b", lambda a, b, c: (not a) or b),
        ("not not a", lambda a, b, c: a),
        ("(a or b) and c", lambda a, b, c: (a or b) and c),
        ("not (a or b) and c", lambda a, b, c: not (a or b) and c),
        ("a and not(b or c)", lambda a, b, c: a and not (b or c)),
        ("((a)) and ((b or (c)))", lambda a, b, c: a and (b or c)),
        ("a AND NOT b OR c", lambda a, b, c: (a and not b) or c),
        ("1 of them", lambda a, b, c: a or b or c),
        ("any of them", lambda a, b, c: a or b or c),
        ("all of them", lambda a, b, c: a and b and c),
        ("not 1 of them", lambda a, b, c: not (a or b or c)),
        ("not all of them", lambda a, b, c: not (a and b and c)),
        ("a and 1 of *", lambda a, b, c: a),
        ("[a and b, c]", lambda a, b, c: (a and b) or c),
    ],
)
def test_sigma_not_binds_before_and_before_or(
    condition: str, meaning: Callable[[bool, bool, bool], bool]
) -> None:
    for truth in itertools.product((False, True), repeat=3):
        fields = {name: int(value) for name, value in zip("abc", truth, strict=True)}
        assert true_of(THREE + condition, fields) is meaning(*truth), truth


MANY = "sel_a: {a: 1}\nsel_b: {b: 1}\nx_sel: {c: 1}\nfilter-1: {d: 1}\n_own: {e: 1}\ncondition: "


@pytest.mark.parametrize(
    ("condition", "fields", "expected"),
    [
        ("1 of sel_*", "b", True),
        ("1 of sel_*", "c", False),
        ("all of sel_*", "b", False),
        ("all of sel_*", "ab", True),
        ("1 of *_sel", "c", True),
        ("1 of *sel*", "c", True),
        ("1 of s*_a", "a", True),
        ("1 of s*_a", "b", False),
        ("1 of *el_*", "b", True),
        ("1 of sel_a", "a", True),
        ("1 of sel", "a", None),
        ("1 of filter-*", "d", True),
        ("1 of them", "e", False),
        ("all of them", "abcd", True),
        ("1 of _*", "e", True),
        ("1 of *", "e", True),
        ("sel_a and not filter-1", "a", True),
        ("sel_a and not 1 of filter*", "ad", False),
    ],
)
def test_sigma_patterns_name_whole_selections(
    condition: str, fields: str, expected: bool | None
) -> None:
    if expected is None:
        assert "no abarca" in refusal(rule_text(MANY + condition))
    else:
        assert true_of(MANY + condition, dict.fromkeys(fields, 1)) is expected


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("a and nothing", "«nothing», que no existe"),
        ("A", "«A», que no existe"),
        ("1 of nomatch*", "no abarca"),
        ("all of nomatch*", "no abarca"),
        ("2 of a*", "«2 of» no existe"),
        ("a | count() > 5", "correlación"),
        ("a and", "incompleta"),
        ("and a", "fuera de lugar"),
        ("not", "incompleta"),
        ("(a and b", "paréntesis"),
        ("a) and b", "sobra"),
        ("a b", "sobra"),
        ("them", "fuera de lugar"),
        ("''", "falta la condición"),
        ("[]", "falta la condición"),
        ("5", "falta la condición"),
        ("[a, '']", "falta la condición"),
        ("(" * 200 + "a" + ")" * 200, "64 niveles"),
        ("not " * 200 + "a", "64 niveles"),
        ("a or " * 1000 + "a", "4000 caracteres"),
    ],
)
def test_sigma_a_condition_that_cannot_be_read_rejects_the_rule(
    condition: str, reason: str
) -> None:
    assert reason in refusal(rule_text(THREE + condition))


def test_sigma_a_rule_without_condition_is_rejected() -> None:
    text = rule_text("a: {a: 1}\ncondition: a").replace("  condition: a\n", "")
    assert "falta la condición" in refusal(text)


def test_sigma_a_selection_with_no_items_is_rejected() -> None:
    for empty in ("{}", "[]", "null"):
        assert "vacía" in refusal(rule_text(f"sel: {empty}"))


def test_sigma_only_nothing_but_them_of_private_selections_is_rejected() -> None:
    assert "no abarca" in refusal(rule_text("_a: {a: 1}\ncondition: 1 of them"))
