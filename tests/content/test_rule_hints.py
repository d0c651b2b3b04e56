"""The rules that are shipped have no slips: `cgii check --strict` passes."""

from cgii.cli.check_hints import hints_about, rules_asked


def test_shipped_rules_and_filters_have_no_slips() -> None:
    rules = rules_asked(None, ())
    assert rules.all
    assert [str(hint) for hint in hints_about(None, rules)] == []
