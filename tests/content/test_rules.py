"""Every rule that is shipped loads, does what its examples say, and is written as we want."""

import json
import re
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cgii.base import content
from cgii.collect.definition import load_definitions
from cgii.collect.files import guess_source, read_records
from cgii.collect.normalize import normalize
from cgii.detect.detector import Detector
from cgii.detect.explain import explain
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import load_rules
from cgii.detect.trial import check_rules
from cgii.model.event import Alert, Event, Origin, Raw

RULES = load_rules()
DEFINITIONS = load_definitions()
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def read(source: str, raw: str) -> Event | None:
    done = normalize(Origin(source, "x", "1"), [Raw(0, raw.encode())], DEFINITIONS, received_at=NOW)
    return done.events[0] if done.events else None


def scan(path: Path) -> dict[str, Alert]:
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    source = guess_source(path, DEFINITIONS)
    raws = list(read_records(path, source, DEFINITIONS))
    events = normalize(Origin(source, "x", "1"), raws, DEFINITIONS, received_at=NOW).events
    return {alert.id: alert for alert in Detector(RULES).run(events, {}).alerts}


def test_every_rule_loads_and_does_what_its_examples_say() -> None:
    assert [str(problem) for problem in check_rules(reader=read)] == []


def test_there_are_as_many_rules_as_promised() -> None:
    assert len(RULES.single) >= 60
    assert len(RULES.correlations) >= 25


@pytest.mark.parametrize("rule", RULES.all, ids=lambda rule: Path(rule.path).stem)
def test_every_rule_is_complete(rule: SingleRule | CorrelationRule) -> None:
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", rule.id)
    assert rule.name
    assert len(rule.description) > 60
    assert rule.description.endswith(".")
    assert rule.false_positives
    assert rule.rsit is not None
    assert any(tag.startswith("attack.") for tag in rule.tags)
    assert "level:" in rule.text
    assert max(map(len, rule.text.splitlines())) <= 200


def test_names_are_used_once() -> None:
    assert [name for name, n in Counter(rule.name for rule in RULES.all).items() if n > 1] == []


def test_what_only_counts_is_counted() -> None:
    quiet = {rule.id for rule in RULES.all if rule.level == "informational"}
    assert quiet - RULES.silent == set()


@pytest.mark.parametrize("folder", ["sigma/web", "sigma/network", "correlation"])
def test_a_rule_has_two_examples_of_each_kind(folder: str) -> None:
    few: list[str] = []
    for path in (content.shipped("rules") / folder).glob("*.examples.jsonl"):
        lines = path.read_text(encoding="utf-8").splitlines()
        verdicts = Counter(json.loads(line)["match"] for line in lines if line.strip())
        if min(verdicts[True], verdicts[False]) < 2:
            few.append(path.name)
    assert few == []


def test_every_example_belongs_to_a_rule() -> None:
    for folder in ("sigma", "correlation"):
        for path in (content.shipped("rules") / folder).rglob("*.examples.jsonl"):
            assert (path.parent / path.name.replace(".examples.jsonl", ".yml")).exists(), path


def test_the_brute_force_in_a_real_log_is_found() -> None:
    alerts = scan(SHARED / "logs" / "OpenSSH_2k.log").values()
    brute = [a for a in alerts if a.rule_title == "Fuerza bruta contra SSH"]
    assert ("source.ip", "183.62.140.253") in {pair for a in brute for pair in a.key}
    assert all(alert.event_count >= 5 for alert in brute)


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("DE_104_system_log_cleared", "Registro de Windows borrado (evento 104)"),
        ("DE_suspicious_remote_eventlog_svc_access_5145", "Registro de seguridad de Windows"),
        ("babyshark_mimikatz_powershell", "Lectura de la memoria de LSASS"),
        ("CA_hashdump_4663_4656_lsass_access", "Acceso al proceso LSASS"),
        ("DE_Fake_ComputerAccount_4720", "Cuenta de usuario con nombre de equipo"),
        ("sysmon_rdrleakdiag_lsass_dump", "Orden que vuelca credenciales"),
    ],
)
def test_real_attacks_on_windows_are_found(name: str, title: str) -> None:
    alerts = scan(SHARED / "evtx" / f"{name}.evtx").values()
    assert any(alert.rule_title.startswith(title) for alert in alerts)


def test_ordinary_web_traffic_raises_nothing() -> None:
    assert scan(SHARED / "logs" / "apache_access.log") == {}


def test_index_and_walk_agree_on_every_example() -> None:
    detector = Detector(RULES)
    for path in (content.shipped("rules") / "sigma").rglob("*.examples.jsonl"):
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
        events = [read(line["source"], line["raw"]) for line in lines if "raw" in line]
        for seen in filter(None, events):
            walked = {r.id for r in RULES.single if explain(r, seen, RULES.logsources).matched}
            assert {m.rule.id for m in detector.match([seen])} == walked, seen.original


def test_index_and_walk_agree_on_real_events() -> None:
    path = SHARED / "logs" / "OpenSSH_2k.log"
    if not path.exists():
        pytest.skip(f"{path} is not on this machine")
    raws = list(read_records(path, "linux_auth", DEFINITIONS))[:300]
    events = normalize(Origin("linux_auth", "x", "1"), raws, DEFINITIONS, received_at=NOW).events
    found = {(m.rule.id, m.event.id) for m in Detector(RULES).match(events)}
    walked = {
        (rule.id, seen.id)
        for rule in RULES.single
        for seen in events
        if explain(rule, seen, RULES.logsources).matched
    }
    assert found == walked
    assert found
