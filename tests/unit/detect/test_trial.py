"""The check of rules and their examples can fail, and says where."""

import json
from pathlib import Path
from typing import Any

import pytest

from cgii.detect.trial import check_rules
from cgii.model.event import Event
from tests.unit.detect.build import event, rule_text

RULE = rule_text("sel: {a: 1}")
GOOD = [
    {"match": True, "why": "a es 1", "event": {"a": 1}},
    {"match": False, "why": "a es 2", "event": {"a": 2}},
]
MANY = """
title: Muchos
id: many
correlation:
  type: event_count
  rules: [prueba]
  group-by: [who]
  timespan: 1m
  condition: {gte: 3}
"""


def check(tmp_path: Path, examples: list[Any], rule: str = RULE) -> list[str]:
    (tmp_path / "r.yml").write_text(rule)
    lines = "\n".join(e if isinstance(e, str) else json.dumps(e) for e in examples)
    (tmp_path / "r.examples.jsonl").write_text(lines + "\n")
    return [str(problem) for problem in check_rules(None, [tmp_path / "r.yml"], reader=reader)]


def reader(source: str, raw: str) -> Event | None:
    return event(json.loads(raw)) if source == "json" else None


def test_good_examples_are_good(tmp_path: Path) -> None:
    assert check(tmp_path, GOOD) == []


@pytest.mark.parametrize(
    ("example", "problem"),
    [
        ({"match": True, "why": "x", "event": {"a": 2}}, ":3: la regla «Prueba» no coincide"),
        ({"match": False, "why": "x", "event": {"a": 1}}, ":3: la regla «Prueba» coincide y no"),
        ({"match": True, "event": {"a": 1}}, ":3: un ejemplo lleva match"),
        ({"match": True, "why": "x"}, ":3: un ejemplo lleva uno de"),
        ({"match": True, "why": "x", "event": {}, "raw": ""}, ":3: un ejemplo lleva uno de"),
        ({"match": True, "why": "x", "event": {"a": 1}, "typo": 1}, ":3: un ejemplo solo lleva"),
        ({"match": True, "why": "x", "source": "no", "raw": "{}"}, "no puede leer el registro 1"),
        ({"match": True, "why": "x", "event": {"a": 1}, "rule": "other"}, "no está en el archivo"),
        ("{broken", ":3: no es JSON"),
    ],
)
def test_what_is_wrong_has_file_and_line(tmp_path: Path, example: Any, problem: str) -> None:
    (found,) = check(tmp_path, [*GOOD, example])
    assert problem in found


def test_both_kinds_of_example_are_wanted(tmp_path: Path) -> None:
    (found,) = check(tmp_path, GOOD[:1])
    assert "uno que coincida" in found or "que coincida y uno que no" in found


def test_raw_examples_go_through_the_reader(tmp_path: Path) -> None:
    raw = {"match": True, "why": "x", "source": "json", "raw": '{"a": 1}'}
    assert check(tmp_path, [raw, GOOD[1]]) == []
    assert "no coincide" in check(tmp_path, [raw | {"raw": '{"a": 2}'}, *GOOD])[0]


def test_examples_of_a_correlation_are_several_events(tmp_path: Path) -> None:
    one = {"a": 1, "who": "ana"}
    examples = [
        {"match": True, "why": "tres en 20 s", "event": one, "repeat": 3, "every_seconds": 10},
        {"match": False, "why": "demasiado lejos", "event": one, "repeat": 3, "every_seconds": 40},
        {"match": False, "why": "solo dos", "events": [one, one]},
        {"match": True, "why": "la regla base", "rule": "prueba", "event": one},
    ]
    assert check(tmp_path, examples, f"{RULE}---{MANY}") == []


def test_refused_rules_and_unknown_types_are_told(tmp_path: Path) -> None:
    assert "modificador desconocido" in check(tmp_path, GOOD, rule_text("sel: {a|foo: 1}"))[0]
    tagged = RULE.replace("detection:", "tags: [rsit.made.up]\ndetection:")
    assert "made.up" in check(tmp_path, GOOD, tagged)[0]


def test_only_the_given_files_are_judged(tmp_path: Path) -> None:
    (tmp_path / "other.yml").write_text("title: [")
    assert check(tmp_path, GOOD) == []


def test_a_sites_own_rule_needs_examples(tmp_path: Path) -> None:
    folder = tmp_path / "rules" / "sigma"
    folder.mkdir(parents=True)
    (folder / "own.yml").write_text(RULE)
    problems = [str(p) for p in check_rules(tmp_path) if "own.yml" in p.path]
    assert len(problems) == 1
    assert "faltan los ejemplos" in problems[0]
