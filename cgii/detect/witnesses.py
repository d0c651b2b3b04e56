"""Chooses for each rule its witness: atoms of which one is true whenever the rule is.

What a choice costs is counted in seconds per event: how often the witness is true and the rule
is evaluated for it, and what it takes to look up the fields in which witnesses stand.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cgii.detect.checks import Atom
from cgii.detect.expressions import AnyOf, Expression, NotOf
from cgii.detect.literals import required_text
from cgii.detect.predicates import TEXT_KINDS, Kind

NEVER = float("inf")
EVALUATION_SECONDS = 4e-6  # of one rule that was proposed, measured
LOOKUP_SECONDS = 0.12e-6  # of one field's value in its screen, measured

# How likely an atom is true, as long as no traffic has been measured: its kind and its length.
LIKELY: Mapping[Kind, float] = {
    Kind.EXACT: 0.05, Kind.NUMBER: 0.05, Kind.STARTS: 0.1, Kind.ENDS: 0.1, Kind.CONTAINS: 0.1,
    Kind.GLOB: 0.1, Kind.REGEX: 0.4, Kind.CIDR: 0.2, Kind.COMPARE: 0.3, Kind.TIME: 0.3,
    Kind.ANY: 0.9, Kind.NULL: 0.5, Kind.REFERENCE: 0.9, Kind.KEY: NEVER,
}  # fmt: skip

Choice = tuple[float, frozenset[int]]
Chosen = list[frozenset[int] | None]  # per rule; None: no witness, so it is always evaluated


def guess(atom: Atom) -> float:
    """How likely the atom is true when nothing is known of the traffic."""
    kind, argument = atom.predicate.kind, atom.predicate.argument
    likely = LIKELY[kind]
    if kind in (Kind.REGEX, Kind.GLOB):
        likely *= 0.9 ** min(len(required_text(argument)), 40)
    elif kind in TEXT_KINDS:
        likely *= 0.9 ** min(len(argument), 40)
    return likely


def witness(expression: Expression, likely: Sequence[float]) -> Choice | None:
    """The witness that is true least often, and how often that is; None when there is none."""
    if isinstance(expression, NotOf):
        return None
    parts = [witness(part, likely) for part in expression.parts]
    if isinstance(expression, AnyOf):
        total, atoms = sum(likely[atom] for atom in expression.atoms), set(expression.atoms)
        for part in parts:
            if part is None:
                return None
            total += part[0]
            atoms |= part[1]
        return (total, frozenset(atoms)) if total < NEVER else None
    choices = [part for part in parts if part is not None]
    if expression.atoms:
        best = min(expression.atoms, key=likely.__getitem__)
        choices.append((likely[best], frozenset((best,))))
    found = min(choices, key=lambda choice: choice[0], default=None)
    return found if found is not None and found[0] < NEVER else None


@dataclass(frozen=True)
class Traffic:
    """What is known of a class of events: how often atoms are true, what a field costs to read."""

    likely: Sequence[float]  # per atom
    seconds: Mapping[int, float]  # per place; one that is missing costs a look-up

    def cost(self, spot: int) -> float:
        """What it takes per event to look up a place."""
        return self.seconds.get(spot, LOOKUP_SECONDS)


def unmeasured(atoms: Sequence[Atom]) -> Traffic:
    """What is assumed before any event of the class came."""
    return Traffic([guess(atom) for atom in atoms], {})


def choose(expressions: Sequence[Expression], atoms: Sequence[Atom], traffic: Traffic) -> Chosen:
    """A witness for every rule such that the whole costs little.

    The rarest witness of each rule comes first. Then every place, the one with the least use
    first, is given up if its rules find another witness for less than its look-ups cost.
    """
    likely = list(traffic.likely)
    spots = [atom.spot for atom in atoms]
    chosen = [witness(expression, likely) for expression in expressions]
    users = _users(chosen, spots)
    for spot in sorted(users, key=lambda spot: len(users[spot])):
        elsewhere = [NEVER if s == spot else rate for s, rate in zip(spots, likely, strict=True)]
        moved = {number: witness(expressions[number], elsewhere) for number in users[spot]}
        more = sum(_rate(other) - _rate(chosen[number]) for number, other in moved.items())
        new_users = _users([moved.get(number) for number in range(len(chosen))], spots)
        opened = sum(traffic.cost(one) for one in new_users if not users.get(one))
        if more * EVALUATION_SECONDS + opened >= traffic.cost(spot):
            continue
        likely = elsewhere
        for number, other in moved.items():
            chosen[number] = other
        users[spot] = set()
        for one, numbers in new_users.items():
            users.setdefault(one, set()).update(numbers)
    return [one[1] if one else None for one in chosen]


def _users(chosen: Sequence[Choice | None], spots: Sequence[int]) -> dict[int, set[int]]:
    """The rules whose witness stands in each place."""
    found: dict[int, set[int]] = defaultdict(set)
    for number, choice in enumerate(chosen):
        for spot in {spots[atom] for atom in choice[1]} if choice is not None else ():
            found[spot].add(number)
    return found


def _rate(choice: Choice | None) -> float:
    return NEVER if choice is None else choice[0]
