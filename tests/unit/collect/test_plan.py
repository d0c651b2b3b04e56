"""What an event becomes depends on its record alone, whatever was remembered of others."""

import random
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from cgii.base import limits
from cgii.base.content import find
from cgii.base.ids import event_id, event_ids
from cgii.collect import plan
from cgii.collect.definition import Definitions, load_definitions
from cgii.collect.normalize import normalize
from cgii.collect.parsers import windows_shapes
from cgii.model.event import Event, Origin, Raw

NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
VALUES: list[Any] = [
    True, False, 1, 1.0, 0, 0.0, "1", "True", "", "-", None, [], {}, ["a"], {"signature": "x"},
    "10.0.0.1", "4624", 4624, 4624.0, "Security", "security", "x" * 200,
]  # fmt: skip
ZEEK: dict[str, Any] = {"ts": 1_782_000_000.5, "_path": "conn", "uid": "C1"}


def examples() -> list[tuple[str, Any]]:
    found = []
    for file in find("collectors", "*.examples.jsonl"):
        for line in file.path.read_bytes().splitlines():
            raw = orjson.loads(line)["raw"]
            name = file.path.name.partition(".")[0]
            found.append((name, raw.encode() if isinstance(raw, str) else raw))
    return found


def read(source: str, raw: Any, definitions: Definitions) -> list[Event]:
    return normalize(
        Origin(source, "here", "1"), [Raw(0, raw)], definitions, received_at=NOW
    ).events


def written(events: list[Event]) -> str:
    """All of the events, with the types of their values and in their order."""
    return "\n".join(map(repr, events))


def forget(definitions: Definitions) -> None:
    for definition in definitions.by_name.values():
        definition.plans.clear()
    windows_shapes._known.clear()


def test_events_do_not_depend_on_the_records_before() -> None:
    definitions, chance = load_definitions(), random.Random(7)
    alone = []
    for source, raw in examples():
        forget(definitions)
        alone.append((source, raw, written(read(source, raw, definitions))))
    for _ in range(2):
        chance.shuffle(alone)
        for source, raw, expected in alone:
            assert written(read(source, raw, definitions)) == expected


@pytest.mark.parametrize(
    ("source", "record", "name"),
    [
        ("zeek_json", ZEEK, "_path"),
        ("zeek_json", ZEEK, "auth_success"),
        ("zeek_json", ZEEK, "id.orig_h"),
        ("suricata_eve", {"timestamp": "2026-06-01T00:00:00+0000", "event_type": "alert"}, "alert"),
        (
            "windows_events",
            {
                "EventTime": "2026-06-01T00:00:00Z",
                "Channel": "System",
                "EventID": 1,
                "Computer": "c",
            },
            "EventID",
        ),
        (
            "windows_events",
            {
                "EventTime": "2026-06-01T00:00:00Z",
                "Channel": "System",
                "EventID": 1,
                "Computer": "c",
            },
            "SourceName",
        ),
    ],
)
def test_equal_values_of_other_types_are_not_mixed_up(
    source: str, record: dict[str, Any], name: str
) -> None:
    definitions = load_definitions()
    records = [{**record, name: value} for value in VALUES]
    alone = []
    for one in records:
        forget(definitions)
        alone.append(written(read(source, one, definitions)))

    assert [written(read(source, one, definitions)) for one in records] == alone
    assert [written(read(source, one, definitions)) for one in reversed(records)] == alone[::-1]


def test_what_is_remembered_of_records_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RECORD_PLANS_MAX", 5)
    monkeypatch.setattr(limits, "RECORD_PLAN_VALUES_MAX", 3)
    definitions = load_definitions()
    zeek = definitions.by_name["zeek_json"]
    for number in range(40):
        assert len(read("zeek_json", {**ZEEK, f"field{number}": 1}, definitions)) == 1
        assert len(read("zeek_json", {**ZEEK, "_path": f"log{number}"}, definitions)) == 1

        assert len(zeek.plans) <= 5
        assert all(len(one._known) <= 3 for one in zeek.plans.values())


def test_records_with_long_names_are_not_remembered() -> None:
    definitions = load_definitions()
    long = {**ZEEK, "x" * limits.RECORD_PLAN_CHARS_MAX: 1}

    assert len(read("zeek_json", long, definitions)) == 1
    assert definitions.by_name["zeek_json"].plans == {}


def test_events_share_no_view() -> None:
    definitions = load_definitions()
    (first,), (second,) = (read("zeek_json", ZEEK, definitions) for _ in range(2))
    first.ecs["event.kind"] = "changed"

    assert second.ecs["event.kind"] == "event"
    assert read("zeek_json", ZEEK, definitions)[0].ecs == second.ecs


def test_a_plan_is_made_once_for_the_same_names() -> None:
    zeek = load_definitions().by_name["zeek_json"]

    assert plan.plan_of(zeek, ZEEK) is plan.plan_of(zeek, {**ZEEK, "uid": None})


@pytest.mark.parametrize("seq", [0, 9, 10, 2**48 - 1, 2**48, 2**53])
def test_ids_of_a_stream_are_those_of_single_records(seq: int) -> None:
    name = event_id("sensor:7/ñ", "e", seq)

    assert event_ids("sensor:7/ñ", "e")(seq) == name
    assert len(name) == 32
    assert len({name, event_id("sensor:7/ñ", "f", seq), event_id("sensor:7/", "ñe", seq)}) == 3


def test_ids_of_records_that_follow_one_another_lie_together() -> None:
    of = event_ids("sensor:7/linux_auth", "e")
    names = [of(seq) for seq in (*range(300), 2**32, 2**48 - 1)]

    assert names == sorted(set(names))
    assert len({name[:20] for name in names}) == 1
    assert len({of(seq) for seq in range(2**48, 2**48 + 300)}.union(names)) == 602


@pytest.mark.parametrize("names", [("EventData", "UserData"), ("UserData", "EventData")])
@pytest.mark.parametrize("more", [{}, {"System": ""}])
def test_which_data_of_a_windows_record_count_does_not_depend_on_their_order(
    names: tuple[str, str], more: dict[str, Any]
) -> None:
    data = {name: {"Reason": name} for name in names}
    fields = windows_shapes.fields_of({"Channel": "System", "EventID": 1, **more, **data})
    assert fields["Reason"] == "UserData"
