"""A rule inside a plan: a boolean function over the numbers of its atoms."""

from collections.abc import Callable, Container, Iterable, Iterator
from dataclasses import dataclass

from cgii.detect.nodes import All, Item, Node, Not, OneOf


@dataclass(frozen=True, slots=True)
class AllOf:
    """True when every atom is true and every part holds."""

    atoms: frozenset[int]
    parts: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when some atom is true or some part holds."""

    atoms: frozenset[int]
    parts: tuple["Expression", ...] = ()


@dataclass(frozen=True, slots=True)
class NotOf:
    """True when the part does not hold."""

    part: "Expression"


Expression = AllOf | AnyOf | NotOf
Leaf = Callable[[Item], bool | int]


def simplify(node: Node, leaf: Leaf) -> bool | Expression:
    """The node over atoms; `leaf` gives an item's atom, or its value where the plan knows it."""
    if isinstance(node, Item):
        found = leaf(node)
        return found if isinstance(found, bool) else AllOf(frozenset((found,)))
    if isinstance(node, Not):
        part = simplify(node.part, leaf)
        if isinstance(part, bool):
            return not part
        return part.part if isinstance(part, NotOf) else NotOf(part)
    if isinstance(node, All):
        return _join(node.parts, leaf, AllOf)
    if isinstance(node, OneOf):
        return _join(node.parts, leaf, AnyOf)
    return simplify(node.part, leaf)


def _join(nodes: Iterable[Node], leaf: Leaf, kind: type[AllOf] | type[AnyOf]) -> bool | Expression:
    neutral = kind is AllOf  # what an empty one is worth, and what may be left out
    atoms: set[int] = set()
    parts: list[Expression] = []
    for node in nodes:
        if isinstance(node, Item):  # most nodes are; the way below would build each an expression
            found = leaf(node)
            if not isinstance(found, bool):
                atoms.add(found)
            elif found is not neutral:
                return found
            continue
        part = simplify(node, leaf)
        if isinstance(part, bool):
            if part is not neutral:
                return part
        elif isinstance(part, NotOf):
            parts.append(part)
        elif isinstance(part, kind) or (len(part.atoms) == 1 and not part.parts):
            atoms |= part.atoms
            parts.extend(part.parts)
        else:
            parts.append(part)
    if not atoms and not parts:
        return neutral
    if not atoms and len(parts) == 1:
        return parts[0]
    return kind(frozenset(atoms), tuple(parts))


def within(expression: Expression, atoms: Container[int]) -> Expression | None:
    """What the expression demands of these atoms alone, whatever the others are; None: nothing.

    The result is true whenever the expression is.
    """
    parts = [part for one in _demands(expression) if (part := _kept(one, atoms)) is not None]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else AllOf(frozenset(), tuple(parts))


def _demands(expression: Expression) -> Iterator[Expression]:
    """What must all be true for the expression to be."""
    if isinstance(expression, AllOf):
        for atom in sorted(expression.atoms):
            yield AllOf(frozenset((atom,)))
        for part in expression.parts:
            yield from _demands(part)
    elif isinstance(expression, NotOf) and isinstance(expression.part, AnyOf):
        for atom in sorted(expression.part.atoms):
            yield NotOf(AllOf(frozenset((atom,))))
        for part in expression.part.parts:
            yield from _demands(part.part if isinstance(part, NotOf) else NotOf(part))
    else:
        yield expression


def _kept(expression: Expression, atoms: Container[int]) -> Expression | None:
    return expression if all(atom in atoms for atom in atoms_of(expression)) else None


def atoms_of(expression: Expression) -> Iterator[int]:
    """Every atom that the expression names."""
    if isinstance(expression, NotOf):
        yield from atoms_of(expression.part)
    else:
        yield from expression.atoms
        for part in expression.parts:
            yield from atoms_of(part)
