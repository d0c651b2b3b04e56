"""Every YARA family that is shipped compiles, is quick, and does what its examples say."""

from collections import Counter
from pathlib import Path

import pytest

from cgii.detect.yara_child import compile_rules
from cgii.detect.yara_rules import YaraRule, load_sources
from cgii.detect.yara_trial import check_yara, examples_path, matched_rules, read_examples
from tests.yara_samples import look

pytest.importorskip("yara", reason="yara-python is not installed")
SOURCES = load_sources()
RULES = compile_rules(SOURCES).rules
FILES = [Path(file.path) for file in SOURCES.files]
WANTED = (
    *("php_web_shells", "jsp_web_shells", "aspx_web_shells", "powershell_obfuscated"),
    *("office_macros", "script_droppers", "ransom_notes", "credential_dumpers", "cryptominers"),
    *("reverse_shells", "phishing_kits", "suspicious_pe", "linux_backdoors", "lnk_droppers"),
    *("pdf_active", "defacement", "package_install_scripts", "remote_admin_misuse"),
)


def test_nothing_is_wrong_with_any_of_them() -> None:
    assert [str(problem) for problem in check_yara()] == []


def test_the_promised_families_are_there() -> None:
    assert {file.namespace for file in SOURCES.files} == set(WANTED)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_it_is(rule: YaraRule) -> None:
    assert rule.meta["author"] == "CGII"
    assert len(str(rule.meta["description"])) > 50
    assert str(rule.meta["description"]).endswith(".")
    assert len(rule.title) < 80


def test_names_and_titles_are_used_once() -> None:
    for values in ([rule.name for rule in RULES], [rule.title for rule in RULES]):
        assert [value for value, count in Counter(values).items() if count > 1] == []


def test_what_must_not_match_matches_no_other_family() -> None:
    for path in FILES:
        harmless = [one for one in read_examples(examples_path(path)) if not one.must_match]
        for example, names in zip(harmless, matched_rules(SOURCES, harmless), strict=True):
            assert names == set(), (example.path, example.line)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_lies_in_the_repository_is_no_sample(path: Path) -> None:
    """The files of examples, as they lie there, set off none of our own rules."""
    texts = [file.text for file in SOURCES.files]
    assert [one.rule for one in look(examples_path(path).read_bytes(), *texts).matches] == []
