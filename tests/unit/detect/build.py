"""Builders for detection tests: a rule from its detection part, an event from its fields."""

from datetime import UTC, datetime, timedelta
from textwrap import dedent, indent
from typing import Any

from cgii.base import ids
from cgii.detect.detector import Detector
from cgii.detect.explain import Explanation, explain
from cgii.detect.logsources import load_logsources
from cgii.detect.rule_files import parse_documents
from cgii.detect.ruleset import RuleSet, compile_rules
from cgii.model.event import Event, LogSource

TABLE = load_logsources()
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def rule_text(detection: str, *, logsource: str = "{}", more: str = "") -> str:
    """The YAML of a rule with this detection; the condition is `sel` unless it is written."""
    body = dedent(detection).strip("\n")
    if "condition:" not in body:
        body += "\ncondition: sel"
    return (
        f"title: Prueba\nid: prueba\nlogsource: {logsource}\n{dedent(more)}"
        f"detection:\n{indent(body, '  ')}\n"
    )


def event(
    fields: dict[str, Any] | None = None,
    *,
    number: int = 0,
    at: datetime | None = None,
    seconds: float = 0,
    logsource: LogSource = LogSource(),
    **given: Any,
) -> Event:
    """An event with these fields, at noon plus `seconds`."""
    moment = at or NOON + timedelta(seconds=seconds)
    values: dict[str, Any] = {"ecs": {}, "original": "", "source": "prueba"}
    return Event(
        id=ids.event_id("test", "1", number),
        at=moment,
        received_at=moment,
        logsource=logsource,
        fields=dict(fields or {}),
        **values | given,
    )


def read_text(text: str) -> RuleSet:
    """What the text holds, refused rules included."""
    return compile_rules(parse_documents(text, "<texto>"), logsources=TABLE)


def rules(text: str) -> RuleSet:
    """The rules of the text; none may have been rejected."""
    found = read_text(text)
    assert not found.rejected, [str(error) for error in found.rejected]
    return found


def refusal(text: str) -> str:
    """Why the only rule of the text was rejected."""
    found = read_text(text)
    assert not found.single
    assert not found.correlations
    (error,) = found.rejected
    return str(error)


def why(detection: str, seen: Event, *, logsource: str = "{}") -> Explanation:
    """What the walk over the rule says."""
    loaded = rules(rule_text(detection, logsource=logsource))
    return explain(loaded.single[0], seen, loaded.logsources)


def fires(
    detection: str,
    fields: dict[str, Any],
    *,
    logsource: str = "{}",
    seen_as: LogSource = LogSource(),
    **given: Any,
) -> bool:
    """Whether the rule matches, by the index and by the walk, which have to agree."""
    loaded = rules(rule_text(detection, logsource=logsource))
    seen = event(fields, logsource=seen_as, **given)
    matched = bool(Detector(loaded).match([seen]))
    assert explain(loaded.single[0], seen, loaded.logsources).matched is matched
    return matched
