"""Finds the plan for an event by its logsource and the fields that tell its class, as EventID."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from cgii.base import limits
from cgii.detect.checks import Atom, View, compile_check
from cgii.detect.expressions import AllOf, simplify
from cgii.detect.fields import Fields, Place
from cgii.detect.logsources import Alternative, LogSources
from cgii.detect.nodes import Item, Node, items
from cgii.detect.plans import Plan, PlannedRule, build_plan
from cgii.detect.predicates import Kind, Predicate
from cgii.detect.screens import ValueMemory
from cgii.model.event import LogSource

Signature = tuple[frozenset[int], ...]


class ClassField:
    """One field that tells the class of an event: which of the predicates asked of it hold."""

    def __init__(self, name: str, predicates: Sequence[Predicate]) -> None:
        self.place = Place((name,))
        self.predicates = predicates
        atoms = [Atom(0, predicate) for predicate in predicates]
        even = [0.5] * len(atoms)
        self._checks = [
            compile_check(AllOf(frozenset((number,))), atoms, even) for number in range(len(atoms))
        ]
        self._seen: dict[Any, frozenset[int]] = {}

    def holding(self, fields: Fields, ecs: Fields) -> frozenset[int]:
        """The numbers of the predicates that hold."""
        value = self.place.find(fields, ecs)
        try:
            found = self._seen.get((value, type(value)))
        except TypeError:  # a list
            return self._asked(fields, ecs)
        if found is None:
            if len(self._seen) >= limits.PLANS_MAX:
                self._seen.clear()
            found = self._seen[value, type(value)] = self._asked(fields, ecs)
        return found

    def _asked(self, fields: Fields, ecs: Fields) -> frozenset[int]:
        view = View([self.place], fields, ecs, list)
        return frozenset(number for number, check in enumerate(self._checks) if check(view))


class Route:
    """All rules that events of one logsource may meet, and their plans by class."""

    def __init__(
        self,
        ways: Sequence[tuple[list[Alternative], list[int]]],
        nodes: Sequence[Node],
        memory: ValueMemory,
    ) -> None:
        self._ways = ways
        self._nodes = nodes
        self._memory = memory
        names: set[str] = set()
        for alternatives, _ in ways:
            for alternative in alternatives:
                if alternative.when is not None:
                    names.update(item.field for item in items(alternative.when))
        self.names = tuple(sorted(names))  # of the fields that tell the class
        asked = self._asked_of(names)
        self._fields = [ClassField(name, asked[name]) for name in self.names]
        self._plans: dict[Signature, Plan] = {}
        self._by_values: dict[Any, Plan] = {}

    def _asked_of(self, names: set[str]) -> dict[str, list[Predicate]]:
        found: dict[str, dict[Predicate, None]] = defaultdict(dict)
        for alternatives, rules in self._ways:
            trees = [alt.when for alt in alternatives if alt.when is not None]
            trees += [self._nodes[number] for number in rules]
            for tree in trees:
                for item in items(tree):
                    if item.field in names and item.predicate.kind is not Kind.REFERENCE:
                        found[item.field][item.predicate] = None
        return {name: list(predicates) for name, predicates in found.items()}

    def plan(self, fields: Fields, ecs: Fields) -> Plan:
        """The plan for an event with these fields."""
        values = tuple(map(fields.get, self.names))
        try:  # 1 and true are equal, but not the same to a rule
            return self._by_values[values, *map(type, values)]
        except (KeyError, TypeError):
            return self._find(fields, ecs, values)

    def samples(self) -> Iterator[list[Fields]]:
        """What is known of the events of each class, with the fields that tell the class."""
        for key, plan in list(self._by_values.items()):
            told = dict(zip(self.names, key[0], strict=True))
            yield [told | fields for fields in plan.sample()] or [told]

    def _find(self, fields: Fields, ecs: Fields, values: tuple[Any, ...]) -> Plan:
        signature = tuple(field.holding(fields, ecs) for field in self._fields)
        plan = self._plans.get(signature)
        if plan is None:
            if len(self._plans) >= limits.PLANS_MAX:
                self._plans.clear()
                self._by_values.clear()
            plan = self._plans[signature] = self._build(signature)
        # A field that is not there at its own name may be elsewhere in the event.
        if None not in values and all(type(value) in (str, int, bool) for value in values):
            if len(self._by_values) >= limits.PLANS_MAX:
                self._by_values.clear()
            self._by_values[values, *map(type, values)] = plan
        return plan

    def _build(self, signature: Signature) -> Plan:
        known: dict[tuple[str, Predicate], bool] = {}
        for field, holding in zip(self._fields, signature, strict=True):
            for number, predicate in enumerate(field.predicates):
                known[field.place.name, predicate] = number in holding
        rules: list[PlannedRule] = []
        for alternatives, numbers in self._ways:
            holding_ways = [alt for alt in alternatives if _holds(alt, known)]
            if holding_ways:
                renames = merge_renames(holding_ways)
                rules += [PlannedRule(n, self._nodes[n], renames) for n in numbers]
        rules.sort(key=lambda rule: rule.number)
        return build_plan(rules, known, self._memory)


def _holds(alternative: Alternative, known: Mapping[tuple[str, Predicate], bool]) -> bool:
    def value(item: Item) -> bool:
        return known[item.field, item.predicate]

    return alternative.when is None or simplify(alternative.when, value) is True


def merge_renames(alternatives: Sequence[Alternative]) -> dict[str, tuple[str, ...]]:
    """Where the fields are when an event is several kinds of event at once."""
    merged: dict[str, tuple[str, ...]] = {}
    for alternative in alternatives:
        for name, found in alternative.fields.items():
            merged[name] = tuple(dict.fromkeys((*merged.get(name, ()), *found)))
    return merged


class Router:
    """Holds a route for every logsource that has been seen."""

    def __init__(
        self, nodes: Sequence[Node], sources: Sequence[LogSource], table: LogSources
    ) -> None:
        self._nodes = nodes
        self._table = table
        self._memory = ValueMemory()
        self._by_source: dict[LogSource, list[int]] = defaultdict(list)
        for number, source in enumerate(sources):
            self._by_source[source].append(number)
        self._routes: dict[tuple[str, str, str], Route] = {}

    def route(self, source: LogSource) -> Route:
        """The route for events of this logsource."""
        key = (source.product, source.category, source.service)
        route = self._routes.get(key)
        if route is None:
            if len(self._routes) >= limits.PLANS_MAX:
                self._routes.clear()
            route = self._routes[key] = self._open(source)
        return route

    def _open(self, source: LogSource) -> Route:
        event = lowered(source)
        ways: list[tuple[list[Alternative], list[int]]] = []
        for rule_source, numbers in self._by_source.items():
            alternatives = self._table.alternatives(rule_source, event)
            if alternatives:
                ways.append((alternatives, numbers))
        return Route(ways, self._nodes, self._memory)

    def rehearse(self, other: "Router") -> None:
        """Make a plan for every class that the other has met, and learn from the same events."""
        for key, route in list(other._routes.items()):
            for sample in route.samples():
                plan = self.route(LogSource(*key)).plan(sample[0], {})
                plan.learn_from(sample)


def lowered(source: LogSource) -> LogSource:
    """The logsource in lower case, as the table and the rules have it."""
    return LogSource(source.product.lower(), source.category.lower(), source.service.lower())
