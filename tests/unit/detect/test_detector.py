"""From events to alerts: what fires, what is silent, what is grouped, what is carried along."""

import random
from collections.abc import Sequence

import pytest
from prometheus_client import REGISTRY

from cgii.base import limits
from cgii.detect.detector import Detector, Examined
from cgii.detect.windows import Window, WindowKey
from cgii.model.event import Alert, Event
from tests.unit.detect.build import event, rule_text, rules

FAILED = rule_text("sel: {result: failed}").replace("id: prueba", "id: failed")
OTHER = rule_text("sel: {user|exists: true}").replace("id: prueba", "id: other")
MANY = """
title: Muchos fallos
id: many
level: high
tags: [attack.t1110]
correlation:
  type: event_count
  rules: [failed]
  group-by: [source.ip]
  timespan: 5m
  condition: {gte: 5}
"""
BOTH = f"{FAILED}---\n{OTHER}---{MANY}"


def failures(count: int, *, address: str = "203.0.113.9", first: int = 0) -> list[Event]:
    return [
        event(
            {"result": "failed", "user": f"u{n}"},
            number=first + n,
            seconds=10 * n,
            ecs={"source.ip": address},
        )
        for n in range(count)
    ]


def run(text: str, events: Sequence[Event]) -> Examined:
    return Detector(rules(text)).run(events, {})


def of(found: Examined, rule_id: str) -> list[Alert]:
    return [alert for alert in found.alerts if alert.rule_id == rule_id]


def counted(name: str, rule: str) -> float:
    return REGISTRY.get_sample_value(name, {"rule": rule}) or 0


def test_six_failures_from_one_address_are_one_alert() -> None:
    (alert,) = of(run(BOTH, failures(6)), "many")
    assert alert.rule_kind == "correlation"
    assert alert.event_count == 6
    assert alert.key == (("source.ip", "203.0.113.9"),)
    assert alert.observables == (("ip", "203.0.113.9"),)
    assert alert.event_ids == tuple(e.id for e in failures(6))
    assert alert.at == failures(6)[4].at
    assert alert.tags == ("attack.t1110",)
    assert "6 eventos" in alert.summary


def test_four_failures_are_none() -> None:
    assert not of(run(BOTH, failures(4)), "many")


def test_addresses_are_counted_apart() -> None:
    events = [one for n in range(6) for one in failures(1, address=f"203.0.113.{n}", first=100 * n)]
    assert not of(run(BOTH, events), "many")


def test_entities_are_counted_apart() -> None:
    events = failures(6)
    for number, one in enumerate(events):
        one.entity_id = number % 2
    assert not of(run(BOTH, events), "many")


def test_a_counted_rule_gives_no_alert_by_itself_but_others_do() -> None:
    found = run(BOTH, failures(6))
    assert not of(found, "failed")
    assert len(of(found, "other")) == 6


def test_a_counted_rule_speaks_when_one_correlation_says_generate() -> None:
    assert len(of(run(BOTH + "generate: true\n", failures(6)), "failed")) == 6


def test_a_rule_that_nobody_counts_speaks() -> None:
    assert len(of(run(FAILED, failures(2)), "failed")) == 2


def test_two_correlations_over_one_rule_do_not_starve_each_other() -> None:
    second = MANY.replace("id: many", "id: more").replace("gte: 5", "gt: 5")
    found = run(f"{BOTH}---{second}", failures(6))
    assert len(of(found, "many")) == len(of(found, "more")) == 1


def test_an_event_that_two_counted_rules_match_counts_once() -> None:
    text = BOTH.replace("rules: [failed]", "rules: [failed, other]").replace("gte: 5", "gte: 7")
    assert not of(run(text, failures(6)), "many")


def test_an_alias_means_another_field_for_each_rule() -> None:
    text = BOTH.replace("rules: [failed]", "rules: [failed, other]").replace(
        "group-by: [source.ip]",
        "group-by: [who]\n  aliases: {who: {failed: usr, other: account}}",
    )
    events = [event({"result": "failed", "usr": "ana"}, number=n, seconds=n) for n in range(3)] + [
        event({"user": 1, "account": "ana"}, number=n, seconds=n) for n in range(3, 6)
    ]
    (alert,) = of(run(text, events), "many")
    assert alert.key == (("who", "ana"),)


def test_without_group_by_all_events_count_together() -> None:
    text = BOTH.replace("  group-by: [source.ip]\n", "")
    events = [failures(1, address=f"203.0.113.{n}", first=n)[0] for n in range(6)]
    (alert,) = of(run(text, events), "many")
    assert alert.key == ()


def test_a_match_without_the_group_field_is_skipped_and_counted() -> None:
    name = "cgii_correlation_keys_missing_total"
    before = counted(name, "many")
    events = failures(6)
    for one in events:
        one.ecs.clear()
    assert not of(run(BOTH, events), "many")
    assert counted(name, "many") == before + 6


def test_a_late_event_is_counted() -> None:
    before = counted("cgii_events_late_total", "many")
    detector, windows = Detector(rules(BOTH)), {}
    detector.run([event({"result": "failed"}, ecs={"source.ip": "a"}, seconds=10_000)], windows)
    detector.run([event({"result": "failed"}, ecs={"source.ip": "a"}, number=1)], windows)
    assert counted("cgii_events_late_total", "many") == before + 1


def test_examining_twice_gives_the_same_alerts() -> None:
    detector = Detector(rules(BOTH))
    matches = detector.match(failures(6))
    assert detector.examine(matches, {}) == detector.examine(matches, {})
    ids = [alert.id for alert in detector.examine(matches, {}).alerts]
    assert len(set(ids)) == len(ids)


def test_a_caller_needs_only_the_windows_that_are_asked_for() -> None:
    detector = Detector(rules(BOTH))
    stored: dict[WindowKey, Window] = {}
    alerts: dict[str, Alert] = {}
    events = failures(6) + failures(6, address="203.0.113.10", first=50)
    random.Random(3).shuffle(events)  # a batch may come in any order
    for start in range(0, 12, 3):
        matches = detector.match(events[start : start + 3])
        keys = detector.window_keys(matches)
        examined = detector.examine(matches, {k: stored[k] for k in keys if k in stored})
        assert set(examined.windows) <= keys
        stored.update(examined.windows)
        alerts.update({alert.id: alert for alert in examined.alerts})
        for gone in examined.withdrawn:
            del alerts[gone]
    whole = detector.run(events, {})
    assert alerts == {alert.id: alert for alert in whole.alerts}


def test_windows_in_memory_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW_KEYS_MAX", 3)
    before = counted("cgii_windows_evicted_total", "many")
    detector, windows = Detector(rules(BOTH)), {}
    for n in range(5):
        detector.run(failures(1, address=f"203.0.113.{n}", first=n), windows)
    assert sorted(key.values[0][-1] for key in windows) == ["2", "3", "4"]
    assert counted("cgii_windows_evicted_total", "many") == before + 2


@pytest.mark.parametrize(
    ("ecs", "key"),
    [
        ({"source.ip": "10.0.0.1", "host.name": "h"}, (("source.ip", "10.0.0.1"),)),
        ({"host.name": "h", "user.name": "u"}, (("host.name", "h"),)),
        ({"user.name": "u"}, (("user.name", "u"),)),
        ({}, ()),
    ],
)
def test_alerts_are_grouped_by_address_host_or_user(
    ecs: dict[str, str], key: tuple[tuple[str, str], ...]
) -> None:
    (alert,) = run(FAILED, [event({"result": "failed"}, ecs=ecs)]).alerts
    assert alert.key == key


def test_a_rule_says_what_its_alerts_are_grouped_by() -> None:
    text = FAILED.replace("detection:", "cgii: {group-by: [user, nothing]}\ndetection:")
    seen = event({"result": "failed", "user": ["a", "b"]}, ecs={"source.ip": "10.0.0.1"})
    (alert,) = run(text, [seen]).alerts
    assert alert.key == (("user", "a,b"), ("nothing", ""))


def test_an_alert_says_why_and_what_to_look_up() -> None:
    seen = event(
        {"result": "failed"},
        ecs={
            "source.ip": "203.0.113.9",
            "user.name": "root",
            "dns.question.name": ["a.example", "b.example"],
            "host.name": "-",
        },
    )
    (alert,) = run(FAILED, [seen]).alerts
    (reason,) = alert.explanation
    assert (reason.selection, reason.field, reason.value, reason.wanted) == (
        "sel", "result", "failed", "'failed'",
    )  # fmt: skip
    assert alert.observables == (
        ("ip", "203.0.113.9"),
        ("domain", "a.example"),
        ("domain", "b.example"),
        ("user", "root"),
    )
    assert alert.summary == "Prueba para source.ip=203.0.113.9 con result «failed»"


def test_an_event_is_left_as_it_was() -> None:
    seen = event({"Threat Name": "x", "result": "failed"})
    before = dict(seen.fields)
    run(FAILED, [seen])
    assert seen.fields == before
