"""What people do to the indices by hand: nothing is lost for it, and it is said what to do."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from urllib.error import HTTPError

import pytest
from typer.testing import CliRunner

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.base.settings import Settings
from cgii.centre import build as build_centre
from cgii.cli.app import build
from cgii.model.event import Event
from cgii.store.events import EventQuery, EventStore, open_events
from cgii.web.health import problems
from tests import servers
from tests.contract.test_elastic_faults import ask
from tests.event_oracle import NOON, make_event
from tests.fault_proxy import fault_proxy

pytestmark = pytest.mark.elasticsearch

MONTH = "{}-events-2026-11"
OCTOBER = NOON - timedelta(days=31)
NOBODY = "0" * 32


def events(begin: int, end: int, at: datetime = NOON) -> list[Event]:
    return [make_event(seq, at=at, received_at=at) for seq in range(begin, end)]


def bad(url: str) -> Event:
    """An event that November refuses from now on, and no other."""
    ask(url, "PUT", f"{MONTH}/_mapping", {"properties": {"odd": {"type": "long"}}})
    ask(url, "PUT", "_ingest/pipeline/{}-odd", {"processors": [ODD]})
    ask(
        url,
        "PUT",
        f"{MONTH}/_settings",
        {"index.default_pipeline": f"{url.rpartition('/')[2]}-odd"},
    )
    return make_event(99, at=NOON, received_at=NOON, original="odd")


ODD = {"set": {"if": "ctx['event.original'] == 'odd'", "field": "odd", "value": "no number"}}


@pytest.fixture
def store(elastic_url: str) -> Iterator[EventStore]:
    """A store with October's and November's events."""
    store = open_events(elastic_url, Path())
    store.write([*events(0, 3), *events(10, 15, OCTOBER)])
    yield store
    store.close()
    servers.drop_indices(elastic_url)
    with suppress(HTTPError):  # few tests make it
        ask(elastic_url, "DELETE", "_ingest/pipeline/{}-odd")


def test_a_closed_month_stops_the_questions_about_it_and_no_others(
    store: EventStore, elastic_url: str
) -> None:
    ask(elastic_url, "POST", "{}-events-2026-10/_close")
    for question in (
        lambda: store.count(EventQuery()),
        lambda: store.search(EventQuery(end=NOON)),
        lambda: list(store.scan(EventQuery(start=OCTOBER))),
        lambda: store.histogram(EventQuery("@timestamp:<2026-11-05")),
        lambda: store.top_values(EventQuery(), "source"),
        lambda: store.get(NOBODY),
        lambda: store.write(events(15, 16, OCTOBER)),
    ):
        with pytest.raises(Unavailable, match=r"events-2026-10 está cerrado.*/_open"):
            question()
    assert store.count(EventQuery(start=NOON)) == 3
    assert store.write(events(0, 5)) == 2
    store.must_take(NOON)
    stats = store.stats()
    assert (stats.events, [one.partition("-")[2] for one in stats.unusable]) == (
        5,
        ["events-2026-10 (cerrado)"],
    )
    ask(elastic_url, "POST", "{}-events-2026-10/_open?wait_for_active_shards=1")
    assert store.count(EventQuery()) == 10
    ask(elastic_url, "POST", "{}-events-2026-10/_close")
    store.prune(NOON)
    assert store.count(EventQuery()) == 5


def test_a_month_that_is_closed_meanwhile_is_not_left_out_of_what_follows(
    store: EventStore, elastic_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCAN_ROWS", 2)
    page = store.search(EventQuery(size=2))
    given = store.scan(EventQuery())
    next(given)
    ask(elastic_url, "POST", "{}-events-2026-10/_close")
    with pytest.raises(Unavailable, match="está cerrado"):
        store.search(EventQuery(size=2, after=page.after))
    with pytest.raises(Unavailable, match="está cerrado"):
        list(given)


def test_a_closed_index_of_the_refused_stops_no_search(store: EventStore, elastic_url: str) -> None:
    event = bad(elastic_url)
    ask(elastic_url, "POST", "{}-refused/_close")
    assert store.count(EventQuery()) == 8
    assert [one.endswith("-refused (cerrado)") for one in store.stats().unusable] == [True]
    for question in (
        lambda: store.write([event]),
        lambda: store.get(NOBODY),
        lambda: store.refused([NOBODY]),
    ):
        with pytest.raises(Unavailable, match="refused está cerrado"):
            question()
    assert store.prune(NOON) == 5
    ask(elastic_url, "POST", "{}-refused/_open?wait_for_active_shards=1")
    assert store.write([event]) == 1
    assert store.refused([event.id]) == {event.id}


def test_an_index_of_the_refused_that_somebody_deleted_is_made_anew(
    store: EventStore, elastic_url: str
) -> None:
    event = bad(elastic_url)
    prefix = elastic_url.rpartition("/")[2]
    only_ours = {"persistent": {"action.auto_create_index": f"-{prefix}*,+*"}}
    ask(elastic_url, "PUT", "_cluster/settings", only_ours)
    try:
        ask(elastic_url, "DELETE", "{}-refused")
        with pytest.raises(Unavailable, match="no such index"):
            store.write([event])
        assert store.write([event]) == 1
        assert store.get(event.id) == event
    finally:
        never = {"persistent": {"action.auto_create_index": None}}
        ask(elastic_url, "PUT", "_cluster/settings", never)


def test_what_is_wrong_with_the_index_is_not_laid_to_its_documents(
    store: EventStore, elastic_url: str
) -> None:
    ask(elastic_url, "PUT", f"{MONTH}/_settings", {"index.default_pipeline": "none"})
    with pytest.raises(Unavailable, match="pipeline with id"):
        store.write(events(3, 5))
    ask(elastic_url, "PUT", f"{MONTH}/_settings", {"index.default_pipeline": None})
    assert store.write(events(3, 5)) == 2
    assert store.stats().set_aside == ()


def test_an_alias_in_the_place_of_a_month_takes_nothing(
    store: EventStore, elastic_url: str
) -> None:
    prefix = elastic_url.rpartition("/")[2]
    others = [f"{prefix}-other{number}" for number in range(2)]
    ask(elastic_url, "DELETE", MONTH)
    for other in others:
        alias = {"aliases": {f"{prefix}-events-2026-11": {}}}
        ask(elastic_url, "PUT", other, alias)
    try:
        for _ in range(2):
            with pytest.raises(Unavailable, match="alias"):
                store.write(events(0, 5))
    finally:
        for other in others:
            ask(elastic_url, "DELETE", other)
    assert store.write(events(0, 5)) == 5
    assert store.stats().set_aside == ()


def test_templates_that_somebody_deleted_are_there_when_a_month_begins(
    store: EventStore, elastic_url: str
) -> None:
    ask(elastic_url, "DELETE", "_index_template/{}-events")
    december = NOON + timedelta(days=31)
    assert store.write(events(20, 23, december)) == 3
    assert store.count(EventQuery("line")) == 11


def test_an_index_with_a_name_of_its_own_is_no_month(store: EventStore, elastic_url: str) -> None:
    ask(elastic_url, "PUT", "{}-events-old-2026-09")
    assert store.write(events(0, 5)) == 2
    assert store.shrink(1, NOON + timedelta(days=40)) == 10


def test_what_was_refused_goes_with_its_month_also_for_want_of_room(
    store: EventStore, elastic_url: str
) -> None:
    event = bad(elastic_url)
    assert store.write([event]) == 1
    assert store.shrink(1, NOON) == 5  # October
    assert store.refused([event.id]) == {event.id}
    assert store.shrink(1, NOON + timedelta(days=31)) == 4
    assert store.stats().set_aside == ()


def test_a_full_disk_that_holds_what_was_refused_does_not_hold_the_months(
    store: EventStore, elastic_url: str
) -> None:
    event = bad(elastic_url)
    assert store.write([event]) == 1
    full = {"index.blocks.read_only_allow_delete": True}
    for index in (MONTH, "{}-refused"):
        ask(elastic_url, "PUT", f"{index}/_settings", full)
    assert store.shrink(1, NOON + timedelta(days=31)) == 8
    assert store.prune(NOON + timedelta(days=31)) == 0
    ask(elastic_url, "PUT", "{}-refused/_settings", dict.fromkeys(full))
    assert store.prune(NOON + timedelta(days=31)) == 1


def test_an_index_without_its_data_is_no_slow_search(
    store: EventStore, elastic_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(elastic_url, "DELETE", "{}-events-2026-10")
    nowhere = {"settings": {"index.routing.allocation.require._name": "nobody"}}
    ask(elastic_url, "PUT", "{}-events-2026-10?wait_for_active_shards=0", nowhere)
    monkeypatch.setattr(limits, "ELASTIC_SECONDS_MAX", 1)
    other = open_events(elastic_url, Path())
    with pytest.raises(Unavailable, match="le faltan los datos de un índice"):
        other.get(NOBODY)
    with pytest.raises(Unavailable, match="dentro de 1 segundos: está muy ocupado, o le faltan"):
        other.count(EventQuery())
    other.close()


@pytest.mark.parametrize(
    ("path", "setting"),
    [
        (f"{MONTH}/_settings", "index.blocks.read_only_allow_delete"),
        (f"{MONTH}/_settings", "index.blocks.write"),
        ("_cluster/settings", "cluster.blocks.read_only_allow_delete"),
    ],
)
def test_a_centre_whose_index_takes_nothing_is_not_ready(
    store: EventStore,
    elastic_url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    setting: str,
) -> None:
    centre = build_centre(Settings(data=tmp_path, events=elastic_url))
    monkeypatch.setattr(centre, "clock", lambda: NOON)
    assert problems(centre) == []
    ask(elastic_url, "PUT", path, _set(path, setting, "true"))
    try:
        assert problems(centre) == ["events: read-only"]
    finally:
        ask(elastic_url, "PUT", path, _set(path, setting, None))
    assert problems(centre) == []
    ask(elastic_url, "PUT", "{}-events-2026-10/_settings", {"index.blocks.write": "true"})
    assert problems(centre) == []  # a past month takes nothing any more
    ask(elastic_url, "POST", f"{MONTH}/_close")
    assert problems(centre) == ["events: read-only"]
    centre.close()


def _set(path: str, setting: str, value: str | None) -> dict[str, object]:
    return {"persistent": {setting: value}} if path.startswith("_cluster") else {setting: value}


def test_privileges_that_lack_are_told_before_anything_is_sent(elastic_url: str) -> None:
    server, _, prefix = elastic_url.rpartition("/")
    with fault_proxy(server) as proxy:
        store = open_events(f"{proxy.url}/{prefix}", Path())
        store.must_take(NOON)
        rights = {"create_index": True, "read": True, "view_index_metadata": True, "write": True}
        proxy.answers["/_has_privileges"] = {
            "cluster": {"manage_ilm": False, "manage_index_templates": True, "monitor": True},
            "index": {
                f"{prefix}-events-*": rights,
                f"{prefix}-refused": rights | {"write": False},
            },
        }
        lacking = rf"faltan privilegios .*: manage_ilm, write \({prefix}-refused\)\."
        with pytest.raises(Unavailable, match=lacking):
            store.must_take(NOON)
        store.close()


def test_two_centres_with_one_prefix_are_told(
    elastic_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = [open_events(elastic_url, Path(), owner=owner) for owner in ("one", "two", "one")]
    for place, store in enumerate(stores[::2]):
        store.write(events(place, place + 1))
        assert store.stats().strangers == 0
    stores[1].write(events(7, 8))
    assert [store.stats().strangers for store in stores] == [1, 1, 1]
    assert stores[0].write(events(0, 5)) == 3  # the index is what it was
    assert stores[0].count(EventQuery("line")) == 6
    for store in stores:
        store.close()
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    monkeypatch.setenv("CGII_EVENTS", elastic_url)
    told = CliRunner().invoke(build("doctor"), ["doctor"]).output
    assert "en los mismos índices escriben otros centros (2)" in told
