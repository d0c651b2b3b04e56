"""Translates a regular expression of RE2 into Lucene's, where both can say the same.

Lucene's expressions know no case, no anchors and no classes by letter, so everything is spelled
out over plain ASCII in lower case: the values that are tried are of that kind. What cannot be said
so is refused with None, and a search then tries the expression on each document itself.
"""

from dataclasses import dataclass

_ASCII = frozenset(map(chr, range(1, 128)))
_DIGITS = frozenset("0123456789")
_WORD = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_") | _DIGITS
_BLANKS = frozenset("\t\n\f\r ")
_CLASSES = {
    "d": _DIGITS,
    "D": _ASCII - _DIGITS,
    "w": _WORD,
    "W": _ASCII - _WORD,
    "s": _BLANKS,
    "S": _ASCII - _BLANKS,
}
_SIGNS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}
_REPEATED_MAX = 50  # a larger count makes an automaton that Lucene refuses
_DEPTH_MAX = 30


class _UntoldError(Exception):
    """Something that is not said here."""


def lucene_regex(pattern: str) -> str | None:
    """The same for text in lower-case ASCII, from end to end; None when it cannot be said."""
    if not pattern.isascii() or "\0" in pattern:
        return None
    reader = _Reader(pattern)
    try:
        text = reader.ways(0)
    except _UntoldError:
        return None
    return text if reader.at == len(pattern) else None


def literal(text: str) -> str:
    """A text that stands for itself in Lucene's expressions."""
    return "".join(char if char.isalnum() or ord(char) > 127 else f"\\{char}" for char in text)


@dataclass
class _Reader:
    pattern: str
    at: int = 0

    def ways(self, depth: int) -> str:
        if depth > _DEPTH_MAX:
            raise _UntoldError
        found = [self._row(depth)]
        while self._take("|"):
            found.append(self._row(depth))
        return found[0] if len(found) == 1 else f"({'|'.join(found)})"

    def _row(self, depth: int) -> str:
        found = ""
        if depth == 0:  # the whole text is tried, so its ends need not be said
            self._take("^")
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            if depth == 0 and (self.pattern[self.at :] + "|").startswith("$|"):
                self.at += 1
                break
            found += self._repeated(self._one(depth))
        return found or "()"

    def _one(self, depth: int) -> str:
        char = self._next()
        if char == "(":
            if self._take("?") and not self._take(":"):
                raise _UntoldError
            inner = self.ways(depth + 1)
            if not self._take(")"):
                raise _UntoldError
            return f"({inner})"
        if char == ".":
            return "."
        if char == "[":
            return self._class()
        if char == "\\":
            return _any_of(self._escaped())
        if char in "^$*+?{}":
            raise _UntoldError
        return _any_of(frozenset(char))

    def _escaped(self) -> frozenset[str]:
        char = self._next()
        if char in _CLASSES:
            return _CLASSES[char]
        if char in _SIGNS:
            return frozenset(_SIGNS[char])
        if char.isalnum():
            raise _UntoldError
        return frozenset(char)

    def _class(self) -> str:
        negated = self._take("^")
        members: set[str] = set()
        is_first = True
        while is_first or not self._take("]"):
            is_first = False
            one = self._member()
            if len(one) == 1 and self._at_range():
                self.at += 1
                last = self._member()
                if len(last) != 1:
                    raise _UntoldError
                one = frozenset(map(chr, range(ord(min(one)), ord(min(last)) + 1)))
            members |= one
        both = frozenset(members | {char.swapcase() for char in members})
        return _any_of(_ASCII - both if negated else both)

    def _member(self) -> frozenset[str]:
        char = self._next()
        if char == "[" and self.pattern[self.at : self.at + 1] == ":":
            raise _UntoldError
        return self._escaped() if char == "\\" else frozenset(char)

    def _at_range(self) -> bool:
        after = self.pattern[self.at : self.at + 2]
        return len(after) == 2 and after[0] == "-" and after[1] != "]"

    def _repeated(self, one: str) -> str:
        char = self.pattern[self.at : self.at + 1]
        if char in ("*", "+", "?"):
            self.at += 1
            count = char
        elif char == "{":
            end = self.pattern.find("}", self.at)
            low, comma, high = self.pattern[self.at + 1 : end].partition(",")
            if end < 0 or not low.isdecimal() or not (high.isdecimal() or not high):
                raise _UntoldError
            if max(int(low), int(high or 0)) > _REPEATED_MAX:
                raise _UntoldError
            self.at = end + 1
            count = f"{{{low}{comma}{high}}}"
        else:
            return one
        self._take("?")  # greedy or not: the same texts fit from end to end
        if self.pattern[self.at : self.at + 1] in ("*", "+", "?", "{"):
            raise _UntoldError
        return f"({one}){count}"

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise _UntoldError
        self.at += 1
        return self.pattern[self.at - 1]

    def _take(self, sign: str) -> bool:
        if self.pattern[self.at : self.at + 1] != sign:
            return False
        self.at += 1
        return True


def _any_of(members: frozenset[str]) -> str:
    """An expression for one character out of these, in lower case."""
    lower = sorted({char.lower() for char in members} & _ASCII)
    if not lower:
        raise _UntoldError
    if len(lower) == 1:
        return literal(lower[0])
    runs: list[list[str]] = []
    for char in lower:
        # Lucene reads no range that begins with a backslash.
        if runs and ord(char) == ord(runs[-1][-1]) + 1 and runs[-1] != ["\\"]:
            runs[-1].append(char)
        else:
            runs.append([char])
    parts = [
        f"{literal(run[0])}-{literal(run[-1])}" if len(run) > 2 else "".join(map(literal, run))
        for run in runs
    ]
    return f"[{''.join(parts)}]"
