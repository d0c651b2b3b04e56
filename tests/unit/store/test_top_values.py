"""The most frequent values of a field: each way of counting gives what a plain count gives."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.store import events_top
from cgii.store.events import EventQuery, EventStore, open_events
from cgii.store.query_fields import comparable
from tests.event_oracle import NOON, make_event

LONG = "x" * (limits.HOT_VALUE_CHARS_MAX + 1)
USERS = ["ana", "Ana", "luis", "ana maría", "a\x1fb", LONG, ["ana", "eva", "ana"], [], None, "-"]
EVENTS = [
    make_event(
        number,
        at=NOON + timedelta(seconds=number),
        ecs={"user.name": USERS[number % len(USERS)], "event.code": str(number % 7)},
        fields={},
        entity_id=number % 3,
    )
    for number in range(600)
]


def counted(numbers: range, users: list[object] = USERS) -> Counter[str]:
    """How many of these events have each value."""
    totals: Counter[str] = Counter()
    for number in numbers:
        value = users[number % len(users)]
        each = value if isinstance(value, list) else [value]
        totals.update({comparable("user.name", one) for one in each if one is not None})
    return totals


@pytest.fixture(params=["grouped", "apart", "in small parts", "too many to hold"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[EventStore]:
    if request.param != "grouped":
        monkeypatch.setattr(limits, "TOP_GROUPED_MAX", 5)
    if request.param == "in small parts":
        monkeypatch.setattr(limits, "TOP_ROWS_AT_ONCE", 3)
    if request.param == "too many to hold":
        monkeypatch.setattr(limits, "TOP_VALUES_MAX", 2)
    store = open_events("", tmp_path)
    store.write(EVENTS)
    yield store
    store.close()


def top(store: EventStore, query: EventQuery) -> Counter[str]:
    return Counter({one.value: one.count for one in store.top_values(query, "user.name", 99)})


def test_over_everything(store: EventStore) -> None:
    assert top(store, EventQuery()) == counted(range(600))


def test_over_a_stretch(store: EventStore) -> None:
    query = EventQuery(start=NOON + timedelta(seconds=100), end=NOON + timedelta(seconds=450))
    assert top(store, query) == counted(range(100, 450))


def test_over_one_entity_and_what_a_search_finds(store: EventStore) -> None:
    assert top(store, EventQuery(entity_ids=frozenset({1}))) == counted(range(1, 600, 3))
    assert top(store, EventQuery("event.code:3")) == counted(range(3, 600, 7))
    assert top(store, EventQuery("NOT event.code:3")) == counted(range(600)) - counted(
        range(3, 600, 7)
    )


def test_of_a_file_the_most_frequent_are_kept_however_they_are_counted(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events_top, "_TOP_PER_FILE", 4)
    query = EventQuery("NOT event.code:3")
    most = counted(range(600)) - counted(range(3, 600, 7))
    found = store.top_values(query, "event.code", 100)
    assert [one.count for one in found] == [86, 86, 86, 86]
    assert len(store.top_values(query, "user.name", 100)) < len(most)


def test_over_what_only_documents_tell(store: EventStore) -> None:
    query = EventQuery("event.code:/[3]/")
    assert top(store, query) == counted(range(3, 600, 7))


@pytest.mark.parametrize("value", ["a\ue001b", "a\x01b", "a\xa0b", "a b"])
def test_signs_that_words_cannot_hold(tmp_path: Path, value: str) -> None:
    store = open_events("", tmp_path)
    store.write([make_event(one, ecs={"user.name": value}, fields={}) for one in range(3)])
    assert top(store, EventQuery()) == {comparable("user.name", value): 3}


def test_no_more_text_is_in_memory_than_the_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TOP_GROUPED_MAX", 5)
    monkeypatch.setattr(events_top, "_SLICES", 1)
    monkeypatch.setattr(events_top, "_TEXT_BYTES_MAX", 6_000)
    lengths: list[int] = []

    def values_in(slices: Any, *args: Any) -> Any:
        length = -1
        try:
            found = real(slices, *args)
            length = len("-".join(found))
        finally:
            lengths.append(length)  # at once: two threads come here
        return found

    real = events_top._Slices._values_in
    monkeypatch.setattr(events_top._Slices, "_values_in", values_in)
    store = open_events("", tmp_path)
    users = [f"persona{number:05}" for number in range(700)]
    store.write(
        [
            make_event(
                seq,
                at=NOON + timedelta(seconds=seq),
                ecs={"user.name": users[seq % 700], "event.code": "7"},
                fields={},
            )
            for seq in range(2_000)
        ]
    )
    found = store.top_values(EventQuery("event.code:7"), "user.name", 1_000)
    assert Counter({one.value: one.count for one in found}) == counted(range(2_000), [*users])
    assert -1 in lengths  # too long at first
    assert max(lengths) <= 6_000
    assert sum(lengths) > 2_000 * 12
    # A long document is read all the same, by the same connection.
    store.write([make_event(5_000, original="largo " * 5_000, ecs={"event.code": "8"})])
    assert len(store.search(EventQuery("event.code:8")).events) == 1
    store.close()


def test_time_is_looked_at_before_each_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = open_events("", tmp_path)
    store.write(EVENTS)
    monkeypatch.setattr(limits, "TOP_GROUPED_MAX", 5)
    monkeypatch.setattr(limits, "QUERY_SECONDS_MAX", -1)  # and no part takes long enough for a look
    with pytest.raises(Unavailable, match="se detuvo"):
        store.top_values(EventQuery("event.code:3"), "user.name", 10)
    monkeypatch.undo()
    assert top(store, EventQuery("event.code:3")) == counted(range(3, 600, 7))
    store.close()
