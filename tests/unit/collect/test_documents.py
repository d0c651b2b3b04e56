"""JSON documents of any build give their records, each with the line on which it begins."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect.documents import BrokenDocument, is_wrapped, records

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)
RECORDS = st.lists(
    st.dictionaries(st.sampled_from("abc"), VALUES, min_size=1), min_size=1, max_size=5
)


def found(text: str) -> list[tuple[object, int]]:
    return [(one.value, one.line) for one in records(text)]


@given(RECORDS, st.sampled_from([None, 0, 2]))
def test_a_list_gives_its_items_on_their_lines(
    items: list[dict[str, object]], indent: int | None
) -> None:
    text = json.dumps(items, indent=indent)

    assert [value for value, _ in found(text)] == items
    lines = text.splitlines()
    assert all(lines[line - 1].lstrip(" [,").startswith("{") for _, line in found(text))


@given(RECORDS, st.sampled_from([None, 1]), st.sampled_from(["", "\n", "\n\n", " "]))
def test_documents_one_after_another_are_records(
    items: list[dict[str, object]], indent: int | None, between: str
) -> None:
    text = between.join(json.dumps(one, indent=indent) for one in items)

    assert [value for value, _ in found(text)] == items


@pytest.mark.parametrize(
    "text",
    [
        '{"Events": [{"a": 1}, {"a": 2}]}',
        '{"Records": [{"a": 1}, {"a": 2}], "next": null, "more": {"x": []}}',
        '{"xmlns": "x", "#attributes": {"b": 1}, "Events": {"Event": [{"a": 1}, {"a": 2}]}}',
        '{"Event": [{"a": 1}, {"a": 2}]}',
        'Record 1\n{"a": 1}\nRecord 2\n{"a": 2}\n',
        '[[{"a": 1}], {"a": 2}]',
    ],
)
def test_what_stands_around_records_is_taken_away(text: str) -> None:
    assert [value for value, _ in found(text)] == [{"a": 1}, {"a": 2}]


def test_an_event_with_a_list_of_its_own_is_one_record() -> None:
    record = {"id": 5, "Records": [{"a": 1}]}

    assert not is_wrapped(json.dumps(record))
    assert [value for value, _ in found(json.dumps(record))] == [record]


@pytest.mark.parametrize(
    ("text", "good", "line"),
    [
        ('[{"a": 1},\n{"a": 2},\n{"a"', 2, 3),
        ('{"a": 1}\n{"a": 2}\n}', 2, 3),
        ("[" * 100_000, 0, 1),
        ('[{"a": 1}', 1, 1),
    ],
)
def test_a_broken_document_says_where(text: str, good: int, line: int) -> None:
    seen = []
    with pytest.raises(BrokenDocument) as caught:
        for one in records(text):
            seen.append(one)
    assert (len(seen), caught.value.line) == (good, line)
