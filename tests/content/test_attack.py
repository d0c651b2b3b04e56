"""Our rules are tagged with techniques that exist: each has a name in the table."""

from cgii.base.labels import labels, load_table
from cgii.detect.attack import techniques_in
from cgii.detect.ruleset import load_rules

TABLE = load_table("attack")


def test_every_technique_that_our_rules_name_has_a_name() -> None:
    named = {code for rule in load_rules().all for code in techniques_in(rule.tags)}

    assert named - set(TABLE["techniques"]) == set()


def test_every_part_of_a_technique_has_its_parent() -> None:
    parents = {code.partition(".")[0] for code in TABLE["techniques"]}

    assert parents <= set(TABLE["techniques"])


def test_tactics_have_an_identifier_and_a_spanish_name() -> None:
    assert set(TABLE["tactics"]) == set(labels("detection.tactics"))
