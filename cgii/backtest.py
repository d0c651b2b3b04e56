"""What a rule would have found in the stored events: the store narrows, our matcher confirms."""

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from time import perf_counter
from typing import Any

from cgii.base import clock, limits
from cgii.base.errors import Invalid, NotFound, Unavailable
from cgii.centre import Centre
from cgii.collect.produced import produced_by
from cgii.detect.alerts import Match, single_alert
from cgii.detect.detector import Detector
from cgii.detect.narrow import narrowing
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet, read_placeholders
from cgii.detect.windows import Window, WindowKey
from cgii.detect.written import read_written
from cgii.model.event import Alert, Event
from cgii.store.event_slices import slices
from cgii.store.events import EventQuery

Progress = Callable[[int, str], bool]  # percent, text → whether to stop
Rule = SingleRule | CorrelationRule

MILLISECOND = timedelta(milliseconds=1)
SAMPLES = 20
GROUPS_SHOWN = 50


@dataclass(frozen=True)
class KeyCount:
    """How often the rule was true for one key, first and last."""

    key: tuple[tuple[str, str], ...]
    count: int
    first: datetime
    last: datetime


@dataclass(frozen=True)
class Sample:
    """One finding: the event that completed it, when, and in words."""

    event_id: str
    at: datetime
    key: tuple[tuple[str, str], ...]
    summary: str


@dataclass(frozen=True)
class Backtest:
    """What came of it. Tuning is left out: this is what the rule itself says."""

    rule_id: str
    title: str
    level: str
    kind: str  # "sigma" or "correlation"
    start: datetime
    end: datetime
    until: datetime  # how far it came: `end`, unless it was stopped or took too long
    is_whole: bool
    query: str  # what the store was asked; empty means every event
    events: int  # that were looked at
    matches: int  # events of which the rule, or one that it counts, is true
    alerts: int  # what the centre would have told
    days: tuple[tuple[str, int], ...]  # day in La Paz → alerts; days without any are there too
    groups: tuple[KeyCount, ...]  # the most frequent keys
    groups_total: int
    samples: tuple[Sample, ...]  # the first ones
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The same as JSON values."""
        data = asdict(self)
        data["days"] = [{"day": day, "alerts": count} for day, count in self.days]
        for one in (*data["groups"], *data["samples"]):
            one["key"] = dict(one["key"])
        return {key: _plain(value) for key, value in data.items()}


def _plain(value: Any) -> Any:  # JSON values
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def rules_for(centre: Centre, rule_id: str) -> RuleSet:
    """The rule in force of that id or name with all that it counts. Raises NotFound."""
    centre.reload_rules()  # who asks has perhaps just saved it, in another process
    rules = centre.content.rules
    found = rules.by_id.get(rule_id) or next(
        (rule for rule in rules.all if rule_id in (rule.name, rule.title)), None
    )
    if found is None:
        raise NotFound("No hay una regla «{wanted}» que se pueda usar.", wanted=rule_id)
    return company_of(rules, found.id)


def rules_in_text(centre: Centre, text: str) -> tuple[RuleSet, str]:
    """The rule of a text that is not saved, with what it counts, and its id. Raises Invalid."""
    centre.reload_rules()  # as above
    rules = centre.content.rules
    own_id = _id_in(text, rules)
    placeholders = read_placeholders(centre.settings.site)
    written = read_written(text, rules, placeholders=placeholders, own_id=own_id)
    if written.rule is None:
        reasons = "; ".join(str(problem) for problem in written.problems[:3])
        raise Invalid("La regla no se puede usar: {reasons}.", reasons=reasons)
    return company_of(written.rules, written.rule.id), written.rule.id


def _id_in(text: str, rules: RuleSet) -> str:
    """The id in the text if a rule in force has it: then this is a change of that rule."""
    for line in text.splitlines():
        if line.startswith("id:"):
            found = line[3:].strip().strip("'\"")
            return found if found in rules.by_id else ""
    return ""


def company_of(rules: RuleSet, rule_id: str) -> RuleSet:
    """One rule and all that it counts, as a set of their own."""
    by_id = rules.by_id
    kept = {rule_id}
    waiting = [rule_id]
    while waiting:
        rule = by_id.get(waiting.pop())
        counted = set(rule.rule_ids) if isinstance(rule, CorrelationRule) else set()
        waiting += counted - kept
        kept |= counted
    return replace(
        rules,
        single=tuple(rule for rule in rules.single if rule.id in kept),
        correlations=tuple(rule for rule in rules.correlations if rule.id in kept),
        rejected=(),
    )


def backtest(
    centre: Centre,
    rules: RuleSet,
    *,
    start: datetime,
    end: datetime,
    progress: Progress = lambda percent, text: False,
    rule_id: str = "",
    entity_ids: frozenset[int] | None = None,
    query: str | None = None,
) -> Backtest:
    """What one rule would have found in the events from `start` on, before `end`.

    `rules` are the rule and what it counts; `rule_id` names it when there are several. The search
    that narrows is made from the rules unless `query` gives another one.
    """
    if start >= end:
        raise Invalid("El intervalo está vacío: la fecha inicial no es anterior a la final.")
    rule = _asked(rules, rule_id)
    run = _Run(rule, Detector(rules))
    text = _narrowed(centre, rules, start, end) if query is None else query
    started = perf_counter()
    until, is_whole = start, True
    asked = EventQuery(text, start=start, end=end, entity_ids=entity_ids)
    for events, until in slices(centre.events, asked):
        run.take([event for event in events if start <= event.at < end])
        percent = int(100 * ((until - start) / (end - start)))
        said = f"{run.events} eventos, {run.alerts} alertas"
        if until < end and (
            progress(min(percent, 99), said)
            or perf_counter() - started > limits.BACKTEST_SECONDS_MAX
        ):
            is_whole = False
            break
    run.finish()
    return Backtest(
        rule_id=rule.id,
        title=rule.title,
        level=rule.level,
        kind="correlation" if isinstance(rule, CorrelationRule) else "sigma",
        start=start,
        end=end,
        until=until,
        is_whole=is_whole,
        query=text,
        events=run.events,
        matches=run.matches,
        alerts=run.alerts,
        days=_days(run.days(), start, until),
        groups=run.groups(),
        groups_total=run.groups_total(),
        samples=run.samples(),
        seconds=round(perf_counter() - started, 3),
    )


def _narrowed(centre: Centre, rules: RuleSet, start: datetime, end: datetime) -> str:
    produced = {one.name: produced_by(one) for one in centre.definitions.by_name.values()}
    try:
        stored = centre.events.top_values(
            EventQuery(start=start, end=end), "source", limits.BACKTEST_SOURCES_MAX
        )
    except Unavailable:
        return ""
    if len(stored) >= limits.BACKTEST_SOURCES_MAX:
        return ""
    return narrowing(rules, produced, [one.value for one in stored])


def _asked(rules: RuleSet, rule_id: str) -> Rule:
    if rule_id:
        return rules.by_id[rule_id]
    # The outermost one is what was asked for: nothing in the set counts it.
    counted = {one for rule in rules.correlations for one in rule.rule_ids}
    outer = [rule for rule in rules.all if rule.id not in counted]
    if len(outer) != 1:
        raise Invalid("Elija una sola regla.")
    return outer[0]


@dataclass
class _Run:
    """One rule over events in order of time; what it found is kept within limits."""

    rule: Rule
    detector: Detector
    events: int = 0
    matches: int = 0
    windows: dict[WindowKey, Window] = field(default_factory=dict)
    _newest: datetime | None = None
    _single_days: Counter[str] = field(default_factory=Counter)
    _single_count: int = 0
    _keys: dict[tuple[tuple[str, str], ...], KeyCount] = field(default_factory=dict)
    _samples: list[Sample] = field(default_factory=list)
    _alerts: dict[str, Alert] = field(default_factory=dict)  # of a correlation, by id

    @property
    def alerts(self) -> int:
        """How many there are so far."""
        return self._single_count + len(self._alerts)

    def take(self, events: list[Event]) -> None:
        """Examine some more events."""
        self.events += len(events)
        if not events:
            return
        self._newest = max(self._newest or events[0].at, max(event.at for event in events))
        matches = self.detector.match(events)
        self.matches += len({match.event.id for match in matches})
        if isinstance(self.rule, SingleRule):
            for match in matches:
                self._tell(match)
            return
        self._follow(matches)

    def _tell(self, match: Match) -> None:
        if match.rule.id != self.rule.id:
            return
        alert = single_alert(match)
        self._single_count += 1
        self._single_days[_day(alert.at)] += 1
        self._count(alert.key, alert.at)
        if len(self._samples) < SAMPLES:
            self._samples.append(_sample(alert))

    def _follow(self, matches: list[Match]) -> None:
        examined = self.detector.follow(matches, self.windows)
        self._keep(examined.alerts, examined.withdrawn)

    def _keep(self, alerts: tuple[Alert, ...], withdrawn: frozenset[str]) -> None:
        for gone in withdrawn:
            self._alerts.pop(gone, None)
        for alert in alerts:
            known = alert.id in self._alerts
            if alert.rule_id == self.rule.id and (
                known or len(self._alerts) < limits.BACKTEST_ALERTS_MAX
            ):
                self._alerts[alert.id] = alert

    def finish(self) -> None:
        """Nothing more comes."""
        if self._newest is not None and isinstance(self.rule, CorrelationRule):
            examined = self.detector.finish(self.windows, self._newest)
            self._keep(examined.alerts, examined.withdrawn)
        for alert in sorted(self._alerts.values(), key=lambda one: (one.at, one.id)):
            self._count(alert.key, alert.at)
            if len(self._samples) < SAMPLES:
                self._samples.append(_sample(alert))

    def _count(self, key: tuple[tuple[str, str], ...], at: datetime) -> None:
        before = self._keys.get(key)
        if before is not None:
            first, last = min(before.first, at), max(before.last, at)
            self._keys[key] = KeyCount(key, before.count + 1, first, last)
        elif len(self._keys) < limits.BACKTEST_KEYS_MAX:
            self._keys[key] = KeyCount(key, 1, at, at)

    def days(self) -> Counter[str]:
        """Alerts by day."""
        return self._single_days + Counter(_day(alert.at) for alert in self._alerts.values())

    def groups(self) -> tuple[KeyCount, ...]:
        """The most frequent keys."""
        ordered = sorted(self._keys.values(), key=lambda one: (-one.count, one.first, one.key))
        return tuple(ordered[:GROUPS_SHOWN])

    def groups_total(self) -> int:
        """How many keys there are; at the limit a lower bound."""
        return len(self._keys)

    def samples(self) -> tuple[Sample, ...]:
        """The first findings."""
        return tuple(self._samples)


def _sample(alert: Alert) -> Sample:
    last = alert.event_ids[-1] if alert.event_ids else ""
    return Sample(last, alert.at, alert.key, alert.summary)


def _day(moment: datetime) -> str:
    return clock.local(moment).date().isoformat()


def _days(found: Counter[str], start: datetime, until: datetime) -> tuple[tuple[str, int], ...]:
    """Every day of the interval, or only those with alerts when it is very long."""
    first = clock.local(start).date()
    length = (clock.local(max(start, until - MILLISECOND)).date() - first).days + 1
    if length > limits.BACKTEST_DAYS_SHOWN:
        return tuple(sorted(found.items()))
    days = ((first + timedelta(days=n)).isoformat() for n in range(length))
    return tuple((day, found[day]) for day in days)
