"""Raw records become events or rejects, whatever is in them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.ids import event_id
from cgii.collect.definition import load_definitions
from cgii.collect.normalize import Normalised, normalize
from cgii.collect.rejects import REASONS, Damage
from cgii.model.event import Origin, Raw

DEFINITIONS = load_definitions()
SOURCES = sorted(DEFINITIONS.by_name)
NOW = datetime(2026, 6, 30, 12, tzinfo=UTC)
GOOD = (
    b"Mar  3 02:14:07 srv-web01 sshd[28114]: "
    b"Failed password for root from 203.0.113.77 port 50122 ssh2"
)


def read(source: str, *data: Any, peer: str = "") -> Normalised:
    raws = [Raw(number, each, peer) for number, each in enumerate(data)]
    return normalize(Origin(source, "here", "1", 7, 3), raws, DEFINITIONS, received_at=NOW)


def reasons(source: str, *data: Any) -> list[str]:
    return [rejected.reason for rejected in read(source, *data).rejected]


def test_an_event_carries_the_identity_of_its_record_and_origin() -> None:
    (event,) = read("linux_auth", GOOD).events
    assert event.id == event_id("here", "1", 0)
    assert (event.sensor_id, event.entity_id, event.source) == (7, 3, "linux_auth")
    assert event.original == GOOD.decode()
    assert event.received_at == NOW


def test_the_zone_of_an_input_holds_for_times_that_name_none() -> None:
    origin = Origin("linux_auth", "here", "1", zone="UTC")
    lines = (
        b"<86>Jun 30 11:59:00 srv sshd[7]: Failed password for root from 203.0.113.7 port 9 ssh2",
        b"2026-06-30T07:58:00-04:00 srv sshd[7]: session closed",
    )
    raws = [Raw(number, line) for number, line in enumerate(lines)]
    read = normalize(origin, raws, DEFINITIONS, received_at=NOW)

    assert [NOW - event.at for event in read.events] == [timedelta(minutes=1), timedelta(minutes=2)]


def test_a_bad_record_does_not_harm_its_neighbours() -> None:
    found = read("linux_auth", GOOD, b"\xff\xfe\x00garbage", GOOD)
    assert [event.id for event in found.events] == [event_id("here", "1", n) for n in (0, 2)]
    assert [(rejected.seq, rejected.reason) for rejected in found.rejected] == [
        (1, "no time found")
    ]


def test_an_unknown_source_rejects_everything() -> None:
    assert reasons("no_such", GOOD, b"{}") == ["unknown source", "unknown source"]


def test_a_line_over_the_limit_is_rejected_with_a_short_sample() -> None:
    (rejected,) = read("linux_auth", GOOD + b"x" * limits.LINE_BYTES_MAX).rejected
    assert rejected.reason == "too long"
    assert len(rejected.sample) == limits.REJECT_SAMPLE_CHARS_MAX


def test_an_object_over_the_limit_is_rejected() -> None:
    assert reasons("zeek_json", {"ts": 1.7e9, "x": "y" * limits.LINE_BYTES_MAX}) == ["too long"]


def test_invalid_utf8_is_replaced_and_noted() -> None:
    (event,) = read("linux_auth", GOOD.replace(b"root", b"ro\xff\xfet")).events
    assert event.fields["user"] == "ro\ufffd\ufffdt"
    assert "invalid UTF-8" in event.notes


def test_control_characters_survive_in_the_middle_of_a_line() -> None:
    (event,) = read("linux_auth", GOOD.replace(b"root", b"ro\x00\x1b[31mot") + b"\x00\r\n").events
    assert event.fields["user"] == "ro\N{REPLACEMENT CHARACTER}\x1b[31mot"  # PostgreSQL has no NUL
    assert "ro\x00\x1b[31mot" in event.original
    assert event.original.endswith("ssh2")


def test_no_field_of_an_object_holds_a_nul() -> None:
    record = {"ts": 1.7e9, "_path": "http", "a\0": [{"b": "c\0d"}], "uri": "/\0"}
    (event,) = read("zeek_json", orjson.dumps(record)).events
    assert event.fields["a\N{REPLACEMENT CHARACTER}"] == [{"b": "c\N{REPLACEMENT CHARACTER}d"}]
    assert "\0" not in repr((event.fields, event.ecs)).replace("\\x00", "\0")


@pytest.mark.parametrize(
    "bomb",
    [
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"ts":1700000000,"a":' + b"[" * 70 + b"]" * 70 + b"}",
        b'{"ts":1700000000,"a":' + b'{"b":' * 500 + b"1" + b"}" * 500 + b"}",
    ],
)
def test_json_that_is_too_deep_is_rejected(bomb: bytes) -> None:
    assert reasons("zeek_json", bomb)[0] in ("JSON too deep", "too long")


def test_brackets_inside_text_are_not_depth() -> None:
    record = orjson.dumps({"ts": 1.7e9, "_path": "http", "uri": '[{"' * 200})
    assert len(read("zeek_json", record).events) == 1


def test_an_object_nested_deeper_than_any_log_is_rejected() -> None:
    deep: dict[str, Any] = {"ts": 1.7e9}
    for _ in range(5_000):
        deep = {"ts": 1.7e9, "in": deep}
    assert reasons("zeek_json", deep) == ["JSON too deep"]


def test_too_many_fields_are_rejected() -> None:
    many = {f"f{number}": number for number in range(limits.EVENT_FIELDS_MAX)}
    assert len(read("zeek_json", {"ts": 1.7e9, **dict(list(many.items())[1:])}).events) == 1
    assert reasons("zeek_json", {"ts": 1.7e9, **many}) == ["too many fields"]
    assert reasons("zeek_json", {"ts": 1.7e9, "list": [1] * 2_000}) == ["too many fields"]


def test_a_very_long_value_is_cut_in_the_view_and_whole_in_the_original() -> None:
    long = "A" * (limits.FIELD_CHARS_MAX + 10)
    (event,) = read("zeek_json", {"ts": 1.7e9, "_path": "http", "uri": long, "l": [long]}).events
    assert len(event.fields["uri"]) == limits.FIELD_CHARS_MAX
    assert long in event.original
    assert event.notes == ("cut",)


def test_a_record_that_is_no_json_value_is_rejected() -> None:
    assert (
        reasons("zeek_json", {"ts": 1.7e9, "x": {1, 2}}, {"a": "\ud800"}, b"{1:2}", b"[]")
        == ["not JSON"] * 4
    )


def test_an_object_for_a_source_of_lines_is_rejected() -> None:
    assert reasons("linux_auth", {"message": GOOD.decode()}) == ["not a line"]


def test_a_damaged_file_becomes_one_reject() -> None:
    (rejected,) = read("linux_auth", Damage("se cortó")).rejected
    assert (rejected.reason, rejected.detail) == ("file damaged", "se cortó")


def test_the_senders_address_stands_in_the_event() -> None:
    (event,) = read("linux_auth", GOOD, peer="10.20.30.40").events
    assert event.ecs["log.source.address"] == event.ecs["observer.ip"] == "10.20.30.40"


def test_the_place_in_a_file_stands_in_the_event() -> None:
    (event,) = read("linux_auth", GOOD, peer="/var/log/auth.log:17").events
    assert (event.ecs["log.file.path"], event.ecs["log.file.line"]) == ("/var/log/auth.log", 17)
    assert "observer.ip" not in event.ecs


def test_reading_does_not_change_what_was_sent() -> None:
    sent = {"EventID": 1, "Channel": "Security", "Hostname": "a", "TimeCreated": "2026-05-01"}
    before = dict(sent)
    (event,) = read("windows_events", sent).events
    assert sent == before
    assert event.fields["Computer"] == "a"


def test_an_event_cannot_say_that_another_log_wrote_it() -> None:
    forged = {
        "Event": {
            "System": {"Channel": "Application", "EventID": 1, "Computer": "a"},
            "EventData": {"Channel": "Security", "EventID": 1102, "Computer": "b", "X": "y"},
        },
    }
    forged["Event"]["System"]["TimeCreated"] = {"#attributes": {"SystemTime": "2026-05-01"}}
    (event,) = read("windows_events", forged).events
    assert (event.fields["Channel"], event.fields["EventID"]) == ("Application", 1)
    assert event.fields["X"] == "y"


def test_logsources_of_equal_events_are_one_object() -> None:
    first, second = read("linux_auth", GOOD, GOOD).events
    assert first.logsource is second.logsource


def holds(found: Normalised, sent: int) -> None:
    assert len(found.events) + len(found.rejected) == sent
    for rejected in found.rejected:
        assert rejected.reason in REASONS
        assert rejected.reason != "not understood", rejected.detail
        assert len(rejected.sample) <= limits.REJECT_SAMPLE_CHARS_MAX
    for event in found.events:
        assert event.at.tzinfo is UTC
        assert isinstance(event.ecs["message"], str)
        assert event.ecs["event.dataset"] == event.source
        orjson.dumps([event.fields, event.ecs], option=orjson.OPT_SERIALIZE_DATACLASS)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SOURCES), st.lists(st.binary(max_size=200), max_size=5))
def test_any_bytes_become_an_event_or_a_reject(source: str, data: list[bytes]) -> None:
    holds(read(source, *data), len(data))


PIECES = st.sampled_from(
    [
        b"<34>", b"<13>1 ", b"Mar  3 02:14:07 ", b"2026-05-01T10:00:00Z ", b"srv ", b"sshd[1]: ",
        b"sudo: ", b"Failed password for ", b"root", b" from ", b"1.2.3.4", b" port 22 ssh2", b"-",
        b'[a b="c"] ', b"Feb 29 00:00:00 ", b"\xff", b"\x00", b'"GET / HTTP/1.1" 200 1',
        b"1.2.3.4 - - [12/May/2026:08:15:30 -0400] ", b"9999-12-31T23:59:59-14:00 ",
    ]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SOURCES), st.lists(PIECES, max_size=12))
def test_scrambled_pieces_of_real_lines_never_raise(source: str, pieces: list[bytes]) -> None:
    holds(read(source, b"".join(pieces)), 1)


KEYS = st.sampled_from(
    ["ts", "timestamp", "@timestamp", "TimeCreated", "EventTime", "Event", "System", "EventData",
     "UserData", "winlog", "event", "host", "EventID", "Channel", "event_type", "alert", "dns",
     "queries", "id", "id.orig_h", "id.orig_p", "src_ip", "_path", "#attributes", "#text",
     "Provider",
     "Execution", "code", "message", "Message", "IpAddress", "http", "x"]
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["2026-05-01T10:00:00Z", 1.7e9, "1.2.3.4", "Security", 4625, "1e999"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SOURCES), st.dictionaries(KEYS, VALUES, max_size=8))
def test_any_object_becomes_an_event_or_a_reject(source: str, record: dict[str, Any]) -> None:
    holds(read(source, record), 1)
