"""The sieve finds and rejects what normalising and matching every record finds and rejects."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cgii.collect.definition import load_definitions
from cgii.collect.normalize import normalize
from cgii.detect.detector import Detector
from cgii.detect.plans import Plan
from cgii.model.event import Origin, Raw
from cgii.sift import Sieve
from tests.unit.detect.build import read_text, rule_text

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEFINITIONS = load_definitions()
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "windows-20k.jsonl.gz"

DETECTIONS = (
    ("sel: {Image|endswith: '\\cmd.exe'}", "{product: windows, category: process_creation}"),
    ("sel: {ThreatName: 'a b'}", "{product: windows}"),
    ("sel: {process.name: cmd.exe}", "{product: windows, service: system}"),
    ("sel: {CommandLine: null}", "{product: windows, service: security}"),
    ("sel: [mimikatz, 'sekurlsa::']", "{product: windows}"),
    ("sel: {CommandLine|contains: '\N{REPLACEMENT CHARACTER}'}", "{product: windows}"),
    ("sel: {Data|re: '^x+$'}\nout: {Image|contains: a}\ncondition: sel and not out", "{}"),
    ("sel: {EventID: [true, 4625]}", "{product: windows}"),
    ("sel: {Data: 7}", "{product: windows}"),
)
RULES = read_text(
    "---\n".join(
        rule_text(detection, logsource=source).replace("id: prueba", f"id: r{number}")
        for number, (detection, source) in enumerate(DETECTIONS)
    )
)
DETECTOR = Detector(RULES)
SIEVE = Sieve("windows_events", DEFINITIONS, DETECTOR)
ORIGIN = Origin("windows_events", "file:x", "1")

CHANNELS = ("Security", "System", "Microsoft-Windows-Sysmon/Operational", "", "Otra")
values = st.one_of(
    st.sampled_from(["C:\\cmd.exe", "xxx", "MIMIKATZ", "a b", "sekurls\u0061::x", "\0", "", "7"]),
    st.sampled_from([7, 7.0, True, None, 2**70, [7], ["xxx", None], [["xxx"]], {"a": {"b": 1}}]),
)
records = st.fixed_dictionaries(
    {
        "Channel": st.sampled_from(CHANNELS),
        "EventID": st.sampled_from([1, 4688, 4625, "1", True, None, 1.0]),
        "Provider_Name": st.just("p"),
        "Computer": st.just("c"),
    },
    optional={
        "@timestamp": st.sampled_from(["2026-11-20T10:00:00Z", "mal", 5, "1971-01-01T00:00:00Z"]),
        "EventTime": st.sampled_from(["2026-11-20 10:00:00", "2026-11-20T10:00:00+05:00", None]),
        "Image": values,
        "CommandLine": values,
        "Data": values,
        "Threat Name": values,
        "process.name": values,
        "EventData": st.just({"Image": "C:\\cmd.exe"}),
    },
)


def line_of(record: dict[str, Any], how: int) -> bytes:
    if how == 0:
        return json.dumps(record).encode()  # letters that are not ASCII are escaped
    if how == 1:
        return json.dumps(record, ensure_ascii=False).encode()
    return b'{"Image":"C:\\\\cmd.exe",' + json.dumps(record).encode()[1:]  # maybe named twice


lines = st.one_of(
    st.builds(line_of, records, st.integers(0, 2)),
    st.sampled_from(
        [b"", b"{", b"[]", b"{}", b"\xff{}", b'{"Channel":"System"}', b"\xef\xbb\xbf{}"]
    ),
)


def both(sieve: Sieve, detector: Detector, data: list[Any]) -> None:
    raws = [Raw(number, one, f"x:{number + 1}") for number, one in enumerate(data)]
    read = normalize(ORIGIN, raws, DEFINITIONS, received_at=NOW)
    expected = [(m.rule.id, m.event.id, m.explanation) for m in detector.match(read.events)]
    for _ in range(2):  # the second time shapes and plans are known
        sifted = sieve.sift(ORIGIN, raws, received_at=NOW)
        found = [(m.rule.id, m.event.id, m.explanation) for m in sifted.matches]
        assert found == expected
        assert sifted.rejected == read.rejected
        assert sifted.events == len(read.events)


@settings(max_examples=300)
@given(st.lists(lines, min_size=1, max_size=8))
def test_the_sieve_finds_and_rejects_what_the_long_way_does(data: list[bytes]) -> None:
    both(SIEVE, DETECTOR, data)


@settings(max_examples=50)
@given(st.lists(records, min_size=1, max_size=4))
def test_records_that_are_no_lines_go_the_long_way(data: list[dict[str, Any]]) -> None:
    both(SIEVE, DETECTOR, data)


def test_a_source_that_does_not_exist_rejects_everything() -> None:
    sifted = Sieve("nada", DEFINITIONS, DETECTOR).sift(
        Origin("nada", "f", "1"), [Raw(0, b"{}")], received_at=NOW
    )
    assert [one.reason for one in sifted.rejected] == ["unknown source"]


@pytest.mark.parametrize("source", sorted(DEFINITIONS.by_name))
def test_samples_of_every_source_pass_the_sieve_as_they_pass_the_long_way(source: str) -> None:
    definition = DEFINITIONS.by_name[source]
    path = definition.path.with_suffix(".examples.jsonl")
    data = []
    for row in path.read_bytes().splitlines():
        raw = orjson.loads(row).get("raw") if row.strip() else None
        if raw is not None:
            data.append(raw.encode() if isinstance(raw, str) else raw)
    text = "sel: {source.ip|exists: true}\nkey: [a]\ncondition: sel or key"
    detector = Detector(read_text(rule_text(text)))
    sieve = Sieve(source, DEFINITIONS, detector)
    origin = Origin(source, "f", "1")
    raws = [Raw(number, one) for number, one in enumerate(data)]
    read = normalize(origin, raws, DEFINITIONS, received_at=NOW)
    sifted = sieve.sift(origin, raws, received_at=NOW)
    assert [m.event.id for m in sifted.matches] == [m.event.id for m in detector.match(read.events)]
    assert sifted.rejected == read.rejected


def test_what_cannot_match_is_not_normalised(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def watched(origin: Origin, raws: list[Raw], *given: Any, **named: Any) -> Any:
        seen.append(len(raws))
        return normalize(origin, raws, *given, **named)

    record = {
        "Channel": "Security", "EventID": 4625, "Provider_Name": "p", "Computer": "c",
        "@timestamp": "2026-11-20T10:00:00Z", "CommandLine": "x",
    }  # fmt: skip
    quiet = {**record, "EventID": 4624}
    data = [orjson.dumps(one) for one in (record, quiet, quiet, record)]
    raws = [Raw(number, one) for number, one in enumerate(data)]
    monkeypatch.setattr("cgii.sift.normalize", watched)
    sifted = SIEVE.sift(ORIGIN, raws, received_at=NOW)
    assert seen == [2]
    assert sifted.events == 4


# Flat records with few values, so that verdicts and reasons come from memory again and again.
few = st.sampled_from(["a", "A.exe", "b", "", "\0", "7", "mimikatz", "x" * 3_000])
flat = st.fixed_dictionaries(
    {
        "Channel": st.sampled_from(CHANNELS[:3]),
        "EventID": st.sampled_from([1, 4688]),
        "Provider_Name": st.just("p"),
        "Computer": st.just("c"),
        "@timestamp": st.just("2026-11-20T10:00:00Z"),
    },
    optional={
        "Image": few,
        "NewProcessName": few,
        "CommandLine": st.one_of(few, st.sampled_from([7, 7.0, True, None, ["a", "b"]])),
        "ParentImage": st.one_of(few, st.sampled_from([1, 1.0, True, None])),
        "TimeCreated": st.sampled_from(["2026-11-20T10:00:00Z", "/Date(1)/", "mal", None]),
        "process.name": few,
    },
)
ITEMS = (
    "Image|endswith: .exe", "CommandLine|contains: a", "CommandLine: 7", "ParentImage: true",
    "ParentImage: null", "CommandLine|re: ^x+$", "CommandLine|exists: true", "EventID: 1",
    "Image|fieldref: CommandLine", "CommandLine|contains: [a, b, mimi]", "CommandLine: [1, '']",
    "process.name: a",
)  # fmt: skip
CONDITIONS = ("one and two", "one or two", "one and not two", "not one and not two", "one or key")


@st.composite
def rule_sets(draw: st.DrawFn) -> Detector:
    """A few rules over those fields, some of which look at whole lines."""
    texts = []
    for number in range(draw(st.integers(1, 4))):
        one, two = draw(st.sampled_from(ITEMS)), draw(st.sampled_from(ITEMS))
        condition = draw(st.sampled_from(CONDITIONS))
        key = "\nkey: [mimikatz, sekurlsa]" if "key" in condition else ""
        source = draw(st.sampled_from(("{product: windows}", DETECTIONS[0][1])))
        detection = f"one: {{{one}}}\ntwo: {{{two}}}{key}\ncondition: {condition}"
        text = rule_text(detection, logsource=source).replace("id: prueba", f"id: r{number}")
        texts.append(text)
    return Detector(read_text("---\n".join(texts)))


@settings(max_examples=150)
@given(rule_sets(), st.lists(flat, min_size=1, max_size=12), st.sampled_from((1, 2, 4_096)))
def test_what_is_remembered_of_values_is_what_the_long_way_finds(
    detector: Detector, data: list[dict[str, Any]], kept: int
) -> None:
    sieve = Sieve("windows_events", DEFINITIONS, detector)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cgii.base.limits.RECOLLECTIONS_MAX", kept)
        both(sieve, detector, [orjson.dumps(one) for one in data])


def test_the_second_record_with_the_same_values_is_not_evaluated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []
    evaluated = Plan.evaluated

    def watched(plan: Plan, proposed: list[Any], *given: Any) -> list[int]:
        asked.append(len(proposed))
        return evaluated(plan, proposed, *given)

    monkeypatch.setattr(Plan, "evaluated", watched)
    text = "sel: {Image|endswith: '\\cmd.exe', CommandLine|contains: dir}"
    detector = Detector(read_text(rule_text(text, logsource="{product: windows}")))
    record = {
        "Channel": "Security", "EventID": 4688, "Provider_Name": "p", "Computer": "c",
        "@timestamp": "2026-11-20T10:00:00Z", "Image": "C:\\cmd.exe", "CommandLine": "dir",
    }  # fmt: skip
    data = [orjson.dumps({**record, "ProcessId": number}) for number in range(4)]
    data.append(orjson.dumps({**record, "ProcessId": 4, "CommandLine": "dir /s"}))
    raws = [Raw(number, one) for number, one in enumerate(data)]
    sifted = Sieve("windows_events", DEFINITIONS, detector).sift(ORIGIN, raws, received_at=NOW)
    assert len(sifted.matches) == 5
    assert len(asked) == 2
    assert sifted.matches[0].explanation == sifted.matches[3].explanation
    assert sifted.matches[4].explanation != sifted.matches[0].explanation
