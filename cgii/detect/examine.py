"""Which alerts matches lead to: correlation windows travel through here as values."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from cgii.base import counters, limits
from cgii.detect.advance import advance, decide
from cgii.detect.alerts import Match, single_alert
from cgii.detect.correlation_alerts import correlation_alert, episode_alert_id
from cgii.detect.gather import Gathered, Gatherer
from cgii.detect.hits import Hit, micros
from cgii.detect.rules import CorrelationRule
from cgii.detect.ruleset import RuleSet
from cgii.detect.windows import MOVED, Step, Window, WindowKey
from cgii.model.event import Alert

Until = Callable[[CorrelationRule], int]  # up to when a rule's windows are to be decided


@dataclass(frozen=True)
class Losses:
    """What correlations could not take into account, by rule id."""

    late: Counter[str] = field(default_factory=Counter)  # events that came too late
    evicted: Counter[str] = field(default_factory=Counter)  # events thrown out at a limit
    missing: Counter[str] = field(default_factory=Counter)  # events without a group-by field


@dataclass(frozen=True)
class Examined:
    """What a batch led to.

    `alerts` are to be written by id: a correlation's alert comes again with new figures while its
    episode lasts; `opened` are the ids of those that were not told before. `withdrawn` are ids
    that an event that came late has moved to an earlier alert of the same key: what was written
    under them no longer holds. `windows` are those that changed.
    """

    alerts: tuple[Alert, ...] = ()
    windows: dict[WindowKey, Window] = field(default_factory=dict)
    withdrawn: frozenset[str] = field(default=frozenset())
    opened: frozenset[str] = field(default=frozenset())
    losses: Losses = field(default_factory=Losses)


@dataclass(slots=True)
class _Arrivals:
    """What comes to a window: events, and names of results that were taken back."""

    hits: list[Hit] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)


class _Round:
    """One examination: what is under way from inner correlations to outer ones."""

    def __init__(self) -> None:
        self.waiting: dict[int, dict[WindowKey, _Arrivals]] = defaultdict(dict)
        self.alerts: list[Alert] = []
        self.changed: dict[WindowKey, Window] = {}
        self.withdrawn: set[str] = set()
        self.opened: set[str] = set()
        self.losses = Losses()

    def examined(self) -> Examined:
        """What came of it."""
        for rule_id, count in self.losses.late.items():
            counters.EVENTS_LATE.labels(rule=rule_id).inc(count)
        for rule_id, count in self.losses.evicted.items():
            counters.WINDOWS_EVICTED.labels(rule=rule_id).inc(count)
        for rule_id, count in self.losses.missing.items():
            counters.CORRELATION_KEYS_MISSING.labels(rule=rule_id).inc(count)
        return Examined(
            tuple(self.alerts),
            self.changed,
            frozenset(self.withdrawn),
            frozenset(self.opened),
            self.losses,
        )


class Examiner:
    """Turns matches into alerts; keeps nothing between calls but what the rules say."""

    def __init__(self, rules: RuleSet) -> None:
        self._silent = rules.silent
        self._rules = {rule.id: rule for rule in rules.correlations}
        self._gatherer = Gatherer(rules.correlations)
        self._counted = {i for rule in rules.correlations for i in rule.rule_ids} & set(self._rules)
        self._is_waited_for = any(self._rules[i].terms.is_ending for i in self._counted)
        # How long after its end a window is decided by the clock, by id and version of its rule.
        self.waits = {
            (rule.id, rule.version): rule.terms.tolerance_seconds
            for rule in rules.correlations
            if rule.terms.is_ending
        }
        grace = limits.WINDOW_GRACE_SECONDS
        self.keep_seconds = {
            rule.id: rule.terms.timespan_seconds + rule.terms.tolerance_seconds + grace
            for rule in rules.correlations
        }

    def gather(self, matches: Iterable[Match]) -> Gathered:
        """What the matches bring to which windows."""
        return self._gatherer.gather(matches)

    def keys_of(self, gathered: Gathered) -> set[WindowKey]:
        """The windows needed for it, those of correlations over correlations too."""
        return self.with_outer(gathered.hits)

    def with_outer(self, keys: Iterable[WindowKey]) -> set[WindowKey]:
        """The windows, and all those that their results may go to."""
        found = set(keys)
        waiting = [key for key in found if key.rule_id in self._counted]
        while waiting:
            key = waiting.pop()
            for outer in self._gatherer.outer_keys(self._rules[key.rule_id], key):
                if outer not in found:
                    found.add(outer)
                    if outer.rule_id in self._counted:
                        waiting.append(outer)
        return found

    def examine(
        self,
        matches: Sequence[Match],
        windows: Mapping[WindowKey, Window],
        gathered: Gathered | None = None,
    ) -> Examined:
        """The alerts of these matches. `windows` are used up: take `Examined.windows` instead."""
        gathered = gathered or self.gather(matches)
        run = _Round()
        run.alerts += [single_alert(m) for m in matches if m.rule.id not in self._silent]
        run.opened.update(alert.id for alert in run.alerts)
        run.losses.missing.update(gathered.missing)
        for key, hits in gathered.hits.items():
            run.waiting[self._rules[key.rule_id].depth][key] = _Arrivals(hits)
        self._advance(run, windows)
        return run.examined()

    def decide(
        self, keys: Iterable[WindowKey], windows: Mapping[WindowKey, Window], until: Until
    ) -> Examined:
        """Decide the windows of `keys` that end by then; `windows` has those that follow too."""
        run = _Round()
        for key in keys:
            rule = self._rules.get(key.rule_id)
            if rule is not None and rule.version == key.version:
                run.waiting[rule.depth].setdefault(key, _Arrivals())
        self._advance(run, windows, until)
        return run.examined()

    def follow(self, matches: Sequence[Match], windows: dict[WindowKey, Window]) -> Examined:
        """Examine with windows in memory; `windows` is brought up to date in place."""
        gathered = self.gather(matches)
        examined = self.examine(matches, windows, gathered)
        _keep(windows, examined)
        if self._is_waited_for and gathered.newest is not None:
            # What counts windows that only time ends must not wait for those keys to speak again.
            until = self.by_event_time(gathered.newest)
            decided = self.decide(self.due_keys(windows, until), windows, until)
            _keep(windows, decided)
            examined = _joined(examined, decided)
        bound(windows)
        return examined

    def finish(self, windows: dict[WindowKey, Window], at: datetime) -> Examined:
        """Decide all that ends by then, as nothing more is to come."""
        newest = micros(at)
        examined = Examined()
        for _ in range(limits.CORRELATION_DEPTH_MAX):  # one may end another that counts it
            keys = self.due_keys(windows, lambda rule: newest)
            if not keys:
                break
            decided = self.decide(keys, windows, lambda rule: newest)
            _keep(windows, decided)
            examined = _joined(examined, decided)
        return examined

    def due_keys(self, windows: Mapping[WindowKey, Window], until: Until) -> list[WindowKey]:
        """Those of the windows in which something ends by then."""
        if not self.waits:
            return []
        limit = {i: until(rule) for i, rule in self._rules.items() if rule.terms.is_ending}
        return [
            key
            for key, window in windows.items()
            if window.due is not None and window.due <= limit.get(key.rule_id, window.due - 1)
        ]

    def by_event_time(self, newest: datetime) -> Until:
        """Decide what the newest event of all says is past."""
        return lambda rule: micros(newest) - rule.terms.tolerance

    def _advance(
        self, run: _Round, windows: Mapping[WindowKey, Window], until: Until | None = None
    ) -> None:
        for depth in range(1, limits.CORRELATION_DEPTH_MAX + 1):
            here = run.waiting.get(depth, {})
            for key, arrivals in here.items():
                rule = self._rules[key.rule_id]
                window = run.changed.get(key) or windows.get(key) or Window()
                step = advance(window, arrivals.hits, rule.terms, gone=arrivals.gone)
                if step is not MOVED and (step.is_changed or step.late):
                    self._take(run, rule, key, step)
                is_changed = step.is_changed
                if until is not None and rule.terms.is_ending:
                    step = decide(window, rule.terms, until=until(rule))
                    self._take(run, rule, key, step)
                    is_changed = True
                if is_changed:
                    run.changed[key] = window

    def _take(self, run: _Round, rule: CorrelationRule, key: WindowKey, step: Step) -> None:
        if step.late:
            run.losses.late[rule.id] += step.late
        if step.evicted:
            run.losses.evicted[rule.id] += step.evicted
        is_silent, is_counted = rule.id in self._silent, rule.id in self._counted
        for episode in step.withdrawn:
            name = episode_alert_id(key, episode)
            if not is_silent:
                run.withdrawn.add(name)
            if is_counted:
                for outer, _ in self._gatherer.follow(rule, key, episode, name):
                    self._arrivals(run, outer).gone.add(name)
        for episode in step.changed:
            name = episode_alert_id(key, episode)
            if not is_silent:
                run.alerts.append(correlation_alert(rule, key, episode, alert_id=name))
                if episode in step.opened:
                    run.opened.add(name)
            if is_counted:
                for outer, hit in self._gatherer.follow(rule, key, episode, name):
                    self._arrivals(run, outer).hits.append(hit)

    def _arrivals(self, run: _Round, key: WindowKey) -> _Arrivals:
        waiting = run.waiting[self._rules[key.rule_id].depth]
        if key not in waiting:
            waiting[key] = _Arrivals()
        return waiting[key]


def _keep(windows: dict[WindowKey, Window], examined: Examined) -> None:
    for key, window in examined.windows.items():
        windows.pop(key, None)  # so that the order of the keys is that of their last change
        windows[key] = window


def _joined(one: Examined, other: Examined) -> Examined:
    if not other.windows:
        return one
    return Examined(
        (*one.alerts, *other.alerts),
        {**one.windows, **other.windows},
        one.withdrawn | other.withdrawn,
        one.opened | other.opened,
        Losses(
            one.losses.late + other.losses.late,
            one.losses.evicted + other.losses.evicted,
            one.losses.missing + other.losses.missing,
        ),
    )


def bound(windows: dict[WindowKey, Window]) -> None:
    """Drop the windows unchanged for longest, of correlations that have too many of them."""
    if len(windows) <= limits.WINDOW_KEYS_MAX:
        return
    of_rule: dict[str, list[WindowKey]] = defaultdict(list)
    for key in windows:
        of_rule[key.rule_id].append(key)
    for rule_id, keys in of_rule.items():
        surplus = keys[: max(0, len(keys) - limits.WINDOW_KEYS_MAX)]
        for key in surplus:
            counters.WINDOWS_EVICTED.labels(rule=rule_id).inc(max(1, len(windows.pop(key).hits)))
