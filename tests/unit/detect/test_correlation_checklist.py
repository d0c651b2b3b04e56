"""The checklist of correlations (C1 to C12) and our three types, from YAML to alert."""

from collections.abc import Sequence
from datetime import timedelta
from textwrap import dedent, indent
from typing import Any

import pytest
from prometheus_client import REGISTRY

from cgii.base import limits
from cgii.detect.detector import Detector
from cgii.detect.ruleset import RuleSet
from cgii.detect.windows import Window, WindowKey
from cgii.model.event import Alert, Event
from tests.unit.detect.build import NOON, event, read_text, rules

A, B, C = ("a", "b", "c")
SINGLES = "---\n".join(
    f"title: Regla {name}\nid: {name}-id\nname: {name}\nlogsource: {{}}\n"
    f"detection:\n  sel: {{kind|contains: {name}}}\n  condition: sel\n"
    for name in (A, B, C)
)


def correlation(body: str, *, name: str = "many", more: str = "") -> str:
    """A correlation document; without a group-by it groups by `who`."""
    text = dedent(body).strip("\n")
    if "group-by" not in text:
        text += "\ngroup-by: [who]"
    heading = f"---\ntitle: Correlación {name}\nid: {name}-id\nname: {name}\n{more}"
    return f"{heading}correlation:\n{indent(text, '  ')}\n"


def loaded(*bodies: str) -> RuleSet:
    """The three single rules and these correlations."""
    return rules(SINGLES + "".join(bodies))


def seen(seconds: float, kind: str, *, who: str | None = "ana", **fields: Any) -> Event:
    """An event at noon plus `seconds`; an event of several rules has several letters."""
    given = {"kind": kind, **({"who": who} if who is not None else {}), **fields}
    seen.number += 1  # type: ignore[attr-defined]
    return event(given, number=seen.number, seconds=seconds)  # type: ignore[attr-defined]


seen.number = 0  # type: ignore[attr-defined]


def alerts_of(
    found: RuleSet, events: Sequence[Event], *, until: float | None = None, name: str = "many"
) -> list[Alert]:
    """The alerts of one correlation in the end; time goes on to `until` without events."""
    detector, windows = Detector(found), dict[WindowKey, Window]()
    kept: dict[str, Alert] = {}
    steps = [detector.run([one], windows) for one in events]
    if until is not None:
        steps.append(detector.finish(windows, NOON + timedelta(seconds=until)))
    for step in steps:
        kept.update({alert.id: alert for alert in step.alerts})
        for gone in step.withdrawn:
            kept.pop(gone)
    return [alert for alert in kept.values() if alert.rule_id == f"{name}-id"]


def refused(*bodies: str) -> list[str]:
    """Why correlations were refused."""
    return [str(error) for error in read_text(SINGLES + "".join(bodies)).rejected]


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"rule": "many-id"}) or 0


COUNT = """
type: event_count
rules: [a]
timespan: 1m
condition: {gte: 3}
"""


def test_c1_correlation_key_is_the_group_by_values_of_the_rule_that_matched() -> None:
    text = correlation("""
        type: event_count
        rules: [a, b]
        group-by: [user, host.name]
        aliases: {user: {a: who, b: account}}
        timespan: 1m
        condition: {gte: 2}
    """)
    events = [
        seen(0, "a", **{"host.name": "h"}),
        seen(1, "b", who="zoe", account="ana", **{"host.name": "h"}),
        seen(2, "b", who="ana", account="zoe", **{"host.name": "h"}),
    ]
    (alert,) = alerts_of(loaded(text), events)
    assert alert.key == (("user", "ana"), ("host.name", "h"))
    assert alert.event_count == 2


def test_c1_correlation_skips_and_counts_matches_without_a_key() -> None:
    before = counted("cgii_correlation_keys_missing_total")
    events = [seen(0, "a"), seen(1, "a", who=None), seen(2, "a", who=None), seen(3, "a")]
    assert not alerts_of(loaded(correlation(COUNT)), events)
    assert counted("cgii_correlation_keys_missing_total") == before + 2


def test_c2_correlation_slides_and_has_no_fixed_buckets() -> None:
    events = [seen(at, "a") for at in (50, 59, 61)]  # two minutes of the clock
    assert alerts_of(loaded(correlation(COUNT)), events)
    assert not alerts_of(loaded(correlation(COUNT)), [seen(at, "a") for at in (0, 30, 60)])


def test_c2_correlation_takes_events_out_of_order_and_counts_the_late() -> None:
    before = counted("cgii_events_late_total")
    late = limits.LATE_TOLERANCE_SECONDS
    assert alerts_of(loaded(correlation(COUNT)), [seen(at, "a") for at in (late, 0, 1, 2)])
    assert counted("cgii_events_late_total") == before
    assert not alerts_of(loaded(correlation(COUNT)), [seen(at, "a") for at in (late + 3, 0, 1, 2)])
    assert counted("cgii_events_late_total") == before + 3


def test_c3_correlation_counts_an_event_of_two_rules_once() -> None:
    text = correlation(COUNT.replace("[a]", "[a, b]"))
    assert not alerts_of(loaded(text), [seen(0, "ab"), seen(1, "ab")])
    (alert,) = alerts_of(loaded(text), [seen(0, "ab"), seen(1, "a"), seen(2, "b")])
    assert alert.event_count == 3


def test_c3_correlation_counts_an_event_that_is_sent_again_once() -> None:
    twice = seen(0, "a")
    assert not alerts_of(loaded(correlation(COUNT)), [twice, seen(1, "a"), twice, twice])


VALUES = """
type: value_count
rules: [a]
timespan: 1m
condition: {field: host, gte: 2}
"""


def test_c4_correlation_counts_distinct_values_and_names_them() -> None:
    events = [seen(at, "a", host=host) for at, host in enumerate(["x", "x", "x", "y"])]
    assert not alerts_of(loaded(correlation(VALUES)), events[:3])
    (alert,) = alerts_of(loaded(correlation(VALUES)), events)
    assert "2 valores distintos de host en 4 eventos" in alert.summary
    told = [(one.selection, one.value) for one in alert.explanation]
    assert ("value_count", "x") in told
    assert ("value_count", "y") in told


def test_c4_correlation_skips_events_without_the_value() -> None:
    before = counted("cgii_correlation_keys_missing_total")
    events = [seen(0, "a", host="x"), seen(1, "a"), seen(2, "a", host=None)]
    assert not alerts_of(loaded(correlation(VALUES)), events)
    assert counted("cgii_correlation_keys_missing_total") == before + 2


def test_c4_correlation_counts_combinations_of_several_fields() -> None:
    text = correlation(VALUES.replace("host", "[host, port]"))
    same = [seen(0, "a", host="x", port=1), seen(1, "a", host="x", port="1")]
    assert not alerts_of(loaded(text), same)
    assert alerts_of(loaded(text), [*same, seen(2, "a", host="x", port=2)])


def test_c4_correlation_counts_long_values_apart() -> None:
    events = [seen(at, "a", host="x" * 200 + end) for at, end in enumerate("yz")]
    assert alerts_of(loaded(correlation(VALUES)), events)
    assert not alerts_of(
        loaded(correlation(VALUES)), [events[0], seen(1, "a", host="x" * 200 + "y")]
    )


TOGETHER = """
type: temporal
rules: [a, b, c]
timespan: 1m
"""


def test_c5_correlation_temporal_wants_every_rule_in_any_order() -> None:
    assert not alerts_of(loaded(correlation(TOGETHER)), [seen(0, "c"), seen(1, "a"), seen(2, "a")])
    (alert,) = alerts_of(loaded(correlation(TOGETHER)), [seen(0, "c"), seen(1, "a"), seen(2, "b")])
    assert alert.event_count == 3
    assert "juntas a, b, c" in alert.summary
    assert [one.value for one in alert.explanation if one.wanted.startswith(">= 3")] == ["sí"] * 3


def test_c5_correlation_temporal_may_want_some_of_the_rules() -> None:
    text = correlation(TOGETHER + "condition: {gte: 2}\n")
    assert not alerts_of(loaded(text), [seen(0, "c"), seen(1, "c")])
    (alert,) = alerts_of(loaded(text), [seen(0, "c"), seen(1, "a")])
    assert "sin b" in alert.summary


def test_c5_correlation_temporal_may_want_a_combination_in_words() -> None:
    text = correlation(TOGETHER + "condition: a and (b or c)\n")
    assert not alerts_of(loaded(text), [seen(0, "b"), seen(1, "c")])
    assert alerts_of(loaded(text), [seen(0, "c"), seen(1, "a")])


def test_c5_correlation_decides_not_at_the_end_of_the_window() -> None:
    text = correlation(TOGETHER + "condition: a and b and not c\n")
    both = [seen(0, "a"), seen(1, "b")]
    assert not alerts_of(loaded(text), both, until=59)
    (alert,) = alerts_of(loaded(text), both, until=60)
    assert alert.at == NOON + timedelta(seconds=60)
    assert not alerts_of(loaded(text), [*both, seen(59, "c")], until=900)


def test_c5_correlation_in_words_has_to_name_every_rule() -> None:
    (reason,) = refused(correlation(TOGETHER + "condition: a and b\n"))
    assert "no nombra la regla «c»" in reason


ORDERED = TOGETHER.replace("temporal", "temporal_ordered")


def test_c6_correlation_ordered_wants_the_order() -> None:
    found = loaded(correlation(ORDERED))
    assert not alerts_of(found, [seen(0, "b"), seen(1, "a"), seen(2, "c")])
    (alert,) = alerts_of(found, [seen(0, "b"), seen(1, "a"), seen(2, "b"), seen(3, "c")])
    assert "a → b → c" in alert.summary
    assert not alerts_of(found, [seen(0, "a"), seen(1, "b"), seen(61, "c")])


def test_c6_correlation_ordered_takes_events_of_one_second_in_any_order() -> None:
    assert alerts_of(loaded(correlation(ORDERED)), [seen(0, k) for k in ("c", "b", "a")])


def test_c6_correlation_ordered_wants_different_events() -> None:
    found = loaded(correlation(ORDERED))
    assert not alerts_of(found, [seen(0, "abc"), seen(1, "abc")])
    assert alerts_of(found, [seen(0, "abc"), seen(1, "abc"), seen(2, "abc")])


def test_c6_correlation_ordered_may_want_one_rule_twice() -> None:
    found = loaded(correlation(ORDERED.replace("[a, b, c]", "[a, a, b]")))
    assert not alerts_of(found, [seen(0, "a"), seen(1, "b")])
    assert alerts_of(found, [seen(0, "a"), seen(1, "a"), seen(2, "b")])


@pytest.mark.parametrize(
    ("kind", "condition", "values", "holds"),
    [
        ("value_sum", "{field: size, gte: 10}", [4, "6"], True),
        ("value_sum", "{field: size, gt: 10}", [4, 6.0], False),
        ("value_sum", "{field: size, gte: 0.3}", ["0.1", 0.1, 0.1], True),
        ("value_avg", "{field: size, gte: 5}", [4, 6], True),
        ("value_avg", "{field: size, gt: 5}", [6, 4], True),  # at once, with the first event
        ("value_avg", "{field: size, gt: 5}", [4, 6], False),
        ("value_median", "{field: size, gte: 5.5}", [1, 5, 6, 99], True),
        ("value_median", "{field: size, gte: 5.6}", [1, 5, 6, 7], False),
        ("value_percentile", "{field: size, percentile: 75, gte: 7.75}", [1, 2, 9, 4], False),
        ("value_percentile", "{field: size, percentile: 75, gte: 5.25}", [1, 2, 9, 4], True),
        ("value_sum", "{field: size, gte: 10}", [9, "x", None, True, "nan", "inf"], False),
    ],
)
def test_c7_correlation_measures_numbers_exactly(
    kind: str, condition: str, values: list[object], holds: bool
) -> None:
    text = correlation(f"type: {kind}\nrules: [a]\ntimespan: 1m\ncondition: {condition}\n")
    events = [seen(at, "a", size=value) for at, value in enumerate(values)]
    found = alerts_of(loaded(text), events)
    assert bool(found) is holds
    assert all("size = " in alert.summary for alert in found)


def test_c7_correlation_percentile_has_to_say_which() -> None:
    text = "type: value_percentile\nrules: [a]\ntimespan: 1m\ncondition: {field: size, gte: 1}\n"
    (reason,) = refused(correlation(text))
    assert "percentile tiene que ser un número de 0 a 100" in reason


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ("{lt: 3}", {1, 2}), ("{lte: 3}", {1, 2, 3}), ("{eq: 3}", {3}), ("{neq: 3}", {1, 2, 4}),
        ("{gt: 1, lte: 3}", {2, 3}), ("{gte: 2, neq: 3}", {2, 4}),
    ],
)  # fmt: skip
def test_c8_correlation_with_an_upper_bound_waits_for_the_end(
    condition: str, counts: set[int]
) -> None:
    found = loaded(correlation(COUNT.replace("{gte: 3}", condition)))
    for count in (1, 2, 3, 4):
        events = [seen(at, "a") for at in range(count)]
        assert not alerts_of(found, events, until=59)
        alerts = alerts_of(found, events, until=60)
        assert [one.event_count for one in alerts] == ([count] if count in counts else [])


def test_c8_correlation_window_ends_when_its_key_speaks_after_the_tolerance() -> None:
    found = loaded(correlation(COUNT.replace("{gte: 3}", "{lt: 3}")))
    end = 60 + limits.LATE_TOLERANCE_SECONDS
    assert not alerts_of(found, [seen(0, "a"), seen(end - 1, "a")])
    assert len(alerts_of(found, [seen(0, "a"), seen(end, "a")])) == 1


def test_c9_correlation_fires_at_the_edge_and_once_while_it_lasts() -> None:
    found = loaded(correlation(COUNT))
    (alert,) = alerts_of(found, [seen(at, "a") for at in range(10)])
    assert (alert.event_count, alert.at) == (10, NOON + timedelta(seconds=2))
    again = [seen(at, "a") for at in (0, 1, 2, 80, 81, 82)]
    assert len(alerts_of(found, again)) == 2


def test_c9_correlation_keys_do_not_hide_each_other() -> None:
    events = [seen(at, "a", who=who) for at in range(3) for who in ("ana", "eva")]
    keys = {alert.key for alert in alerts_of(loaded(correlation(COUNT)), events)}
    assert keys == {(("who", "ana"),), (("who", "eva"),)}


OUTER = """
type: event_count
rules: [many]
timespan: 10m
condition: {gte: 2}
group-by: [host]
"""
INNER = correlation(COUNT + "group-by: [who, host]\n")


def burst(at: float, who: str) -> list[Event]:
    return [seen(at + n, "a", who=who, host="h") for n in range(3)]


def test_c10_correlation_over_a_correlation_counts_its_alerts() -> None:
    found = loaded(INNER, correlation(OUTER, name="outer"))
    assert not alerts_of(found, burst(0, "ana"), name="outer")
    (alert,) = alerts_of(found, [*burst(0, "ana"), *burst(100, "eva")], name="outer")
    assert alert.key == (("host", "h"),)
    assert alert.event_count == 2
    assert alert.at == NOON + timedelta(seconds=102)  # when the second one was complete
    assert len(alert.event_ids) == 2


def test_c10_correlation_over_a_correlation_forgets_what_was_taken_back() -> None:
    outer = correlation(OUTER.replace("gte: 2", "gte: 1").replace("10m", "2m"), name="outer")
    events = burst(10, "ana")
    (alert,) = alerts_of(loaded(INNER, outer), [*events, seen(5, "a", host="h")], name="outer")
    assert alert.event_count == 1
    assert alert.at == NOON + timedelta(seconds=11)


def test_c10_correlation_over_one_that_waits_is_told_in_time() -> None:
    inner = correlation(COUNT.replace("{gte: 3}", "{lt: 3}") + "group-by: [who, host]\n")
    found = loaded(inner, correlation(OUTER, name="outer"))
    events = [seen(0, "a", host="h"), seen(5, "a", who="eva", host="h")]
    (alert,) = alerts_of(found, events, until=3600, name="outer")
    assert alert.at == NOON + timedelta(seconds=65)


def test_c10_correlation_groups_by_what_the_inner_one_groups_by() -> None:
    (reason,) = refused(INNER, correlation(OUTER.replace("[host]", "[port]"), name="outer"))
    assert "no agrupa por «port»" in reason


def test_c10_correlation_that_counts_itself_is_refused_and_the_others_go_on() -> None:
    one = correlation(COUNT.replace("[a]", "[two]"), name="one")
    two = correlation(COUNT.replace("[a]", "[one]"), name="two")
    found = read_text(SINGLES + one + two + INNER)
    assert [rule.name for rule in found.correlations] == ["many"]
    reasons = [str(error) for error in found.rejected]
    assert len(reasons) == 2
    assert any("se cuenta a sí misma: one → two → one" in reason for reason in reasons)
    assert all("<texto>:" in reason for reason in reasons)


def test_c10_correlation_chains_are_bounded_wherever_they_begin() -> None:
    chain = [correlation(COUNT, name="n0")]
    for n in range(1, limits.CORRELATION_DEPTH_MAX + 1):
        chain.append(correlation(COUNT.replace("[a]", f"[n{n - 1}]"), name=f"n{n}"))
    for bodies in (chain, chain[::-1]):
        found = read_text(SINGLES + "".join(bodies))
        assert len(found.correlations) == limits.CORRELATION_DEPTH_MAX
        (error,) = found.rejected
        assert "encadena más de" in error.reason
    long = [correlation(COUNT.replace("[a]", f"[n{n + 1}]"), name=f"n{n}") for n in range(500)]
    assert len(refused(*long)) == 500


def test_c10_correlation_documents_may_stand_before_what_they_count() -> None:
    text = correlation(OUTER, name="outer") + INNER
    assert len(loaded(text).correlations) == 2


def test_c11_correlation_silences_what_it_counts_unless_it_says_generate() -> None:
    outer = correlation(OUTER, name="outer")
    events = [*burst(0, "ana"), *burst(100, "eva")]
    assert not alerts_of(loaded(INNER, outer), events)
    assert len(alerts_of(loaded(INNER, outer + "generate: true\n"), events)) == 2
    assert alerts_of(loaded(INNER), [seen(0, "b")], name="b")
    assert not alerts_of(loaded(INNER), burst(0, "ana"), name="a")


def test_c11_correlations_over_one_rule_do_not_starve_each_other() -> None:
    found = loaded(correlation(COUNT), correlation(COUNT, name="more"))
    events = burst(0, "ana")
    assert alerts_of(found, events)
    assert alerts_of(found, events, name="more")


def test_c12_correlation_keys_are_bounded_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WINDOW_KEYS_MAX", 10)
    before = counted("cgii_windows_evicted_total")
    detector, windows = Detector(loaded(correlation(COUNT))), dict[WindowKey, Window]()
    for n in range(25):
        detector.run([seen(n, "a", who=f"u{n}")], windows)
    assert len(windows) == 10
    assert counted("cgii_windows_evicted_total") == before + 15


FIRST = """
type: first_seen
rules: [a]
timespan: 30d
condition: {field: host, learning: 7d}
"""
DAY = 86_400


def test_correlation_first_seen_learns_before_it_speaks() -> None:
    found = loaded(correlation(FIRST))
    week = [seen(day * DAY, "a", host=f"h{day}") for day in range(7)]
    assert not alerts_of(found, week)
    known = [seen(7 * DAY, "a", host="h3")]
    assert not alerts_of(found, [*week, *known])
    (alert,) = alerts_of(found, [*week, *known, seen(8 * DAY, "a", host="new")])
    assert alert.key == (("who", "ana"), ("host", "new"))
    assert "por primera vez en 30 d" in alert.summary


def test_correlation_first_seen_forgets_what_was_not_seen_for_long() -> None:
    events = [seen(day * DAY, "a", host="common") for day in range(0, 40, 5)]
    events = [seen(1, "a", host="rare"), *events, seen(36 * DAY, "a", host="rare")]
    (alert,) = alerts_of(loaded(correlation(FIRST)), sorted(events, key=lambda one: one.at))
    assert alert.key[-1] == ("host", "rare")


def test_correlation_first_seen_tells_each_value_once() -> None:
    text = correlation(FIRST.replace("learning: 7d", "learning: 0"))
    events = [seen(at, "a", host=host) for at, host in enumerate("xyxyx")]
    assert len(alerts_of(loaded(text), events)) == 2


ABSENCE = """
type: absence
rules: [a, b]
timespan: 1h
"""


def test_correlation_absence_tells_of_what_did_not_follow() -> None:
    found = loaded(correlation(ABSENCE))
    (alert,) = alerts_of(found, [seen(0, "a"), seen(5, "a")], until=3600)
    assert (alert.event_count, alert.at) == (2, NOON + timedelta(hours=1))
    assert "a a (2 eventos) no le siguió b en 1 h" in alert.summary
    assert not alerts_of(found, [seen(0, "a"), seen(5, "a")], until=3599)
    assert not alerts_of(found, [seen(0, "a"), seen(3599, "b")], until=9999)
    assert alerts_of(found, [seen(0, "a"), seen(3600, "b")], until=9999)
    assert not alerts_of(found, [seen(0, "b")], until=9999)


SILENCE = """
type: silence
rules: [a]
timespan: 1h
"""


def test_correlation_silence_tells_of_a_key_that_stopped() -> None:
    found = loaded(correlation(SILENCE))
    (alert,) = alerts_of(found, [seen(0, "a"), seen(1800, "a")], until=5400)
    assert alert.at == NOON + timedelta(seconds=5400)
    assert "callado durante 1 h" in alert.summary
    assert not alerts_of(found, [seen(0, "a"), seen(1800, "a")], until=5399)
    assert len(alerts_of(found, [seen(0, "a"), seen(4000, "a")], until=9999)) == 2


def test_correlation_silence_may_want_to_have_heard_enough() -> None:
    found = loaded(correlation(SILENCE + "condition: {gte: 3}\n"))
    assert not alerts_of(found, [seen(0, "a"), seen(10, "a")], until=9999)
    assert alerts_of(found, [seen(0, "a"), seen(10, "a"), seen(20, "a")], until=9999)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (COUNT.replace("event_count", "what"), "«what» no existe"),
        (COUNT.replace("{gte: 3}", "{gte: 3, lt: 2}"), "no puede cumplirse"),
        (COUNT.replace("{gte: 3}", "{lt: 1}"), "no puede cumplirse"),
        (COUNT.replace("{gte: 3}", "{gte: 0}"), "sin ningún evento"),
        (COUNT.replace("{gte: 3}", "{field: x, gte: 3}"), "«field» no existe en event_count"),
        (COUNT.replace("{gte: 3}", "{more: 3}"), "«more» no existe"),
        (COUNT.replace("{gte: 3}", "a and b"), "solo «temporal»"),
        (COUNT.replace("[a]", "[none]"), "«none» no existe o fue rechazada"),
        (VALUES.replace("field: host, ", ""), "necesita un campo (field)"),
        (VALUES.replace("field: host, gte: 2", "field: host"), "necesita gt, gte"),
        ("type: value_sum\nrules: [a]\ntimespan: 1m\ncondition: {field: [x, y], gte: 1}\n",
         "un solo campo"),
        ("type: value_sum\nrules: [a]\ntimespan: 1m\ncondition: {field: x, gt: 5, lt: 5}\n",
         "no puede cumplirse nunca"),
        (TOGETHER.replace("[a, b, c]", "[a]"), "al menos dos reglas"),
        (TOGETHER.replace("[a, b, c]", "[a, a]"), "al menos dos reglas"),
        (TOGETHER + "condition: {gte: 4}\n", "no puede cumplirse"),
        (TOGETHER + "condition: a and b and d\n", "«d», que no está en la lista"),
        (TOGETHER + "condition: not a and not b and not c\n", "sin ningún evento"),
        (TOGETHER + "condition: a and (b or c\n", "paréntesis"),
        (TOGETHER + "condition: a and b c\n", "no se entiende desde «c»"),
        (TOGETHER + f"condition: {'(' * 200}a{')' * 200} and b and c\n", "niveles"),
        (ORDERED + "condition: {gte: 2}\n", "pide todas sus reglas"),
        (ABSENCE.replace("[a, b]", "[a]"), "al menos dos reglas"),
        (ABSENCE + "condition: {gte: 2}\n", "no existe en absence"),
        (SILENCE + "condition: {lt: 2}\n", "solo lleva gt o gte"),
        (FIRST.replace("7d", "31d"), "de más de 30 días"),
        (FIRST.replace("30d", "2y"), "de más de 366 días"),
        (FIRST.replace("field: host, ", ""), "necesita un campo"),
        (COUNT + "aliases: {x: {b: y}}\n", "no está en la lista de reglas"),
        (COUNT + "generate: 3\n", "generate tiene que ser true o false"),
        (COUNT.replace("[a]", "[" + ", ".join(["a"] * 70) + "]"), "lista más de 60 reglas"),
    ],
)  # fmt: skip
def test_correlation_that_cannot_be_is_refused_with_its_line(body: str, reason: str) -> None:
    (error,) = read_text(SINGLES + correlation(body) + correlation(COUNT, name="good")).rejected
    assert reason in error.reason
    assert error.line is not None
    assert error.line > SINGLES.count("\n")
