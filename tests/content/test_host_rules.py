"""The rules for Windows and Linux hosts find real attacks and keep quiet about the rest."""

import gzip
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cgii.base import content
from cgii.collect.definition import load_definitions
from cgii.collect.files import read_records
from cgii.collect.normalize import normalize
from cgii.detect.alerts import grouping_key
from cgii.detect.detector import Detector
from cgii.detect.ruleset import load_rules
from cgii.model.event import Event, Origin, Raw

RULES = load_rules()
DEFINITIONS = load_definitions()
DETECTOR = Detector(RULES)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
FOLDERS = ("windows", "linux")
LOUD = ("medium", "high", "critical")
SHARE_MAX = 0.005  # of ordinary records that one rule for hosts may find
# Rules that say the same of one event from two sides.
AGREED = {("account_created_windows", "account_named_like_computer")}


def events_of(source: str, raws: list[Raw]) -> tuple[Event, ...]:
    return tuple(normalize(Origin(source, "x", "1"), raws, DEFINITIONS, received_at=NOW).events)


def shared(path: Path) -> Path:
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    return path


@cache
def simulated() -> tuple[Event, ...]:
    with gzip.open(shared(SHARED / "windows-20k.jsonl.gz")) as lines:
        raws = [Raw(number, line.rstrip()) for number, line in enumerate(lines)]
    return events_of("windows_events", raws)


def found_in(events: tuple[Event, ...]) -> Counter[str]:
    return Counter(match.rule.name for match in DETECTOR.match(events))


def examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for folder in FOLDERS:
        for path in sorted((content.shipped("rules") / "sigma" / folder).glob("*.examples.jsonl")):
            for line in path.read_text(encoding="utf-8").splitlines():
                yield path.name.removesuffix(".examples.jsonl"), json.loads(line)


def test_a_host_rule_has_two_examples_of_each_kind() -> None:
    seen = Counter((name, example["match"]) for name, example in examples())
    names = {name for name, _ in seen}
    assert len(names) >= 60
    assert [n for n in sorted(names) if min(seen[n, True], seen[n, False]) < 2] == []


def test_a_harmless_example_of_one_rule_alarms_no_other() -> None:
    level = {rule.name: rule.level for rule in RULES.single}
    alarmed = set()
    for name, example in examples():
        if example["match"] or "raw" not in example:
            continue
        raw = example["raw"]
        text = raw if isinstance(raw, str) else json.dumps(raw)
        found = found_in(events_of(example["source"], [Raw(0, text.encode())]))
        alarmed |= {(name, other) for other in found if level[other] in ("high", "critical")}
    assert alarmed - AGREED == set()


def test_alerts_of_host_rules_say_whose_they_are() -> None:
    nameless = set()
    for name, example in examples():
        if not example["match"] or "raw" not in example:
            continue
        raw = example["raw"]
        text = raw if isinstance(raw, str) else json.dumps(raw)
        for match in DETECTOR.match(events_of(example["source"], [Raw(0, text.encode())])):
            key = grouping_key(match.rule, match.event)
            if match.rule.name == name and not (key and all(value for _, value in key)):
                nameless.add((name, example["why"]))
    assert nameless == set()


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("dc_applog_ntdsutil_dfir_325_326_327", "domain_database_copied"),
        ("sysmon_lolbin_bohops_vshadow_exec", "shadow_copy_tool_misused"),
        ("sysmon_rdrleakdiag_lsass_dump", "remote_thread_in_lsass"),
    ],
)
def test_recorded_attacks_are_found(name: str, rule: str) -> None:
    path = shared(SHARED / "evtx" / f"{name}.evtx")
    raws = list(read_records(path, "windows_events", DEFINITIONS))
    assert found_in(events_of("windows_events", raws))[rule]


@pytest.mark.parametrize(
    "rule",
    [
        "directory_replication_by_user",
        "domain_database_copied",
        "event_log_service_disabled",
        "powershell_attack_functions",
        "powershell_decodes_and_runs",
        "program_copied_to_admin_share",
    ],
)
def test_simulated_attacks_are_found(rule: str) -> None:
    assert found_in(simulated())[rule]


def test_no_rule_drowns_the_desk_in_windows_events() -> None:
    loud = {rule.name for rule in RULES.single if rule.level in LOUD}
    events = simulated()
    found = found_in(events)
    assert {n: k for n, k in found.items() if n in loud and k > len(events) * SHARE_MAX} == {}


@pytest.mark.parametrize("source", ["linux_auth", "syslog"])
def test_an_ordinary_linux_log_raises_no_alarm(source: str) -> None:
    path = shared(SHARED / "logs" / "Linux_2k.log")
    events = events_of(source, list(read_records(path, source, DEFINITIONS)))
    assert len(events) > 1_900
    loud = {rule.name for rule in RULES.single if rule.level in LOUD}
    assert set(found_in(events)) & loud == set()
