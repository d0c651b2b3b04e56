"""Reads the condition of a temporal correlation in words: `a and b and not c`."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cgii.base import limits
from cgii.detect.rule_files import RuleError

TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")
WORDS = ("and", "or", "not")
Tree = int | tuple[str, "Tree"] | tuple[str, "Tree", "Tree"]  # a position, not, and, or


@dataclass(frozen=True)
class Expression:
    """Which of the listed rules have to be there, and which must not."""

    text: str
    tree: Tree

    def holds(self, mask: int) -> bool:
        """Whether it is true where exactly the rules of `mask` were seen (bit 0 is the first)."""
        return _holds(self.tree, mask)

    @property
    def negates(self) -> bool:
        """Whether another event can make it false, so that only the end of the window decides."""
        return bool(_named(self.tree, is_wanted=False))

    @property
    def wanted(self) -> int:
        """The rules, as bits, that some part of it wants to see."""
        return sum(1 << place for place in _named(self.tree, is_wanted=True))


def parse_expression(text: str, names: Sequence[str]) -> Expression:
    """The expression over rules that `names` lists; every one of them has to be in it."""
    if len(text) > limits.CONDITION_CHARS_MAX:
        raise RuleError(f"la condición tiene más de {limits.CONDITION_CHARS_MAX} caracteres")
    places = {name: place for place, name in enumerate(names)}
    parser = _Parser(TOKEN.findall(text), places)
    tree = parser.either(0)
    if parser.tokens:
        raise RuleError(f"la condición no se entiende desde «{parser.tokens[0]}»")
    expression = Expression(" ".join(text.split()), tree)
    unnamed = [name for name, place in places.items() if place not in _leaves(tree)]
    if unnamed:
        raise RuleError(f"la condición no nombra la regla «{unnamed[0]}» de la lista")
    if not expression.wanted or expression.holds(0):
        raise RuleError("la condición se cumpliría sin ningún evento")
    return expression


class _Parser:
    """Takes tokens from the front; `not` binds closest, then `and`, then `or`."""

    def __init__(self, tokens: list[str], places: Mapping[str, int]) -> None:
        self.tokens = tokens
        self.places = places

    def either(self, depth: int) -> Tree:
        left = self._both(depth)
        while self._takes("or"):
            left = ("or", left, self._both(depth))
        return left

    def _both(self, depth: int) -> Tree:
        left = self._one(depth)
        while self._takes("and"):
            left = ("and", left, self._one(depth))
        return left

    def _one(self, depth: int) -> Tree:
        if depth > limits.CONDITION_DEPTH_MAX:
            raise RuleError(f"la condición tiene más de {limits.CONDITION_DEPTH_MAX} niveles")
        if self._takes("not"):
            return ("not", self._one(depth + 1))
        if self._takes("("):
            inside = self.either(depth + 1)
            if not self._takes(")"):
                raise RuleError("falta un paréntesis que cierre")
            return inside
        if not self.tokens:
            raise RuleError("la condición termina antes de tiempo")
        name = self.tokens.pop(0)
        if name not in self.places:
            raise RuleError(f"la condición nombra «{name}», que no está en la lista de reglas")
        return self.places[name]

    def _takes(self, word: str) -> bool:
        if self.tokens and self.tokens[0].lower() == word:
            self.tokens.pop(0)
            return True
        return False


def _holds(tree: Tree, mask: int) -> bool:
    if isinstance(tree, int):
        return bool(mask >> tree & 1)
    if tree[0] == "not":
        return not _holds(tree[1], mask)
    left, right = tree[1], tree[2]  # type: ignore[misc]  # only "not" has one part
    if tree[0] == "and":
        return _holds(left, mask) and _holds(right, mask)
    return _holds(left, mask) or _holds(right, mask)


def _named(tree: Tree, *, is_wanted: bool) -> set[int]:
    """The places that stand under an even number of `not`s, or under an odd one."""
    if isinstance(tree, int):
        return {tree} if is_wanted else set()
    if tree[0] == "not":
        return _named(tree[1], is_wanted=not is_wanted)
    return set().union(*(_named(part, is_wanted=is_wanted) for part in tree[1:]))


def _leaves(tree: Tree) -> set[int]:
    return _named(tree, is_wanted=True) | _named(tree, is_wanted=False)
