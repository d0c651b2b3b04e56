"""A pattern that Python's engine reads gives what RE2 gives, and only patterns with one way are."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgii.collect.definition import load_definitions
from cgii.collect.line_patterns import compile_pattern, first_and_last
from cgii.collect.one_way import one_way

SHIPPED = [
    (definition.name, pattern)
    for definition in load_definitions().by_name.values()
    for pattern in definition.patterns
    if pattern.quick is not None
]
ONE_WAY = (
    "^a$",
    "^a*b+c?$",
    r"^(?P<a>[^ ]+) (?P<b>\d{1,3})$",
    "^(?:ab|cd){2}x$",
    "^(a|b|)c$",
    r"^(?:x=(?P<x>\S*) )?y$",
    r"^[]a-c-]+[^]a-c\-]{1,}$",
    r"^\[\w+\.(?:b(?:c)?)?-.*$",
    "^(?:(a)|(b)(c?))d{2,}$",
)
SEVERAL_WAYS = (
    "^a*a$",
    "^.* from$",
    "^(?:a|ab)c$",
    "^a?(?:ab)?$",
    "^(?:a?)*$",
    "^(a)*$",
    "^(?:a{1,2}){1,2}$",
    "^a*?b$",
    "^a|b$",
    "a$",
    "^a",
    "^(?i)a$",
    r"^\bx$",
    "^[[:alpha:]]$",
    "^ñ$",
    "^(?:a{0})*$",
    "^" + "(?:" * 9 + "a" + ")" * 9 + "$",
)


def groups_of_re2(regex: str, line: str) -> tuple[str | None, ...] | None:
    found = compile_pattern(regex).match(line.encode())
    if found is None:
        return None
    return tuple(None if value is None else value.decode() for value in found.groups())


def groups_of_re(regex: str, line: str) -> tuple[str | None, ...] | None:
    match = one_way(regex)
    assert match is not None
    found = match(line)
    return None if found is None else found.groups()


@pytest.mark.parametrize("regex", ONE_WAY)
@given(line=st.text(st.sampled_from("abcdxy=] -[.0159\n\v")))
@settings(max_examples=200)
def test_both_engines_find_the_same_groups(regex: str, line: str) -> None:
    assert groups_of_re(regex, line) == groups_of_re2(regex, line)


@given(
    regex=st.text(st.sampled_from("aab()()|?*+[]^ .{12,}"), max_size=14).map(lambda r: f"^{r}$"),
    line=st.text(st.sampled_from("ab "), max_size=12),
)
@settings(max_examples=2_000)
def test_whatever_is_read_by_python_means_the_same_to_re2(regex: str, line: str) -> None:
    if one_way(regex) is None:
        return
    try:
        expected = groups_of_re2(regex, line)
    except ValueError:
        return  # such a definition is refused
    assert groups_of_re(regex, line) == expected


@pytest.mark.parametrize("regex", SEVERAL_WAYS)
def test_a_pattern_with_several_ways_is_left_to_re2(regex: str) -> None:
    assert one_way(regex) is None


@pytest.mark.parametrize("name", ["web_access plain", "linux_auth ssh_failed_plain"])
def test_the_most_usual_patterns_have_one_way(name: str) -> None:
    assert name in {f"{source} {pattern.name}" for source, pattern in SHIPPED}


def test_nothing_is_given_back_that_was_taken() -> None:
    # What repeats a character is possessive, so that a long line that does not fit ends at once.
    match = one_way('^(?P<a>[^ ]+) "(?P<b>[^"]*)"$')
    assert match is not None
    assert match(f'{"x" * 100_000} "{"y" * 100_000}') is None
    pattern = getattr(match, "__self__").pattern  # noqa: B009 — mypy does not know it
    assert re.findall(r"[*+?}](?!\+)(?<!\+\+|\}\+)", pattern) == []


@pytest.mark.parametrize(
    ("regex", "fitting"),
    [
        ("^abc", "abcdef"),
        ("^(?:a|abc)", "az"),
        ("(?i)^abc$", "aBC"),
        ("^a$", "a"),
        ("b|^a", "bx"),
        ("^ñ", "ñandú"),
        ("^", ""),
        (".*z", "\U0010ffffz"),
    ],
)
def test_a_line_that_fits_lies_between_the_first_and_the_last(regex: str, fitting: str) -> None:
    line = fitting.encode()
    first, last = first_and_last(regex)

    assert compile_pattern(regex).match(line) is not None
    assert first <= line <= last


def test_a_line_that_begins_otherwise_is_not_tried() -> None:
    first, last = first_and_last("^(?:error: )?Connection closed")

    assert not first <= b"Accepted publickey" <= last
    assert not first <= b"pam_unix(sshd:session)" <= last
