"""Keywords are found in one pass over the texts, and a raw line without them is passed over."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.detect import predicates as predicate_tests
from cgii.detect.fields import texts_of_record
from cgii.detect.keywords import Keywords, LineSearch
from cgii.detect.predicates import Kind, Predicate
from cgii.detect.screens import ValueMemory

ALPHABET = 'aksi KSI"\\/:\u017f\u212a\u0130é\n0u'
words = st.text(ALPHABET, min_size=1, max_size=7)
predicates = words.map(lambda word: Predicate(Kind.CONTAINS, word.lower())) | st.sampled_from(
    [Predicate(Kind.REGEX, "(?i)ask", cased=True), Predicate(Kind.REGEX, "a+", cased=True)]
)


def keywords(*asked: Predicate) -> Keywords:
    return Keywords([(predicate, number) for number, predicate in enumerate(asked)], ValueMemory())


@given(
    st.lists(predicates, min_size=1, max_size=5),
    st.dictionaries(st.sampled_from("xyz"), words | st.lists(words, max_size=2), max_size=3),
    st.booleans(),
)
@example([Predicate(Kind.CONTAINS, "task")], {"x": "TA\u017f\u212a task"}, True)
@example([Predicate(Kind.CONTAINS, "sk:a")], {"x": "\u212aSK:a"}, False)
def test_a_keyword_is_never_overlooked(
    asked: list[Predicate], fields: dict[str, Any], escaped: bool
) -> None:
    line = json.dumps(fields, ensure_ascii=escaped).encode()
    said = texts_of_record(fields, line.decode())
    true = {n for n, one in enumerate(asked) if any(map(predicate_tests.tester(one), said))}
    sought = keywords(*asked)
    proposed = {one for found in sought.proposed(said) for one in found}
    assert true <= proposed
    if true:
        assert sought.may_stand_in(line)
    search = LineSearch()
    search.covers(sought)
    found = search.found_in([b'{"y":"ask"}', line])
    if true and search.covers(sought):
        assert not sought.sought.isdisjoint(found[1])


def test_a_line_without_keywords_is_passed_over() -> None:
    sought = keywords(Predicate(Kind.CONTAINS, "sekurlsa::"), Predicate(Kind.CONTAINS, "lsadump::"))
    assert not sought.may_stand_in(b'{"CommandLine":"C:\\\\Windows\\\\notepad.exe"}')
    assert sought.may_stand_in(b'{"CommandLine":"SEKURLSA::logonpasswords"}')


def test_a_letter_that_is_escaped_is_not_overlooked() -> None:
    sought = keywords(Predicate(Kind.CONTAINS, "sekurlsa::"))
    assert sought.may_stand_in(rb'{"x":"sekurls\u0061::"}')


def test_an_expression_without_a_fixed_text_lets_every_line_through() -> None:
    assert keywords(Predicate(Kind.REGEX, "[0-9]+", cased=True)).may_stand_in(b"{}")


runs = st.lists(st.sampled_from(["abc", "BCD", "mimi", "xyz "]), min_size=1, max_size=3)
pieces = st.lists(
    st.sampled_from(["a", "bc", "BCd", "mi", "MI", "xyz", " ", "{", "\n"]), max_size=6
)


@given(st.lists(runs, min_size=1, max_size=3), st.lists(pieces, max_size=6))
def test_one_pass_over_many_lines_tells_what_each_of_them_holds(
    wanted: list[list[str]], given_lines: list[list[str]]
) -> None:
    search = LineSearch()
    all_keywords = [
        keywords(*(Predicate(Kind.CONTAINS, text.lower()) for text in texts)) for texts in wanted
    ]
    lines = ["".join(parts).encode() for parts in given_lines]
    for one in all_keywords:
        assert not search.covers(one)  # nobody has sought it yet
    found = search.found_in(lines)
    for number, line in enumerate(lines):
        for one in all_keywords:
            if lines and search.covers(one) and one.may_stand_in(line):
                assert not one.sought.isdisjoint(found[number])


def test_what_stands_in_every_line_many_times_is_left_to_each_line() -> None:
    search, sought = LineSearch(), keywords(Predicate(Kind.CONTAINS, "abc"))
    assert not search.covers(sought)
    assert search.found_in([b"abc" * limits.LINE_HITS_MAX, b"x"])
    assert search.covers(sought)
    assert not search.found_in([b"abc" * 3 * limits.LINE_HITS_MAX, b"x"])
    assert not search.covers(sought)
    assert search.found_in([b"abc"])
    assert search.covers(sought)


def test_keywords_that_are_too_short_for_a_pass_are_never_covered() -> None:
    search, sought = LineSearch(), keywords(Predicate(Kind.CONTAINS, "a"))
    assert not search.covers(sought)
    search.found_in([b"a"])
    assert not search.covers(sought)
