"""Wildcards, escapes and the modifiers that rewrite text (V2, V3, M1, M2, M3, M6)."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.detect.patterns import Wild, base64_offset, expand, parse, windash
from cgii.detect.rule_files import RuleError
from tests.unit.detect.build import fires, refusal, rule_text

STAR, ONE = Wild.STAR, Wild.ONE


@pytest.mark.parametrize(
    ("written", "tokens"),
    [
        ("a*b", ("a", STAR, "b")),
        (r"a\*b", ("a*b",)),
        (r"a\?b", ("a?b",)),
        (r"a\\*b", ("a\\", STAR, "b")),
        (r"a\\\*b", ("a\\*b",)),
        (r"\\", ("\\",)),
        (r"\\\\", ("\\\\",)),
        (r"C:\Windows\x", ("C:\\Windows\\x",)),
        (r"\\srv\share", (r"\srv\share",)),
        ("a?", ("a", ONE)),
        ("tail\\", ("tail\\",)),
        ("", ()),
    ],
)
def test_a_backslash_protects_wildcards_and_itself_only(written: str, tokens: object) -> None:
    assert parse(written) == tokens


@pytest.mark.parametrize(
    ("pattern", "value", "expected"),
    [
        ("abc", "ABC", True),
        ("abc", "xabc", False),
        ("a*c", "a\nb\nc", True),
        ("a?c", "abc", True),
        ("a?c", "abbc", False),
        ("a?c", "ac", False),
        ("a?c", "aéc", True),
        ("*", "", True),
        ("*.exe", "C:\\x.EXE", True),
        ("a*", "a", True),
        ("*a*b*", "xxaxxbxx", True),
        ("*a*b*", "xxbxxaxx", False),
        (r"\*", "*", True),
        (r"\*", "x", False),
        ("a.c", "abc", False),
    ],
)
def test_wildcards_cover_the_whole_value(pattern: str, value: str, expected: bool) -> None:
    assert fires(f"sel: {{f: '{pattern}'}}", {"f": value}) is expected


def test_a_unc_path_needs_four_backslashes_for_two() -> None:
    assert fires(r"sel: {f: '\\\\srv\\x'}", {"f": r"\\srv\x"})
    assert not fires(r"sel: {f: '\\srv\x'}", {"f": r"\\srv\x"})
    assert fires(r"sel: {f|contains: '\\srv\x'}", {"f": r"\\srv\x"})


@pytest.mark.parametrize(
    ("modifier", "value", "expected"),
    [
        ("contains", "one two", True),
        ("contains", "tw", False),
        ("startswith", "two three", True),
        ("startswith", "one two", False),
        ("endswith", "one two", True),
        ("endswith", "two three", False),
        ("startswith", "TWO", True),
        ("endswith", "TWO", True),
    ],
)
def test_sides(modifier: str, value: str, expected: bool) -> None:
    assert fires(f"sel: {{f|{modifier}: two}}", {"f": value}) is expected


def test_wildcards_work_inside_contains() -> None:
    assert fires("sel: {f|contains: 'a*z'}", {"f": "xxa...zxx"})
    assert not fires("sel: {f|contains: 'a*z'}", {"f": "xxz...axx"})


def test_an_empty_contains_wants_a_value() -> None:
    assert fires("sel: {f|contains: ''}", {"f": ""})
    assert not fires("sel: {f|contains: ''}", {})


@given(st.binary(max_size=20), st.text(min_size=1, max_size=12), st.binary(max_size=20))
def test_base64offset_finds_the_value_at_every_place(
    before: bytes, value: str, after: bytes
) -> None:
    try:
        codes = [str(pattern[0]) for pattern in base64_offset((value,))]
    except RuleError:
        assert len(value.encode()) < 3  # too short to say anything surely
        return
    encoded = base64.b64encode(before + value.encode() + after).decode()
    assert codes[len(before) % 3] in encoded


def test_base64offset_counts_bytes_not_characters() -> None:
    (first, *_) = base64_offset(("é!",))
    assert first == ("w6kh",)


def test_base64_encodes_the_value_without_its_escapes() -> None:
    code = base64.b64encode(b"a*b").decode()
    assert fires(r"sel: {f|base64: 'a\*b'}", {"f": code})
    assert "comodines" in refusal(rule_text("sel: {f|base64: 'a*b'}"))


def test_modifiers_apply_from_left_to_right() -> None:
    code = base64.b64encode("ping".encode("utf-16-le")).decode()
    assert fires("sel: {f|wide|base64offset|contains: ping}", {"f": f"-e {code}"})
    assert fires("sel: {f|utf16le|base64: ping}", {"f": code})
    big = base64.b64encode("ping".encode("utf-16-be")).decode()
    assert fires("sel: {f|utf16be|base64: ping}", {"f": big})
    marked = base64.b64encode(b"\xff\xfe" + "ping".encode("utf-16-le")).decode()
    assert fires("sel: {f|utf16|base64: ping}", {"f": marked})


def test_wide_alone_means_zero_bytes_between_letters() -> None:
    assert fires("sel: {f|wide|contains: ab}", {"f": "xa\0b\0y"})


def test_wide_after_base64_is_refused() -> None:
    assert "codificación" in refusal(rule_text("sel: {f|wide|utf16be|base64: x}"))


@pytest.mark.parametrize("dash", ["-", "/", "–", "—", "―"])
def test_windash_takes_every_dash(dash: str) -> None:
    assert fires("sel: {f|windash|contains: ' -enc '}", {"f": f"powershell {dash}ENC abc"})


def test_windash_leaves_dashes_inside_words() -> None:
    assert windash(parse("a-b -c")) == [(f"a-b {d}c",) for d in "-/–—―"]


def test_windash_on_two_options_takes_all_combinations() -> None:
    assert fires("sel: {f|windash|contains: '-a -b'}", {"f": "x /a —b"})
    assert len(windash(parse("-a -b"))) == 25


def test_windash_is_bounded() -> None:
    assert "guiones" in refusal(rule_text("sel: {f|windash: '-a -b -c -d -e'}"))


def test_windash_with_all_wants_one_form_of_each_value() -> None:
    rule = "sel: {f|windash|contains|all: [' -a ', ' -b ']}"
    assert fires(rule, {"f": "x /a –b y –b "})
    assert not fires(rule, {"f": "x /a "})


def test_placeholders_take_every_value_that_the_site_gives() -> None:
    found = expand(parse("%who%-x"), {"who": ["ana", "b*"]})
    assert found == [("ana-x",), ("b", STAR, "-x")]


def test_a_protected_percent_is_a_percent() -> None:
    assert expand(parse(r"\%who\%"), {}) == [("%who%",)]


def test_percent_means_itself_without_expand() -> None:
    assert fires("sel: {f: '%TEMP%'}", {"f": "%temp%"})


def test_a_placeholder_without_values_rejects_the_rule() -> None:
    assert "%Administrators%" in refusal(rule_text("sel: {f|expand: '%Administrators%'}"))
