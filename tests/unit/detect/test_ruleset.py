"""Loading: what a rule says of itself, and what is refused with file, line and reason."""

from pathlib import Path

import pytest

from cgii.detect.ruleset import load_rules
from cgii.detect.terms import Terms
from tests.unit.detect.build import read_text, refusal, rule_text, rules

FULL = """
title: Una regla
id: 11111111-2222-3333-4444-555555555555
name: una_regla
status: test
level: high
description: Qué busca.
author: alguien
date: 2026-11-20
references: [https://ejemplo.example/a]
tags: [attack.t1110, rsit.intrusion-attempts.brute-force]
falsepositives: [Ninguno]
logsource: {product: windows, service: security}
cgii: {group-by: [host.name], severity: alto}
detection:
  sel: {EventID: 1}
  extra: {EventID: 2}
  condition: sel
"""

CORRELATION = """
title: Muchos
id: c1
correlation:
  type: event_count
  rules: [prueba]
  group-by: [source.ip]
  timespan: 5m
  condition: {gte: 5}
"""
BASE = rule_text("sel: {a: 1}")


def correlated(**changes: str) -> str:
    text = CORRELATION
    for old, new in changes.items():
        line = next(
            line for line in text.splitlines() if line.strip().startswith(old.replace("_", "-"))
        )
        text = text.replace(line, f"  {old.replace('_', '-')}: {new}" if new else "  x: 1")
    return f"{BASE}---{text}"


def test_a_rule_says_all_of_itself() -> None:
    (rule,) = rules(FULL).single
    assert (rule.id, rule.name, rule.title) == (
        "11111111-2222-3333-4444-555555555555", "una_regla", "Una regla",
    )  # fmt: skip
    assert (rule.level, rule.status, rule.severity) == ("high", "test", "alto")
    assert rule.rsit == ("intrusion-attempts", "brute-force")
    assert rule.group_by == ("host.name",)
    assert rule.false_positives == ("Ninguno",)
    assert rule.unused == ("extra",)
    assert rule.text == FULL.lstrip("\n")
    assert rule.line == 2


def test_a_rule_without_an_id_gets_one_from_its_text() -> None:
    text = FULL.replace("id: 11111111-2222-3333-4444-555555555555\n", "")
    assert rules(text).single[0].id == rules(text).single[0].id
    assert rules(text).single[0].id != rules(text + "# x\n").single[0].id


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FULL.replace("title: Una regla", "title: ''"), "<texto>:2: falta el título"),
        (FULL.replace("level: high", "level: huge"), "<texto>:6: level «huge» no existe"),
        (FULL.replace("sel: {EventID: 1}", "sel: {EventID|foo: 1}"),
         "<texto>:16: sel: modificador desconocido «foo»"),
        (FULL.replace("condition: sel", "condition: sal"), "<texto>:18: la condición nombra"),
        (FULL.replace("  condition: sel\n", ""), "<texto>:15: falta la condición"),
        (FULL.replace("  sel: {EventID: 1}", "  sel: {}"), "<texto>:16: sel: la selección"),
        (FULL.replace("  sel: {EventID: 1}", "  sel:"), "<texto>:16: sel: la selección"),
        (FULL.replace("  sel:", "  timeframe: 5m\n  sel:"), "<texto>:16: timeframe"),
        (FULL.replace("logsource: {product: windows, service: security}", "logsource: x"),
         "<texto>:13: logsource"),
        ("title: x\n", "<texto>:1: no es una regla Sigma"),
        ("title: x\nfilter: {}\n", "<texto>:1: un filtro lleva logsource"),
        ("title: x\naction: twice\n", "<texto>:2: action «twice» no existe"),
        (FULL.replace("id: 1111", "id: " + "x" * 90), "id de más de 80"),
    ],
)  # fmt: skip
def test_a_refused_rule_is_listed_with_file_line_and_reason(text: str, expected: str) -> None:
    assert expected in refusal(text)


def test_the_line_of_a_bad_value_is_that_of_its_own_key() -> None:
    text = rule_text("sel:\n  good: 1\n  bad|foo: 2\n")
    assert refusal(text).startswith("<texto>:7: sel: modificador desconocido")


def test_one_bad_rule_leaves_the_others_running(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(BASE)
    (tmp_path / "b.yml").write_text("title: [\n")
    (tmp_path / "c.yml").write_text(FULL + "---\n" + BASE.replace("id: prueba", "id: otra"))
    found = load_rules(extra=[tmp_path], builtin=False)
    assert [rule.id for rule in found.single] == [
        "prueba", "11111111-2222-3333-4444-555555555555", "otra",
    ]  # fmt: skip
    assert [Path(error.path).name for error in found.rejected] == ["b.yml"]


def test_an_id_is_used_once() -> None:
    found = read_text(f"{BASE}---\n{BASE}")
    assert len(found.single) == 1
    assert "ya está en" in str(found.rejected[0])


def test_the_same_file_twice_is_no_conflict(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text(BASE)
    found = load_rules(extra=[tmp_path, tmp_path / "a.yml"], builtin=False)
    assert len(found.single) == 1
    assert not found.rejected


def test_a_site_lays_its_rules_over_ours_and_may_hide_one(tmp_path: Path) -> None:
    ours = load_rules()
    hidden = next(rule for rule in ours.single if "ssh_root" in rule.path)
    folder = tmp_path / "rules" / "sigma" / "linux"
    folder.mkdir(parents=True)
    (folder / Path(hidden.path).name).write_text("")
    (folder / "own.yml").write_text(BASE)
    theirs = load_rules(tmp_path)
    assert {rule.id for rule in theirs.single} == {r.id for r in ours.single} - {hidden.id} | {
        "prueba"
    }


def test_a_site_gives_values_to_placeholders(tmp_path: Path) -> None:
    folder = tmp_path / "rules" / "sigma"
    folder.mkdir(parents=True)
    (tmp_path / "rules" / "placeholders.yml").write_text("admins: [ana, eva]\n")
    (folder / "r.yml").write_text(rule_text("sel: {user|expand: '%admins%'}"))
    assert "prueba" in load_rules(tmp_path).by_id


def test_a_correlation_is_read() -> None:
    (rule,) = rules(correlated()).correlations
    assert rule.terms == Terms(300, "event_count", (("gte", 5),))
    assert rule.rule_ids == ("prueba",)
    assert rule.window_fields == rule.group_by == ("source.ip",)
    assert rule.generate is False


def test_a_correlation_may_name_its_rules() -> None:
    named = correlated(rules="[corto]").replace("id: prueba", "id: prueba\nname: corto", 1)
    assert rules(named).correlations[0].rule_ids == ("prueba",)


@pytest.mark.parametrize("place", ["top", "inside"])
def test_generate_is_read_at_both_places(place: str) -> None:
    text = correlated()
    text += "generate: true\n" if place == "top" else "  generate: true\n"
    (rule,) = rules(text).correlations
    assert rule.generate is True
    assert not rules(text).silent


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "what"}, "«what» no existe"),
        ({"rules": "[nobody]"}, "«nobody» no existe o fue rechazada"),
        ({"rules": ""}, "falta la lista"),
        ({"timespan": "5"}, "timespan"),
        ({"timespan": "90d"}, "más de 31 días"),
        ({"condition": "{gte: many}"}, "necesita un número"),
        ({"condition": "{gte: 0}"}, "sin ningún evento"),
        ({"condition": "{gte: 20000}"}, "1 a 10000 por clave"),
        ({"condition": "x"}, "solo «temporal»"),
        ({"group_by": "[{a: 1}]"}, "lista de textos"),
    ],
)
def test_a_correlation_that_cannot_run_is_listed(changes: dict[str, str], reason: str) -> None:
    found = read_text(correlated(**changes))
    assert len(found.single) == 1
    assert not found.correlations
    (error,) = found.rejected
    assert reason in error.reason
    assert error.line is not None
    assert error.line > BASE.count("\n")


@pytest.mark.parametrize(("written", "seconds"), [("30s", 30), ("2h", 7200), ("1d", 86400)])
def test_timespans(written: str, seconds: int) -> None:
    assert rules(correlated(timespan=written)).correlations[0].terms.timespan_seconds == seconds
