"""Finds texts of which all that an RE2 expression matches contains one; a screen looks for them."""

import re
from functools import lru_cache

from cgii.base import limits

REQUIRED_CHARS_MIN = 3  # a shorter one proposes a rule too often to be of use
CLASSES = frozenset("dDwWsSbBAz")  # escapes that stand for no letter of their own
FLAGS = re.compile(r"\(\?[imsU]+\)")
GROUP = re.compile(r"\?(?:P?<\w+>|[imsU]*(?:-[imsU]+)?:)")
OPTIONAL = ("*", "?", "{")  # behind a group: it may be missing
ALTERNATIVES_MAX = 50  # of one group; more texts are sought for longer than the expression takes
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


@lru_cache(maxsize=limits.EXPRESSIONS_KEPT_MAX)
def required_texts(expression: str) -> tuple[str, ...]:
    """Texts in lower case of which every match contains at least one; empty when in doubt.

    It is the required text, or what the alternatives of a group require if that is longer:
    of `(COMMAND=|CMD \\().*ssh` these are `command=` and `cmd (`.
    """
    best: tuple[str, ...] = (required_text(expression),)
    reader = _Reader()
    position = 0
    while position < len(expression):
        step = reader.step(expression, position)
        if step == 0:
            return ()
        after = position + step
        if expression[position] == "(" and expression[after : after + 1] not in OPTIONAL:
            texts = _of_group(expression[position + 1 : after - 1])
            if texts and min(map(len, texts)) > min(map(len, best)):
                best = texts
        position = after
    return tuple(filter(None, best))


def _of_group(inside: str) -> tuple[str, ...]:
    """What the alternatives of a group require; empty when one of them requires nothing."""
    if inside.startswith("?"):
        begun = GROUP.match(inside)
        if begun is None:
            return ()
        inside = inside[len(begun[0]) :]
    texts: dict[str, None] = {}
    reader = _Reader()
    begin = position = 0
    while position <= len(inside):
        if inside[position : position + 1] in ("", "|"):
            texts[required_text(inside[begin:position])] = None
            begin = position = position + 1
            continue
        step = reader.step(inside, position)
        if step == 0:
            return ()
        position += step
    return tuple(texts) if "" not in texts and len(texts) <= ALTERNATIVES_MAX else ()


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
