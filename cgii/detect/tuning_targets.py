"""What can be tuned: a rule in force, a list of indicators, silence: what gives alerts."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.detect.indicators import LIST_RULES, rule_id_of, rule_title_of
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.detect.silence import LEVEL, RULE_ID, RULE_TITLE
from cgii.model.indicators import IndicatorList


@dataclass(frozen=True)
class Target:
    """What a row of tuning is about, in the words of a rule."""

    id: str
    title: str
    level: str
    group_by: tuple[str, ...]
    is_single: bool  # only then records can be excluded


def target_of(session: Session, rules: RuleSet, wanted: str) -> Target | None:
    """The rule with this id or name, else silence or the list of indicators."""
    rule = next((one for one in rules.all if wanted in (one.id, one.name)), None)
    if rule is not None:
        return target_of_rule(rule)
    if wanted == RULE_ID:
        return Target(RULE_ID, RULE_TITLE, LEVEL, ("sensor", "source"), is_single=False)
    if not wanted.startswith(LIST_RULES):
        return None
    query = select(IndicatorList).where(IndicatorList.name == wanted.removeprefix(LIST_RULES))
    row = session.scalar(query.where(IndicatorList.is_warning.is_(False)))
    return None if row is None else target_of_list(row)


def target_of_rule(rule: SingleRule | CorrelationRule) -> Target:
    """A rule as something to tune."""
    is_single = isinstance(rule, SingleRule)
    return Target(rule.id, rule.title, rule.level, rule.group_by, is_single)


def target_of_list(row: IndicatorList) -> Target:
    """A list of indicators as something to tune."""
    title = rule_title_of(row.title)
    return Target(rule_id_of(row.name), title, row.level, ("indicator",), is_single=False)


def titles_of(session: Session, rules: RuleSet) -> dict[str, str]:
    """The titles of all that can be tuned, by id."""
    lists = session.execute(select(IndicatorList.name, IndicatorList.title))
    of_lists = {rule_id_of(name): rule_title_of(title) for name, title in lists}
    return {rule.id: rule.title for rule in rules.all} | of_lists | {RULE_ID: RULE_TITLE}
