"""Searches made up at random give the same events on every store, and those that are meant."""

import secrets
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgii.base.errors import Invalid
from cgii.model.event import Event
from cgii.store.events import EventQuery, EventStore, open_events
from cgii.store.events_plan import guarded
from cgii.store.query import parse
from cgii.store.query_fields import TEXTS, TIMES
from cgii.store.query_times import milliseconds
from tests import servers
from tests.event_oracle import make_event, meets
from tests.event_searches import GUARDS, NAMES, SEARCHES, wild_events

pytestmark = pytest.mark.elasticsearch


@pytest.fixture(scope="module")
def address(elasticsearch_server: servers.SearchServer) -> Iterator[str]:
    """The address of indices of this file's own."""
    url = f"{elasticsearch_server.url}/t{secrets.token_hex(6)}"
    yield url
    servers.drop_indices(url)
    servers.drop_templates(url)


@pytest.fixture(scope="module")
def indices(address: str) -> Iterator[EventStore]:
    """The store in Elasticsearch."""
    store = open_events(address, Path())
    yield store
    store.close()


def asked(text: str, guard: frozenset[int] | None) -> Any:
    """The meaning of a search; None when it is refused."""
    try:
        return guarded(parse(text), guard)
    except Invalid:
        return None


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    stored=wild_events(),
    texts=st.lists(SEARCHES, min_size=8, max_size=25),
    guard=GUARDS,
    field=st.sampled_from([name for name in NAMES if name not in (*TEXTS, *TIMES)]),
)
def test_both_stores_answer_what_the_search_means(
    address: str,
    indices: EventStore,
    stored: list[Event],
    texts: list[str],
    guard: frozenset[int] | None,
    field: str,
) -> None:
    servers.drop_indices(address)
    with tempfile.TemporaryDirectory() as folder:
        files = open_events("", Path(folder))
        assert indices.write(stored) == files.write(stored) == len(stored)
        kept = files.get_many(event.id for event in stored)
        assert indices.get_many(kept) == kept
        stored = list(kept.values())
        for text in texts:
            tree = asked(text, guard)
            if tree is None:
                continue
            query = EventQuery(text, entity_ids=guard)
            wanted = {event.id for event in stored if meets(event, tree)}
            page = indices.search(query)
            assert {event.id for event in page.events} == wanted, text
            assert len(page.events) == len(wanted) == indices.count(query), text
            order = [milliseconds(event.at) for event in files.search(query).events]
            assert [milliseconds(event.at) for event in page.events] == order, text
            assert indices.histogram(query, 7) == files.histogram(query, 7), text
            assert indices.top_values(query, field) == files.top_values(query, field), (text, field)
        files.close()


ODD: list[dict[str, Any]] = [
    {"fields": {"Script": "Invoke-" + "a" * 3_000 + " mimikatz"}},
    {"fields": {"Script": "invoke-b mimikatz"}},
    {"fields": {"Script": "Sesi\u00f3n"}, "ecs": {"message": "Sesi\u00f3n de root"}},
    {"fields": {"Time": 2**60 + 1}},
    {"fields": {"Time": 5}, "ecs": {"event.original": "hidden"}},
    {"fields": {"many": {f"k{n}": {"x": n} for n in range(6_000)}, "Script": "invoke-c"}},
    {"fields": {"a\0b": "c", "n" * 500: "d", "Script": ["x", "Invoke-D"]}},
    {"original": '{"User":"root","Script":"none at all"}', "fields": {"User": "root"}},
    {"original": "w" * 2_500 + " " + "w" * 2_500 + "v", "ecs": {"message": "v" * 2_500}},
    {"ecs": {"source.ip": ["10.1.2.3", "FE80::1", "::ffff:9.9.9.9", "01.2.3.4", "x"]}},
]
ODD_SEARCHES = [
    "Script:*mimikatz", "Script:invoke*", "NOT Script:*mimikatz", "Script:/invoke-[a-c].*/",
    "Script:/sesi\u00f3n/", "Script:/sesion/", "Script:/.*n/", "Script:sesion", "Script:>=invoke-b",
    "Script:[a TO j]", "Time:>5", "Time:>=1152921504606846977",
    "Time:<1152921504606846978",
    "many.k7.x:7", "many:7", "_exists_:many.k9", "NOT _exists_:many", "NOT many.k7:8", "c", "d",
    "message:/.*root/", "message:*root", "message:root", "message:(de root)",
    'message:"sesi\u00f3n de"',
    'message:"root de"', "event.original:root", 'event.original:"line 1"', "event.original:*none*",
    "event.original:hidden", "ww*", "w" * 1_900 + "*", '"' + "w" * 900 + '"', "*wv", "*w?", "v*",
    "message:vv*", "message:" + "v" * 1_900 + "*", "source.ip:10.0.0.0/8", 'source.ip:"fe80::/10"',
    'source.ip:"::/0"', "source.ip:9.0.0.0/8", "source.ip:[9.9.9.9 TO 10.1.2.3]",
    "source.ip:>10.1.2.2", "source.ip:>10.1.2.3", 'source.ip:["fe80::" TO "fe80::1"]',
    'source.ip:<"fe80::1"',
    "source.ip:0.0.0.0/0", "NOT source.ip:0.0.0.0/0",
    'source.ip:"fe80::1"', "source.ip:fe80*", "Script:*a????????????????????????", "/a.{40}/",
    "Script:/.*a.{30}/", "Script:/(a|b|c|in)*.{20,}/", "line 1", '"line 1" OR Script:*',
    "li*  1", "lin*", "c\\:\\lin*", "line\\ 1*", "@timestamp:/.*/", "event.ingested:*",
    "@timestamp:<1960-01-01", "@timestamp:[1900 TO 2000-01-01]", "logsource.category:*",
]  # fmt: skip


def test_what_the_index_cannot_tell_is_looked_at(address: str, indices: EventStore) -> None:
    servers.drop_indices(address)
    old = make_event(99, at=make_event(1).at.replace(year=1955), received_at=make_event(1).at)
    stored = [make_event(seq, **given) for seq, given in enumerate(ODD)] + [old]
    with tempfile.TemporaryDirectory() as folder:
        files = open_events("", Path(folder))
        files.write(stored)
        indices.write(stored)
        assert indices.get_many(event.id for event in stored) == {e.id: e for e in stored}
        for place, text in enumerate(ODD_SEARCHES):
            tree = asked(text, None)
            if tree is None:
                continue
            query = EventQuery(text)
            wanted = {event.id for event in stored if meets(event, tree)}
            assert {event.id for event in files.search(query).events} == wanted, text
            assert {event.id for event in indices.search(query).events} == wanted, text
            assert indices.count(query) == len(wanted), text
            most = place % 5
            assert indices.count(query, up_to=most) == min(most, len(wanted)), text
            assert indices.histogram(query) == files.histogram(query), text
            field = ("Script", "source", "Time", "source.ip")[place % 4]
            tops = [counts_of(store, query, field) for store in (files, indices)]
            assert tops[0] == tops[1], (text, field)
        files.close()


def counts_of(store: EventStore, query: EventQuery, field: str) -> Counter[str]:
    """The counts of a field's values, however many there are."""
    return Counter({one.value: one.count for one in store.top_values(query, field, 900)})
