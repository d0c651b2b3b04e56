"""One plan per class of events: the rules it can match at all, who proposes them, their checks."""

from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import getitem
from threading import Lock
from typing import Any

from cgii.detect.checks import Atom, Check, View, compile_check
from cgii.detect.expressions import AllOf, Expression, atoms_of, simplify, within
from cgii.detect.fields import Fields, Place
from cgii.detect.keywords import Keywords
from cgii.detect.nodes import KEYWORD, Item, Node
from cgii.detect.predicates import Kind, Predicate
from cgii.detect.screens import Demand, Proposed, Screen, ValueMemory
from cgii.detect.values import MISSING
from cgii.detect.witnesses import LOOKUP_SECONDS, NEVER, Traffic, choose, guess, unmeasured

Spoken = Callable[[], list[str]]  # the texts in which keywords are sought

OBSERVE_EVERY = 16  # events of a class; one of so many is kept to learn from
PATIENCE_MAX = 1_000_000  # needless evaluations after which a plan learns in any case
LEARN_SAMPLE = 128  # of these at most, the newest
SCAN_SECONDS, SCAN_CHAR_SECONDS = 1e-6, 7e-9  # of a value that is new to a screen, measured
HASH_CHAR_SECONDS = 0.6e-9  # of a value that is looked up, measured


@dataclass(frozen=True, slots=True)
class PlannedRule:
    """A rule as a class of events sees it: its tree, and where this class keeps its fields."""

    number: int
    node: Node
    renames: Mapping[str, tuple[str, ...]]


class Candidate:
    """One rule in a plan: its number in the rule set and what must hold; None means always true."""

    __slots__ = ("_check", "expression", "number")

    def __init__(self, number: int, expression: Expression | None) -> None:
        self.number = number
        self.expression = expression
        self._check: Check | None = None

    def check(self, atoms: Sequence[Atom], likely: Sequence[float]) -> Check:
        """The function that says whether the rule is true; compiled when it is first asked for."""
        check = self._check  # another thread may let it be forgotten meanwhile
        if check is None:
            if self.expression is None:
                return lambda view: True
            check = self._check = compile_check(self.expression, atoms, likely)
        return check

    def forget(self) -> None:
        """Let the check be compiled anew: more is known of the traffic."""
        self._check = None


@dataclass(frozen=True, slots=True)
class Index:
    """Who proposes whom, for one choice of witnesses. Replaced as a whole when a plan learns."""

    names: tuple[str, ...]  # every name under which a place with witnesses may be found …
    screens: tuple[Screen, ...]  # … and its screen
    name_set: frozenset[str]
    walked: tuple[tuple[Place, Screen], ...]  # places with dotted names …
    heads: frozenset[str]  # … which can only lie inside a field of such a name
    keywords: Keywords | None
    always: Proposed  # candidates without a witness


class Plan:
    """What to do with every event of one class."""

    def __init__(
        self, places: Sequence[Place], atoms: Sequence[Atom], candidates: Sequence[Candidate],
        memory: ValueMemory,
    ) -> None:  # fmt: skip
        self.places = places
        self.atoms = atoms
        self.candidates = candidates
        self.memory = memory
        self._expressions = [c.expression for c in candidates if c.expression is not None]
        self._likely: Sequence[float] = ()
        self.index = self._indexed(unmeasured(atoms))
        self._names = tuple(place.name for place in places)
        every = {name for place in places for name in place.names}
        self.names = frozenset(every | {head for name in every for head in _heads(name)})
        self._sample: deque[tuple[Any, ...]] = deque(maxlen=LEARN_SAMPLE)
        self.due = OBSERVE_EVERY if self._expressions else 1 << 62  # events until one is kept
        self._debt = 0  # what the present choice of witnesses has cost, in evaluations
        self._patience = 200 + len(atoms)  # the first time soon, then for what it costs
        self._lock = Lock()

    @property
    def expensive(self) -> list[int]:
        """The numbers of the rules that have no witness and are evaluated on every event."""
        return [self.candidates[one].number for one in self.index.always]

    def matching(self, fields: Fields, ecs: Fields, spoken: Spoken) -> list[int]:
        """The numbers of the rules that match; `fields` has names without spaces."""
        index = self.index  # one for the whole event: a plan may learn at any moment
        proposed = self.proposed(index, fields, ecs)
        if index.keywords is not None:
            proposed += index.keywords.proposed(spoken())
        return self.evaluated(proposed, fields, ecs, spoken) if proposed else []

    def proposed(self, index: Index, fields: Fields, ecs: Fields) -> list[Proposed]:
        """The candidates that the event's fields propose; a superset of those that hold.

        What keywords propose comes from the keywords of the same index.
        """
        try:  # the whole event in native code; nearly all values have been seen before
            found = [*filter(None, map(getitem, index.screens, map(fields.get, index.names)))]
        except TypeError:  # a list or an object cannot be looked up
            pairs = zip(index.names, index.screens, strict=True)
            given = [screen.of_any(fields.get(name)) for name, screen in pairs]
            found = [*filter(None, given)]
        self.due -= 1
        if self.due < 0:
            self.observe(fields)
        if ecs and not index.name_set.isdisjoint(ecs):
            pairs = zip(index.names, index.screens, strict=True)
            found += [screen.of_any(ecs[name]) for name, screen in pairs if name in ecs]
        if index.heads and not (index.heads.isdisjoint(fields) and index.heads.isdisjoint(ecs)):
            found += [screen.of_any(place.find(fields, ecs)) for place, screen in index.walked]
        if index.always:
            found.append(index.always)
        return found

    def evaluated(
        self, proposed: Iterable[Proposed], fields: Fields, ecs: Fields, spoken: Spoken
    ) -> list[int]:
        """The numbers of those candidates that hold."""
        view = View(self.places, fields, ecs, spoken)
        asked = set().union(*proposed)
        chosen = [self.candidates[one] for one in sorted(asked)]
        holding = [one.number for one in chosen if one.check(self.atoms, self._likely)(view)]
        self._debt += len(asked) - len(holding)
        return holding

    def read_by(self, candidates: Iterable[int]) -> set[Place]:
        """The places at which these candidates look."""
        found: set[int] = set()
        for candidate in candidates:
            expression = self.candidates[candidate].expression
            for number in atoms_of(expression) if expression is not None else ():
                atom = self.atoms[number]
                found.update((atom.spot, atom.other) if atom.other >= 0 else (atom.spot,))
        return {self.places[spot] for spot in found}

    # --- learning from traffic -------------------------------------------------------------------

    def observe(self, fields: Fields) -> None:
        """Keep this event to learn from, and learn when it is time."""
        self.due = OBSERVE_EVERY
        self._sample.append(tuple(map(fields.get, self._names)))
        self._debt += 1  # what it costs to look up the fields
        # Many threads may match with one plan; one of them learns, the others go on.
        if self._debt > self._patience and self._lock.acquire(blocking=False):
            try:
                self.learn()
            finally:
                self._lock.release()

    def learn(self) -> None:
        """Choose the witnesses anew by what the sampled events were like."""
        if not self._sample:
            return
        self._debt = 0
        self._patience = min(8 * self._patience, PATIENCE_MAX)  # it helps less each time
        self.index = self._indexed(self._measured(list(self._sample)))

    def sample(self) -> list[dict[str, Any]]:
        """The sampled events, with the fields that this plan asks for."""
        return [dict(zip(self._names, values, strict=True)) for values in list(self._sample)]

    def learn_from(self, sample: Sequence[Fields]) -> None:
        """Choose the witnesses by these events, as if they had been sampled here."""
        if self._expressions and len(sample) > 1:
            self._sample.extend(tuple(map(fields.get, self._names)) for fields in sample)
            self.learn()

    def _measured(self, sample: Sequence[Sequence[Any]]) -> Traffic:
        likely = [guess(atom) for atom in self.atoms]
        seconds: dict[int, float] = {}
        count = len(sample)
        for spot, numbers in self._by_spot.items():
            if self.places[spot].name == KEYWORD:
                continue
            asked = [(self.atoms[n].predicate, n) for n in numbers if likely[n] < NEVER]
            screen = Screen(asked, ValueMemory())
            hits: dict[int, int] = defaultdict(int)
            texts = [values[spot] for values in sample if type(values[spot]) is str]
            for values in sample:
                for number in screen.of_any(values[spot]):
                    hits[number] += 1
            # A few values that come again and again say little about those that did not come.
            distinct = len(set(texts)) + 1
            for _, number in asked:
                share = hits[number] / count
                likely[number] = (share * distinct + likely[number]) / (distinct + 1)
            chars = sum(map(len, texts)) / count
            is_new = len(set(texts)) / count
            scan = SCAN_SECONDS + SCAN_CHAR_SECONDS * chars
            seconds[spot] = LOOKUP_SECONDS + HASH_CHAR_SECONDS * chars + is_new * scan
        return Traffic(likely, seconds)

    @cached_property
    def _by_spot(self) -> dict[int, set[int]]:
        """The atoms of each place that look at it alone."""
        found: dict[int, set[int]] = defaultdict(set)
        for number, atom in enumerate(self.atoms):
            if atom.other < 0:
                found[atom.spot].add(number)
        return found

    def _indexed(self, traffic: Traffic) -> Index:
        self._likely = traffic.likely
        for candidate in self.candidates:
            candidate.forget()
        chosen = iter(choose(self._expressions, self.atoms, traffic))
        always: list[int] = []
        asked: dict[int, list[tuple[Predicate | None, int]]] = defaultdict(list)
        demands: dict[int, dict[int, Demand]] = defaultdict(dict)
        for place, candidate in enumerate(self.candidates):
            if candidate.expression is None:
                always.append(place)
                continue
            found = next(chosen)
            if found is not None:
                for number in found:
                    atom = self.atoms[number]
                    asked[atom.spot].append((atom.predicate, place))
                spots = {self.atoms[number].spot for number in found}
            elif (spot := self._telling(candidate.expression)) is not None:
                asked[spot].append((None, place))
                spots = {spot}
            else:
                always.append(place)
                continue
            for spot in spots:
                if demand := self._demand(candidate.expression, spot):
                    demands[spot][place] = demand
        return self._index(asked, demands, tuple(always))

    def _telling(self, expression: Expression) -> int | None:
        """A place whose value alone can say that a rule without a witness is not true."""
        for spot, numbers in self._by_spot.items():
            if self.places[spot].name != KEYWORD and within(expression, numbers) is not None:
                return spot
        return None

    def _demand(self, expression: Expression, spot: int) -> Demand | None:
        """What a rule demands of the value at a place; None if nothing, or if a witness says it."""
        place = self.places[spot]
        if place.name == KEYWORD:
            return None
        demanded = within(expression, self._by_spot[spot])
        if demanded is None or (isinstance(demanded, AllOf) and len(demanded.atoms) == 1):
            return None
        return _Demand(demanded, self, spot)

    def _index(
        self,
        asked: Mapping[int, list[tuple[Predicate | None, int]]],
        demands: Mapping[int, Mapping[int, Demand]],
        always: Proposed,
    ) -> Index:
        slots: list[tuple[str, Screen]] = []
        walked: list[tuple[Place, Screen]] = []
        keywords = None
        for spot, questions in asked.items():
            place = self.places[spot]
            if place.name == KEYWORD:
                sought = [(one, number) for one, number in questions if one is not None]
                keywords = Keywords(sought, self.memory)
                continue
            screen = Screen(questions, self.memory, demands.get(spot))
            slots += [(name, screen) for name in place.names]
            if any("." in name for name in place.names):
                walked.append((place, screen))
        names = tuple(name for name, _ in slots)
        heads = {head for place, _ in walked for name in place.names for head in _heads(name)}
        return Index(
            names, tuple(screen for _, screen in slots), frozenset(names), tuple(walked),
            frozenset(heads), keywords, always,
        )  # fmt: skip


class _Demand:
    """What a rule demands of the value at one place; compiled when it is first asked."""

    __slots__ = ("_check", "_expression", "_plan", "_spot")

    def __init__(self, expression: Expression, plan: Plan, spot: int) -> None:
        self._expression = expression
        self._plan = plan
        self._spot = spot
        self._check: Check | None = None

    def __call__(self, value: Any) -> bool:
        plan = self._plan
        if self._check is None:
            self._check = compile_check(self._expression, plan.atoms, plan._likely)
        fields = {} if value is MISSING else {plan.places[self._spot].name: value}
        return self._check(View(plan.places, fields, {}, list))


def _heads(name: str) -> list[str]:
    """The names of fields in which a dotted name may lie: of `a.b.c` these are `a` and `a.b`."""
    parts = name.split(".")
    return [".".join(parts[:size]) for size in range(1, len(parts))]


class _Builder:
    """Numbers the atoms and places of one plan while its rules are simplified."""

    def __init__(self, fixed: frozenset[str], known: Mapping[tuple[str, Predicate], bool]) -> None:
        self.fixed = fixed  # names of the fields that tell the class
        self.known = known
        self.atoms: list[Atom] = []
        self.places: list[Place] = []
        self.spots: dict[tuple[str, ...], int] = {}
        self.renames: Mapping[str, tuple[str, ...]] = {}

    def leaf(self, item: Item) -> bool | int:
        """The atom of an item, or its value where the class of the event fixes it."""
        name, predicate = item.field, item.predicate
        if name in self.fixed and name not in self.renames:
            value = self.known.get((name, predicate))
            if value is not None:
                return value
        other = -1
        if predicate.kind is Kind.REFERENCE:
            other = self.spot(predicate.argument[0])
        self.atoms.append(Atom(self.spot(name), predicate, other))
        return len(self.atoms) - 1

    def spot(self, name: str) -> int:
        """The number of the place where this class keeps a field."""
        names = (name, *self.renames.get(name, ()))
        found = self.spots.get(names)
        if found is None:
            found = self.spots[names] = len(self.places)
            self.places.append(Place(names))
        return found


def build_plan(
    rules: Iterable[PlannedRule],
    known: Mapping[tuple[str, Predicate], bool],
    memory: ValueMemory,
) -> Plan:
    """The plan for a class of events in which the values of `known` are fixed."""
    builder = _Builder(frozenset(name for name, _ in known), known)
    candidates: list[Candidate] = []
    for rule in rules:
        builder.renames = rule.renames
        expression = simplify(rule.node, builder.leaf)
        if expression is not False:
            candidates.append(Candidate(rule.number, None if expression is True else expression))
    return Plan(builder.places, builder.atoms, candidates, memory)
