"""Coverage: what rules are about, against what the sources give; ATT&CK by tags."""

from pathlib import Path

from cgii.collect.definition import load_definitions
from cgii.collect.produced import produced_by
from cgii.detect.attack import summary, tactics_in, techniques_in
from cgii.detect.coverage import Coverage, coverage
from cgii.detect.ruleset import load_rules


def covered(tmp_path: Path, *logsources: str) -> Coverage:
    for number, logsource in enumerate(logsources):
        (tmp_path / f"{number}.yml").write_text(
            f"title: R{number}\nlogsource: {{{logsource}}}\nlevel: low\n"
            "tags: [attack.execution, attack.t1059]\ndetection: {s: {a: 1}, condition: s}\n"
        )
    definitions = load_definitions().by_name.values()
    rules = load_rules(extra=[tmp_path], builtin=False)
    return coverage(rules, [(one.name, produced_by(one)) for one in definitions])


def test_a_rule_is_covered_when_a_source_says_that_it_gives_such_events(tmp_path: Path) -> None:
    found = covered(
        tmp_path,
        "product: windows, category: process_creation",
        "product: zeek, service: dns",
        "product: gcp, service: gcp.audit",
        "service: apache_of_another_kind",
    )

    told = {one.name: one.sources for one in found.sources}
    assert "windows_events" in told["windows/process_creation"]
    assert told["zeek/dns"] == ("network_traffic", "zeek_json", "zeek_tsv")
    assert told["gcp/gcp.audit"] == ()
    assert told["apache_of_another_kind"] == ()
    assert found.covered == 2


def test_reasons_are_counted_without_the_names_in_them(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"x{number}.yml").write_text(
            f"title: R\ndetection: {{s: {{'a|expand': '%falta{number}%'}}, condition: s}}\n"
        )

    assert covered(tmp_path, "product: linux").reasons == (
        ("marcador sin valores en este sitio", 3),
    )


def test_attack_is_counted_by_rule_and_by_alert() -> None:
    found = summary(
        {"a": ("attack.credential_access", "attack.T1110.001"), "b": ("attack.impact",), "c": ()},
        {"a": 5},
    )

    assert [(one.code, one.rules, one.alerts) for one in found.tactics] == [
        ("credential-access", 1, 5),
        ("impact", 1, 0),
    ]
    assert [(one.code, one.alerts) for one in found.techniques] == [("T1110.001", 5)]
    assert found.untagged == 1


def test_tags_of_other_kinds_are_no_techniques() -> None:
    tags = ("attack.s0002", "cve.2026-1", "attack.ta0001", "attack.t1003", "attack.t1003")

    assert techniques_in(tags) == ("T1003",)
    assert tactics_in(tags) == ()
