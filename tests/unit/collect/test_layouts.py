"""Values of a line are asked about at once, and the answer is that of each alone."""

from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.definition_parts import Layout, Looks, all_like, one_like
from cgii.collect.line_patterns import compile_pattern

REGEXES = ["", r"^\d+$", r"\D+", "a|b", "-|/.*", r"(?i)x.*", r"(?s).*a", r"[^a]*", r"\w+(?:%\w+)?"]
VALUES = st.text("ab1-/%xX \r\n^$ñ", max_size=4)
COLUMNS = st.lists(
    st.tuples(VALUES, st.sampled_from(REGEXES), st.sampled_from(REGEXES)), min_size=1, max_size=5
)


def fits(value: str, regex: str) -> bool:
    return compile_pattern(f"^(?:{regex})$").match(value.encode()) is not None


@given(COLUMNS)
def test_a_layout_says_of_all_columns_what_each_says(columns: list[tuple[str, str, str]]) -> None:
    values, likes, unlikes = zip(*columns, strict=True)
    regexes = all_like(likes), one_like(unlikes)
    looks = Looks(*(compile_pattern(one).match if one else None for one in regexes))
    each = all(
        (not like or fits(value, like)) and not (unlike and fits(value, unlike))
        for value, like, unlike in columns
    )

    # No line has a line break; if it could, a break would be no way to look like two columns.
    has_break = any("\n" in value for value in values) and any(regexes)
    assert Layout(("",) * len(columns), looks=looks).fits(values) == (each and not has_break)


def test_a_line_is_asked_about_once_however_many_columns_it_has() -> None:
    asked: list[bytes] = []
    looks = Looks(lambda text: asked.append(text) or True)

    assert Layout(("a", "b", "c"), looks=looks).fits(["1", "2", "3"])
    assert not Layout(("a", "b"), looks=looks).fits(["1", "2", "3"])
    assert asked == [b"1\n2\n3"]
