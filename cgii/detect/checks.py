"""The exact meaning of a rule in one plan: its tree as functions over what one event says."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

import ahocorasick_rs

from cgii.detect.expressions import AllOf, Expression, NotOf
from cgii.detect.fields import Fields, Place
from cgii.detect.nodes import KEYWORD
from cgii.detect.predicates import TEXT_KINDS, Kind, Predicate, compare_texts, tester
from cgii.detect.values import MISSING, elements, fold, text_of

AUTOMATON_MIN = 40  # fewer texts are sought faster one by one


class View:
    """One event as the checks of one plan see it; each field is looked up and folded once."""

    __slots__ = ("_ecs", "_fields", "_folded", "_places", "_spoken", "_texts")

    def __init__(
        self, places: Sequence[Place], fields: Fields, ecs: Fields, spoken: Callable[[], list[str]]
    ) -> None:
        self._places = places
        self._fields = fields  # names without spaces
        self._ecs = ecs
        self._spoken = spoken  # gives the texts in which keywords are sought
        self._texts: dict[int, list[str]] = {}
        self._folded: dict[int, list[str]] = {}

    def value(self, spot: int) -> Any:
        """The value at one of the plan's places; MISSING is one."""
        return self._places[spot].find(self._fields, self._ecs)

    def texts(self, spot: int) -> list[str]:
        """The texts at a place; where keywords are sought, all that the event says."""
        found = self._texts.get(spot)
        if found is None:
            found = self._texts[spot] = self._read(spot)
        return found

    def _read(self, spot: int) -> list[str]:
        if self._places[spot].name == KEYWORD:
            return self._spoken()
        value = self.value(spot)
        if type(value) is str:
            return [value]
        if value is MISSING:
            return []
        return [text for text in map(text_of, elements(value)) if text is not None]

    def folded(self, spot: int) -> list[str]:
        """The same without regard to case."""
        found = self._folded.get(spot)
        if found is None:
            found = self._folded[spot] = [fold(text) for text in self.texts(spot)]
        return found


Check = Callable[[View], bool]


@dataclass(frozen=True, slots=True)
class Atom:
    """A predicate on one of a plan's places; `other` is where a reference looks, else -1."""

    spot: int
    predicate: Predicate
    other: int = -1


def compile_check(expression: Expression, atoms: Sequence[Atom], likely: Sequence[float]) -> Check:
    """The function that says whether the expression over these atoms is true of an event.

    `likely` says of each atom how often it is true; what is false most often is asked first.
    """
    return _compiled(expression, atoms, likely)[1]


Rated = tuple[float, Check]  # how often it is true, at a guess


def _compiled(expression: Expression, atoms: Sequence[Atom], likely: Sequence[float]) -> Rated:
    if isinstance(expression, NotOf):
        rate, part = _compiled(expression.part, atoms, likely)
        return 1 - rate, lambda view: not part(view)
    parts = [_compiled(each, atoms, likely) for each in expression.parts]
    own = sorted(expression.atoms)
    if isinstance(expression, AllOf):
        parts += [(min(likely[number], 1.0), _check(atoms[number])) for number in own]
        parts.sort(key=itemgetter(0))
        return parts[0][0], _all([check for _, check in parts])
    rate = sum(likely[number] for number in own) + sum(rate for rate, _ in parts)
    checks = _grouped([atoms[number] for number in own])
    return min(rate, 1.0), _any([*checks, *(check for _, check in parts)])


def _all(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check(view: View) -> bool:
        for one in checks:  # noqa: SIM110 - a generator costs more than the checks themselves
            if not one(view):
                return False
        return True

    return check


def _any(checks: Sequence[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]

    def check(view: View) -> bool:
        for one in checks:  # noqa: SIM110 - as above
            if one(view):
                return True
        return False

    return check


def _check(atom: Atom) -> Check:
    spot, kind = atom.spot, atom.predicate.kind
    if kind is Kind.KEY:
        return lambda view: view.value(spot) is not MISSING
    if kind is Kind.NULL:
        return lambda view: _is_null(view.value(spot))
    if kind is Kind.ANY:
        return lambda view: _is_there(view.value(spot))
    if kind is Kind.REFERENCE:
        return _reference(atom)
    if kind in TEXT_KINDS and not atom.predicate.cased:
        return _any_text(spot, [atom.predicate])
    test = tester(atom.predicate)
    return lambda view: any(map(test, view.texts(spot)))


def _is_null(value: Any) -> bool:
    if value is MISSING or value is None:
        return True
    members = elements(value)
    return not members or None in members


def _is_there(value: Any) -> bool:
    return value is not MISSING and any(member is not None for member in elements(value))


def _reference(atom: Atom) -> Check:
    spot, other, side = atom.spot, atom.other, atom.predicate.argument[1]
    read = View.texts if atom.predicate.cased else View.folded

    def check(view: View) -> bool:
        theirs = read(view, other)
        return any(compare_texts(side, mine, one) for mine in read(view, spot) for one in theirs)

    return check


def _grouped(atoms: Iterable[Atom]) -> list[Check]:
    """One check for all texts that one place may have, others as they are."""
    texts: dict[int, list[Predicate]] = {}
    checks: list[Check] = []
    for atom in atoms:
        if atom.predicate.kind in TEXT_KINDS and not atom.predicate.cased:
            texts.setdefault(atom.spot, []).append(atom.predicate)
        else:
            checks.append(_check(atom))
    return [_any_text(spot, predicates) for spot, predicates in texts.items()] + checks


def _any_text(spot: int, predicates: Sequence[Predicate]) -> Check:
    sides: dict[Kind, list[str]] = {kind: [] for kind in TEXT_KINDS}
    for predicate in predicates:
        sides[predicate.kind].append(predicate.argument)
    exact = frozenset(sides[Kind.EXACT])
    starts, ends = tuple(sides[Kind.STARTS]), tuple(sides[Kind.ENDS])
    occurs = _occurrence(sides[Kind.CONTAINS])
    tests: list[Callable[[str], bool]] = []
    if exact:
        tests.append(exact.__contains__)
    if starts:
        tests.append(lambda text: text.startswith(starts))
    if ends:
        tests.append(lambda text: text.endswith(ends))
    if sides[Kind.CONTAINS]:
        tests.append(occurs)
    if len(tests) == 1:
        (only,) = tests
        return lambda view: any(map(only, view.folded(spot)))

    def check(view: View) -> bool:
        for text in view.folded(spot):
            if text in exact or text.startswith(starts) or text.endswith(ends) or occurs(text):
                return True
        return False

    return check


def _occurrence(wanted: Sequence[str]) -> Callable[[str], bool]:
    if len(wanted) == 1:
        (only,) = wanted
        return lambda text: only in text
    if len(wanted) < AUTOMATON_MIN or "" in wanted:
        return lambda text: any(one in text for one in wanted)
    automaton = ahocorasick_rs.AhoCorasick(wanted)

    def occurs(text: str) -> bool:
        try:
            return bool(automaton.find_matches_as_indexes(text))
        except UnicodeEncodeError:  # half of a surrogate pair, as broken JSON may hold
            return any(one in text for one in wanted)

    return occurs
