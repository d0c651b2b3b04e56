"""Makes alerts: identity, grouping key, summary, observables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cgii.base import ids, limits
from cgii.detect.fields import Place, first_text
from cgii.detect.rules import SingleRule
from cgii.detect.values import elements, text_of
from cgii.model.event import Alert, Event, MatchedField

DEFAULT_KEY = ("source.ip", "host.name", "user.name")
OBSERVABLES = {
    "source.ip": "ip",
    "destination.ip": "ip",
    "client.ip": "ip",
    "server.ip": "ip",
    "host.ip": "ip",
    "dns.question.name": "domain",
    "url.domain": "domain",
    "destination.domain": "domain",
    "tls.client.server_name": "domain",
    "url.full": "url",
    "url.original": "url",
    "user.name": "user",
    "user.target.name": "user",
    "host.name": "host",
    "file.hash.md5": "hash",
    "file.hash.sha1": "hash",
    "file.hash.sha256": "hash",
    "process.hash.md5": "hash",
    "process.hash.sha1": "hash",
    "process.hash.sha256": "hash",
}


@dataclass(frozen=True, slots=True)
class Match:
    """A single-event rule that is true of an event, and why."""

    rule: SingleRule
    event: Event
    explanation: tuple[MatchedField, ...]


def single_alert(match: Match) -> Alert:
    """The alert of one match."""
    rule, event = match.rule, match.event
    key = grouping_key(rule, event)
    return Alert(
        id=single_alert_id(rule.id, event.id),
        rule_id=rule.id,
        rule_title=rule.title,
        rule_kind="sigma",
        level=rule.level,
        at=event.at,
        entity_id=event.entity_id,
        sensor_id=event.sensor_id,
        source=event.source,
        key=key,
        event_ids=(event.id,),
        event_count=1,
        explanation=match.explanation[: limits.EXPLANATION_FIELDS_MAX],
        tags=rule.tags,
        summary=_single_summary(match, key),
        observables=observables_of(event),
    )


def single_alert_id(rule_id: str, event_id: str) -> str:
    """The id of the alert that a match of this rule and event leads to."""
    return ids.digest("alert", rule_id, event_id)


def grouping_key(rule: SingleRule, event: Event) -> tuple[tuple[str, str], ...]:
    """The (field, value) pairs by which alerts of this rule are grouped."""
    if rule.group_by:
        found = ((name, first_text(Place((name,)).find_in(event))) for name in rule.group_by)
        return tuple((name, _cut(value or "")) for name, value in found)
    for name in DEFAULT_KEY:
        value = first_text(event.ecs.get(name))
        if value:
            return ((name, _cut(value)),)
    return ()


def _cut(text: str) -> str:
    return text[: limits.KEY_CHARS_MAX]


def _single_summary(match: Match, key: Sequence[tuple[str, str]]) -> str:
    told = [f for f in match.explanation if f.field and not f.value.isdigit()]
    reason = next((f for f in told if f.value not in [value for _, value in key]), None)
    parts = [match.rule.title]
    if key:
        parts.append("para " + ", ".join(f"{name}={value}" for name, value in key if value))
    if reason is not None:
        parts.append(f"con {reason.field} «{reason.value[:120]}»")
    return " ".join(parts)


def observables_of(event: Event) -> tuple[tuple[str, str], ...]:
    """What can be looked up elsewhere: ("ip", "203.0.113.9"), each once."""
    return tuple(dict.fromkeys(_observables(event)))[: limits.OBSERVABLES_MAX]


def _observables(event: Event) -> Iterator[tuple[str, str]]:
    for name, kind in OBSERVABLES.items():
        if name in event.ecs:
            for value in elements(event.ecs[name]):
                text = text_of(value)
                if text and text != "-":
                    yield kind, _cut(text)
