"""A screen never misses: whatever a predicate is true of proposes the rule that asks for it."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cgii.detect.checks import Atom, View, compile_check
from cgii.detect.expressions import AllOf
from cgii.detect.fields import Place
from cgii.detect.patterns import Wild
from cgii.detect.predicates import Kind, Predicate, of_pattern
from cgii.detect.screens import Screen, ValueMemory
from cgii.detect.values import MISSING

# Letters in which lower(), RE2 and JSON differ, and the characters that a screen uses itself.
ALPHABET = "abkKsS\u017f\u212a\u0130iI\u00df\u1e9e\u03a3\u03c2\u03c3.*?\\/-1520 \x00\x02\x03\ud800"
texts = st.text(ALPHABET, max_size=6)
written = texts.filter(lambda text: "\ud800" not in text)
tokens = st.lists(written.filter(bool) | st.sampled_from(list(Wild)), max_size=4).map(tuple)
predicates = st.one_of(
    st.builds(of_pattern, tokens, cased=st.booleans()),
    st.sampled_from(
        [
            Predicate(Kind.NULL),
            Predicate(Kind.ANY),
            Predicate(Kind.NUMBER, 1),
            Predicate(Kind.NUMBER, 52.0),
            Predicate(Kind.COMPARE, ("gte", 2)),
            Predicate(Kind.CIDR, "10.0.0.0/8"),
            Predicate(Kind.TIME, ("hour", "eq", 3)),
            Predicate(Kind.REGEX, "(?i)ask", cased=True),
            Predicate(Kind.REGEX, "aks+[a-z]*isb?", cased=True),
            Predicate(Kind.REGEX, "(?i)skiss|bb", cased=True),
            Predicate(Kind.REGEX, "", cased=True),
        ]
    ),
)
scalars = st.one_of(
    texts,
    st.sampled_from(["ask", "a\u017fk", "aksisb", "AKSSIS", "1", "1.0", "52", "10.1.1.1"]),
    st.sampled_from([0, 1, 52, 10**15, 10**16, 2**70, -1, 1.0, 1e16, 2.5, True, False, None]),
    st.just(datetime(2026, 5, 5, 3, tzinfo=UTC)),
    st.just({"a": "b"}),
)
values = st.one_of(scalars, st.lists(st.one_of(scalars, st.lists(scalars, max_size=2)), max_size=3))


def is_true(predicate: Predicate, value: Any) -> bool:
    check = compile_check(AllOf(frozenset({0})), [Atom(0, predicate)], [0.5])
    fields = {} if value is MISSING else {"f": value}
    return check(View([Place(("f",))], fields, {}, list))


@given(st.lists(predicates, min_size=1, max_size=12), st.lists(values, min_size=1, max_size=6))
@example([of_pattern((Wild.STAR, "s", Wild.STAR), cased=False)], ["\u017f"])
@example([Predicate(Kind.REGEX, "(?i)ask", cased=True)], ["A\u017f\u212a"])
def test_whatever_is_true_is_proposed(asked: list[Predicate], seen: list[Any]) -> None:
    screen = Screen([(predicate, number) for number, predicate in enumerate(asked)], ValueMemory())
    for value in [*seen, MISSING, *seen]:  # the second time from memory
        true = {number for number, one in enumerate(asked) if is_true(one, value)}
        assert true <= set(screen.of_any(value))


def test_a_number_of_one_and_true_are_told_apart() -> None:
    screen = Screen(
        [(Predicate(Kind.EXACT, "true"), 0), (Predicate(Kind.NUMBER, 1), 1)], ValueMemory()
    )
    for _ in range(2):
        assert screen[True] == (0,)
        assert screen[1] == (1,)
        assert screen[1.0] == (1,)
        assert screen["1"] == (1,)


def test_a_large_float_is_not_taken_for_a_whole_number() -> None:
    screen = Screen([(Predicate(Kind.EXACT, "1e+16"), 0)], ValueMemory())
    assert screen[10**16] == ()
    assert screen[1e16] == (0,)


def test_what_proposes_nobody_is_false() -> None:
    screen = Screen([(Predicate(Kind.CONTAINS, "mimikatz"), 0)], ValueMemory())
    assert not screen["notepad.exe"]
    assert not screen[None]
    assert screen["x MIMIKATZ y"]


def test_remembered_values_are_bounded_for_one_field_and_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cgii.base.limits.VALUE_CACHE_ENTRIES_MAX", 10)
    monkeypatch.setattr("cgii.base.limits.VALUE_MEMORY_BYTES_MAX", 5_000)
    memory = ValueMemory()
    screens = [Screen([(Predicate(Kind.CONTAINS, "7"), 0)], memory) for _ in range(4)]
    for number in range(500):
        for screen in screens:
            assert bool(screen[f"value {number}"]) is ("7" in str(number))
            assert len(screen) <= 10
        assert sum(map(len, screens)) <= 4 + 25  # 5,000 bytes are 24 values of some 207


def test_a_very_long_value_is_not_remembered() -> None:
    screen = Screen([(Predicate(Kind.CONTAINS, "abc"), 0)], ValueMemory())
    assert screen["x" * 10_000 + "abc"] == (0,)
    assert len(screen) == 1  # what null means


def test_a_screen_that_is_forgetting_still_knows_what_a_missing_value_proposes() -> None:
    screen = Screen([(Predicate(Kind.NULL), 7)], ValueMemory())
    screen.clear()  # as far as another thread may have come
    assert screen[None] == (7,)
    assert screen.of_any(MISSING) == (7,)
