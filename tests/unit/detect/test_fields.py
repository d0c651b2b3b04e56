"""Where a rule's field is sought (V10), and where keywords are."""

import pytest

from tests.unit.detect.build import fires

NESTED = {"alert": {"signature": "x", "metadata": {"tag": ["a", "b"]}}}


@pytest.mark.parametrize(
    ("fields", "ecs", "expected"),
    [
        ({"a.b": 1}, {}, True),
        ({"a.b": 2, "a": {"b": 1}}, {}, False),
        ({"a": {"b": 1}}, {}, True),
        ({"a": [{"b": 2}, {"b": 1}]}, {}, True),
        ({"a": [{"c": 1}]}, {}, False),
        ({}, {"a.b": 1}, True),
        ({"a.b": None}, {"a.b": 1}, False),
        ({"a": {"c": 1}}, {"a.b": 1}, True),
        ({"a": "text"}, {}, False),
        ({"A.B": 1}, {}, False),
    ],
)
def test_the_literal_name_goes_before_ecs_and_the_path(
    fields: dict[str, object], ecs: dict[str, object], expected: bool
) -> None:
    assert fires("sel: {a.b: 1}", fields, ecs=ecs) is expected


def test_a_name_with_dots_inside_a_path() -> None:
    assert fires("sel: {a.b.c: 1}", {"a.b": {"c": 1}})
    assert fires("sel: {a.b.c: 1}", {"a": {"b.c": 1}})


def test_deep_lists_are_looked_through() -> None:
    assert fires("sel: {alert.metadata.tag: b}", NESTED)
    assert fires("sel: {alert.metadata|exists: true}", NESTED)


def test_spaces_in_names_count_for_nothing() -> None:
    assert fires("sel: {ThreatName: x}", {"Threat Name": "x"})
    assert fires("sel: {Threat Name: x}", {"ThreatName": "x"})
    assert fires("sel: {ThreatName: x}", {"Threat Name": "y", "ThreatName": "x"})


@pytest.mark.parametrize(
    ("keywords", "expected"),
    [
        ("[WORLD]", True),
        ("[raw-only]", True),
        ("[inner]", True),
        ("['w?rld']", True),
        ("['hel*ld']", True),
        ("['hello*inner']", False),
        ("[absent]", False),
        ("[absent, world]", True),
        ("[hello]", True),
        ("world", True),
        ("[77]", True),
        ("[key_name]", False),
    ],
)
def test_keywords_are_sought_in_the_raw_record_and_every_text(
    keywords: str, expected: bool
) -> None:
    fields = {"f": "Hello World", "key_name": {"g": ["inner"]}, "n": 5}
    assert fires(f"sel: {keywords}", fields, original="raw-only 77") is expected


def test_all_keywords_may_stand_in_different_fields() -> None:
    rule = "sel: {'|all': [one, two]}"
    assert fires(rule, {"f": "one", "g": "two"})
    assert not fires(rule, {"f": "one"})


def test_keywords_may_be_expressions_or_cased() -> None:
    assert fires("sel: {'|re': 'w[aeiou]rld$'}", {"f": "hello world"})
    assert not fires("sel: {'|re': '^world'}", {"f": "hello world"})
    assert not fires("sel: {'|cased': World}", {"f": "hello world"})


def test_many_keywords_are_found_alike() -> None:
    words = ", ".join(f"word{n}" for n in range(40))
    assert fires(f"sel: [{words}]", {"f": "has WORD37 in it"})
    assert not fires(f"sel: [{words}]", {"f": "has word in it"})
    assert fires(f"sel: [{words}]", {"f": "word3\ud800"})


def test_lists_of_maps_are_alternatives_and_maps_want_all() -> None:
    rule = "sel:\n- {a: 1, b: 1}\n- {c: 1}"
    assert fires(rule, {"a": 1, "b": 1})
    assert not fires(rule, {"a": 1})
    assert fires(rule, {"c": 1})


def test_keywords_and_maps_may_stand_in_one_list() -> None:
    rule = "sel:\n- {a: 1}\n- needle"
    assert fires(rule, {"a": 1})
    assert fires(rule, {"b": "a needle"})
    assert not fires(rule, {"b": "hay"})
