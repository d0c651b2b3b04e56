"""Finds a text that everything an RE2 expression matches must contain; a screen looks for it."""

import re
from functools import lru_cache

from cgii.base import limits

REQUIRED_CHARS_MIN = 3  # a shorter one proposes a rule too often to be of use
CLASSES = frozenset("dDwWsSbBAz")  # escapes that stand for no letter of their own
FLAGS = re.compile(r"\(\?[imsU]+\)")
REPEAT = re.compile(r"\{([0-9]+)(?:,[0-9]*)?\}")


@lru_cache(maxsize=limits.EXPRESSIONS_KEPT_MAX)
def required_text(expression: str) -> str:
    """The longest plain text in lower case that every match contains; empty when in doubt.

    It reads the outermost level only: what stands in groups and classes is left out.
    """
    reader = _Reader()
    position = 0
    while position < len(expression):
        step = reader.step(expression, position)
        if step == 0:
            return ""
        position += step
    reader.end_run()
    best = max(reader.runs, key=len, default="")
    return best if len(best) >= REQUIRED_CHARS_MIN else ""


class _Reader:
    """The runs of letters that an expression has one after the other."""

    def __init__(self) -> None:
        self.runs: list[str] = []
        self.run: list[str] = []

    def end_run(self) -> None:
        """What comes next does not stand beside what came before."""
        self.runs.append("".join(self.run).lower())
        self.run = []

    def step(self, expression: str, position: int) -> int:
        """Read what stands here and say how long it is; 0 gives the whole expression up."""
        char = expression[position]
        if char == "|":
            return 0
        if char == "(":
            flags = FLAGS.match(expression, position)
            self.end_run()
            return len(flags[0]) if flags else _group(expression, position)
        if char == "[":
            self.end_run()
            return _letter_class(expression, position)
        if char in "*?":
            self.run = self.run[:-1]
            self.end_run()
            return 1
        if char == "{" and (repeat := REPEAT.match(expression, position)):
            if int(repeat[1]) == 0:
                self.run = self.run[:-1]
            self.end_run()
            return len(repeat[0])
        if char in "+.^$":
            self.end_run()
            return 1
        if char == "\\":
            return self._escape(expression[position + 1 : position + 2])
        self._letter(char)
        return 1

    def _escape(self, char: str) -> int:
        if char in CLASSES:
            self.end_run()
        elif char and char.isascii() and not char.isalnum():
            self._letter(char)
        else:
            return 0
        return 2

    def _letter(self, char: str) -> None:
        if char.isascii():
            self.run.append(char)
        else:  # what is the same letter differs between RE2 and lower()
            self.end_run()


def _group(expression: str, position: int) -> int:
    """The length of the group that begins here; 0 when it does not end."""
    depth, here = 0, position
    while here < len(expression):
        char = expression[here]
        if char == "\\":
            if expression[here + 1 : here + 2] == "Q":
                return 0
            here += 2
            continue
        if char == "[":
            length = _letter_class(expression, here)
            if not length:
                return 0
            here += length
            continue
        depth += (char == "(") - (char == ")")
        here += 1
        if depth == 0:
            return here - position
    return 0


def _letter_class(expression: str, position: int) -> int:
    """The length of the `[…]` that begins here; 0 when it does not end."""
    here = position + 1
    if expression[here : here + 1] == "^":
        here += 1
    first = here
    while here < len(expression):
        char = expression[here]
        if char == "\\":
            here += 2
        elif char == "[" and expression[here + 1 : here + 2] == ":":
            end = expression.find(":]", here)
            if end < 0:
                return 0
            here = end + 2
        elif char == "]" and here > first:
            return here + 1 - position
        else:
            here += 1
    return 0
