"""The engine and a second evaluator, which shares nothing with it, agree on generated rules."""

import gzip
import json
import tarfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cgii.detect.detector import Detector
from cgii.detect.explain import explain
from cgii.detect.rule_files import parse_documents
from cgii.detect.ruleset import compile_rules
from cgii.model.event import LogSource
from tests.sigma_generated import DETECTIONS, EVENTS, PLACEHOLDERS, as_rule
from tests.sigma_oracle import verdict
from tests.unit.detect.build import event

SHARED = Path(__file__).resolve().parents[5] / "shared" / "data"
SYSMON = {
    "process_creation": "1",
    "network_connection": "3",
    "image_load": "7",
    "process_access": "10",
    "file_event": "11",
    "registry_set": "13",
    "dns_query": "22",
}


def agree(detection: dict[str, Any], events: list[dict[str, Any]], original: str = "") -> None:
    text = as_rule(detection)
    loaded = compile_rules(parse_documents(text, "<generada>"), placeholders=PLACEHOLDERS)
    assert not loaded.rejected, [str(error) for error in loaded.rejected]
    seen = [event(fields, number=n, original=original) for n, fields in enumerate(events)]
    expected = [
        verdict(text, fields, original=original, placeholders=PLACEHOLDERS) for fields in events
    ]
    matched = {match.event.id for match in Detector(loaded).match(seen)}
    assert [one.id in matched for one in seen] == expected
    assert [explain(loaded.single[0], one).matched for one in seen] == expected


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    detection=DETECTIONS,
    events=st.lists(EVENTS, min_size=1, max_size=4),
    original=st.sampled_from(["", "a", "X1 aB.b -a\\b"]),
)
@example({"sel_a": {"a": [None]}, "condition": "sel_a"}, [{}, {"a": None}, {"a": ""}], "")
@example({"sel_a": {"a|re": "^$"}, "condition": "sel_a"}, [{"a": "\n"}, {"a": ""}], "")
@example({"sel_a": {"a": "\\\\*"}, "condition": "sel_a"}, [{"a": "\\x"}, {"a": "x"}], "")
def test_sigma_rules_mean_the_same_to_a_second_evaluator(
    detection: dict[str, Any], events: list[dict[str, Any]], original: str
) -> None:
    agree(detection, events, original)


@pytest.fixture(scope="module")
def sysmon_events() -> dict[str, list[dict[str, Any]]]:
    """Real Sysmon events by EventID, or a loud skip."""
    path = SHARED / "windows-20k.jsonl.gz"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    found: dict[str, list[dict[str, Any]]] = {}
    with gzip.open(path) as lines:
        for fields in map(orjson.loads, lines):
            if fields.get("SourceName") == "Microsoft-Windows-Sysmon":
                found.setdefault(str(fields.get("EventID")), []).append(fields)
    return found


@pytest.mark.parametrize("category", list(SYSMON))
def test_sigma_public_rules_mean_the_same_to_a_second_evaluator(
    sysmon_events: dict[str, list[dict[str, Any]]], category: str
) -> None:
    with tarfile.open(SHARED / "sigma-rules.tar.gz") as archive:
        files = [one for one in archive if f"/{category}/" in one.name and ".yml" in one.name]
        files = files[:: 1 + len(files) // 40]
        read = [(one.name, archive.extractfile(one)) for one in files]
        documents = [d for n, f in read if f for d in parse_documents(f.read().decode(), n)]
    source = LogSource("windows", category)
    loaded = compile_rules(documents)
    meant = [rule for rule in loaded.single if rule.logsource == source]
    of_kind = sysmon_events[SYSMON[category]]
    seen = [
        event(fields, number=n, logsource=source, original=json.dumps(fields))
        for n, fields in enumerate(of_kind[:: 1 + len(of_kind) // 25])
    ]
    assert len(meant) >= 3
    assert len(seen) >= 10
    found = {
        (match.rule.id, match.event.id)
        for match in Detector(loaded).match(seen)
        if match.rule.logsource == source
    }
    assert found == {
        (rule.id, one.id)
        for rule in meant
        for one in seen
        if verdict(rule.text, one.fields, original=one.original)
    }
