"""A rule as a tree: selections of items under and, or, not; the index and explain both read it."""

from collections.abc import Iterator
from dataclasses import dataclass

from cgii.detect.predicates import Predicate

KEYWORD = ""  # the field name of an item that looks at the whole event


@dataclass(frozen=True, slots=True)
class Item:
    """One predicate on one field. `wanted` is the pattern as the rule writes it, with modifiers."""

    field: str
    predicate: Predicate
    wanted: str


@dataclass(frozen=True, slots=True)
class All:
    """True when every part is."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class OneOf:
    """True when at least one part is."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """True when the part is not."""

    part: "Node"


@dataclass(frozen=True, slots=True)
class Selection:
    """A named part of a rule's detection."""

    name: str
    part: "Node"


Node = Item | All | OneOf | Not | Selection


def all_of(parts: list[Node]) -> Node:
    """`All`, without a level when there is one part."""
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def one_of(parts: list[Node]) -> Node:
    """`OneOf`, without a level when there is one part."""
    return parts[0] if len(parts) == 1 else OneOf(tuple(parts))


def items(node: Node) -> Iterator[Item]:
    """Every item of the tree."""
    waiting: list[Node] = [node]
    while waiting:
        here = waiting.pop()
        if isinstance(here, Item):
            yield here
        elif isinstance(here, All | OneOf):
            waiting.extend(here.parts)
        else:
            waiting.append(here.part)
