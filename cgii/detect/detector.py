"""Events in, matches and alerts out; correlation windows travel through the detector as values."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial

from cgii.base import limits
from cgii.detect.alerts import Match
from cgii.detect.examine import Examined, Examiner
from cgii.detect.explain import Facts, Runs
from cgii.detect.fields import spoken_texts, without_spaces
from cgii.detect.logsources import Alternative
from cgii.detect.nodes import items
from cgii.detect.predicates import Kind
from cgii.detect.routes import Route, Router, lowered, merge_renames
from cgii.detect.ruleset import RuleSet
from cgii.detect.windows import Window, WindowKey
from cgii.model.event import Event, LogSource

__all__ = ["Detector", "Examined", "Match", "Window", "WindowKey"]


class Detector:
    """Matches events against one rule set; its only state is compiled plans and value caches."""

    def __init__(self, rules: RuleSet) -> None:
        self.rules = rules
        self.router = Router(
            [rule.node for rule in rules.single],
            [rule.logsource for rule in rules.single],
            rules.logsources,
        )
        self._silent = rules.silent
        self._ways: dict[tuple[LogSource, LogSource], list[Alternative]] = {}
        self._runs = Runs()
        self._read_by: dict[tuple[int, LogSource], set[str]] = {}
        self.examiner = Examiner(rules)

    def rehearse(self, other: "Detector") -> None:
        """Make the plans that the other detector uses, with what it knows of the traffic."""
        self.router.rehearse(other.router)

    def match(self, events: Sequence[Event]) -> list[Match]:
        """Which rules are true of which events, in the order of the events; keeps no state."""
        found: list[Match] = []
        source: LogSource | None = None
        route: Route | None = None
        for event in events:
            fields = without_spaces(event.fields)
            if route is None or event.logsource is not source:  # a batch has few
                source = event.logsource
                route = self.router.route(source)
            plan = route.plan(fields, event.ecs)
            for number in plan.matching(fields, event.ecs, partial(spoken_texts, event)):
                found.append(self.told(event, number))
        return found

    def told(self, event: Event, number: int) -> Match:
        """The match of an event with a rule that is known to be true of it."""
        rule = self.rules.single[number]
        if rule.id in self._silent:
            return Match(rule, event, ())  # only counted: nobody reads why
        ways = self._ways_of(rule.logsource, event.logsource)
        facts = Facts(event, runs=self._runs)
        holding = [way for way in ways if way.when is None or facts.holds(way.when)]
        if any(way.fields for way in holding):
            facts = Facts(event, merge_renames(holding), self._runs)
        return Match(rule, event, tuple(dict.fromkeys(facts.reasons(rule.node, ""))))

    def read_by(self, number: int, source: LogSource) -> set[str]:
        """All names at which the reasons for a rule may look in an event of this logsource."""
        known = self._read_by.get((number, source))
        if known is not None:
            return known
        rule = self.rules.single[number]
        found: set[str] = set()
        asked = list(items(rule.node))
        for way in self._ways_of(rule.logsource, source):
            found.update(*way.fields.values())
            asked += items(way.when) if way.when is not None else ()
        for item in asked:
            found.add(item.field)
            if item.predicate.kind is Kind.REFERENCE:
                found.add(item.predicate.argument[0])
        if len(self._read_by) >= limits.PLANS_MAX:
            self._read_by.clear()
        self._read_by[number, source] = found
        return found

    def _ways_of(self, wanted: LogSource, seen: LogSource) -> list[Alternative]:
        ways = self._ways.get((wanted, seen))
        if ways is None:
            if len(self._ways) >= limits.PLANS_MAX:
                self._ways.clear()
            ways = self.rules.logsources.alternatives(wanted, lowered(seen))
            self._ways[wanted, seen] = ways
        return ways

    def window_keys(self, matches: Iterable[Match]) -> set[WindowKey]:
        """The windows that `examine` needs for these matches."""
        return self.examiner.keys_of(self.examiner.gather(matches))

    def examine(self, matches: Sequence[Match], windows: Mapping[WindowKey, Window]) -> Examined:
        """The alerts of these matches; a missing window is empty, the given ones are used up."""
        return self.examiner.examine(matches, windows)

    def run(self, events: Sequence[Event], windows: dict[WindowKey, Window]) -> Examined:
        """Match and examine with windows in memory; `windows` is brought up to date in place."""
        return self.follow(self.match(events), windows)

    def follow(self, matches: Sequence[Match], windows: dict[WindowKey, Window]) -> Examined:
        """What `run` does once it has the matches."""
        return self.examiner.follow(matches, windows)

    def finish(self, windows: dict[WindowKey, Window], at: datetime) -> Examined:
        """What ends by `at`, once nothing more comes: the time of the newest event of any kind.

        Absence, silence and conditions such as `lt` wait for the end of their windows; after the
        last `run` or `follow` this tells those that time itself has decided.
        """
        return self.examiner.finish(windows, at)
