"""Finds patterns in which every character leaves one way to go on, and says them to Python's `re`.

RE2 keeps its promise of linear time for any pattern, but takes long to tell where many groups are.
Where no character of a line fits two parts of the pattern that could come next, there is nothing
to go back to: every engine finds the same groups, in linear time. Such patterns are read by `re`,
which is several times faster. All is about ASCII here; other lines are left to RE2.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

Match = Callable[[str], re.Match[str] | None]
ANY = (1 << 128) - 1  # a set of ASCII characters is a number with a bit for each
END = 1 << 128  # what follows the last character of a line
DEPTH_MAX = 8  # groups in groups
COUNT_MAX = 1_000  # RE2's own bound for {…}
WORD = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz"
COUNTS = {"*": (0, None), "+": (1, None), "?": (0, 1)}
COUNTED = re.compile(r"\{(\d{1,4})(,(\d{0,4}))?\}")
GROUP = re.compile(r"\((\?P<\w+>|\?:|(?!\?))")


class ManyWays(Exception):  # noqa: N818 — it is no error
    """The pattern is not of this kind, or is written in a way that is not known here."""


@dataclass(frozen=True, slots=True)
class Characters:
    """One character out of a set."""

    set: int


@dataclass(frozen=True, slots=True)
class Group:
    """Alternatives, each a sequence."""

    is_captured: bool
    ways: "list[list[Part]]"


@dataclass(frozen=True, slots=True)
class Part:
    """How often something comes; no `most`: without end."""

    what: Characters | Group
    least: int
    most: int | None


def one_way(regex: str) -> Match | None:
    """The match function of an equal pattern for lines of ASCII, or None."""
    try:
        parts = _Reading(regex).whole()
        _first(parts, END)
        return re.compile("".join(map(_said, parts)) + r"\Z").match
    except (ManyWays, IndexError, re.error):
        return None


class _Reading:
    """Takes a pattern that begins with `^` and ends with `$` to pieces."""

    def __init__(self, regex: str) -> None:
        if not regex.isascii() or not regex.startswith("^") or not regex.endswith("$"):
            raise ManyWays
        self._text = regex[:-1]
        self._at = 1

    def whole(self) -> list[Part]:
        (parts,) = self._ways(0) if "|" in self._text else [self._sequence(0)]
        if self._at != len(self._text):
            raise ManyWays
        return parts

    def _ways(self, depth: int) -> list[list[Part]]:
        found = [self._sequence(depth)]
        while self._next() == "|":
            self._at += 1
            found.append(self._sequence(depth))
        if depth == 0 and len(found) > 1:
            raise ManyWays  # `^` and `$` would belong to one of them
        return found

    def _sequence(self, depth: int) -> list[Part]:
        parts: list[Part] = []
        while self._next() not in ("", "|", ")"):
            what = self._group(depth) if self._next() == "(" else Characters(self._characters())
            parts.append(Part(what, *self._count()))
        return parts

    def _group(self, depth: int) -> Group:
        begun = GROUP.match(self._text, self._at)
        if begun is None or depth >= DEPTH_MAX:
            raise ManyWays
        self._at = begun.end()
        ways = self._ways(depth + 1)
        if self._next() != ")":
            raise ManyWays
        self._at += 1
        return Group(begun[1] != "?:", ways)

    def _count(self) -> tuple[int, int | None]:
        sign = self._next()
        least: int = 1
        most: int | None = 1
        if sign in COUNTS:
            self._at += 1
            least, most = COUNTS[sign]
        elif sign == "{":
            counted = COUNTED.match(self._text, self._at)
            if counted is None:
                raise ManyWays
            self._at = counted.end()
            least = int(counted[1])
            most = least if counted[2] is None else int(counted[3]) if counted[3] else None
            if max(least, most or 0) > COUNT_MAX or (most is not None and most < max(least, 1)):
                raise ManyWays
        else:
            return least, most
        if self._next() in ("?", "*", "+", "{"):
            raise ManyWays  # a lazy one, or one sign more
        return least, most

    def _characters(self) -> int:
        char = self._text[self._at]
        self._at += 1
        if char == "[":
            return self._class()
        if char == "\\":
            return self._escaped()
        if char == ".":
            return ANY & ~_bit("\n")
        if char in "^$*+?{}":
            raise ManyWays
        return _bit(char)

    def _escaped(self) -> int:
        char = self._text[self._at]
        self._at += 1
        if char == "d":
            return _bits("0123456789")
        if char == "w":
            return _bits(WORD)
        if char in "sS":
            space = _bits("\t\n\f\r ")
            return space if char == "s" else ANY & ~space
        if char.isalnum() or char == "_":
            raise ManyWays
        return _bit(char)

    def _class(self) -> int:
        is_negated = self._next() == "^"
        self._at += is_negated
        found, begun = 0, self._at  # a bracket at once is meant itself
        while self._next() != "]" or self._at == begun:
            if self._next() == "[":
                raise ManyWays  # perhaps [:alpha:]
            start = self._one_of_class()
            if self._next() == "-" and self._text[self._at + 1] != "]":
                self._at += 1
                end = self._one_of_class()
                if start.bit_count() != 1 or end.bit_count() != 1 or end < start:
                    raise ManyWays
                start = (end << 1) - start
            found |= start
        self._at += 1
        return ANY & ~found if is_negated else found

    def _one_of_class(self) -> int:
        char = self._text[self._at]
        self._at += 1
        return self._escaped() if char == "\\" else _bit(char)

    def _next(self) -> str:
        return self._text[self._at : self._at + 1]


def _first(parts: list[Part], follow: int) -> int:
    """What the parts may begin with, if `follow` comes after them. Raises ManyWays."""
    for part in reversed(parts):
        own = part.what.set if isinstance(part.what, Characters) else _of_group(part, follow)
        if part.least != part.most and own & follow:
            raise ManyWays
        follow = own | follow if part.least == 0 else own
    return follow


def _of_group(part: Part, follow: int) -> int:
    assert isinstance(part.what, Group)
    nothing = END << 1
    alone = 0
    for way in part.what.ways:
        alone |= _first(way, nothing)
    is_repeated = part.most != 1
    if alone & nothing and (is_repeated or part.least == 0):
        raise ManyWays
    if is_repeated and _captures(part.what):
        raise ManyWays  # engines may differ in which turn they keep
    behind = follow | (alone if is_repeated else 0)
    found = 0
    for way in part.what.ways:
        first = _first(way, behind)
        if first & found:
            raise ManyWays
        found |= first
    return found


def _captures(group: Group) -> bool:
    inner = [part.what for way in group.ways for part in way]
    return group.is_captured or any(_captures(one) for one in inner if isinstance(one, Group))


def _said(part: Part) -> str:
    """The part as `re` has it; what repeats a character never gives one back."""
    least, most = part.least, "" if part.most is None else part.most
    count = "" if (least, most) == (1, 1) else f"{{{least},{most}}}"
    if isinstance(part.what, Group):
        ways = "|".join("".join(map(_said, way)) for way in part.what.ways)
        return f"({'' if part.what.is_captured else '?:'}{ways}){count}"
    return _set_said(part.what.set) + (f"{count}+" if count else "")


def _set_said(set_: int) -> str:
    if set_.bit_count() == 1:
        return re.escape(chr(set_.bit_length() - 1))
    if set_.bit_count() > 64:  # short to say what it is not
        return f"[^{''.join(_ranges(ANY & ~set_))}]" if set_ != ANY else r"[\x00-\x7f]"
    return f"[{''.join(_ranges(set_))}]" if set_ else r"(?!)"


def _ranges(set_: int) -> Iterator[str]:
    start = None
    for code in range(129):
        if set_ >> code & 1:
            start = code if start is None else start
        elif start is not None:
            yield f"\\x{start:02x}" + (f"-\\x{code - 1:02x}" if code - 1 > start else "")
            start = None


def _bit(char: str) -> int:
    return 1 << ord(char)


def _bits(chars: str) -> int:
    return sum(map(_bit, chars))
