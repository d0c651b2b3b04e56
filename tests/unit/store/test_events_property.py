"""Whatever is searched, the store answers what a plain reading of the search says."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.store.events import EventQuery, open_events
from cgii.store.events_plan import guarded
from cgii.store.query import parse
from tests.event_oracle import make_event, meets
from tests.event_searches import GUARDS, SEARCHES, events, wild_events

ODD_ENDS = ("", "e", "e7", "ez", "e\u0436", "\u00e9")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example(  # the key of a hot field, `e=5`, is no word
    stored=[
        make_event(seq, original=f"5 {end}", ecs={"user.name": 5})
        for seq, end in enumerate(ODD_ENDS)
    ],
    texts=["e*", "\u00c9*", "NOT e*", "5 NOT e*", "(e* OR f*) user.name:5", "5\\ e*"],
    guard=frozenset({1}),
)
@given(stored=wild_events(), texts=st.lists(SEARCHES, min_size=1, max_size=12), guard=GUARDS)
def test_the_store_answers_what_the_search_means(
    stored: list[Event], texts: list[str], guard: frozenset[int] | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_events("", Path(folder))
        store.write(stored)
        stored = list(store.get_many(event.id for event in stored).values())
        for text in texts:
            query = EventQuery(text, entity_ids=guard)
            try:
                tree = guarded(parse(text), guard)
            except Invalid:
                continue
            wanted = {event.id for event in stored if meets(event, tree)}
            found = [event.id for event in store.search(query).events]
            assert set(found) == wanted, text
            assert len(found) == len(wanted) == store.count(query)
            sorted_in = store.histogram(query, 7)
            assert sum(bucket.count for bucket in sorted_in) == len(wanted)
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(limits, "HISTOGRAM_SORTED_MAX", 0)
                assert store.histogram(query, 7) == sorted_in
        store.close()


@settings(max_examples=100, deadline=None)
@given(stored=events())
def test_an_event_comes_back_as_it_went_in(stored: list[Event]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_events("", Path(folder))
        assert store.write(stored) == len(stored)
        assert store.get_many(event.id for event in stored) == {event.id: event for event in stored}
        store.close()


@settings(max_examples=300, deadline=None)
@given(
    text=st.text(
        alphabet=st.sampled_from(list("ab:*?\"'()[]{}<>=~^/\\|&!-+;,. \n\0%_é\u0661ANDORT0")),
        max_size=60,
    )
)
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_events("", Path(folder))
        event = make_event(1, fields={"a": "b"}, ecs={"user.name": "a"})
        store.write([event])
        refused = ""
        try:
            tree = parse(text)
        except Invalid as refusal:
            refused = str(refusal)
        else:
            found = {one.id for one in store.search(EventQuery(text)).events}
            assert found == ({event.id} if meets(event, tree) else set()), text
        assert refused == "" or refused.endswith((".", ")")), text
        assert store.stats().events == 1
        store.close()
