"""An example that does not hold is told with its line, and why."""

import json
from pathlib import Path
from typing import Any

import pytest

from cgii.collect.trial import check_collectors

DEFINITION = """\
name: demo_app
title: Programa
description: De prueba.
parser: patterns
time: [{field: when, format: iso}]
logsource: {product: demo}
ecs: {user.name: user}
patterns:
  - {name: line, regex: '^(?P<when>\\S+) (?P<user>\\w+)$'}
"""
RAW = "2026-05-01T10:00:00Z ana"


def told(tmp_path: Path, *examples: Any) -> list[tuple[int | None, str]]:
    folder = tmp_path / "collectors"
    folder.mkdir()
    (folder / "demo_app.yml").write_text(DEFINITION)
    lines = [each if isinstance(each, str) else json.dumps(each) for each in examples]
    (folder / "demo_app.examples.jsonl").write_text("\n".join(lines))
    return [(problem.line, problem.reason) for problem in check_collectors(tmp_path)]


def test_examples_that_hold_are_silent(tmp_path: Path) -> None:
    expect = {
        "at": "2026-05-01T10:00:00+00:00",
        "ecs": {"user.name": "ana", "user.id": None},
        "fields": {"user": "ana"},
        "logsource": {"product": "demo", "service": ""},
        "notes": [],
    }
    examples = [{"raw": RAW, "expect": expect}, {"raw": "x", "reject": "no pattern fits"}]
    assert told(tmp_path, *examples) == []


@pytest.mark.parametrize(
    ("example", "said"),
    [
        ({"raw": RAW, "expect": {"ecs": {"user.name": "eva"}}}, "eva"),
        ({"raw": RAW, "expect": {"fields": {"user": None, "when": 1}}}, "fields.user"),
        ({"raw": RAW, "expect": {"logsource": {"product": "linux"}}}, "linux"),
        ({"raw": RAW, "expect": {"at": "2026-05-01T11:00:00Z"}}, "at:"),
        ({"raw": RAW, "expect": {"ecz": {}}}, "expect"),
        ({"raw": RAW, "expect": {}}, "expect"),
        ({"raw": RAW, "reject": "no pattern fits"}, "fue aceptado"),
        ({"raw": "x", "reject": "empty"}, "no pattern fits"),
        ({"raw": "x", "reject": "because"}, "no existe"),
        ({"raw": "x", "expect": {"at": "2026-05-01T11:00:00Z"}}, "rechazado"),
        ({"raw": RAW}, "expect"),
        ({"expect": {}}, "raw"),
        ({"raw": RAW, "expect": {"ecs": 5}}, "forma"),
        ({"raw": RAW, "expect": {"at": "ayer"}}, "forma"),
        ({"raw": 5, "expect": {"at": "ayer"}}, "rechazado"),
        ("{broken", "JSON"),
        ("[]", "raw"),
    ],
)
def test_an_example_that_does_not_hold_is_told(tmp_path: Path, example: Any, said: str) -> None:
    problems = told(tmp_path, {"raw": "x", "reject": "no pattern fits"}, example)
    assert problems
    assert {line for line, _ in problems} == {2}
    assert any(said in reason for _, reason in problems)


def test_a_definition_without_examples_is_told(tmp_path: Path) -> None:
    told(tmp_path)
    (tmp_path / "collectors" / "demo_app.examples.jsonl").unlink()
    (problem,) = check_collectors(tmp_path)
    assert "ejemplos" in problem.reason
