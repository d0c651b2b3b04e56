"""Says what one event is to a correlation: which counted rules it matches, and under which key."""

from collections.abc import Sequence
from dataclasses import dataclass

from cgii.detect.explain import Explanation, explain
from cgii.detect.fields import Place, first_text
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.model.event import Event


@dataclass(frozen=True)
class Counted:
    """One single-event rule that is counted, directly or inside another correlation.

    `key` are the group-by fields as this rule's events name them, with the event's values; a
    value of None means that the event is not counted although the rule matches.
    """

    rule: SingleRule
    through: tuple[str, ...]  # titles of the inner correlations, outermost first
    explanation: Explanation
    key: tuple[tuple[str, str | None], ...]

    @property
    def is_counted(self) -> bool:
        """Whether the event counts for the correlation."""
        return self.explanation.matched and all(value is not None for _, value in self.key)


def explain_correlation(rule: CorrelationRule, event: Event, rules: RuleSet) -> tuple[Counted, ...]:
    """What the event is to each rule that the correlation counts, in the order of its list."""
    return tuple(_counted(rule, event, rules, ()))


def _counted(
    rule: CorrelationRule, event: Event, rules: RuleSet, through: tuple[str, ...]
) -> Sequence[Counted]:
    found: list[Counted] = []
    by_id = rules.by_id
    for rule_id in rule.rule_ids:
        inner = by_id.get(rule_id)
        if isinstance(inner, CorrelationRule):
            found += _counted(inner, event, rules, (*through, inner.title))
        elif isinstance(inner, SingleRule):
            names = [rule.field_of(rule_id, name) for name in rule.window_fields]
            key = tuple((name, first_text(Place((name,)).find_in(event))) for name in names)
            answer = explain(inner, event, rules.logsources)
            found.append(Counted(inner, through, answer, key))
    return found
