"""The Sigma document itself: attributes, logsource, several documents, old actions, bounds."""

from pathlib import Path

import pytest

from cgii.detect.detector import Detector
from cgii.detect.rule_files import parse_documents
from cgii.detect.ruleset import compile_rules, load_rules, read_placeholders
from cgii.model.event import LogSource
from tests.unit.detect.build import event, fires, read_text, refusal, rule_text, rules

FULL = """\
title: Prueba completa
id: 5013198b-7a43-4c93-b1d4-1b6a4dbdbf30
name: completa
related: [{id: 0a1c9b0e-3f3b-4a8e-8a3e-5c1f0a7c2d22, type: derived}]
taxonomy: sigma
status: stable
description: Una regla con todo.
license: CC0
author: Alguien
references: [https://example.org/a]
date: 2026-11-20
modified: 2026-11-21
logsource: {product: windows, category: process_creation, definition: Sysmon, custom: {x: 1}}
detection: {sel: {Image|endswith: x.exe}, condition: sel}
fields: [CommandLine]
falsepositives: [Nada, Otro]
level: critical
tags: [attack.t1059, rsit.intrusions.compromised]
scope: [server]
own_attribute: {anything: goes}
"""


def test_sigma_every_attribute_of_a_document_is_understood_or_kept() -> None:
    (rule,) = rules(FULL).single
    assert (rule.title, rule.name, rule.status) == ("Prueba completa", "completa", "stable")
    assert (rule.level, rule.references) == ("critical", ("https://example.org/a",))
    assert rule.tags == ("attack.t1059", "rsit.intrusions.compromised")
    assert rule.rsit == ("intrusions", "compromised")
    assert rule.false_positives == ("Nada", "Otro")
    assert rule.logsource == LogSource("windows", "process_creation", "")
    assert rule.text == FULL


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("level: critical", "level: alto", ":17: level «alto» no existe"),
        ("status: stable", "status: nuevo", ":6: status «nuevo» no existe"),
        ("title: Prueba completa", "title: ''", ":1: falta el título"),
        ("title: Prueba completa\n", "", ": falta el título"),
        ("{sel: {Image|endswith: x.exe}, condition: sel}", "[]", ":14: detection"),
        ("{sel: {Image|endswith: x.exe}, condition: sel}", "{condition: sel}", "«sel», que no"),
        ("product: windows,", "product: [windows],", ":13: logsource: «product»"),
        ("own_attribute", "level", "«level» está repetida"),
        ("Una regla con todo.", "'sin cerrar", "YAML mal formado"),
        ("detection: {sel", "detection: {timeframe: 5m, sel", "timeframe"),
    ],
)
def test_sigma_a_wrong_document_is_refused_with_its_line(
    before: str, after: str, reason: str
) -> None:
    assert before in FULL
    assert reason in refusal(FULL.replace(before, after))


def test_sigma_a_wrong_document_never_stops_the_others() -> None:
    found = read_text(f"{FULL}---\ntitle: Mala\ndetection: {{sel: {{a|no: 1}}, condition: sel}}\n"
                      f"---\n{rule_text('sel: {a: 1}')}")  # fmt: skip
    assert [rule.title for rule in found.single] == ["Prueba completa", "Prueba"]
    (error,) = found.rejected
    assert error.line == 23


def test_sigma_one_id_is_one_rule() -> None:
    found = read_text(FULL + "---\n" + FULL)
    assert len(found.single) == 1
    assert "ya está en" in str(found.rejected[0])


def test_sigma_yaml_scalars_are_those_of_yaml_1_2() -> None:
    assert fires("sel: {f: [yes, no, on]}", {"f": "yes"})
    assert fires("sel: {f: 0123}", {"f": "0123"})
    assert fires("sel: {f: 12:30}", {"f": "12:30"})
    assert fires("sel: {f: 2026-11-20}", {"f": "2026-11-20"})
    assert fires("sel: {f: 1_000}", {"f": "1_000"})


SECURITY = LogSource("windows", "", "security")
ANY_LINUX = LogSource("linux")


@pytest.mark.parametrize(
    ("logsource", "seen", "expected"),
    [
        ("{}", SECURITY, True),
        ("{}", LogSource(), True),
        ("{product: linux}", ANY_LINUX, True),
        ("{product: LINUX}", ANY_LINUX, True),
        ("{product: linux}", LogSource("Linux", "", "sshd"), True),
        ("{product: linux}", SECURITY, False),
        ("{product: linux, service: sshd}", LogSource("linux", "", "sshd"), True),
        ("{product: linux, service: sshd}", LogSource("linux", "", "sudo"), False),
        # What a known producer leaves out is absent; of another it is not known.
        ("{product: linux, service: sshd}", ANY_LINUX, False),
        ("{product: acme, service: door}", LogSource("acme"), True),
        ("{product: acme, service: door}", LogSource("acme", "", "roof"), False),
        ("{category: antivirus}", LogSource("acme", "antivirus"), True),
        ("{category: antivirus}", LogSource("acme", "proxy"), False),
    ],
)
def test_sigma_a_rule_applies_where_each_attribute_it_names_is_the_events(
    logsource: str, seen: LogSource, expected: bool
) -> None:
    assert fires("sel: {f: 1}", {"f": 1}, logsource=logsource, seen_as=seen) is expected


OLD = """\
action: global
title: Vieja
level: high
logsource: {product: windows}
detection: {condition: sel}
---
id: uno
detection: {sel: {EventID: 1}}
---
id: dos
level: low
detection: {sel: {EventID: 2}}
---
action: repeat
id: tres
detection: {sel: {Channel: x}}
---
action: reset
---
title: Sola
id: cuatro
detection: {sel: {EventID: 4}, condition: sel}
"""


def test_sigma_old_actions_spread_a_rule_over_documents() -> None:
    found = rules(OLD)
    assert [(rule.id, rule.title) for rule in found.single] == [
        ("uno", "Vieja"), ("dos", "Vieja"), ("tres", "Vieja"), ("cuatro", "Sola"),
    ]  # fmt: skip
    one, two, three, four = found.single
    assert one.logsource == two.logsource == LogSource("windows")
    assert four.logsource == LogSource()
    assert two.level == "high"  # the global document has the last word, as in pySigma
    assert (one.line, two.line, three.line) == (7, 10, 14)
    assert "EventID: 1" in one.text
    assert "title: Vieja" in one.text
    both = {"EventID": 2, "Channel": "x"}

    def matched(fields: dict[str, object]) -> list[str]:
        seen = event(fields, logsource=LogSource("windows"))
        return [match.rule.id for match in Detector(found).match([seen])]

    assert matched(both) == ["dos", "tres"]
    assert matched({"EventID": 2}) == ["dos"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("action: again\ntitle: x\n", ":1: action «again» no existe"),
        ("action: repeat\ntitle: x\n", ":1: action: repeat necesita una regla anterior"),
    ],
)
def test_sigma_a_wrong_action_is_refused(text: str, reason: str) -> None:
    assert reason in refusal(text)


def test_sigma_old_actions_end_with_their_file(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("action: global\nlevel: high\n")
    (tmp_path / "b.yml").write_text(rule_text("sel: {a: 1}"))
    assert load_rules(extra=[tmp_path], builtin=False).single[0].level == "medium"


def test_sigma_placeholders_are_the_programs_and_above_them_the_sites(tmp_path: Path) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "placeholders.yml").write_text(
        "admins: [root, 0, admin*]\none: solo\nempty: []\nnothing:\n"
    )
    known = read_placeholders(tmp_path)
    assert known["admins"] == ["root", "0", "admin*"]
    assert known["one"] == ["solo"]
    assert not {"empty", "nothing"} & known.keys()
    text = rule_text("sel: {user|expand: '%admins%'}")
    documents = list(parse_documents(text, "x"))
    assert compile_rules(documents, placeholders=known).single
    (error,) = compile_rules(documents, placeholders={"admins": []}).rejected
    assert "%admins% no tiene valores" in str(error)


def test_sigma_bounds_are_refused_with_a_sentence() -> None:
    many = "[" + ",".join(f"v{n}" for n in range(20_001)) + "]"
    assert "20000 valores" in refusal(rule_text(f"sel: {{f: {many}}}"))
    assert rules(rule_text("sel: {f: [" + ",".join(f"v{n}" for n in range(5_000)) + "]}"))
    deep = "[" * 40 + "{a: 1}" + "]" * 40
    assert "32 niveles" in refusal(rule_text(f"sel: {deep}"))
    assert "4000 caracteres" in refusal(rule_text(f"sel: {{f|re: '{'a' * 4001}'}}"))
