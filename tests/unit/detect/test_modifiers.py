"""What one line of a selection means (V5, V6, V7, V8, V9, M4, M5, M7, M8, M9)."""

import pytest

from tests.unit.detect.build import fires, refusal, rule_text


@pytest.mark.parametrize(
    ("fields", "null", "exists", "empty", "star"),
    [
        ({}, True, False, False, False),
        ({"f": None}, True, True, False, False),
        ({"f": ""}, False, True, True, True),
        ({"f": "x"}, False, True, False, True),
        ({"f": []}, True, True, False, False),
        ({"f": [None, "x"]}, True, True, False, True),
        ({"f": {"g": 1}}, False, True, False, True),
        ({"f": 0}, False, True, False, True),
    ],
)
def test_missing_null_empty_and_present_are_four_things(
    fields: dict[str, object], null: bool, exists: bool, empty: bool, star: bool
) -> None:
    assert fires("sel: {f: null}", fields) is null
    assert fires("sel: {f: []}", fields) is null
    assert fires("sel: {f|exists: true}", fields) is exists
    assert fires("sel: {f|exists: false}", fields) is not exists
    assert fires("sel: {f: ''}", fields) is empty
    assert fires("sel: {f: '*'}", fields) is star


def test_null_inside_a_list_is_refused() -> None:
    assert "null" in refusal(rule_text("sel: {f: [a, null]}"))


def test_a_list_wants_one_of_its_values_and_all_wants_each() -> None:
    assert fires("sel: {f|contains: [a, b]}", {"f": "xb"})
    assert not fires("sel: {f|contains|all: [a, b]}", {"f": "xb"})
    assert fires("sel: {f|contains|all: [a, b]}", {"f": "ba"})


def test_any_element_of_an_array_will_do() -> None:
    assert fires("sel: {f: b}", {"f": ["a", "B"]})
    assert not fires("sel: {f: c}", {"f": ["a", "b"]})
    assert not fires("sel: {f: b}\ncondition: not sel", {"f": ["a", "b"]})


def test_all_may_be_satisfied_by_different_elements() -> None:
    assert fires("sel: {f|contains|all: [a, b]}", {"f": ["xa", "xb"]})


def test_a_missing_field_makes_a_line_false_and_its_negation_true() -> None:
    assert not fires("sel: {f: x}", {})
    assert fires("sel: {g: 1}\nfilter: {f: x}\ncondition: sel and not filter", {"g": 1})


@pytest.mark.parametrize(
    ("value", "expected"), [("a", False), ("A", False), ("c", True), (None, True)]
)
def test_neq_with_a_list_is_none_of_them(value: object, expected: bool) -> None:
    assert fires("sel: {f|neq: [a, b]}", {"f": value}) is expected


def test_neq_is_true_of_a_missing_field() -> None:
    assert fires("sel: {f|neq: a}", {})


def test_neq_combines_with_other_modifiers() -> None:
    assert fires("sel: {f|contains|neq: evil}", {"f": "good"})
    assert not fires("sel: {f|contains|neq: evil}", {"f": "an EVIL one"})


def test_cased_wants_the_same_letters() -> None:
    for line in ("f|cased: aB", "f|contains|cased: aB", "f|cased|startswith: aB", "f|cased: 'a?'"):
        assert fires(f"sel: {{{line}}}", {"f": "aB"}), line
        assert not fires(f"sel: {{{line}}}", {"f": "AB"}), line
    assert fires("sel: {f|endswith|cased: aB}", {"f": "x-aB"})


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("f|re: a.c", "xxabcxx", True),
        ("f|re: a.c", "ABC", False),
        ("f|re|i: a.c", "ABC", True),
        ("f|re|ignorecase: a.c", "ABC", True),
        ("f|re: a.c", "a\nc", False),
        ("f|re|s: a.c", "a\nc", True),
        ("f|re|dotall: a.c", "a\nc", True),
        ("f|re: '^b'", "a\nb", False),
        ("f|re|m: '^b'", "a\nb", True),
        ("f|re|multiline: '^b'", "a\nb", True),
        ("f|re|i|m: '^B$'", "a\nb\nc", True),
        (r"f|re: 'C:\\x\*'", r"C:\x*", True),
        ("f|re|contains: b", "abc", True),
        ("f|re|startswith: a|b", "ab", True),
        ("f|re: '^4625$'", 4625, True),
    ],
)
def test_regular_expressions(line: str, value: object, expected: bool) -> None:
    assert fires(f"sel: {{{line}}}", {"f": value}) is expected


@pytest.mark.parametrize("pattern", ["a(?=b)", r"(a)\1", "(", "a{5000}"])
def test_an_expression_that_re2_refuses_rejects_the_rule(pattern: str) -> None:
    assert "RE2" in refusal(rule_text(f"sel: {{f|re: '{pattern}'}}"))


def test_half_of_a_surrogate_pair_is_matched_like_any_text() -> None:
    broken = "evil\ud800"
    assert fires("sel: {f|re: evil}", {"f": broken})
    assert fires("sel: {f|contains: [evil, b1, b2, b3, b4, b5, b6, b7]}", {"f": broken})
    assert fires("sel: {f: 'e?il*'}", {"f": broken})


@pytest.mark.parametrize(
    ("network", "address", "expected"),
    [
        ("10.0.0.0/8", "10.200.3.4", True),
        ("10.0.0.0/8", "11.0.0.1", False),
        ("10.0.0.0/8", "::ffff:10.1.1.1", True),
        ("2001:db8::/32", "2001:DB8::1", True),
        ("2001:db8::/32", "10.0.0.1", False),
        ("10.0.0.0/8", "not an address", False),
        ("10.0.0.0/8", "10.0.0.1:80", False),
        ("10.0.0.0/8", 5, False),
        ("10.1.2.3", "10.1.2.3", True),
    ],
)
def test_networks(network: str, address: object, expected: bool) -> None:
    assert fires(f"sel: {{f|cidr: '{network}'}}", {"f": address}) is expected


@pytest.mark.parametrize("network", ["10.0.0.1/8", "10.0.0.0/33", "example"])
def test_a_network_with_host_bits_or_nonsense_is_refused(network: str) -> None:
    assert "red no válida" in refusal(rule_text(f"sel: {{f|cidr: '{network}'}}"))


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("f|gt: 5", 6, True),
        ("f|gt: 5", 5, False),
        ("f|gte: 5", "5", True),
        ("f|lt: 5", "4.9", True),
        ("f|lt: 5", 5, False),
        ("f|lte: 5", 5.0, True),
        ("f|lt: 5", "abc", False),
        ("f|lt: 5", None, False),
        ("f|lt: 5", True, False),
        ("f|gte: 0.5", "0.5", True),
    ],
)
def test_comparisons_read_numeric_texts_and_nothing_else(
    line: str, value: object, expected: bool
) -> None:
    assert fires(f"sel: {{{line}}}", {"f": value}) is expected


def test_a_comparison_with_text_is_refused() -> None:
    assert "necesita un número" in refusal(rule_text("sel: {f|gt: many}"))


@pytest.mark.parametrize(
    ("line", "mine", "other", "expected"),
    [
        ("f|fieldref: g", "Ana", "ANA", True),
        ("f|fieldref: g", "Ana", "Eva", False),
        ("f|fieldref|cased: g", "Ana", "ANA", False),
        ("f|fieldref|startswith: g", "anaconda", "Ana", True),
        ("f|fieldref|endswith: g", "banana", "Ana", True),
        ("f|fieldref|contains: g", "xanax", "Ana", True),
        ("f|contains|fieldref: g", "xanax", "Eva", False),
        ("f|fieldref|neq: g", "Ana", "Eva", True),
        ("f|fieldref|neq: g", "Ana", "ana", False),
        ("f|fieldref: g", 5, "5", True),
        ("f|fieldref: g", ["x", "y"], ["y", "z"], True),
        ("f|fieldref: g", None, None, False),
    ],
)
def test_a_field_compared_with_another(
    line: str, mine: object, other: object, expected: bool
) -> None:
    assert fires(f"sel: {{{line}}}", {"f": mine, "g": other}) is expected


def test_a_missing_field_equals_no_other() -> None:
    assert not fires("sel: {f|fieldref: g}", {"f": "x"})
    assert not fires("sel: {f|fieldref: g}", {})


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("f|hour: 23", True),
        ("f|hour|gte: 22", True),
        ("f|hour|lt: 6", False),
        ("f|minute: 5", True),
        ("f|day: 20", True),
        ("f|week: 47", True),
        ("f|month: [10, 11]", True),
        ("f|year|gt: 2026", False),
    ],
)
def test_parts_of_a_time_are_those_of_its_own_zone(line: str, expected: bool) -> None:
    assert fires(f"sel: {{{line}}}", {"f": "2026-11-20T23:05:00-04:00"}) is expected


def test_a_part_of_what_is_no_time_is_false() -> None:
    assert not fires("sel: {f|hour|gte: 0}", {"f": "yesterday"})


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        ("sel: {f|contain: x}", "modificador desconocido «contain»"),
        ("sel: {f|contains|re: x}", "tiene que ser el primero"),
        ("sel: {f|contains|cidr: 10.0.0.0/8}", "tiene que ser el primero"),
        ("sel: {f|i: x}", "solo acompañan a re"),
        ("sel: {f|exists: maybe}", "true o false"),
        ("sel: {f|exists|neq: true}", "no se combina"),
        ("sel: {f|contains|contains: x}", "repetido"),
        ("sel: {f|contains: {a: b}}", "un mapa"),
        ("sel: {f|contains: null}", "null no admite"),
        ("sel: {f|gt|contains: 5}", "no es una comparación"),
        ("sel: {f|fieldref|re: g}", "tiene que ser el primero"),
        ("sel: {f|re: 5}", "re necesita un texto"),
        ("sel: {f|utf16: x}", "base64"),
    ],
)
def test_what_makes_no_sense_rejects_the_rule_and_says_why(detection: str, reason: str) -> None:
    assert reason in refusal(rule_text(detection))


def test_more_values_than_allowed_are_refused() -> None:
    many = ", ".join(f"v{n}" for n in range(20_001))
    assert "20000 valores" in refusal(rule_text(f"sel: {{f: [{many}]}}"))
