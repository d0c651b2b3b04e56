"""Sigma values, one test for each line V1–V10 of the checklist; maps, lists and keywords."""

import json

import pytest

from tests.unit.detect.build import fires, refusal, rule_text
from tests.unit.detect.sigma.judge import is_true, true_of

MISSING = object()


def of_field(line: str, value: object) -> bool:
    return true_of(f"sel:\n  {line}", {} if value is MISSING else {"f": value})


@pytest.mark.parametrize(
    ("wanted", "value"),
    [("ANA", "ana"), ("ñandú", "ÑANDÚ"), ("σ", "Σ"), ("ς", "Σ"), ("İx", "iX"), ("ß", "ß")],
)
def test_sigma_v1_texts_compare_without_regard_to_case(wanted: str, value: str) -> None:
    assert is_true(f"f: '{wanted}'", value)
    assert is_true(f"f|contains: '{wanted}'", f"--{value}--")
    assert is_true(f"f|startswith: '{wanted}'", f"{value}--")
    assert is_true(f"f|endswith: '{wanted}'", f"--{value}")
    assert is_true(f"f: '{wanted}?*'", f"{value}--")


def test_sigma_v1_folding_changes_no_length() -> None:
    assert not is_true("f: 'ss'", "ß")
    assert is_true("f: '?'", "İ")
    assert not is_true("f: '??'", "İ")


def test_sigma_v1_cased_compares_exactly() -> None:
    assert is_true("f|cased: Ana", "Ana")
    assert not is_true("f|cased: Ana", "ana")


@pytest.mark.parametrize(
    ("wanted", "value", "expected"),
    [
        ("a*c", "ac", True),
        ("a*c", "abbc", True),
        ("a*c", "a\n\nc", True),
        ("a*c", "xac", False),
        ("a*c", "acx", False),
        ("a?c", "abc", True),
        ("a?c", "a\nc", True),
        ("a?c", "ac", False),
        ("a?c", "abbc", False),
        ("*b*d*", "abcde", True),
        ("*b*d*", "adcb", False),
        ("ab", "abc", False),
        ("ab", "xab", False),
    ],
)
def test_sigma_v2_wildcards_fit_the_whole_value(wanted: str, value: str, expected: bool) -> None:
    assert is_true(f"f: '{wanted}'", value) is expected


@pytest.mark.parametrize(
    ("written", "fits", "misses"),
    [
        (r"a\*b", "a*b", "axb"),
        (r"a\?b", "a?b", "axb"),
        (r"a\\*", r"a\xyz", "a*"),
        (r"a\\\*", r"a\*", r"a\x"),
        (r"a\\b", r"a\b", r"a\\b"),
        (r"a\b", r"a\b", "ab"),
        (r"a\\\\b", r"a\\b", r"a\b"),
        (r"\\srv", r"\srv", r"\\srv"),
        ("a\\", "a\\", "a"),
    ],
)
def test_sigma_v3_a_backslash_protects_wildcards_and_itself(
    written: str, fits: str, misses: str
) -> None:
    assert is_true(f"f: '{written}'", fits)
    assert not is_true(f"f: '{written}'", misses)


@pytest.mark.parametrize("value", [4625, "4625", 4625.0, "4625.0", "+4625", "4.625e3"])
def test_sigma_v4_a_number_equals_whatever_writes_it(value: object) -> None:
    assert is_true("f: 4625", value)
    assert is_true("f: 4625.0", value)
    assert not is_true("f: 4626", value)


@pytest.mark.parametrize("value", [4625, "4625", 4625.0])
def test_sigma_v4_a_numeric_text_equals_the_number(value: object) -> None:
    assert is_true("f: '4625'", value)
    assert not is_true("f: '04625'", value)


@pytest.mark.parametrize("value", [True, "true", "TRUE"])
def test_sigma_v4_true_is_the_text_true(value: object) -> None:
    assert is_true("f: true", value)
    assert is_true("f: 'true'", value)
    assert not is_true("f: false", value)
    assert not is_true("f: 1", value)


@pytest.mark.parametrize("value", ["abc", "", None, {}, True, "1,5", "0x10", "nan", "inf"])
def test_sigma_v4_what_is_no_number_compares_false_without_an_error(value: object) -> None:
    for sign in ("lt", "lte", "gt", "gte"):
        assert not is_true(f"f|{sign}: 5", value)
    assert not is_true("f: 5", value)


@pytest.mark.parametrize(
    ("value", "null", "empty", "exists"),
    [
        (MISSING, True, False, False),
        (None, True, False, True),
        ("", False, True, True),
        (" ", False, False, True),
        ([], True, False, True),
        ([None, "x"], True, False, True),
        ([""], False, True, True),
        (0, False, False, True),
        ({}, False, False, True),
    ],
)
def test_sigma_v5_null_empty_and_missing(
    value: object, null: bool, empty: bool, exists: bool
) -> None:
    assert of_field("f: null", value) is null
    assert of_field("f: ~", value) is null
    assert of_field("f: []", value) is null
    assert of_field("f: ''", value) is empty
    assert of_field("f|exists: true", value) is exists
    assert of_field("f|exists: false", value) is not exists


def test_sigma_v5_null_inside_a_list_is_refused() -> None:
    assert "null" in refusal(rule_text("sel: {f: [a, null]}"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [(MISSING, False), (None, False), ([], False), ("", True), ("x", True), (0, True), ({}, True)],
)
def test_sigma_v6_a_lone_star_is_present_and_not_null(value: object, expected: bool) -> None:
    for line in ("f: '*'", "f: '**'", "f|contains: ''", "f|contains: '*'", "f|startswith: ''"):
        assert of_field(line, value) is expected, line


def test_sigma_v7_a_list_is_or_and_all_makes_it_and() -> None:
    assert is_true("f|contains: [a, b]", "xbx")
    assert not is_true("f|contains: [a, b]", "xcx")
    assert is_true("f|contains|all: [a, b]", "bca")
    assert not is_true("f|contains|all: [a, b]", "bcb")
    assert is_true("f|all|contains: [a, b]", "bca")


def test_sigma_v7_all_with_one_value_is_that_value() -> None:
    assert is_true("f|contains|all: a", "xax")
    assert not is_true("f|contains|all: [a]", "x")


def test_sigma_v7_each_expansion_is_an_or_inside_the_and() -> None:
    line = "f|windash|contains|all: [' -a', ' -b']"
    assert is_true(line, "x /a –b")
    assert not is_true(line, "x /a –c")
    assert is_true("f|base64offset|contains|all: [admin, passwd]", "eGFkbWlueHBhc3N3ZA==")


def test_sigma_v8_any_element_of_an_array_fits() -> None:
    assert is_true("f: b", ["a", "B"])
    assert is_true("f: 2", ["a", ["b", 2]])
    assert not is_true("f: c", ["a", "b"])
    assert is_true("f|contains|all: [a, b]", ["xa", "xb"])


def test_sigma_v8_a_negation_wants_no_element_to_fit() -> None:
    assert not true_of("sel: {f: b}\ncondition: not sel", {"f": ["a", "b"]})
    assert true_of("sel: {f: c}\ncondition: not sel", {"f": ["a", "b"]})


@pytest.mark.parametrize(
    "line",
    ["f: a", "f: 1", "f: '*'", "f|re: '.*'", "f|cidr: 0.0.0.0/0", "f|gt: 0", "f|lt: 0",
     "f|contains: a", "f|fieldref: g", "f|hour: 1", "f: ''", "f|base64offset|contains: abc"],
)  # fmt: skip
def test_sigma_v9_a_missing_field_makes_a_line_false_and_its_negation_true(line: str) -> None:
    assert not true_of(f"sel:\n  {line}", {"g": "x"})
    assert true_of(f"sel: {{g: x}}\nfilter:\n  {line}\ncondition: sel and not filter", {"g": "x"})


def test_sigma_v9_only_null_exists_and_neq_are_true_of_a_missing_field() -> None:
    for line in ("f: null", "f|exists: false", "f|neq: a", "f|neq: [a, b]", "f|contains|neq: a"):
        assert true_of(f"sel:\n  {line}", {"g": 1}), line


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"a.b": "x"}, True),
        ({"a": {"b": "x"}}, True),
        ({"a.b": "y", "a": {"b": "x"}}, False),
        ({"a": {"b": {"c": "x"}}}, False),
        ({"a": [{"b": "y"}, {"b": "x"}]}, True),
        ({"A.B": "x"}, False),
    ],
)
def test_sigma_v10_the_literal_name_first_then_the_path(
    fields: dict[str, object], expected: bool
) -> None:
    assert true_of("sel: {a.b: x}", fields) is expected


def test_sigma_v10_spaces_in_names_do_not_count() -> None:
    for rule in ("Threat Name", "ThreatName"):
        for found in ("Threat Name", "ThreatName"):
            assert true_of(f"sel: {{{rule}: x}}", {found: "x"})
    assert not true_of("sel: {threatname: x}", {"Threat Name": "x"})


def test_sigma_v10_the_producers_name_before_that_of_ecs() -> None:
    assert fires("sel: {source.ip: x}", {}, ecs={"source.ip": "x"})
    assert fires("sel: {source.ip: x}", {"source.ip": "x"}, ecs={"source.ip": "y"})
    assert not fires("sel: {source.ip: y}", {"source.ip": "x"}, ecs={"source.ip": "y"})
    assert fires("sel: {source.ip: null}", {"source.ip": None}, ecs={"source.ip": "y"})


def test_sigma_maps_are_and_lists_of_maps_are_or_at_any_depth() -> None:
    assert not true_of("sel: {a: 1, b: 2}", {"a": 1, "b": 3})
    either = "sel:\n  - {a: 1, b: 2}\n  - {c: 3}"
    assert true_of(either, {"c": 3})
    assert not true_of(either, {"a": 1, "b": 3})
    deep = "sel:\n  - - {a: 1}\n    - {b: 2}\n  - {c: 3}"
    assert true_of(deep, {"b": 2})
    assert true_of("sel:\n  - {a: 1}\n  - word", {}, original="a WORD here")


ORIGINAL = "Nov 20 sshd: Failed PASSWORD 4711"


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("failed password", True),
        ("[nothing, password]", True),
        ("[nothing, other]", False),
        ("4711", True),
        ("[1, 4711]", True),
        ("fail*word", True),
        ("sshd? ?ailed", True),
        (r"fail\*word", False),
        ("{'|all': [sshd, failed]}", True),
        ("{'|all': [sshd, other]}", False),
        ("{'|re': '^Nov .*[0-9]{4}$'}", True),
        ("{'|re': 'failed'}", False),
        ("{'|re|i': 'failed'}", True),
        ("{'|cased': PASSWORD}", True),
        ("{'|cased': password}", False),
    ],
)
def test_sigma_keywords_look_at_the_raw_record(selection: str, expected: bool) -> None:
    assert true_of(f"sel: {selection}", {}, original=ORIGINAL) is expected


def test_sigma_keywords_look_at_every_text_of_the_event() -> None:
    fields: dict[str, object] = {"a": "one", "b": ["two"], "c": {"d": [{"e": "Three"}]}, "n": 4}
    for word in ("one", "two", "three"):
        assert true_of(f"sel: {word}", fields), word
    assert not true_of("sel: four", fields)
    assert true_of("sel: {'|all': [one, three]}", fields)  # each may stand elsewhere
    assert not true_of("sel: {'|all': [one, four]}", fields)
    assert true_of("sel: '\"n\": 4'", fields, original=json.dumps(fields))


def test_sigma_keywords_negated_are_in_no_text() -> None:
    text = "sel: {a: one}\nnoise: [two]\ncondition: sel and not noise"
    assert true_of(text, {"a": "one"})
    assert not true_of(text, {"a": "one", "b": "two"})
