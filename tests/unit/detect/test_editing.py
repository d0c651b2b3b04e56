"""Versions of rules written here: each is a row, none is ever changed."""

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid
from cgii.detect.editing import (
    Draft,
    newest_version,
    out_of_use,
    release_rule,
    restore_rule,
    retire_rule,
    save_rule,
    versions,
)
from cgii.detect.rule_files import parse_documents
from cgii.detect.ruleset import RuleSet, compile_rules
from cgii.detect.written import left_behind, read_written
from tests.make import make_act, make_user

SHIPPED = """\
title: Uno
id: r-1
name: uno
logsource: {product: linux}
detection: {s: {a: 1}, condition: s}
level: low
"""
COUNTING = """\
title: Varios
id: c-1
correlation: {type: event_count, rules: [uno], group-by: [a], timespan: 5m, condition: {gte: 3}}
level: high
"""
EXAMPLES = ({"match": True, "raws": ["a"]}, {"match": False, "raws": ["b"]})
RULES = compile_rules(parse_documents(SHIPPED, "rules/sigma/uno.yml"))
COUNTED = compile_rules(
    [*parse_documents(SHIPPED, "uno.yml"), *parse_documents(COUNTING, "varios.yml")]
)


def draft(text: str, rules: RuleSet = RULES, **given: object) -> Draft:
    """A version to be, of rule r-1 unless it is new."""
    own_id = "r-1" if "id: r-1" in text and "r-1" in rules.by_id else ""
    made = Draft(read_written(text, rules, own_id=own_id), "porque sí", EXAMPLES)
    return replace(made, **given)  # type: ignore[arg-type]


def test_versions_are_numbered_and_keep_what_they_stand_above(session: Session) -> None:
    act = make_act(session, make_user(session))
    first = save_rule(act, draft(SHIPPED.replace("low", "high")), RULES)
    second = save_rule(act, draft(SHIPPED.replace("low", "critical"), base=1), RULES)

    assert [first.number, second.number] == [1, 2]
    assert first.over == second.over == SHIPPED
    assert first.author_id == act.user_id
    assert versions(session, "r-1") == [second, first]
    assert newest_version(session, "r-1") is second


def test_a_version_of_somebody_else_meanwhile_is_told(session: Session) -> None:
    act = make_act(session)
    save_rule(act, draft(SHIPPED.replace("low", "high")), RULES)

    with pytest.raises(Conflict, match="versión 1"):
        save_rule(act, draft(SHIPPED.replace("low", "medium")), RULES)


def test_the_same_again_is_no_version(session: Session) -> None:
    act = make_act(session)
    save_rule(act, draft(SHIPPED.replace("low", "high")), RULES)

    with pytest.raises(Invalid, match="no hay nada que guardar"):
        save_rule(act, draft(SHIPPED.replace("low", "high"), base=1), RULES)


def test_what_cannot_be_read_or_is_not_tested_is_refused(session: Session) -> None:
    act = make_act(session)
    for one in (
        draft(SHIPPED.replace("condition: s", "condition: t")),
        draft(SHIPPED, examples=EXAMPLES[:1]),
        draft(SHIPPED, reason=" "),
    ):
        with pytest.raises(Invalid):
            save_rule(act, one, RULES)
    assert newest_version(session, "r-1") is None
    assert save_rule(act, draft(SHIPPED, examples=(), untested="no hay"), RULES).untested


def test_a_rule_goes_out_of_use_comes_back_and_is_given_back(session: Session) -> None:
    act = make_act(session)
    rule = RULES.by_id["r-1"]
    retired = retire_rule(act, rule, RULES, reason="sobra")
    assert (retired.state, retired.text) == ("retired", rule.text)
    assert out_of_use(session) == [retired]
    with pytest.raises(Conflict):
        retire_rule(act, rule, RULES, reason="otra vez")
    with pytest.raises(Invalid):
        restore_rule(act, "r-1", number=7, reason="x")
    assert restore_rule(act, "r-1", number=1, reason="falta").state == "active"
    assert out_of_use(session) == []
    assert release_rule(act, "r-1", reason="basta").state == "released"
    with pytest.raises(Conflict):
        release_rule(act, "r-1", reason="otra vez")


def test_a_rule_that_is_only_here_is_not_given_back(session: Session) -> None:
    act = make_act(session)
    text = SHIPPED.replace("r-1", "r-2").replace("uno", "dos")
    save_rule(act, draft(text), RULES)

    with pytest.raises(Conflict, match="retírela"):
        release_rule(act, "r-2", reason="x")


def test_what_a_correlation_counts_stays_countable(session: Session) -> None:
    act = make_act(session)
    with pytest.raises(Conflict, match="Varios"):
        retire_rule(act, COUNTED.by_id["r-1"], COUNTED, reason="sobra")
    renamed = draft(SHIPPED.replace("name: uno", "name: otro"), COUNTED)
    with pytest.raises(Conflict, match="Varios"):
        save_rule(act, renamed, COUNTED)
    same_name = draft(SHIPPED.replace("low", "high"), COUNTED)
    assert left_behind(same_name.written.rule, COUNTED.by_id["r-1"], COUNTED) == []
    assert save_rule(act, same_name, COUNTED).number == 1


def test_a_correlation_is_read_with_the_rules_that_it_counts() -> None:
    written = read_written(COUNTING, RULES)

    assert written.problems == ()
    assert {one.id for one in written.rules.all} == {"r-1", "c-1"}
    gone = read_written(COUNTING.replace("uno", "nadie"), RULES)
    assert gone.rule is None
    assert gone.problems
