"""A required text is in whatever the expression matches."""

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from cgii.detect.literals import required_text, required_texts
from cgii.detect.screens import evened


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("mimikatz", "mimikatz"),
        ("(?i)MimiKatz", "mimikatz"),
        (r"(?s)\A.*invoke\-web.*\z", "invoke-web"),
        (r"\\cmd\.exe", r"\cmd.exe"),
        ("abc?defg", "defg"),
        ("abcd*e", "abc"),
        ("abc{0}def", "def"),
        ("abc{2,3}d", "abc"),
        ("abcd+efgh?", "abcd"),
        ("[abc]defg", "defg"),
        ("x(abcd)y", ""),
        ("abc|def", ""),
        ("ab(c|d)efgh", "efgh"),
        (r"ab\x41cdef", ""),
        (r"\Qa.c\Edef", ""),
        (r"[\]x]abc", "abc"),
        ("[]x]abc", "abc"),
        ("[[:alpha:]]abc", "abc"),
        ("(?-s)abc", "abc"),
        (r"(a\)b)cdef", "cdef"),
        ("ñandú", "and"),
        ("ab", ""),
        ("(abc", ""),
    ],
)
def test_the_longest_required_text_is_found(expression: str, text: str) -> None:
    assert required_text(expression) == text


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ("mimikatz", ("mimikatz",)),
        (r"(COMMAND=|CMD \(|HISTORY:).*\b(auto)?ssh\s", ("command=", "cmd (", "history:")),
        (r"(?i)(COMMAND=|cmd).*sshd", ("sshd",)),  # the shortest counts
        ("x(abcd)y", ("abcd",)),
        ("(?:abc|defg)+", ("abc", "defg")),
        ("(?P<name>abc|def)", ("abc", "def")),
        ("(?i:abc|DEF)", ("abc", "def")),
        ("(?i-s:abc|def)", ("abc", "def")),
        ("(abc|x(def|ghi)jkl)", ("abc", "jkl")),
        (r"(a[|)]bcd|\(efg)", ("bcd", "(efg")),
        ("(abc|def)?", ()),
        ("(abc|def)*", ()),
        ("(abc|def){0,3}", ()),
        ("(abc|)", ()),
        ("(abc|d)", ()),
        ("(abc|def)|x", ()),
        (r"(abc|\Qdef\E)", ()),
        ("(?i)", ()),
        ("(" + "|".join(f"abc{n}" for n in range(51)) + ")", ()),
    ],
)
def test_a_group_requires_what_its_alternatives_require(
    expression: str, texts: tuple[str, ...]
) -> None:
    assert required_texts(expression) == texts


PIECES = (
    "(abc|dab)", "(?:Kab|aBc)+", "(abc|bcd)?", "(abc|b?cd)", "(?i:kab|sab)", "(a|bcd){2}",
    "abc", "K", "s", "x{0}", "b?", "c*", "d+", "[ab]", "[^x]", "(bc)?", "(?:ab|c)", ".", ".*",
    "\\.", "\\d", "^", "$", "(?i)", "a{2}", "a{0,2}", "\\b", "é", "[[:digit:]]", "()",
)  # fmt: skip
ALPHABET = "abcdkKsSxABC.1 é\u017f\u212a"


@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.lists(st.text(ALPHABET, max_size=12), min_size=1, max_size=30),
)
def test_what_matches_contains_the_required_text(expression: str, seen: list[str]) -> None:
    try:
        options = re2.Options()
        options.log_errors = False
        search = re2.compile(expression, options).search
    except re2.error:
        assume(False)
    for text in seen:
        if search(text) is not None:
            assert required_text(expression) in evened(text)
            texts = required_texts(expression)
            assert not texts or any(one in evened(text) for one in texts)
