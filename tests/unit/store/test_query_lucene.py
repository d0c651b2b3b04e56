"""Regular expressions said in Lucene's way mean what they meant."""

import re

import pytest
import re2
from hypothesis import assume, given
from hypothesis import strategies as st

from cgii.store.query_lucene import literal, lucene_regex
from cgii.store.query_values import compile_regex

ATOMS = st.sampled_from(
    ["a", "B", "0", ".", "\\.", "\\d", "\\W", "\\w", "\\s", "[a-f]", "[^A-C]", "[]x]", "[a-]", " ",
     "[\\d_]", "\\/", "(?:ab)", "(a|b)", "\\-", "[Z-a]", "\\\\", "\"", "~", "@", "#", "&", "<"]
)  # fmt: skip
COUNTS = st.sampled_from(["", "", "", "*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?"])
ROWS = st.lists(st.tuples(ATOMS, COUNTS).map("".join), max_size=4).map("".join)
PATTERNS = st.one_of(
    ROWS, st.tuples(ROWS, ROWS).map("|".join), ROWS.map("^{}$".format), ROWS.map("({})+".format)
)
TEXTS = st.text(alphabet=st.sampled_from(list('aAbBcf0_ .-/\\~@#&<"x\n]^z')), max_size=6)


@given(pattern=PATTERNS, text=TEXTS)
def test_what_is_said_means_the_same(pattern: str, text: str) -> None:
    try:
        meant = compile_regex(pattern)
    except re2.error:
        assume(False)
    said = lucene_regex(pattern)
    assert said is not None, pattern
    # Python reads this much of Lucene's language in the same way.
    found = re.fullmatch(said, text.lower(), re.DOTALL) is not None
    assert found == (meant.fullmatch(text) is not None), (pattern, said)


@pytest.mark.parametrize(
    "pattern",
    ["ñ", "(?i)a", "(?P<n>a)", "\\bx", "a{60}",
     "(^a)", "x^y", "a$*", "^*", "[[:alpha:]]", "\\x41", "\\pL", "(a",
     "a)", "[a", "*a", "a{x}", "[b-a]", "\\", "a**", "[^\\w\\W]", "(" * 40 + ")" * 40],
)  # fmt: skip
def test_what_cannot_be_said_is_left_to_the_documents(pattern: str) -> None:
    assert lucene_regex(pattern) is None


def test_the_ends_of_a_text_need_not_be_said() -> None:
    for pattern in ("^(a|b)$", "^(a|b)", "(a|b)$"):
        assert lucene_regex(pattern) == lucene_regex("(a|b)")
    assert lucene_regex("^a|b$") == lucene_regex("a|b")
    assert lucene_regex("a\\$") == lucene_regex("a[$]")


@given(text=st.text(alphabet=st.sampled_from(list('a0.*?[](){}|\\"~@&#<>^$ñ日- ')), max_size=8))
def test_a_literal_stands_for_itself(text: str) -> None:
    assert re.fullmatch(literal(text), text) is not None


def test_no_range_begins_with_a_backslash_which_lucene_would_not_read() -> None:
    assert lucene_regex("[\\\\-p]") == "[\\\\\\]-p]"
    assert lucene_regex("[Z-\\\\]") == "[\\[\\\\z]"
