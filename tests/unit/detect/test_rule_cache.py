"""What is remembered of rules is what reading them again would give, or nothing."""

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cgii.cli.app import build
from cgii.detect import rule_cache
from cgii.detect.rule_cache import FILE, FOLDER, RuleCache, cache_in
from cgii.detect.rule_files import documents_in
from cgii.detect.ruleset import RuleSet, load_rules
from tests.unit.detect.build import rule_text

EVERY_KIND = """
sel:
  a|startswith: [x, 'é*']
  b|endswith|cased: Y
  c|re|i: '^a+$'
  d|cidr: 10.0.0.0/8
  e|gte: 1.5
  f|fieldref|contains: a
  g|exists: true
  h: null
  i: '*'
  j|hour|lt: 5
  k: [1, 1.0, 123456789012345678]
  l|neq: z
words: [mimikatz, 'a*b']
condition: sel and not 1 of wor* or words
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "rules"
    found.mkdir()
    (found / "every.yml").write_text(rule_text(EVERY_KIND), encoding="utf-8")
    return found


def load(folder: Path, cache: RuleCache | None = None) -> RuleSet:
    return load_rules(extra=[folder], builtin=False, cache=cache)


def refused(rules: RuleSet) -> list[str]:
    return [str(error) for error in rules.rejected]


def test_every_shipped_rule_comes_back_from_the_cache_as_it_was(tmp_path: Path) -> None:
    fresh = load_rules()
    load_rules(cache=RuleCache(tmp_path))
    again = load_rules(cache=RuleCache(tmp_path))
    assert again.single == fresh.single
    assert again.correlations == fresh.correlations
    assert refused(again) == refused(fresh)


def test_every_kind_of_predicate_comes_back(folder: Path, tmp_path: Path) -> None:
    fresh = load(folder)
    assert not fresh.rejected
    load(folder, RuleCache(tmp_path))
    assert load(folder, RuleCache(tmp_path)).single == fresh.single


def test_a_rule_that_is_remembered_is_not_read_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(folder, RuleCache(tmp_path))
    monkeypatch.setattr(rule_cache, "documents_in", None)  # to call it would be an error
    assert len(load(folder, RuleCache(tmp_path)).single) == 1


def test_a_file_that_changed_is_read_again(folder: Path, tmp_path: Path) -> None:
    cache = RuleCache(tmp_path)
    load(folder, cache)
    (folder / "every.yml").write_text(rule_text("sel: {a: 1}"), encoding="utf-8")
    assert load(folder, cache).single == load(folder).single
    assert load(folder, RuleCache(tmp_path)).single == load(folder).single


def test_the_same_content_elsewhere_has_its_own_path(folder: Path, tmp_path: Path) -> None:
    cache = RuleCache(tmp_path)
    load(folder, cache)
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (rule,) = load(other, cache).single
    assert rule.path == str(other / "every.yml")


def test_a_wrong_rule_is_refused_with_its_line_every_time(folder: Path, tmp_path: Path) -> None:
    (folder / "wrong.yml").write_text(rule_text("sel: {a|nada: 1}"), encoding="utf-8")
    first = refused(load(folder, RuleCache(tmp_path)))
    assert len(first) == 1
    assert refused(load(folder, RuleCache(tmp_path))) == first


@pytest.mark.parametrize("damage", ["", "x", "x\n{}", "{}", "\x00" * 100])
def test_a_damaged_cache_is_passed_over(folder: Path, tmp_path: Path, damage: str) -> None:
    load(folder, RuleCache(tmp_path))
    (tmp_path / FILE).write_text(damage)
    assert load(folder, RuleCache(tmp_path)).single == load(folder).single


def test_one_changed_letter_makes_a_cache_worthless(folder: Path, tmp_path: Path) -> None:
    load(folder, RuleCache(tmp_path))
    data = (tmp_path / FILE).read_bytes()
    (tmp_path / FILE).write_bytes(data.replace(b"10.0.0.0/8", b"11.0.0.0/8"))
    assert load(folder, RuleCache(tmp_path)).single == load(folder).single


def test_a_cache_of_another_program_is_passed_over(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rule_cache, "program", lambda: "an older one")
    load(folder, RuleCache(tmp_path))
    monkeypatch.undo()
    cache = RuleCache(tmp_path)
    cache.open({})
    assert cache._load() == {}


def test_other_values_of_placeholders_read_the_rules_again(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "rules" / "sigma").mkdir(parents=True)
    (site / "rules" / "sigma" / "one.yml").write_text(rule_text("sel: {a|expand: '%who%'}"))
    found = []
    for who in ("ana", "luis"):
        (site / "rules" / "placeholders.yml").write_text(f"who: [{who}]")
        found.append(load_rules(site, cache=RuleCache(tmp_path / "cache")).by_id["prueba"])
    assert found[0].node != found[1].node  # type: ignore[union-attr]  # both are single


def test_a_folder_that_cannot_be_written_to_is_no_harm(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert load(folder, RuleCache(tmp_path / "file" / "x")).single == load(folder).single


def test_a_command_without_a_data_folder_leaves_none_behind(folder: Path, tmp_path: Path) -> None:
    assert load(folder, cache_in(tmp_path / "data")).single == load(folder).single
    assert not (tmp_path / "data").exists()


def test_a_command_in_the_folder_of_somebody_else_reads_and_does_not_write(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(folder, RuleCache(tmp_path / FOLDER))
    written = (tmp_path / FOLDER / FILE).read_bytes()
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    monkeypatch.setattr(rule_cache, "documents_in", None)  # to call it would be an error
    assert len(load(folder, cache_in(tmp_path)).single) == 1
    monkeypatch.undo()
    (folder / "other.yml").write_text(rule_text("sel: {a: 1}"), encoding="utf-8")
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    load(folder, cache_in(tmp_path))
    assert (tmp_path / FOLDER / FILE).read_bytes() == written


@pytest.mark.parametrize("command", ["scan", "check", "rules", "explain"])
def test_commands_read_no_rule_twice(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = {
        "scan": ["--format", "linux_auth", str(tmp_path / "empty.log")],
        "check": [str(tmp_path / "own.yml")],
        "rules": ["list"],
        "explain": ["prueba", "{}", "--source", "linux_auth"],
    }[command]
    (tmp_path / "empty.log").touch()
    (tmp_path / "own.yml").write_text(rule_text("sel: {a: 1}"), encoding="utf-8")
    monkeypatch.setenv("CGII_DATA", str(tmp_path))
    read: list[Path] = []

    def reading(data: bytes, path: Path) -> Any:
        read.append(path)
        return documents_in(data, path)

    monkeypatch.setattr(rule_cache, "documents_in", reading)
    counts = []
    for _ in range(2):
        CliRunner().invoke(build(command), [command, *arguments])
        counts.append(len(read))
        read.clear()
    # Correlations and files that hold them are not remembered.
    assert 0 < counts[1] < counts[0] / 2
