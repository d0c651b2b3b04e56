"""Sigma filters: which rules they reach, what they mean, and what is refused."""

from pathlib import Path

import pytest

from cgii.detect.detector import Detector
from cgii.detect.explain import explain
from cgii.detect.ruleset import load_rules
from cgii.model.event import LogSource
from tests.unit.detect.build import event, read_text, rule_text, rules

WINDOWS = LogSource("windows", "process_creation")
RULE = """\
title: Base
id: base-id
name: base
logsource: {product: windows, category: process_creation}
detection:
  sel: {Image: x}
  condition: sel
"""


def a_filter(
    body: str = "{rules: any, sel: {User: ana}, condition: not sel}",
    logsource: str = "{product: windows}",
    filter_id: str = "f1",
) -> str:
    return f"title: Ana puede\nid: {filter_id}\nlogsource: {logsource}\nfilter: {body}\n"


def hits(text: str, **fields: object) -> bool:
    found = rules(text)
    seen = event({"Image": "x", **fields}, logsource=WINDOWS)
    matched = "base-id" in {match.rule.id for match in Detector(found).match([seen])}
    assert explain(found.by_id["base-id"], seen).matched is matched  # type: ignore[arg-type]
    return matched


@pytest.mark.parametrize("named", ["any", "ANY", "[base-id]", "base-id", "[other, base]", "base"])
def test_sigma_a_filter_reaches_rules_by_id_by_name_or_all(named: str) -> None:
    text = a_filter(f"{{rules: {named}, sel: {{User: ana}}, condition: not sel}}") + "---\n" + RULE
    assert not hits(text, User="ANA")
    assert hits(text, User="eva")
    assert hits(text)


def test_sigma_a_filter_for_other_rules_changes_nothing() -> None:
    text = RULE + "---\n" + a_filter("{rules: [other], sel: {User: ana}, condition: not sel}")
    assert hits(text, User="ana")


@pytest.mark.parametrize(
    ("logsource", "reaches"),
    [
        ("{product: windows}", True),
        ("{category: process_creation}", True),
        ("{product: windows, category: process_creation}", True),
        ("{product: linux}", False),
        ("{product: windows, service: sysmon}", False),
        ("{product: windows, category: process_creation, service: sysmon}", False),
    ],
)
def test_sigma_a_filters_logsource_contains_the_rules(logsource: str, reaches: bool) -> None:
    assert hits(RULE + "---\n" + a_filter(logsource=logsource), User="ana") is not reaches


def test_sigma_rule_and_filter_must_both_hold() -> None:
    # Taken literally, a filter without `not` keeps only what it describes.
    text = RULE + "---\n" + a_filter("{rules: any, sel: {User: ana}, condition: sel}")
    assert hits(text, User="ana")
    assert not hits(text, User="eva")


def test_sigma_a_filter_is_applied_to_every_condition_of_a_list() -> None:
    text = RULE.replace("condition: sel", "condition: [sel, 1 of s*]") + "---\n" + a_filter()
    assert not hits(text, User="ana")


def test_sigma_names_in_a_filter_are_its_own() -> None:
    body = "{rules: any, sel: {User: ana}, sel_b: {Host: h}, condition: not 1 of sel*}"
    text = RULE.replace("condition: sel", "condition: 1 of sel*") + "---\n" + a_filter(body)
    assert not hits(text, User="ana")
    assert not hits(text, Host="h")
    assert hits(text, User="eva")


def test_sigma_several_filters_all_have_to_hold() -> None:
    more = a_filter("{rules: base, s: {Host: h}, condition: not s}", filter_id="f2")
    text = RULE + "---\n" + a_filter() + "---\n" + more
    assert not hits(text, User="ana")
    assert not hits(text, Host="h")
    assert hits(text)
    assert [one.id for one in rules(text).single[0].filters] == ["f1", "f2"]


def test_sigma_a_filter_takes_from_what_a_correlation_counts() -> None:
    many = (
        "title: Muchos\nid: many\ncorrelation: {type: event_count, rules: [base],"
        " group-by: [User], timespan: 1m, condition: {gte: 1}}\n"
    )
    found = rules(RULE + "---\n" + a_filter() + "---\n" + many)
    detector = Detector(found)

    def alerts(user: str) -> list[str]:
        seen = event({"Image": "x", "User": user}, logsource=WINDOWS)
        return [alert.rule_id for alert in detector.run([seen], {}).alerts]

    assert alerts("ana") == []
    assert alerts("eva") == ["many"]


def test_sigma_an_explanation_says_which_filter_hid_the_event() -> None:
    found = rules(RULE + "---\n" + a_filter())
    seen = event({"Image": "x", "User": "ana"}, logsource=WINDOWS)
    (failure,) = explain(found.single[0], seen).failures
    assert failure.selection == "«Ana puede» sel"
    assert (failure.field, failure.wanted, failure.found) == ("User", "no 'ana'", "ana")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (a_filter("[]"), ":4: filter tiene que ser un mapa"),
        (a_filter("{sel: {a: 1}, condition: not sel}"), "rules tiene que ser"),
        (a_filter("{rules: [], sel: {a: 1}, condition: not sel}"), "rules tiene que ser"),
        (a_filter("{rules: [5], sel: {a: 1}, condition: not sel}"), "rules tiene que ser"),
        (a_filter("{rules: any, sel: {a: 1}}"), "falta la condición"),
        (a_filter("{rules: any, sel: {a: 1}, condition: not other}"), "«other», que no existe"),
        (a_filter("{rules: any, sel: {a|no: 1}, condition: not sel}"), "modificador desconocido"),
        (a_filter(logsource="x"), ":3: un filtro lleva logsource"),
        ("title: x\nfilter: {rules: any}\n", "un filtro lleva logsource"),
        (a_filter().replace("title: Ana puede\n", ""), "falta el título"),
    ],
)
def test_sigma_a_wrong_filter_is_refused_and_the_rule_stays(text: str, reason: str) -> None:
    found = read_text(RULE + "---\n" + text)
    (error,) = found.rejected
    shift = RULE.count("\n") + 1
    wanted = reason
    for line in (3, 4):
        wanted = wanted.replace(f":{line}: ", f":{line + shift}: ")
    assert wanted in str(error)
    assert [rule.filters for rule in found.single] == [()]


def test_sigma_filters_of_the_site_are_read(tmp_path: Path) -> None:
    for place, text in (("sigma/r.yml", RULE), ("filters/deep/f.yaml", a_filter())):
        path = tmp_path / "rules" / place
        path.parent.mkdir(parents=True)
        path.write_text(text)
    found = load_rules(tmp_path)
    assert [one.id for one in found.filters] == ["f1"]
    rule = found.by_id["base-id"]
    assert [one.title for one in rule.filters] == ["Ana puede"]  # type: ignore[union-attr]


def test_sigma_rules_without_filters_keep_their_tree() -> None:
    (rule,) = rules(rule_text("sel: {a: 1}")).single
    assert rule.filters == ()
    assert rule.detection is rule.node
