"""On public events and rules for Windows the index finds what a walk over each rule finds."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cgii.collect.definition import load_definitions
from cgii.collect.normalize import normalize
from cgii.detect.detector import Detector
from cgii.detect.explain import explain
from cgii.detect.ruleset import RuleSet, load_rules
from cgii.model.event import Event, Origin, Raw
from cgii.sift import Sieve
from tests.public_rules import EVENTS, RULES, unpacked

ORIGIN = Origin("windows_events", "file:x", "1")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
DEFINITIONS = load_definitions()

pytestmark = pytest.mark.skipif(
    not RULES.exists(),
    reason="the public rules and events are not beside this clone (shared/data)",
)


@pytest.fixture(scope="module")
def rules(tmp_path_factory: pytest.TempPathFactory) -> RuleSet:
    folder = unpacked(tmp_path_factory.mktemp("public"))
    found = load_rules(extra=[folder], builtin=False)
    single = tuple(rule for rule in found.single if rule.logsource.product == "windows")
    return replace(found, single=single, correlations=())


def raws() -> list[Raw]:
    with gzip.open(EVENTS) as file:
        return [Raw(number, line.rstrip()) for number, line in enumerate(file)]


def events(every: int) -> list[Event]:
    return normalize(ORIGIN, raws()[::every], DEFINITIONS, received_at=NOW).events


def agree(rules: RuleSet, seen: list[Event]) -> None:
    found = {(match.rule.id, match.event.id) for match in Detector(rules).match(seen)}
    walked = {
        (rule.id, one.id)
        for rule in rules.single
        for one in seen
        if explain(rule, one, rules.logsources).matched
    }
    assert found == walked


def test_the_index_finds_what_a_walk_finds_on_public_events(rules: RuleSet) -> None:
    agree(rules, events(every=400))


@pytest.mark.benchmark
def test_the_index_finds_what_a_walk_finds_on_many_public_events(rules: RuleSet) -> None:
    agree(rules, events(every=10))


def test_the_sieve_finds_what_the_long_way_finds_on_public_events(rules: RuleSet) -> None:
    some = raws()[::4]
    detector = Detector(rules)
    read = normalize(ORIGIN, some, DEFINITIONS, received_at=NOW)
    expected = [(match.rule.id, match.event.id) for match in detector.match(read.events)]
    sieve = Sieve(ORIGIN.source, DEFINITIONS, detector)
    for _ in range(2):  # the second time shapes, plans and values are known
        sifted = sieve.sift(ORIGIN, some, received_at=NOW)
        assert [(match.rule.id, match.event.id) for match in sifted.matches] == expected
    assert len(expected) > 50
