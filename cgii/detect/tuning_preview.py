"""What a row of tuning would have hidden in the last days, asked of the alerts that are stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.detect.explain import facts_of
from cgii.detect.filters import read_exclusion
from cgii.detect.nodes import Node
from cgii.detect.rule_files import RuleError
from cgii.detect.rules import SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.detect.tuning_effect import folded_key
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.detection import RuleTuning
from cgii.model.event import Event
from cgii.store.events import EventStore

DAYS = 30


@dataclass(frozen=True)
class Proposal:
    """What somebody thinks of holding back; the fields mean what they do in RuleTuning."""

    rule_id: str
    kind: str  # suppress exclude level off
    key: Sequence[Sequence[str]] = ()
    condition: str = ""
    level: str = ""


@dataclass(frozen=True)
class Preview:
    """How many of the rule's stored alerts of the last days it would have hidden (or relevelled).

    `unknown` are alerts whose event is no longer stored; `is_partial` says that only the newest
    limits.TUNING_PREVIEW_ALERTS_MAX alerts were looked at.
    """

    days: int
    examined: int
    hidden: int
    unknown: int = 0
    is_partial: bool = False
    alert_ids: tuple[str, ...] = ()  # the newest of those it would have hidden


def proposal_of(row: RuleTuning) -> Proposal:
    """What a row says, as a proposal."""
    return Proposal(row.rule_id, row.kind, row.key, row.condition, row.level)


def would_have_hidden(
    session: Session,
    proposal: Proposal,
    *,
    events: EventStore,
    rules: RuleSet,
    now: datetime,
    days: int = DAYS,
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> Preview:
    """Ask the stored alerts of the rule. Raises Invalid when an exclusion cannot be read."""
    since = now - timedelta(days=days)
    most = limits.TUNING_PREVIEW_ALERTS_MAX
    found = session.execute(
        select(AlertRow, AlertGroup)
        .join(AlertGroup, AlertRow.group_id == AlertGroup.id)
        .where(AlertGroup.rule_id == proposal.rule_id, AlertRow.at >= since)
        .order_by(AlertRow.at.desc(), AlertRow.id)
        .limit(most + 1)
    ).all()
    is_partial = len(found) > most
    pairs = [(alert, group) for alert, group in found[:most]]
    unknown = 0
    if proposal.kind == "exclude":
        node = _read(proposal.condition, placeholders or {})
        rule = _single(rules, proposal.rule_id)

        def stays(event: Event) -> bool:
            return facts_of(rule, event, rules.logsources).holds(node)

        hidden, unknown = _excluded([alert for alert, _ in pairs], stays, events)
    elif proposal.kind == "suppress":
        wanted = folded_key(proposal.key)
        hidden = [alert.id for alert, group in pairs if wanted <= folded_key(group.key)]
    elif proposal.kind == "level":
        hidden = [alert.id for alert, group in pairs if group.level != proposal.level]
    else:
        hidden = [alert.id for alert, _ in pairs]
    shown = tuple(hidden[: limits.TUNING_SAMPLES_MAX])
    return Preview(days, len(pairs), len(hidden), unknown, is_partial, shown)


def _single(rules: RuleSet, rule_id: str) -> SingleRule:
    rule = rules.by_id.get(rule_id)
    if not isinstance(rule, SingleRule):
        raise Invalid(
            "Solo se excluyen registros de una regla vigente de un registro.", field="condition"
        )
    return rule


def _read(condition: str, placeholders: Mapping[str, Sequence[str]]) -> Node:
    try:
        return read_exclusion(condition, placeholders).node
    except RuleError as error:
        raise Invalid(
            "La exclusión no sirve: {reason}.", field="condition", reason=error.reason
        ) from error


def _excluded(
    alerts: Sequence[AlertRow], stays: Callable[[Event], bool], events: EventStore
) -> tuple[list[str], int]:
    """The alerts whose event does not stay, and how many events are gone."""
    hidden: list[str] = []
    unknown = 0
    for start in range(0, len(alerts), limits.QUERY_VALUES_MAX):
        part = alerts[start : start + limits.QUERY_VALUES_MAX]
        stored = events.get_many([alert.event_ids[-1] for alert in part if alert.event_ids])
        for alert in part:
            event = stored.get(alert.event_ids[-1]) if alert.event_ids else None
            if event is None:
                unknown += 1
            elif not stays(event):
                hidden.append(alert.id)
    return hidden, unknown
