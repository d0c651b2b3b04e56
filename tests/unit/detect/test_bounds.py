"""Rules and events that mean harm: refused with a sentence, or taken in bounded time."""

from datetime import UTC, datetime
from functools import partial
from typing import Any

import orjson
import pytest

from cgii.base import limits
from cgii.collect.definition import load_definitions
from cgii.collect.normalize import normalize
from cgii.detect import predicates
from cgii.detect.detector import Detector
from cgii.detect.literals import required_text
from cgii.detect.ruleset import RuleSet
from cgii.model.event import Event, Origin, Raw
from cgii.sift import Sieve, Sifted
from tests.effort import SECONDS_MAX, seconds
from tests.unit.detect.build import event, read_text, refusal, rule_text, rules

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DEFINITIONS = load_definitions()
ORIGIN = Origin("windows_events", "file:x", "1")


def takes_long(loaded: RuleSet, seen: Event) -> float:
    detector = Detector(loaded)
    detector.match([event({"other": "x"})])  # compiling is not matching
    return seconds(lambda: detector.match([seen]))


@pytest.mark.parametrize(
    "expression", [r"^(a+)+$", r"(a|aa)+$", r"(.*a){25}", r"(x+x+)+y", r"(?i)(a*)*b"]
)
def test_a_catastrophic_expression_takes_linear_time(expression: str) -> None:
    loaded = rules(rule_text(f"sel: {{a|re: '{expression}'}}"))
    assert takes_long(loaded, event({"a": "a" * limits.FIELD_CHARS_MAX + "!"})) < SECONDS_MAX


@pytest.mark.parametrize(
    "expression", [r"(a{1000}){1000}", r"((a{100}){100}){100}", "a" * 5_000, r"(?=a)b", r"(a)\1"]
)
def test_an_expression_that_is_too_large_or_not_linear_is_refused(expression: str) -> None:
    assert "expresión regular" in refusal(rule_text(f"sel: {{a|re: '{expression}'}}"))


@pytest.mark.parametrize("modifier", ["", "|contains", "|startswith", "|endswith", "|contains|all"])
def test_a_list_of_5000_values_is_matched_quickly(modifier: str) -> None:
    listed = "".join(f"\n    - valor{number}x" for number in range(5_000))
    loaded = rules(rule_text(f"sel:\n  a{modifier}:{listed}"))
    seen = event({"a": "valor" * 6_000 + "valor4999x"})
    assert takes_long(loaded, seen) < SECONDS_MAX
    if "all" not in modifier:
        assert Detector(loaded).match([event({"a": "valor4999x"})])


def test_a_list_that_is_too_long_is_refused() -> None:
    listed = "".join(f"\n    - v{number}" for number in range(limits.RULE_VALUES_MAX + 1))
    assert "valores" in refusal(rule_text(f"sel:\n  a:{listed}"))


def test_200_nested_conditions_are_refused() -> None:
    nested = "(" * 200 + "sel" + ")" * 200
    assert "niveles" in refusal(rule_text(f"sel: {{a: 1}}\ncondition: {nested}"))
    negated = "not " * 200 + "sel"
    assert "niveles" in refusal(rule_text(f"sel: {{a: 1}}\ncondition: {negated}"))


def test_conditions_nested_as_deep_as_allowed_are_matched() -> None:
    depth = limits.CONDITION_DEPTH_MAX - 2
    loaded = rules(rule_text(f"sel: {{a: 1}}\ncondition: {'not ' * depth}sel"))
    assert Detector(loaded).match([event({"a": 1})])


RULES = read_text(
    "---\n".join(
        rule_text(detection).replace("id: prueba", f"id: r{number}")
        for number, detection in enumerate(
            [
                "sel: {CommandLine|re: '(a+)+b'}",
                "sel: {CommandLine|contains: [mimikatz, sekurlsa]}",
                "sel: {a.b.c|endswith: x}",
                "sel: {a: x}\nout: {CommandLine|contains: y}\ncondition: not out",
                "sel: [mimikatz, '*x?y*']",
            ]
        )
    )
)
LARGE: dict[str, dict[str, Any]] = {
    "10,000 fields": {f"f{number}": "a" for number in range(10_000)},
    "a field of 10 MB": {"CommandLine": "a" * 10 * 1024 * 1024},
    "a list of 100,000 values": {"CommandLine": ["a"] * 100_000},
}


@pytest.mark.parametrize("name", LARGE)
def test_an_event_that_is_too_large_takes_bounded_time(name: str) -> None:
    """Such an event cannot come in, but a detector that is given one survives it."""
    seen = event(LARGE[name], original=orjson.dumps(LARGE[name]).decode())
    assert takes_long(RULES, seen) < SECONDS_MAX


@pytest.mark.parametrize("name", LARGE)
def test_a_record_that_is_too_large_is_rejected_with_a_reason(name: str) -> None:
    head = {"Channel": "Security", "EventID": 1, "@timestamp": "2026-11-20T10:00:00Z"}
    raws = [Raw(0, orjson.dumps(head | LARGE[name]))]
    read = normalize(ORIGIN, raws, DEFINITIONS, received_at=NOW)
    sieve = Sieve("windows_events", DEFINITIONS, Detector(RULES))
    sifted: list[Sifted] = []
    deed = partial(sieve.sift, ORIGIN, raws, received_at=NOW)
    assert seconds(lambda: sifted.append(deed())) < SECONDS_MAX
    assert [one.reason for one in read.rejected] == [one.reason for one in sifted[0].rejected]
    assert [one.reason for one in read.rejected] in (["too long"], ["too many fields"])


def test_values_nested_without_end_are_survived() -> None:
    deep: Any = "x"
    for _ in range(5_000):
        deep = [deep]
    tree: Any = {"c": "x"}
    for name in ("b", "a") * 500:
        tree = {name: tree}
    assert takes_long(RULES, event({"CommandLine": deep, **tree})) < SECONDS_MAX


@pytest.mark.parametrize("kept", [predicates.expression_of, predicates.tester, required_text])
def test_expressions_that_an_editor_only_tried_are_not_kept_for_ever(kept: Any) -> None:
    assert kept.cache_parameters()["maxsize"] == limits.EXPRESSIONS_KEPT_MAX
