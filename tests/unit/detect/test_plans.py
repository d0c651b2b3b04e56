"""The index is exact: on any rules and events it finds what a walk over each rule finds."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgii.detect.detector import Detector
from cgii.detect.explain import explain
from cgii.detect.plans import Plan
from cgii.model.event import LogSource
from tests.unit.detect.build import event, read_text, rule_text, rules

FIELDS = ("EventID", "Channel", "Image", "a.b", "CommandLine")
WORDS = ("a", "ab", "b", "B", "*", "?", "cmd.exe", r"\cmd.exe", "x*y", "10.0.0.1", "", "é", "-a /b")
NUMBERS = (1, 5, 4625, 0, 2.5)
TEXT_MODIFIERS = (
    "", "|contains", "|startswith", "|endswith", "|contains|all", "|cased", "|contains|cased",
    "|neq", "|windash|contains", "|base64offset|contains", "|endswith|cased",
)  # fmt: skip
SOURCES = ("{}", "{product: windows}", "{product: windows, category: process_creation}",
           "{product: windows, service: security}", "{category: proxy}")  # fmt: skip
CHANNELS = ("Security", "Microsoft-Windows-Sysmon/Operational", "security", "x")

words = st.sampled_from(WORDS)
scalars = words | st.sampled_from(NUMBERS) | st.booleans()


@st.composite
def lines(draw: st.DrawFn) -> dict[str, Any]:
    """One line of a selection."""
    field = draw(st.sampled_from(FIELDS))
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return {field: None}
    if kind == 1:
        return {f"{field}|exists": draw(st.booleans())}
    if kind == 2:
        compare = draw(st.sampled_from(("lt", "lte", "gt", "gte")))
        return {f"{field}|{compare}": draw(st.sampled_from(NUMBERS))}
    if kind == 3:
        side = draw(st.sampled_from(("", "|startswith", "|contains", "|neq")))
        return {f"{field}|fieldref{side}": draw(st.sampled_from(FIELDS))}
    if kind == 4:
        return {f"{field}|re": draw(st.sampled_from(("^a", "b$", "(?i)CMD", "[0-9]{4}", "")))}
    if kind == 5:
        return {f"{field}|cidr": draw(st.sampled_from(("10.0.0.0/8", "0.0.0.0/0", "::/0")))}
    if kind == 6:
        return {field: draw(st.lists(scalars, min_size=1, max_size=9))}
    modifier = draw(st.sampled_from(TEXT_MODIFIERS))
    return {field + modifier: draw(st.lists(words, min_size=1, max_size=9))}


@st.composite
def selections(draw: st.DrawFn) -> Any:
    """A map, a list of maps, or keywords."""
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return draw(st.lists(st.sampled_from(("cmd", "ab", "x?y", "é")), min_size=1, max_size=9))
    maps = st.lists(lines(), min_size=1, max_size=3).map(
        lambda found: {key: value for line in found for key, value in line.items()}
    )
    return draw(st.lists(maps, min_size=1, max_size=3)) if kind == 1 else draw(maps)


CONDITIONS = (
    "s1", "not s1", "s1 and s2", "s1 or s2", "s1 and not s2", "not (s1 or s2) or s3",
    "1 of s*", "all of s*", "(s1 or not s2) and (s3 or s1)", "not s1 and not s2",
)  # fmt: skip


@st.composite
def rule_texts(draw: st.DrawFn, number: int) -> str:
    """A whole rule."""
    detection = {f"s{n}": draw(selections()) for n in (1, 2, 3)}
    detection["condition"] = draw(st.sampled_from(CONDITIONS))
    text = yaml.safe_dump(detection, allow_unicode=True)
    made = rule_text(text, logsource=draw(st.sampled_from(SOURCES)))
    return made.replace("id: prueba", f"id: r{number}")


values = scalars | st.none() | st.lists(scalars | st.none(), max_size=3) | st.just({"b": "ab"})


@st.composite
def seen_fields(draw: st.DrawFn) -> dict[str, Any]:
    """The fields of an event, those that tell its class likely to be right."""
    names = st.sampled_from((*FIELDS, "a", "NewProcessName", "Command Line"))
    fields = draw(st.dictionaries(names, values, max_size=6))
    if draw(st.booleans()):
        fields["Channel"] = draw(st.sampled_from(CHANNELS))
        fields["EventID"] = draw(st.sampled_from((1, "1", 4688, 4625, 5)))
    return fields


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.tuples(*(rule_texts(number) for number in range(6))),
    st.lists(seen_fields(), min_size=1, max_size=6),
    st.sampled_from((LogSource(), LogSource("windows"), LogSource("acme", "proxy"))),
)
def test_the_index_finds_what_a_walk_over_every_rule_finds(
    texts: tuple[str, ...], fields: list[dict[str, Any]], source: LogSource
) -> None:
    loaded = read_text("---\n".join(texts))
    detector = Detector(loaded)
    events = [
        event(f, number=n, logsource=source, original=json.dumps(f), ecs={"a.b": "ab"})
        for n, f in enumerate(fields)
    ]
    walked = {
        (rule.id, seen.id)
        for rule in loaded.single
        for seen in events
        if explain(rule, seen, loaded.logsources).matched
    }
    for _ in range(2):  # the second time from the caches
        assert {(m.rule.id, m.event.id) for m in detector.match(events)} == walked
    for plan in plans_of(detector):  # and with witnesses chosen by what was seen
        plan.learn_from([one.fields for one in events])
        plan.learn()
    assert {(m.rule.id, m.event.id) for m in detector.match(events)} == walked


def plans_of(detector: Detector) -> list[Plan]:
    routes = detector.router._routes.values()
    return [plan for route in routes for plan in route._plans.values()]


def test_a_plan_learns_which_part_of_a_rule_is_rare() -> None:
    loaded = rules(rule_text("sel: {Image|endswith: cmd.exe, CommandLine|contains: verylongword}"))
    detector = Detector(loaded)
    quiet = [event({"Image": f"C:\\{n}.exe", "CommandLine": "verylongword"}) for n in range(5_000)]
    detector.match(quiet[:1])
    (plan,) = plans_of(detector)
    assert plan.index.names == ("CommandLine",)  # the longer text: nothing else is known yet
    assert detector.match(quiet) == []
    assert plan.index.names == ("Image",)
    assert detector.match([event({"Image": "cmd.exe", "CommandLine": "verylongword"})])


def test_the_event_at_which_a_plan_gives_up_its_keywords_is_examined_whole() -> None:
    loaded = rules(rule_text("kw: [clave]\nsel: {Image|contains: xy}\ncondition: kw and sel"))
    quiet = [event({"Image": "a.exe"}, original="nada") for _ in range(9_000)]
    detector, count = Detector(loaded), 0
    while not detector.match([quiet[count]]) and plans_of(detector)[0].index.keywords is not None:
        count += 1
    detector = Detector(loaded)  # it will learn at the same event
    detector.match(quiet[:count])
    (plan,) = plans_of(detector)
    assert plan.index.keywords is not None
    assert detector.match([event({"Image": "xy"}, original="una clave")])
    assert plan.index.keywords is None


def test_a_rule_without_a_witness_is_told_as_expensive() -> None:
    detector = Detector(rules(rule_text("sel: {a: 1, b: 2}\ncondition: not sel")))
    detector.match([event({})])
    (plan,) = plans_of(detector)
    assert plan.expensive == [0]


def test_a_value_that_a_rule_leaves_out_does_not_propose_it() -> None:
    text = "sel: {Image|endswith: svchost.exe}\nout: {Image|startswith: 'C:\\Windows'}\n"
    detector = Detector(rules(rule_text(text + "condition: sel and not out")))
    detector.match([event({})])
    (plan,) = plans_of(detector)
    assert not plan.proposed(plan.index, {"Image": "C:\\Windows\\svchost.exe"}, {})
    assert plan.proposed(plan.index, {"Image": "C:\\Temp\\svchost.exe"}, {})
    assert plan.proposed(plan.index, {"Image": ["C:\\Temp\\svchost.exe", "C:\\x"]}, {})
    assert not plan.proposed(plan.index, {"Image": ["C:\\Temp\\svchost.exe", "C:\\Windows"]}, {})


def test_a_rule_that_only_denies_is_told_by_the_value() -> None:
    detector = Detector(rules(rule_text("sel: {a: 1}\ncondition: not sel")))
    found = detector.match([event({"a": n}, number=n) for n in (1, 2, 1)])
    assert [match.event.fields["a"] for match in found] == [2]
    (plan,) = plans_of(detector)
    assert plan.expensive == []
    assert not plan.proposed(plan.index, {"a": 1}, {})


def test_threads_that_match_while_a_plan_learns_find_the_same() -> None:
    detector = Detector(rules(rule_text("sel: {a|contains: '7', b|startswith: x}")))
    events = [event({"a": f"{n}", "b": f"x{n}"}, number=n) for n in range(3_000)]
    expected = [one.id for one in events if "7" in one.fields["a"]]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(detector.match, [events] * 4))
    assert all([match.event.id for match in each] == expected for each in found)


def test_rules_without_a_witness_are_evaluated_on_every_event() -> None:
    loaded = rules(rule_text("sel: {a: 1}\ncondition: not sel"))
    detector = Detector(loaded)
    found = detector.match([event({"b": 1}), event({"a": 1}), event({})])
    assert len(found) == 2


def test_a_value_cache_that_overflows_changes_nothing(monkeypatch: Any) -> None:
    monkeypatch.setattr("cgii.base.limits.VALUE_CACHE_ENTRIES_MAX", 3)
    monkeypatch.setattr("cgii.base.limits.VALUE_CACHE_CHARS_MAX", 5)
    detector = Detector(rules(rule_text("sel: {a|contains: '7'}")))
    events = [event({"a": f"{'x' * (n % 9)}{n}"}, number=n) for n in range(100)]
    found = [match.event.id for match in detector.match(events * 2)]
    assert found == [e.id for e in events if "7" in e.fields["a"]] * 2


def test_plans_that_overflow_change_nothing(monkeypatch: Any) -> None:
    monkeypatch.setattr("cgii.base.limits.PLANS_MAX", 2)
    text = rule_text("sel: {EventID: [1, 2, 3, 4, 5]}", logsource="{product: windows}")
    detector = Detector(rules(text))
    events = [
        event({"EventID": n % 7}, number=n, logsource=LogSource("windows")) for n in range(50)
    ]
    found = [match.event.fields["EventID"] for match in detector.match(events)]
    assert found == [n % 7 for n in range(50) if n % 7 in (1, 2, 3, 4, 5)]
