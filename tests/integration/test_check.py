"""`cgii check` as people run it: all content, one folder, a wrong file, the sensor's install."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cgii.cli.app import build

RUNNER = CliRunner()


def check(*arguments: str) -> tuple[int, str]:
    done = RUNNER.invoke(build("check"), ["check", *arguments])
    return done.exit_code, done.output


def test_all_shipped_content_is_valid() -> None:
    code, output = check()

    assert code == 0
    assert re.search(r"Reglas: \d+ vigentes \(\d+ correlaciones, 0 filtros\), 0 rechazadas", output)
    assert output.endswith("Todo lo revisado es válido.\n")


def test_one_folder_is_checked_as_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks" / "roto.json").write_text(json.dumps({"type": "playbook"}))
    (tmp_path / "rules").mkdir()
    monkeypatch.setenv("CGII_SITE", str(tmp_path))

    code, output = check(str(tmp_path / "rules"))

    assert code == 0
    assert output.endswith("Todo lo revisado es válido.\n")
    code, output = check(str(tmp_path / "playbooks"))

    assert code == 1
    assert "roto.json" in output


def test_a_wrong_rule_is_named_with_its_line(tmp_path: Path) -> None:
    rule = tmp_path / "mala.yml"
    rule.write_text("title: Mala\nlogsource: {product: linux}\ndetection:\n  sel: {a|nada: 1}\n")

    code, output = check(str(rule))

    assert code == 1
    assert f"{rule}:" in output


def test_a_hint_is_told_and_fails_only_where_that_is_asked(tmp_path: Path) -> None:
    rule = tmp_path / "dudosa.yml"
    rule.write_text(
        "title: Dudosa\nid: dudosa\nlevel: low\nstatus: test\ntags: [attack.t1110]\n"
        "logsource: {product: linux, service: sshd}\n"
        "detection:\n  sel:\n    user|contains|all: root\n    nothing_gives_this: x\n"
        "  condition: sel\n"
    )

    code, output = check(str(rule))

    assert code == 0
    assert f"{rule}:9: aviso: «user|contains|all»: all con un solo valor" in output
    assert "aviso: ninguna fuente de este logsource produce el campo «nothing_gives_this»" in output
    assert "Reglas: 1 vigentes" in output
    assert check(str(rule), "--strict")[0] == 1


def test_a_summary_counts_what_is_refused_costly_or_without_a_source(tmp_path: Path) -> None:
    texts = {
        "a": "logsource: {product: gcp, service: gcp.audit}\ndetection: {s: {f: 1}, condition: s}",
        "b": "logsource: {product: windows}\ndetection: {s: {f: 1}, condition: not s}",
        "c": "detection: {s: {f|expand: '%gone%'}, condition: s}",
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.yml").write_text(f"title: {name}\nid: {name}\n{text}\n")

    code, output = check(str(tmp_path))

    assert code == 1
    assert "Reglas: 2 vigentes (0 correlaciones, 0 filtros), 1 rechazadas." in output
    assert "rechazadas 1: marcador sin valores en este sitio" in output
    assert "se evalúan casi siempre 1: b" in output
    assert "sin una fuente de este centro 1, de 1 clases de registro: gcp/gcp.audit (1)" in output


DEFINITION = """\
name: tramites
title: Trámites
description: Ingresos.
parser: patterns
time:
  - {field: hora, format: iso}
logsource: {product: tramites}
patterns:
  - name: ingreso
    regex: '^(?P<hora>\\S+) INGRESO (?P<usuario>\\w+)$'
"""
EXAMPLE = {
    "raw": "2026-03-20T09:14:02-04:00 INGRESO ana",
    "expect": {"at": "2026-03-20T13:14:02+00:00", "fields": {"usuario": "ana"}},
}


@pytest.fixture
def definition(tmp_path: Path) -> Path:
    folder = tmp_path / "collectors"
    folder.mkdir()
    (folder / "tramites.examples.jsonl").write_text(json.dumps(EXAMPLE))
    path = folder / "tramites.yml"
    path.write_text(DEFINITION)
    return path


def test_a_definition_elsewhere_is_checked_as_one(definition: Path) -> None:
    for path in (definition, definition.parent):
        code, output = check(str(path))
        assert (code, output) == (0, "Todo lo revisado es válido.\n")


def test_a_wrong_definition_elsewhere_is_told_as_one(definition: Path) -> None:
    definition.write_text(DEFINITION.replace("format: iso", "format: reloj"))
    code, output = check(str(definition))
    assert code == 1
    assert f"{definition}:6" in output
    assert "reloj" in output

    definition.write_text(DEFINITION + "ecs: [\n")
    code, output = check(str(definition.parent))
    assert code == 1
    assert "detection" not in output


def test_the_examples_of_a_definition_elsewhere_are_run(definition: Path) -> None:
    examples = definition.with_suffix(".examples.jsonl")
    examples.write_text(json.dumps(EXAMPLE).replace('"usuario": "ana"', '"usuario": "eva"'))
    code, output = check(str(definition))

    assert code == 1
    assert "eva" in output


def test_rules_beside_a_definition_are_checked_as_rules(definition: Path) -> None:
    rule = definition.parent.parent / "mala.yml"
    rule.write_text("title: Mala\nlogsource: {product: linux}\ndetection:\n  sel: {a|nada: 1}\n")
    code, output = check(str(definition.parent.parent))

    assert code == 1
    assert f"{rule}:" in output
    assert "tramites.yml" not in output
