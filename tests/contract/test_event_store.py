"""What every event store promises, whatever it is made of."""

import secrets
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cgii.base import limits
from cgii.base.errors import Invalid, Unavailable
from cgii.model.event import Event
from cgii.store.events import EventQuery, EventStore, open_events
from cgii.store.query import parse
from tests import servers
from tests.event_oracle import NOON, make_event, meets

KINDS = ["sqlite", pytest.param("elastic", marks=pytest.mark.elasticsearch)]


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EventStore]:
    """An empty store of each kind."""
    url = request.getfixturevalue("elastic_url") if request.param == "elastic" else ""
    store = open_events(url, tmp_path / "events")
    yield store
    store.close()


@pytest.fixture(scope="module", params=KINDS)
def filled(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[EventStore]:
    """A store of each kind with the events of the cases and one more; nobody writes into it."""
    url = ""
    if request.param == "elastic":
        url = f"{request.getfixturevalue('elasticsearch_server').url}/t{secrets.token_hex(6)}"
    store = open_events(url, tmp_path_factory.mktemp("filled"))
    store.write(FILLED)
    yield store
    store.close()
    if url:
        servers.drop_indices(url)
        servers.drop_templates(url)


def _found(store: EventStore, text: str, **given: Any) -> list[str]:
    return [event.id for event in store.search(EventQuery(text, **given)).events]


LINE = "<38>Nov 22 12:00:00 srv1 sshd[77]: Failed password for root from 10.1.2.3 port 2022 ssh2"
SSH: dict[str, Any] = {
    "original": LINE,
    "fields": {"program": "sshd", "pid": 77, "Port": "2022", "part": "passwor"},
    "ecs": {
        "user.name": "Root",
        "source.ip": "10.1.2.3",
        "source.port": 2022,
        "host.name": "srv1.entidad.gob.bo",
        "event.outcome": "failure",
        "message": "Failed password for root",
    },
}
WINDOWS: dict[str, Any] = {
    "source": "windows_eventlog",
    "original": '{"CommandLine":"C:\\\\Tools\\\\v10.1.2.3\\\\mimikatz.exe -x","D\\u00e9":"a"}',
    "fields": {
        "CommandLine": "C:\\Tools\\v10.1.2.3\\mimikatz.exe -x",
        "Descripción": "Sesión iniciada\ten SRV-1",
        "alert": {"signature": "ET SCAN Nmap", "metadata": [{"tag": "a"}, {"tag": "b"}]},
        "Flag": True,
    },
    "ecs": {
        "user.name": ["ana", "Administrador"],
        "host.ip": ["2001:DB8:0::1", "192.168.0.9"],
        "event.code": 4625,
        "event.action": "logon \x07 failed",
        "process.name": "x" * 600 + "y",
    },
}
OBJECTS: dict[str, Any] = {  # the producer's own objects, beside a text under such a name
    "fields": {"host": {"name": "Srv9"}, "source": [{"ip": "10.9.9.9"}], "user": "ana"},
    "ecs": {},
}

FILLED = [
    make_event(1, **SSH),
    make_event(2, original="another line", source="other", ecs={}),
    make_event(3, **WINDOWS),
    make_event(4, **OBJECTS),
]

CASES: list[tuple[dict[str, Any], str, bool]] = [
    (OBJECTS, "host.name:srv9", True),
    (OBJECTS, "source.ip:10.9.9.9", True),
    (OBJECTS, "user.name:ana", False),
    (OBJECTS, "user:ana", True),
    (SSH, "failed password", True),
    (SSH, '"failed password"', True),
    (SSH, '"password failed"', False),
    (SSH, "FAILED", True),
    (SSH, "passw*", True),
    (SSH, '"77 2022"', False),  # words of two different values
    (SSH, "10.1.2.3", True),
    (SSH, "10.1.*", True),
    (SSH, "10.1.2", False),
    (SSH, "*sword", True),
    (SSH, "p?ssword", True),
    (SSH, "?", False),  # no word of one letter, and what stands between texts is none
    (SSH, "??", True),
    (SSH, "source.ip:10.0.0.0/8", True),
    (SSH, "source.ip:10.1.2.0/30", True),
    (SSH, "source.ip:10.1.3.0/24", False),
    (SSH, "source.ip:[10.1.2.3 TO 10.1.2.20]", True),  # as texts, 20 comes before 3
    (SSH, "source.ip:[9.0.0.0 TO 10.1.2.2]", False),
    (SSH, "source.ip:>=10.1.2.3", True),
    (SSH, "source.ip:>10.1.2.3", False),
    (SSH, "source.ip:<10.1.10.0", True),
    (SSH, 'source.ip:<"ffff::"', False),  # of the other family
    (SSH, "source.port:>-1", True),
    (SSH, "source.port:<-1", False),
    (SSH, "ip:10.1.2.3", True),
    (SSH, "user.name:root", True),
    (SSH, "user.name:roo", False),
    (SSH, "user.name:ro*", True),
    (SSH, "user.name:(ana OR root)", True),
    (SSH, "usuario:/ro+t/", True),
    (SSH, "usuario:/[^[]+/", True),
    (SSH, "usuario:/r[\\\\-p]+t/", True),
    (SSH, "usuario:/[^\\\\-p]+/", False),
    (SSH, "source.port:>=2022", True),
    (SSH, "source.port:{2022 TO *]", False),
    (SSH, "source.port:[1000 TO 3000]", True),
    (SSH, "Port:[1000 TO 3000]", True),
    (SSH, "part:passwor", True),
    (SSH, "part:password", False),
    (SSH, "message:password", True),
    (SSH, 'message:"for root"', True),
    (SSH, "message:ssh2", False),  # stands in the line, not in the message
    (SSH, "message:fail*", True),
    (SSH, "host.name:*.gob.bo", True),
    (SSH, "_exists_:user.name", True),
    (SSH, "_exists_:event.code", False),
    (SSH, "event.code:*", False),
    (SSH, "NOT event.code:4625", True),
    (SSH, "-root", False),
    (SSH, "+failed -accepted", True),
    (SSH, "event.outcome:failure AND NOT source.ip:10.1.2.3", False),
    (SSH, "@timestamp:2026-11-22", True),
    (SSH, "@timestamp:<2026-11-22T12:00:00", False),
    (SSH, "sensor_id:7 AND entity_id:1", True),
    (SSH, "entity_id:11", False),
    (SSH, "*:*", True),
    (SSH, "", True),
    (WINDOWS, "mimikatz", True),
    (WINDOWS, "CommandLine:*\\\\mimikatz.exe*", True),
    (WINDOWS, "CommandLine:*v10.1.2*", True),
    (WINDOWS, "CommandLine:*10.1.2.3\\\\mimi*", True),
    (WINDOWS, 'CommandLine:"C:\\Tools\\v10.1.2.3\\mimikatz.exe -x"', True),
    (WINDOWS, "CommandLine:mimikatz.exe", False),
    (WINDOWS, "sesion", True),
    (WINDOWS, '"iniciada en srv"', True),
    (WINDOWS, "Descripción:*INICIADA*", True),
    (WINDOWS, 'alert.signature:"et scan nmap"', True),
    (WINDOWS, "alert.metadata.tag:b", True),
    (WINDOWS, "Flag:true", True),
    (WINDOWS, "user.name:ana", True),
    (WINDOWS, "user.name:administrador", True),
    (WINDOWS, "user.name:adm*", True),
    (WINDOWS, "user.name:root", False),
    (WINDOWS, "event.code:4625", True),
    (WINDOWS, 'host.ip:"2001:db8::1"', True),
    (WINDOWS, 'host.ip:"2001:db8::/32"', True),
    (WINDOWS, "host.ip:192.168.0.0/16", True),
    (WINDOWS, "host.ip:[192.168.0.8 TO 192.168.0.10]", True),
    (WINDOWS, 'host.ip:["2001:db8::" TO "2001:db8::a"]', True),
    (WINDOWS, 'host.ip:>"2001:db8::1"', False),
    (WINDOWS, "process.name:" + "x" * 600 + "y", True),
    (WINDOWS, "process.name:" + "x" * 600, False),
    (WINDOWS, 'event.action:"logon \x07 failed"', True),
    (WINDOWS, 'event.action:"logon \ue007 failed"', False),
    (WINDOWS, "source:windows_eventlog", True),
    (WINDOWS, "logsource.product:linux", True),
]


@pytest.mark.parametrize(("given", "text", "expected"), CASES)
def test_a_search_finds_what_it_says(
    filled: EventStore, given: dict[str, Any], text: str, expected: bool
) -> None:
    event = make_event({id(SSH): 1, id(WINDOWS): 3, id(OBJECTS): 4}[id(given)], **given)
    assert (event.id in _found(filled, text)) is expected
    assert meets(event, parse(text)) is expected


HOT_NUMBERS: dict[str, Any] = {  # each hot field has a value, and no word begins with a letter
    "host.name": "1", "user.name": ["2", "3"], "source.ip": "10.1.2.3", "destination.ip": "9.9.9.9",
    "event.action": "4", "event.outcome": "5", "event.code": 6, "rule.name": "7",
    "process.name": "8" * 600,
}  # fmt: skip


def test_a_beginning_of_one_letter_is_that_of_a_word_and_of_nothing_else(store: EventStore) -> None:
    letters = "abcdefghijklm"
    goes_on = ("", "9", "z.", "\u0436", "\u65e5")
    lines = ["77", *(letter + rest for letter in letters for rest in goes_on)]
    events = [
        make_event(seq, original=line, ecs=HOT_NUMBERS | {"message": f"77 {line}"})
        for seq, line in enumerate(lines)
    ]
    store.write(events)
    for letter in letters:
        own = {event.id for event in events if event.original.startswith(letter)}
        assert set(_found(store, f"{letter}*")) == own, letter
        assert store.count(EventQuery(f"{letter.upper()}\u0301*")) == len(own), letter
    own = {event.id for event in events if event.original.startswith("e")}
    rest = {event.id for event in events} - own
    for text, wanted in {
        "\u00e9*": own,
        "NOT e*": rest,
        "77 AND NOT e*": rest,
        "77 AND e*": own,
        "e* AND (nothing OR 10.1.*)": own,
        "(nothing OR e*) AND source.ip:10.0.0.0/8": own,
        "zz* OR (77 AND e*)": own,
        "77\\ e*": own,  # no key follows a word
        "7\\ e*": set(),
        "message:e*": own,
        "NOT message:e*": rest,
    }.items():
        query = EventQuery(text, entity_ids=frozenset({1}), size=100)
        assert {event.id for event in store.search(query).events} == wanted, text
        assert {event.id for event in store.scan(query)} == wanted, text
        assert store.count(query) == len(wanted), text
        assert sum(one.count for one in store.histogram(query, 7)) == len(wanted), text
        top = store.top_values(query, "event.code")
        assert [(one.value, one.count) for one in top] == [("6", len(wanted))][: len(wanted)], text


def test_a_resent_event_is_stored_once(store: EventStore) -> None:
    events = [make_event(seq) for seq in range(5)]
    assert store.write(events[:3]) == 3
    assert store.write(events) == 2
    assert store.write([events[0], events[0]]) == 0
    assert store.count(EventQuery()) == store.stats().events == 5


def test_a_record_resent_in_a_later_month_is_stored_once(store: EventStore) -> None:
    at = NOON - timedelta(days=40)
    first = make_event(1, at=at, received_at=NOON)
    store.write([first])
    for later in (NOON + timedelta(days=9), NOON + timedelta(days=30), NOON + timedelta(days=100)):
        assert store.write([make_event(1, at=at, received_at=later)]) == 0
    assert store.count(EventQuery()) == 1


def test_a_record_without_its_own_time_resent_next_month_is_stored_once(store: EventStore) -> None:
    store.write([make_event(1, at=NOON, received_at=NOON)])
    later = NOON + timedelta(days=25)
    assert store.write([make_event(1, at=later, received_at=later)]) == 0


def test_the_newest_events_come_first_and_pages_neither_skip_nor_repeat(store: EventStore) -> None:
    events = [
        make_event(
            seq,
            at=NOON + timedelta(seconds=seq % 7),  # many share their second
            received_at=NOON + timedelta(days=seq % 3 * 30),  # and lie in three months
        )
        for seq in range(60)
    ]
    store.write(events)
    seen = []
    after = ""
    while True:
        page = store.search(EventQuery(size=7, after=after))
        seen += page.events
        after = page.after
        if not after:
            break
    assert {event.id for event in seen} == {event.id for event in events}
    assert len(seen) == 60
    assert [event.at for event in seen] == sorted((e.at for e in events), reverse=True)


def _spread(count: int) -> list[Event]:
    """Events that share milliseconds and lie in three months, none in the order of its time."""
    return [
        make_event(
            seq,
            at=NOON + timedelta(milliseconds=seq * 7 % 5),
            received_at=NOON + timedelta(days=seq % 3 * 30),
            original="even line" if seq % 2 == 0 else "odd line",
        )
        for seq in range(count)
    ]


def _in_order(events: Iterable[Event]) -> list[str]:
    return [event.id for event in sorted(events, key=lambda event: (event.at, event.id))]


def test_a_scan_gives_every_event_once_from_old_to_new(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCAN_PAGE_EVENTS", 4)  # less than one millisecond has
    monkeypatch.setattr(limits, "SCAN_ROWS", 4)
    events = _spread(60)
    store.write(events)
    assert [event.id for event in store.scan(EventQuery())] == _in_order(events)
    even = [event for event in events if event.original.startswith("even")]
    assert list(store.scan(EventQuery("even"))) == sorted(even, key=lambda one: (one.at, one.id))
    millisecond = timedelta(milliseconds=1)
    within = EventQuery(start=NOON + millisecond, end=NOON + 3 * millisecond)
    wanted = [event for event in events if NOON < event.at < NOON + 3 * millisecond]
    assert [event.id for event in store.scan(within)] == _in_order(wanted)
    assert list(store.scan(EventQuery(entity_ids=frozenset({2})))) == []


def test_a_scan_loses_and_repeats_nothing_while_others_write(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCAN_PAGE_EVENTS", 4)
    monkeypatch.setattr(limits, "SCAN_ROWS", 4)
    events = _spread(60)
    there, later = events[:40], events[40:]
    store.write(there)
    seen = []
    for place, event in enumerate(store.scan(EventQuery())):
        seen.append(event)
        if place % 2 == 0 and later:
            store.write([later.pop()])
    assert not later
    assert len({event.id for event in seen}) == len(seen)
    assert {event.id for event in there} <= {event.id for event in seen}
    assert [event.id for event in seen] == _in_order(seen)


def test_a_scan_tells_of_a_month_that_went_away(
    store: EventStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCAN_PAGE_EVENTS", 4)
    monkeypatch.setattr(limits, "SCAN_ROWS", 4)
    store.write(_spread(60))
    found = store.scan(EventQuery())
    next(found)
    store.prune(NOON + timedelta(days=90))
    with pytest.raises(Unavailable):
        list(found)


def test_a_scan_of_nothing_is_empty_and_a_wrong_search_is_told_at_once(store: EventStore) -> None:
    assert list(store.scan(EventQuery())) == []
    with pytest.raises(Invalid):
        store.scan(EventQuery("a AND"))


def test_the_oldest_months_give_way_until_the_rest_fits(store: EventStore) -> None:
    now = NOON + timedelta(days=60)
    store.write(_spread(60))
    assert store.shrink(store.stats().size_bytes, now) == 0
    assert store.shrink(store.stats().size_bytes - 1, now) == 20
    assert store.shrink(1, now) == 20
    assert store.shrink(1, now) == 0  # the present month stays
    assert store.stats().events == 20


def test_a_wrong_cursor_is_refused(store: EventStore) -> None:
    store.write([make_event(1)])
    for after in ("x", "1", "1.2026", "1.2026-99", "9" * 30 + ".2026-11x"):
        with pytest.raises(Invalid):
            store.search(EventQuery(after=after))


def test_times_limit_a_search_to_the_millisecond(store: EventStore) -> None:
    store.write([make_event(0), make_event(1), make_event(2)])
    second = timedelta(seconds=1)
    assert store.count(EventQuery(start=NOON + second)) == 2
    assert store.count(EventQuery(end=NOON + second)) == 1
    assert store.count(EventQuery(start=NOON, end=NOON + 2 * second)) == 2
    assert store.count(EventQuery(start=NOON + second + timedelta(milliseconds=1))) == 1


@pytest.mark.parametrize(
    "step",
    [
        "NOT {}",
        "NOT (77 OR r?ot AND {})",
        "77 OR *oot AND ({})",
        "NOT (part:*z OR -*oot AND {})",
        "NOT (process.name:*z AND {})",
    ],
)
def test_a_search_is_answered_as_deep_as_it_is_read(filled: EventStore, step: str) -> None:
    text, answered = "process.name:*q", 0
    while True:
        text = step.format(text)
        try:
            tree = parse(text)
        except Invalid:
            break
        answered += 1
        wanted = [meets(event, tree) for event in FILLED]
        query = EventQuery(text, entity_ids=frozenset({1}), start=NOON)
        assert len(filled.search(query).events) == filled.count(query) == sum(wanted), text
    assert answered >= 4


def test_times_of_a_clock_that_is_far_off_are_told_apart(store: EventStore) -> None:
    years = (1, 1601, 1840, 2026, 2108, 2120, 2150, 9999)
    events = [
        make_event(seq, at=datetime(year, 6, 1, tzinfo=UTC), received_at=NOON)
        for seq, year in enumerate(years)
    ]
    store.write(events)
    for text, first, last in (
        ("@timestamp:<1700-01-01", 1, 1601),
        ("@timestamp:0001-06-01", 1, 1),
        ("@timestamp:>=1601-06-02", 1840, 9999),
        ("@timestamp:>=2120-06-02", 2150, 9999),
        ("line @timestamp:[1601-06-01 TO 2120-06-01]", 1601, 2120),
        ("@timestamp:{2110-01-01 TO 2140-01-01}", 2120, 2120),
        ("NOT (@timestamp:>2140-01-01 OR @timestamp:<1500-01-01)", 1601, 2120),
        ("@timestamp:9999-06-01", 9999, 9999),
        ("@timestamp:>9999-06-01", 0, 0),
    ):
        wanted = {event.id for event in events if first <= event.at.year <= last}
        query = EventQuery(text)
        assert set(_found(store, text)) == wanted, text
        assert {event.id for event in store.scan(query)} == wanted, text
        assert store.count(query) == len(wanted), text
        assert sum(bucket.count for bucket in store.histogram(query, 3)) == len(wanted), text
    for begin, end in ((1, 1700), (1700, 2130), (2130, 9999), (1601, 1602), (2120, 2121)):
        query = EventQuery(
            start=datetime(begin, 1, 1, tzinfo=UTC), end=datetime(end, 1, 1, tzinfo=UTC)
        )
        inside = [event for event in events if begin <= event.at.year < end]
        assert {event.id for event in store.search(query).events} == {one.id for one in inside}
        top = store.top_values(query, "source")
        assert [(one.value, one.count) for one in top] == [("linux_auth", len(inside))]


def test_an_entity_sees_its_own_events_only(store: EventStore) -> None:
    trick = "entity_id:2 OR 2 b=2 \x01 b\x012 b=\x012"
    store.write([make_event(1, entity_id=1, original=trick, ecs={"user.name": "b=2 b=2"})])
    store.write([make_event(2, entity_id=2), make_event(3, entity_id=None)])
    store.write([make_event(4, entity_id=12)])
    for text in ("", "NOT nothing", "entity_id:1 OR entity_id:2", "*:* OR line", "line OR b"):
        assert _found(store, text, entity_ids=frozenset({2})) == [make_event(2).id], text
    query = EventQuery(entity_ids=frozenset({2}))
    assert store.count(query) == 1
    assert sum(bucket.count for bucket in store.histogram(query)) == 1
    assert [(top.value, top.count) for top in store.top_values(query, "entity_id")] == [("2", 1)]
    assert store.count(EventQuery(entity_ids=frozenset())) == 0
    assert store.count(EventQuery(entity_ids=frozenset(range(3, 300)))) == 1


def test_a_histogram_has_equal_steps_from_start_to_end(store: EventStore) -> None:
    store.write([make_event(seq) for seq in (0, 1, 1_000_001, 9)])
    query = EventQuery(start=NOON, end=NOON + timedelta(seconds=10))
    buckets = store.histogram(query, 5)
    assert [bucket.count for bucket in buckets] == [2, 0, 0, 0, 1]
    assert [bucket.start for bucket in buckets] == [
        NOON + timedelta(seconds=2 * step) for step in range(5)
    ]
    assert store.histogram(EventQuery(start=NOON - timedelta(days=9), end=NOON)) == ()


def test_top_values_count_events_not_mentions(store: EventStore) -> None:
    names: list[Any] = ["ana", "Ana", ["ana", "ANA", "eva"], "eva", "leo", None, ["x" * 600]]
    store.write(
        [
            make_event(seq, ecs={"user.name": name}, fields={"Own": name})
            for seq, name in enumerate(names)
        ]
    )
    for field in ("user.name", "usuario", "Own"):
        top = store.top_values(EventQuery(), field, 2)
        assert [(one.value, one.count) for one in top] == [("ana", 3), ("eva", 2)], field
    with pytest.raises(Invalid):
        store.top_values(EventQuery(), "message")


def test_a_count_stops_where_it_may(store: EventStore) -> None:
    store.write([make_event(seq) for seq in range(9)])
    assert store.count(EventQuery("line"), up_to=4) == 4
    assert store.count(EventQuery("line"), up_to=40) == 9


def test_an_event_is_found_by_its_id(store: EventStore) -> None:
    event = make_event(1, **WINDOWS)
    store.write([event, make_event(2)])
    assert store.get(event.id) == event
    assert store.get(make_event(3).id) is None
    assert store.get("' OR 1=1 --") is None
    assert set(store.get_many([event.id, make_event(3).id])) == {event.id}


def test_old_months_are_forgotten_whole(store: EventStore) -> None:
    old, young = make_event(1, at=NOON - timedelta(days=60)), make_event(2)
    store.write([old, young])
    assert store.prune(NOON - timedelta(days=30)) == 1
    assert store.get(old.id) is None
    assert store.get(young.id) == young
    assert store.stats().events == 1


def test_values_that_json_cannot_hold_do_not_lose_the_event(store: EventStore) -> None:
    odd = {"half": "a\ud800b", "huge": 2**70, "deep": {"k": [1, None, {"z": "w"}]}, "f": 1.5}
    odd |= {"none": float("nan"), "more": [float("-inf"), 2.5]}
    event = make_event(1, original="x\ud800 y", fields=odd, ecs={"user.name": "a\ud800"})
    assert store.write([event]) == 1
    kept = store.get(event.id)
    assert kept is not None
    assert kept.fields["huge"] == str(2**70)
    assert kept.fields["half"] == "a?b"
    assert _found(store, f"huge:{2**70}") == [event.id]
    assert _found(store, "user.name:a*") == [event.id]
    assert _found(store, "2.5 AND more:2.5") == [event.id]
    assert _found(store, "nan OR inf OR none:* OR more:*inf") == []


def test_an_empty_store_answers_with_nothing(store: EventStore) -> None:
    assert store.write([]) == 0
    assert store.search(EventQuery("x")).events == ()
    assert store.histogram(EventQuery()) == ()
    assert store.top_values(EventQuery(), "source") == ()
    assert store.stats().oldest is None
