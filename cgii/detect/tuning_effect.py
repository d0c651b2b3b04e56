"""What tuning does to matches and alerts: hides, lowers, or only counts what it would hide."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from cgii.detect.alerts import Match, single_alert, single_alert_id
from cgii.detect.explain import facts_of
from cgii.detect.logsources import LogSources
from cgii.detect.nodes import Node
from cgii.detect.values import fold
from cgii.model.event import Alert, Event

KINDS = ("suppress", "exclude", "level", "off")
ON_MATCHES = ("exclude", "off")  # before correlations count; the others act on alerts only


@dataclass(frozen=True)
class Held:
    """One row of tuning, ready to be asked."""

    id: int
    rule_id: str
    kind: str  # one of KINDS
    key: tuple[tuple[str, str], ...] = ()  # suppress: folded values, all must be the alert's
    node: Node | None = None  # exclude: what must be true for a match to stay
    level: str = ""
    until: datetime | None = None
    is_watching: bool = False

    def holds_at(self, now: datetime) -> bool:
        """Whether it has not expired."""
        return self.until is None or now < self.until

    def covers(self, key: Iterable[tuple[str, str]]) -> bool:
        """Whether an alert with this key is meant by a suppression."""
        return set(self.key) <= folded_key(key)


@dataclass(frozen=True)
class Hidden:
    """One alert (or match) that a row of tuning hid, changed, or would have."""

    tuning_id: int
    rule_id: str
    alert_id: str
    at: datetime
    event_id: str
    is_watching: bool


@dataclass(frozen=True)
class Sifted:
    """The matches that are left, and what became of the others."""

    matches: list[Match]
    hidden: tuple[Hidden, ...] = ()


@dataclass(frozen=True)
class Tempered:
    """The alerts that are left, with their levels as tuned, and what became of the others."""

    alerts: tuple[Alert, ...]
    hidden: tuple[Hidden, ...] = ()


@dataclass(frozen=True)
class Tuning:
    """All tuning in force or watching. `broken` are rows that cannot be read: they hide nothing."""

    by_rule: Mapping[str, tuple[Held, ...]] = field(default_factory=dict)
    broken: tuple[tuple[int, str], ...] = ()  # (row id, reason)
    revision: str = ""

    def sift(self, matches: Sequence[Match], table: LogSources, *, now: datetime) -> Sifted:
        """Take out the matches of rules that are off and those that are excluded."""
        if not self.by_rule:
            return Sifted(list(matches))
        kept: list[Match] = []
        hidden: list[Hidden] = []
        for match in matches:
            is_kept = True
            for held in self._rows(match.rule.id, now):
                if held.kind not in ON_MATCHES or not (is_kept or held.is_watching):
                    continue
                if held.kind == "exclude" and stays(held, match, table):
                    continue
                hidden.append(_hidden_match(held, match.rule.id, match.event))
                is_kept = is_kept and held.is_watching
            if is_kept:
                kept.append(match)
        return Sifted(kept, tuple(hidden))

    def temper(self, alerts: Iterable[Alert], *, now: datetime) -> Tempered:
        """Take out what is suppressed and give the others the levels that were set."""
        kept: list[Alert] = []
        hidden: list[Hidden] = []
        for alert in alerts:
            told: Alert | None = alert
            for held in self._rows(alert.rule_id, now):
                if told is None and not held.is_watching:
                    continue
                if not concerns(held, alert):
                    continue
                hidden.append(_hidden_alert(held, alert))
                if not held.is_watching and told is not None:
                    told = replace(told, level=held.level) if held.kind == "level" else None
            if told is not None:
                kept.append(told)
        return Tempered(tuple(kept), tuple(hidden))

    def on(self, match: Match, table: LogSources, *, now: datetime) -> list[Held]:
        """The rows that hide this match or its alert, change its level, or would."""
        sifted = self.sift([match], table, now=now)
        told = self.temper([single_alert(match)], now=now)
        asked = {one.tuning_id for one in (*sifted.hidden, *told.hidden)}
        return [held for held in self._rows(match.rule.id, now) if held.id in asked]

    def _rows(self, rule_id: str, now: datetime) -> list[Held]:
        return [held for held in self.by_rule.get(rule_id, ()) if held.holds_at(now)]


def stays(held: Held, match: Match, table: LogSources) -> bool:
    """Whether an exclusion lets the match pass."""
    return held.node is None or facts_of(match.rule, match.event, table).holds(held.node)


def concerns(held: Held, alert: Alert) -> bool:
    """Whether a row says something about this alert, as far as alerts go (not their events)."""
    if held.kind == "suppress":
        return held.covers(alert.key)
    if held.kind == "level":
        return held.level != alert.level
    # The matches of a single-event rule that is off were taken out before.
    return held.kind == "off" and alert.rule_kind != "sigma"


def folded_key(key: Iterable[Sequence[str]]) -> set[tuple[str, str]]:
    """The pairs of a key with values that compare without regard to case."""
    return {(name, fold(value)) for name, value in key}


def _hidden_match(held: Held, rule_id: str, event: Event) -> Hidden:
    alert_id = single_alert_id(rule_id, event.id)
    return Hidden(held.id, rule_id, alert_id, event.at, event.id, held.is_watching)


def _hidden_alert(held: Held, alert: Alert) -> Hidden:
    newest = alert.event_ids[-1] if alert.event_ids else ""
    return Hidden(held.id, alert.rule_id, alert.id, alert.at, newest, held.is_watching)
