"""Hints: each slip is told with its line, and a rule without slips has none."""

import pytest

from cgii.detect.lint import SourceFields, always_evaluated, lint
from cgii.detect.ruleset import RuleSet
from tests.unit.detect.build import rules

CLEAN = """\
title: Limpia
id: limpia
status: test
date: 2026-11-20
tags: [attack.credential-access, attack.t1110.001, rsit.intrusions.compromised]
logsource: {product: linux, service: sshd}
detection:
  sel:
    user: root
  condition: sel
level: high
"""
A_FILTER = """\
title: Filtro
id: filtro
logsource: {product: linux}
filter:
  rules: [limpia]
  sel: {user: ana}
  condition: not sel
"""
SSHD = SourceFields(
    "auth", (frozenset({"linux"}), frozenset({""}), frozenset({"sshd"})), frozenset({"user", "pid"})
)
OPEN = SourceFields("json", (frozenset({"linux"}), None, None), None)


def hints(text: str, *sources: SourceFields) -> list[str]:
    return [str(hint) for hint in lint(rules(text), sources)]


def line(written: str) -> str:
    return CLEAN.replace("    user: root", f"    {written}")


def test_a_clean_rule_and_filter_have_no_hints() -> None:
    assert hints(f"{CLEAN}---\n{A_FILTER}", SSHD) == []


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (CLEAN.replace("level: high\n", ""), ":1: aviso: le falta: level"),
        (CLEAN.replace("status: test\n", "").replace("id: limpia\n", ""), "le falta: id, status"),
        (CLEAN.replace("attack.t1110.001", "attack.T1110"), "«attack.T1110» no tiene la forma"),
        (CLEAN.replace("attack.t1110.001", "bad"), "«bad» no dice de qué familia"),
        (CLEAN.replace("2026-11-20", "2026/11/20"), ":4: aviso: date se escribe AAAA-MM-DD"),
        (CLEAN.replace("  condition", "  other: {a: 1}\n  condition"), "no usa: other"),
        (CLEAN.replace("condition: sel", "condition: sel AND NOT sel"), ":10: aviso: en la"),
        (line("user|contains|all: root"), ":9: aviso: «user|contains|all»: all con un solo"),
        (line("pid: '4625'"), ":9: aviso: «pid»: un número se escribe sin comillas"),
        (line("user|base64offset: admin"), "base64offset sin contains"),
        (line("user: 'a**b'"), "dos asteriscos"),
        (line("user|contains: '*root'"), "sobra el asterisco"),
        (line("user|startswith: 'root*'"), "sobra el asterisco"),
        (line("user|re: root"), "no es una expresión regular"),
        (line("user|windash: root"), "windash sin un guion"),
        (line("user: [root, ana, ROOT]"), "está repetido «root»"),
        (line("user|re: '(a|b){1,900}'"), "es cara"),
        (line("user|exists: true"), "se evalúa en casi todos"),
        (line("user|neq: root"), "se evalúa en casi todos"),
        (line("nothing: x"), "produce el campo «nothing»"),
    ],
)
def test_a_slip_is_told_with_its_line(text: str, hint: str) -> None:
    (found,) = hints(text, SSHD)
    assert hint in found


@pytest.mark.parametrize(
    "written",
    [
        "user|contains|all: [a, b]", "user: ['255', any]", "pid: 4625", "user|startswith: '*x'",
        "user|contains: 'a*b'", r"user|startswith: 'a\*'", "user|re: 'ro+t'", "user.name: x",
        "user|cased: [root, ROOT]", "user|windash|contains: ' -a'",
        r"user: 'a\**'",
    ],
)  # fmt: skip
def test_what_only_looks_like_a_slip_is_none(written: str) -> None:
    assert hints(line(written), SSHD) == []


def test_the_line_is_that_of_the_document_in_its_file() -> None:
    second = line("user: [a, a]").replace("limpia", "otra")
    (found,) = hints(f"{CLEAN}---\n{second}", SSHD)
    assert f":{CLEAN.count(chr(10)) + 1 + 9}: " in found


def test_fields_are_judged_only_where_every_source_is_known_fully() -> None:
    odd = line("nothing: x")
    assert hints(odd) == []
    assert hints(odd, SSHD, OPEN) == []
    assert hints(odd.replace("linux", "acme"), SSHD) == []


@pytest.mark.parametrize(
    ("before", "after", "hint"),
    [
        ("not sel", "sel", ":13: aviso: la condición del filtro no tiene «not»"),
        ("not sel", "not sel\n  more: {a: 1}", "la condición no usa: more"),
        ("[limpia]", "[limpia, gone]", "«gone», que no existe"),
        ("product: linux", "product: windows", "no alcanza a «limpia»"),
        ("{user: ana}", "{user|contains|all: ana}", ":18: aviso: «user|contains|all»"),
    ],
)
def test_slips_of_filters_are_told(before: str, after: str, hint: str) -> None:
    assert before in A_FILTER
    (found,) = hints(f"{CLEAN}---\n{A_FILTER.replace(before, after)}", SSHD)
    assert hint in found


def test_a_filter_for_any_rule_that_reaches_none_is_told() -> None:
    lost = A_FILTER.replace("[limpia]", "any").replace("linux", "macos")
    (found,) = hints(f"{CLEAN}---\n{lost}", SSHD)
    assert "no alcanza a ninguna regla" in found


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a", False), ("not a", True), ("a and not b", False), ("a or not b", True),
        ("not a and not b", True), ("n", True), ("a and n", False), ("a or n", True),
    ],
)  # fmt: skip
def test_a_rule_without_anything_rare_is_always_evaluated(condition: str, expected: bool) -> None:
    detection = f"{{a: {{f: x}}, b: {{f: y}}, n: {{f: null}}, condition: {condition}}}"
    found: RuleSet = rules(f"title: x\nid: x\ndetection: {detection}\n")
    assert bool(always_evaluated(found.single)) is expected
