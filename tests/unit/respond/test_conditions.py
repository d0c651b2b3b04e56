"""Conditions compare variables; what is unknown fails, never passes."""

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.respond.conditions import ConditionError, evaluate, parse_condition


@pytest.mark.parametrize(
    ("text", "variables", "wanted"),
    [
        ("__a__:value = 'x'", {"__a__": "x"}, True),
        ("__a__:value = 'x'", {"__a__": "y"}, False),
        ("[__a__:value != 'x']", {"__a__": "y"}, True),
        ("__a__:value = true", {"__a__": True}, True),
        ("__a__:value = 'true'", {"__a__": True}, True),
        ("__a__:value = true", {"__a__": False}, False),
        ("__n__:value >= 10", {"__n__": 10}, True),
        ("__n__:value < 1.5", {"__n__": 2}, False),
        ("__n__:value = 1", {"__n__": True}, False),
        ("__a__:value IN ('x', 'y')", {"__a__": "y"}, True),
        ("__a__:value IN ('x')", {"__a__": "y"}, False),
        ("__a__:value = 'x' AND __b__:value = 1", {"__a__": "x", "__b__": 2}, False),
        ("__a__:value='x' OR __b__:value=1 AND __b__:value=2", {"__a__": "x", "__b__": 1}, True),
        (r"__a__:value = 'it\'s'", {"__a__": "it's"}, True),
    ],
)
def test_conditions_mean_what_they_say(text: str, variables: dict[str, Any], wanted: bool) -> None:
    assert evaluate(parse_condition(text), variables) is wanted


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a = 'x'",
        "__a__:value",
        "__a__:value =",
        "__a__:value = x",
        "__a__:value = 'x' AND",
        "__a__:value = 'x' __b__:value = 1",
        "__a__:value LIKE 'x'",
        "__a__:value IN 'x'",
        "__a__:value IN ('x'",
        "__a__:value AND 'x'",
        "(__a__:value = 'x')",
        "__import__('os')",
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    with pytest.raises(ConditionError):
        parse_condition(text)


@pytest.mark.parametrize("variables", [{}, {"__a__": None}])
def test_a_variable_without_value_fails(variables: dict[str, Any]) -> None:
    with pytest.raises(ConditionError, match="no tiene valor"):
        evaluate(parse_condition("__a__:value != 'x'"), variables)


def test_texts_have_no_order() -> None:
    with pytest.raises(ConditionError, match="comparar"):
        evaluate(parse_condition("__a__:value > 3"), {"__a__": "muchos"})


@given(st.text(max_size=60))
def test_any_text_is_a_condition_or_a_sentence(text: str) -> None:
    with suppress(ConditionError):  # anything else would fail here
        assert parse_condition(text).variables
