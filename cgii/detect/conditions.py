"""Reads a rule's condition: not before and before or, parentheses, `1 of` and `all of`."""

import re
from collections.abc import Mapping

from cgii.base import limits
from cgii.detect.nodes import Node, Not, Selection, all_of, one_of
from cgii.detect.rule_files import RuleError

WORD = re.compile(r"\s*(?:([()|])|([^\s()|]+))")
QUANTIFIERS = {"1": one_of, "any": one_of, "all": all_of}
RESERVED = frozenset({"and", "or", "not", "of", "them"})


class _Reader:
    """A reader that goes over the words of one condition once."""

    def __init__(self, text: str, selections: Mapping[str, Node]) -> None:
        if len(text) > limits.CONDITION_CHARS_MAX:
            raise RuleError(f"condición de más de {limits.CONDITION_CHARS_MAX} caracteres")
        self.words: list[str] = [sign or word for sign, word in WORD.findall(text)]
        if "|" in self.words:
            raise RuleError(
                "la condición con «|» es de una versión antigua: use una regla de correlación"
            )
        self.selections = selections
        self.position = 0
        self.depth = 0

    def peek(self, ahead: int = 0) -> str:
        """The word to come in lower case, empty at the end."""
        place = self.position + ahead
        return self.words[place].lower() if place < len(self.words) else ""

    def take(self) -> str:
        """The next word."""
        self.position += 1
        return self.words[self.position - 1]

    def whole(self) -> Node:
        """The condition to its end."""
        node = self.either()
        if self.position < len(self.words):
            raise RuleError(f"sobra «{self.words[self.position]}» en la condición")
        return node

    def either(self) -> Node:
        """`a or b`."""
        parts = [self.both()]
        while self.peek() == "or":
            self.take()
            parts.append(self.both())
        return one_of(parts)

    def both(self) -> Node:
        """`a and b`."""
        parts = [self.single()]
        while self.peek() == "and":
            self.take()
            parts.append(self.single())
        return all_of(parts)

    def single(self) -> Node:
        """`not a`, `(a)`, `1 of a*`, `a`."""
        self.depth += 1
        if self.depth > limits.CONDITION_DEPTH_MAX:
            raise RuleError(f"condición con más de {limits.CONDITION_DEPTH_MAX} niveles")
        node = self._single()
        self.depth -= 1
        return node

    def _single(self) -> Node:
        word = self.peek()
        if not word:
            raise RuleError("la condición está incompleta")
        if word == "not":
            self.take()
            return Not(self.single())
        if word == "(":
            self.take()
            node = self.either()
            if self.peek() != ")":
                raise RuleError("falta un paréntesis que cierre en la condición")
            self.take()
            return node
        if self.peek(1) == "of":
            return self._quantified()
        name = self.take()
        if name.lower() in RESERVED or name == ")":
            raise RuleError(f"«{name}» está fuera de lugar en la condición")
        if name not in self.selections:
            raise RuleError(f"la condición nombra «{name}», que no existe")
        return self.selections[name]

    def _quantified(self) -> Node:
        quantifier = self.take()
        self.take()
        if quantifier.lower() not in QUANTIFIERS:
            raise RuleError(f"«{quantifier} of» no existe: use 1 of, any of o all of")
        pattern = self.take() if self.position < len(self.words) else ""
        if pattern.lower() == "them":
            names = [name for name in self.selections if not name.startswith("_")]
        else:
            shape = re.compile(".*".join(re.escape(part) for part in pattern.split("*")))
            names = [name for name in self.selections if shape.fullmatch(name)]
        if not names:
            raise RuleError(f"«{quantifier} of {pattern}» no abarca ninguna selección")
        return QUANTIFIERS[quantifier.lower()]([self.selections[name] for name in names])


def parse_condition(text: str, selections: Mapping[str, Selection]) -> Node:
    """The tree of a condition over the named selections; RuleError says what is wrong."""
    return _Reader(text, dict(selections)).whole()
