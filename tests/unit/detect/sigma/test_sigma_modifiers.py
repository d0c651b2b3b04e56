"""Every Sigma modifier, and one test for each line M1–M9 of the checklist."""

import base64

import pytest

from cgii.detect.modifiers import KNOWN
from tests.unit.detect.build import refusal, rule_text
from tests.unit.detect.sigma.judge import is_true, true_of

SIGMA = """contains startswith endswith all exists cased neq windash re i m s ignorecase multiline
dotall base64 base64offset utf16le utf16be utf16 wide lt lte gt gte minute hour day week month year
cidr expand fieldref""".split()


def test_sigma_knows_every_modifier_of_the_specification_and_no_other() -> None:
    assert set(SIGMA) == KNOWN


@pytest.mark.parametrize("line", ["f|contain: x", "f|: x", "f|Contains: x", "f|equals: x"])
def test_sigma_an_unknown_modifier_rejects_the_rule(line: str) -> None:
    assert "modificador desconocido" in refusal(rule_text(f"sel: {{{line}}}"))


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("f|contains: b", "aBc", True),
        ("f|contains: b", "ac", False),
        ("f|startswith: ab", "ABc", True),
        ("f|startswith: b", "abc", False),
        ("f|endswith: bc", "aBC", True),
        ("f|endswith: b", "abc", False),
        ("f|contains: 'a*c'", "xabbcx", True),
        ("f|startswith: 'a?c'", "abcd", True),
        ("f|endswith: '*.exe'", "a.EXE", True),
        ("f|contains: 62", 4625, True),
    ],
)
def test_sigma_sides(line: str, value: object, expected: bool) -> None:
    assert is_true(line, value) is expected


def coded(text: str, codec: str = "utf-8") -> str:
    return base64.b64encode(text.encode(codec)).decode()


def test_sigma_m1_modifiers_apply_from_left_to_right() -> None:
    assert is_true("f|wide|base64: abc", coded("abc", "utf-16-le"))
    assert is_true("f|utf16le|base64: abc", coded("abc", "utf-16-le"))
    assert is_true("f|utf16be|base64: abc", coded("abc", "utf-16-be"))
    assert is_true("f|base64|contains: abc", f"--{coded('abc')}--")
    assert is_true("f|base64|startswith: abc", f"{coded('abc')}--")
    assert "comodines" in refusal(rule_text("sel: {f|contains|base64: abc}"))
    assert "codificación anterior" in refusal(rule_text("sel: {f|wide|utf16be|base64: abc}"))


def test_sigma_m1_utf16_has_a_byte_order_mark_in_two_bytes() -> None:
    marked = base64.b64encode(b"\xff\xfea\0b\0").decode()
    assert is_true("f|utf16|base64: ab", marked)
    assert not is_true("f|utf16|base64: ab", coded("ab", "utf-16-le"))


def test_sigma_m1_wide_alone_puts_a_zero_after_each_character() -> None:
    assert is_true("f|wide|contains: ab", "xa\0b\0x")


def test_sigma_m1_base64_encodes_the_character_that_an_escape_means() -> None:
    assert is_true(r"f|base64: 'a\*b'", coded("a*b"))
    assert "comodines" in refusal(rule_text("sel: {f|base64: 'a*b'}"))


@pytest.mark.parametrize("text", ["foobar", "é!", "abcde", "contraseña", "x" * 20])
@pytest.mark.parametrize("before", ["", "-", "--", "---", "é"])
@pytest.mark.parametrize("after", ["", "+", "++", "é"])
def test_sigma_m2_base64offset_finds_the_text_at_every_offset(
    text: str, before: str, after: str
) -> None:
    assert is_true(f"f|base64offset|contains: '{text}'", coded(before + text + after))
    assert not is_true(f"f|base64offset|contains: '{text}'", coded(before + "other" + after))


def test_sigma_m2_base64offset_of_wide_text() -> None:
    value = coded("--powershell--", "utf-16-le")
    assert is_true("f|wide|base64offset|contains: powershell", value)


@pytest.mark.parametrize("dash", ["-", "/", "–", "—", "―"])
def test_sigma_m3_windash_stands_for_five_dashes(dash: str) -> None:
    assert is_true("f|windash|contains: ' -enc '", f"x {dash}enc y")
    assert is_true("f|contains|windash: ' /enc '", f"x {dash}enc y")
    assert not is_true("f|contains: ' -enc '", f"x {dash}enc y") or dash == "-"


def test_sigma_m3_windash_only_where_an_option_begins() -> None:
    assert not is_true("f|windash: 'no-op'", "no/op")
    assert is_true("f|windash: '-no-op'", "/no-op")
    assert not is_true("f|windash: 'a -'", "a /")


def test_sigma_m3_several_dashes_vary_on_their_own_and_are_bounded() -> None:
    assert is_true("f|windash|contains: '-a -b -c'", "x /a –b ―c")
    assert "guiones" in refusal(rule_text("sel: {f|windash: '-a -b -c -d -e'}"))


@pytest.mark.parametrize(
    ("network", "value", "expected"),
    [
        ("10.0.0.0/8", "10.255.0.1", True),
        ("10.0.0.0/8", "11.0.0.0", False),
        ("10.0.0.0/8", "::ffff:10.0.0.1", True),
        ("2001:db8::/32", "2001:DB8::5", True),
        ("2001:db8::/32", "2001:db9::5", False),
        ("0.0.0.0/0", "::1", False),
        ("10.0.0.0/8", "10.0.0.1:80", False),
        ("10.0.0.0/8", "10.0.0", False),
        ("10.0.0.0/8", "", False),
        ("10.0.0.0/8", 10, False),
    ],
)
def test_sigma_m4_networks(network: str, value: object, expected: bool) -> None:
    assert is_true(f"f|cidr: '{network}'", value) is expected


@pytest.mark.parametrize("wrong", ["10.0.0.1/8", "10.0.0.0/40", "red"])
def test_sigma_m4_a_wrong_network_rejects_the_rule(wrong: str) -> None:
    assert "red no válida" in refusal(rule_text(f"sel: {{f|cidr: '{wrong}'}}"))


def test_sigma_m4_cidr_comes_first() -> None:
    assert "primero" in refusal(rule_text("sel: {f|contains|cidr: 10.0.0.0/8}"))


@pytest.mark.parametrize(
    ("modifiers", "value", "other", "expected"),
    [
        ("fieldref", "Ana", "aNA", True),
        ("fieldref", "Ana", "Eva", False),
        ("fieldref|cased", "Ana", "ana", False),
        ("fieldref|neq", "Ana", "Eva", True),
        ("fieldref|neq", "Ana", "ANA", False),
        ("fieldref|startswith", "anaconda", "Ana", True),
        ("startswith|fieldref", "xana", "Ana", False),
        ("fieldref|endswith", "banana", "Ana", True),
        ("fieldref|contains", "xanax", "Ana", True),
        ("fieldref", 1, "1", True),
        ("fieldref", ["a", "b"], ["c", "B"], True),
    ],
)
def test_sigma_m5_fieldref(modifiers: str, value: object, other: object, expected: bool) -> None:
    assert is_true(f"f|{modifiers}: g", value, g=other) is expected


def test_sigma_m5_a_missing_field_equals_nothing() -> None:
    assert not true_of("sel: {f|fieldref: g}", {"f": "x"})
    assert not true_of("sel: {f|fieldref: g}", {"g": "x"})
    assert not true_of("sel: {f|fieldref: g}", {})
    assert true_of("sel: {f|fieldref|neq: g}", {"f": "x"})


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("f|expand: '%admins%'", "ROOT", True),
        ("f|expand: '%admins%'", "administrator", True),
        ("f|expand: '%admins%'", "guest", False),
        ("f|expand|contains: '-%admins%-'", "x-root-x", True),
        ("f|expand: '%nets%%one%'", "10.1.5", True),
        ("f|expand: '%nets%'", "abc", True),
        ("f: '%admins%'", "root", False),
        ("f: '%admins%'", "%admins%", True),
        ("f|re|expand: '^%one%$'", "(x)", True),
        ("f|re|expand: '^%one%$'", "1x5", False),
    ],
)
def test_sigma_m6_placeholders_only_with_expand(line: str, value: str, expected: bool) -> None:
    assert is_true(line, value) is expected


def test_sigma_m6_an_unresolved_placeholder_rejects_the_rule() -> None:
    for line in ("f|expand: '%nobody%'", "f|re|expand: '%nobody%'"):
        assert "%nobody% no tiene valores" in refusal(rule_text(f"sel: {{{line}}}"))


@pytest.mark.parametrize(
    ("value", "expected"),
    [("a", False), ("B", False), ("c", True), (None, True), (["c", "a"], False)],
)
def test_sigma_m7_neq_is_the_negation_of_the_whole_line(value: object, expected: bool) -> None:
    assert is_true("f|neq: [a, b]", value) is expected


def test_sigma_m7_neq_with_other_modifiers() -> None:
    assert is_true("f|contains|neq: a", "xyz")
    assert not is_true("f|neq|contains: a", "xaz")
    assert is_true("f|contains|all|neq: [a, b]", "xa")
    assert not is_true("f|contains|all|neq: [a, b]", "ba")
    assert is_true("f|cidr|neq: 10.0.0.0/8", "192.0.2.1")
    assert is_true("f|re|neq: '^a'", "ba")
    assert is_true("f|gt|neq: 5", 5)
    assert not is_true("f|neq: null", None)


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("f|re: 'a.c'", "xabcx", True),
        ("f|re: 'a.c'", "ABC", False),
        ("f|re|i: 'a.c'", "ABC", True),
        ("f|re|ignorecase: 'a.c'", "ABC", True),
        ("f|re: 'a.c'", "a\nc", False),
        ("f|re|s: 'a.c'", "a\nc", True),
        ("f|re|dotall: 'a.c'", "a\nc", True),
        ("f|re: '^c'", "a\nc", False),
        ("f|re|m: '^c'", "a\nc", True),
        ("f|re|multiline: '^c'", "a\nc", True),
        ("f|re|i|m|s: '^C.D'", "a\nc\nd", True),
        (r"f|re: '\\\\srv\*'", r"\\srv*", True),
        ("f|re: '[*]'", "a*b", True),
        ("f|re: ['x', 'b']", "abc", True),
        ("f|re|all: ['x', 'b']", "abc", False),
        ("f|re|contains: 'b'", "abc", True),
        ("f|re|startswith: 'b|c'", "c", True),
        ("f|re|endswith: 'b|c'", "ab", True),
        ("f|re: '^46'", 4625, True),
    ],
)
def test_sigma_m8_regular_expressions(line: str, value: object, expected: bool) -> None:
    assert is_true(line, value) is expected


@pytest.mark.parametrize("wrong", ["a(?=b)", "(?<!a)b", r"(a)\1", "(", "a{2000}", "(" * 2000])
def test_sigma_m8_what_re2_refuses_rejects_the_rule(wrong: str) -> None:
    assert "RE2" in refusal(rule_text(f"sel: {{f|re: '{wrong}'}}"))


@pytest.mark.parametrize("line", ["f|contains|re: a", "f|i: a", "f|i|re: a", "f|re|base64: a"])
def test_sigma_m8_re_comes_first_and_its_flags_after_it(line: str) -> None:
    assert refusal(rule_text(f"sel: {{{line}}}"))


MOMENT = "2024-12-30T23:05:59-04:00"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("f|minute: 5", True),
        ("f|hour: 23", True),
        ("f|hour: 3", False),
        ("f|day: 30", True),
        ("f|week: 1", True),
        ("f|month: 12", True),
        ("f|year: 2024", True),
        ("f|hour|gte: 22", True),
        ("f|hour|lt: 22", False),
        ("f|month: [1, 12]", True),
        ("f|year|neq: 2024", False),
    ],
)
def test_sigma_m9_parts_of_a_time_in_its_own_zone(line: str, expected: bool) -> None:
    assert is_true(line, MOMENT) is expected


@pytest.mark.parametrize("value", ["yesterday", "", None, 5, True])
def test_sigma_m9_what_is_no_time_is_false(value: object) -> None:
    assert not is_true("f|hour|gte: 0", value)


@pytest.mark.parametrize(
    ("line", "value", "expected"),
    [
        ("f|lt: 5", 4.9, True),
        ("f|lt: 5", 5, False),
        ("f|lte: 5", "5.0", True),
        ("f|gt: 5", "5.1", True),
        ("f|gt: 5", 5, False),
        ("f|gte: -1", -1, True),
        ("f|gt: 9", "10", True),
        ("f|gt: 0.5", 0.75, True),
        ("f|gt: [100, 5]", 6, True),
        ("f|gt: 5", [1, 6], True),
    ],
)
def test_sigma_comparisons_of_numbers(line: str, value: object, expected: bool) -> None:
    assert is_true(line, value) is expected


@pytest.mark.parametrize(
    "line",
    ["f|gt: many", "f|gt: true", "f|exists: 1", "f|exists: 'yes'", "f|exists|contains: true",
     "f|fieldref: 5", "f|fieldref: ''", "f|hour: noon", "f|contains: null", "f|cidr: 5", "f|re: 5",
     "f|contains|contains: a", "f|gt|lt: 5", "f|contains: {a: b}", "f|contains: [[a]]",
     "f|wide: ñ", "f|utf16: a", "f|base64: ''", "'|cidr': 10.0.0.0/8", "'|exists': true",
     "'|fieldref': g", "'|gt': 5"],
)  # fmt: skip
def test_sigma_combinations_without_a_meaning_reject_the_rule(line: str) -> None:
    assert refusal(rule_text(f"sel: {{{line}}}"))
