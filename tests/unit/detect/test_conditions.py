"""Conditions: precedence, quantifiers, and what is refused."""

import itertools

import pytest

from tests.unit.detect.build import fires, refusal, rule_text

NAMES = ("a", "b", "c")


@pytest.mark.parametrize(
    ("condition", "meaning"),
    [
        ("a and b or c", lambda a, b, c: (a and b) or c),
        ("a or b and c", lambda a, b, c: a or (b and c)),
        ("not a and b", lambda a, b, c: (not a) and b),
        ("not (a and b)", lambda a, b, c: not (a and b)),
        ("not a or not not b", lambda a, b, c: (not a) or b),
        ("a and not (b or c)", lambda a, b, c: a and not (b or c)),
        ("(a or b) and (b or c)", lambda a, b, c: (a or b) and (b or c)),
        ("1 of them", lambda a, b, c: a or b or c),
        ("any of them", lambda a, b, c: a or b or c),
        ("all of them", lambda a, b, c: a and b and c),
        ("a and not 1 of them", lambda a, b, c: False),
        ("not all of them", lambda a, b, c: not (a and b and c)),
        ("A AND b".replace("A ", "a "), lambda a, b, c: a and b),
        ("a AND NOT b OR c", lambda a, b, c: (a and not b) or c),
    ],
)
def test_not_binds_before_and_before_or(condition: str, meaning: object) -> None:
    assert callable(meaning)
    selections = "\n".join(f"{name}: {{{name}: 1}}" for name in NAMES)
    for truth in itertools.product((False, True), repeat=3):
        fields = {name: int(value) for name, value in zip(NAMES, truth, strict=True)}
        assert fires(f"{selections}\ncondition: {condition}", fields) is meaning(*truth), truth


SELECTIONS = """
sel_one: {a: 1}
sel_two: {b: 1}
filter_x_end: {c: 1}
_hidden: {d: 1}
condition: """


@pytest.mark.parametrize(
    ("condition", "fields", "expected"),
    [
        ("1 of sel_*", {"b": 1}, True),
        ("all of sel_*", {"b": 1}, False),
        ("all of sel_*", {"a": 1, "b": 1}, True),
        ("any of *_end", {"c": 1}, True),
        ("1 of f*_end", {"c": 1}, True),
        ("1 of *", {"d": 1}, True),
        ("1 of them", {"d": 1}, False),
        ("1 of _hid*", {"d": 1}, True),
        ("1 of sel_one", {"a": 1}, True),
        ("sel_one and not 1 of filter_*", {"a": 1, "c": 1}, False),
    ],
)
def test_patterns_name_selections(
    condition: str, fields: dict[str, object], expected: bool
) -> None:
    assert fires(SELECTIONS + condition, fields) is expected


def test_of_several_conditions_one_is_enough() -> None:
    text = "a: {a: 1}\nb: {b: 1}\ncondition: [a, b]"
    assert fires(text, {"b": 1})
    assert not fires(text, {"c": 1})


def test_a_selection_may_be_called_all() -> None:
    assert fires("all: {a: 1}\ncondition: all", {"a": 1})


@pytest.mark.parametrize(
    ("condition", "reason"),
    [
        ("a and missing", "«missing», que no existe"),
        ("a and", "incompleta"),
        ("(a", "paréntesis"),
        ("a)", "sobra «)»"),
        ("a b", "sobra «b»"),
        ("a or or b", "fuera de lugar"),
        ("1 of nomatch*", "no abarca"),
        ("2 of a*", "2 of"),
        ("a | count() > 5", "correlación"),
        ("a and " * 700 + "a", "4000 caracteres"),
        ("(" * 100 + "a" + ")" * 100, "64 niveles"),
        ("''", "falta la condición"),
    ],
)
def test_what_cannot_be_read_rejects_the_rule(condition: str, reason: str) -> None:
    assert reason in refusal(rule_text(f"a: {{a: 1}}\nb: {{b: 1}}\ncondition: {condition}"))
