"""For one field of one plan: which rules a value proposes. May name too many, never too few."""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Protocol
from weakref import WeakSet

import ahocorasick_rs

from cgii.base import limits
from cgii.detect.literals import required_texts
from cgii.detect.predicates import Kind, Predicate, Test, tester
from cgii.detect.values import MISSING, elements, fold, number_of, text_of

Proposed = tuple[int, ...]
# What proposes a rule; None: any value, and none at all.
Asked = Iterable[tuple[Predicate | None, int]]
Demand = Callable[[Any], bool]  # of a value; MISSING is one
NOBODY: Proposed = ()

AUTOMATON_MIN = 6  # fewer texts are sought faster one by one
TABLE_CHARS_MAX = 20_000  # of all texts of one field whose automaton is a table
SHORT = 2  # texts this short hit too often to be worth an automaton
# A text stands between these, so that a beginning and an end are sought as any other part. A value
# that has them itself proposes a rule in vain, no more.
FIRST, LAST = "\x02", "\x03"
NUMERIC = re.compile(r"[+-]?[0-9]")
WHOLE_MAX = 10**15  # up to here a whole number and the same as float have one text
LONG_S = "\u017f"  # to RE2 an `s` without regard to case, to lower() another letter


def evened(text: str) -> str:
    """The text as screens compare it: folded, and what RE2 holds for the same letter is one."""
    if text.isascii():
        return text.lower()
    folded = fold(text)
    return folded if folded.isascii() else folded.replace(LONG_S, "s")


class Forgetful(Protocol):
    """What remembers values."""

    def forget(self) -> None:
        """Start to remember anew."""


class ValueMemory:
    """How many values all screens of a detector may remember; when it is full all forget."""

    def __init__(self) -> None:
        self._left = limits.VALUE_MEMORY_BYTES_MAX
        self._members: WeakSet[Forgetful] = WeakSet()

    def join(self, member: Forgetful) -> None:
        """Let this one remember values."""
        self._members.add(member)

    def spend(self, chars: int) -> None:
        """Count one more remembered value."""
        self._left -= chars + limits.VALUE_ENTRY_BYTES
        if self._left < 0:
            self._left = limits.VALUE_MEMORY_BYTES_MAX
            for member in list(self._members):
                member.forget()


class LiteralSearch:
    """Finds which of many texts occur in a text; each has whom it proposes."""

    def __init__(self, literals: Iterable[tuple[str, int]]) -> None:
        by_text: dict[str, list[int]] = defaultdict(list)
        for text, proposed in literals:
            by_text[text].append(proposed)
        long = [text for text in by_text if len(text) > SHORT]
        if len(long) < AUTOMATON_MIN:
            long = []
        self._long = [by_text[text] for text in long]
        self._by_text = by_text
        self._single = [(text, by_text[text]) for text in by_text if not long or len(text) <= SHORT]
        self._automaton = _automaton(long) if long else None

    def find(self, text: str) -> list[int]:
        """Whom the texts that occur propose."""
        found: list[int] = []
        if self._single:
            found += [one for literal, ones in self._single if literal in text for one in ones]
        if self._automaton is None:
            return found
        try:
            hits = self._automaton.find_matches_as_indexes(text, overlapping=True)
        except UnicodeEncodeError:  # half of a surrogate pair, as broken JSON may hold
            return [one for lit, ones in self._by_text.items() if lit in text for one in ones]
        if hits:
            for number in {hit[0] for hit in hits}:
                found += self._long[number]
        return found


def _automaton(texts: list[str]) -> ahocorasick_rs.AhoCorasick:
    """The table form is a third faster, takes ten times the memory and longer to build."""
    is_small = sum(map(len, texts)) <= TABLE_CHARS_MAX
    form = ahocorasick_rs.Implementation.DFA if is_small else None
    return ahocorasick_rs.AhoCorasick(texts, implementation=form)


class Screen(dict[Any, Proposed]):
    """The rules that a value proposes, learnt at first sight: `screen[value]`.

    Texts and whole numbers are looked up in native code; what must not be remembered under its
    own name (True == 1 == 1.0, lists, very long texts) goes through `__missing__` every time.
    """

    __hash__ = object.__hash__  # type: ignore[assignment]  # a screen is itself, for the WeakSet

    def __init__(
        self,
        asked: Asked,
        memory: ValueMemory,
        demands: Mapping[int, Demand] | None = None,
    ) -> None:
        """`demands` says of a proposed rule whether it can be true of the whole value at all."""
        super().__init__()
        self._memory = memory
        self._demands = demands or {}
        self._exact: dict[str, list[int]] = defaultdict(list)
        self._numbers: dict[int | float, list[int]] = defaultdict(list)
        self._tests: list[tuple[Test, int]] = []
        self._present: list[int] = []
        self._absent: list[int] = []
        literals: list[tuple[str, int]] = []
        for predicate, proposed in asked:
            self._add(predicate, proposed, literals)
        self._search = LiteralSearch(literals) if literals else None
        absent = set(self._absent)
        fitting = {*self._fitting(absent, None), *self._fitting(absent, MISSING)}
        self._without_value: Proposed = tuple(absent & fitting)
        self.forget()
        memory.join(self)

    def _add(
        self, predicate: Predicate | None, proposed: int, literals: list[tuple[str, int]]
    ) -> None:
        if predicate is None:
            self._present.append(proposed)
            self._absent.append(proposed)
            return
        kind, argument = predicate.kind, predicate.argument
        if kind is Kind.NULL:
            self._absent.append(proposed)
        elif kind in (Kind.ANY, Kind.REFERENCE):
            self._present.append(proposed)
        elif kind is Kind.NUMBER:
            self._numbers[argument].append(proposed)
        elif kind is Kind.EXACT:
            self._exact[_evened_argument(predicate)].append(proposed)
        elif kind in (Kind.CONTAINS, Kind.STARTS, Kind.ENDS):
            text = _evened_argument(predicate)
            if kind is Kind.STARTS:
                text = FIRST + text
            elif kind is Kind.ENDS:
                text += LAST
            if text:
                literals.append((text, proposed))
            else:
                self._present.append(proposed)
        elif kind in (Kind.REGEX, Kind.GLOB) and (texts := required_texts(argument)):
            literals += [(text, proposed) for text in texts]
        else:
            self._tests.append((tester(predicate), proposed))

    def forget(self) -> None:
        """Start to remember anew."""
        self.clear()
        self[None] = self._without_value

    def __missing__(self, value: Any) -> Proposed:
        kind = type(value)
        if kind is not str:
            return self._of_other(value)
        asked = self._proposed(value)
        found = self._fitting(asked, value) if asked else NOBODY
        if len(value) <= limits.VALUE_CACHE_CHARS_MAX:
            self._remember(value, found, len(value))
        return found

    def _of_other(self, value: Any) -> Proposed:
        text = text_of(value)
        if text is None:  # an object, or a list that happens to be hashable
            return self.of_any(value)
        found = self._scan(text)
        if type(value) is int and 1 < abs(value) < WHOLE_MAX:
            self._remember(value, found, 0)
        return found

    def _remember(self, value: Any, found: Proposed, chars: int) -> None:
        if len(self) >= limits.VALUE_CACHE_ENTRIES_MAX:
            self.forget()
        self._memory.spend(chars)
        self[value] = found

    def of_any(self, value: Any) -> Proposed:
        """The same for any value; MISSING is one, and of a list every member counts."""
        if value is MISSING or value is None:
            return self._without_value  # not looked up: another thread may just be forgetting
        if isinstance(value, dict):
            return tuple(self._present)
        if not isinstance(value, (list, tuple)):
            return self[value]
        found: set[int] = set()
        members = elements(value)
        for member in members or [None]:
            text = text_of(member)
            if text is not None:
                found.update(self._proposed(text))
            else:
                found.update(self._absent if member is None else self._present)
        return self._fitting(found, value)

    def of_fresh(self, text: str) -> Proposed:
        """The same for a text that is not expected again, such as a raw record."""
        return self._scan(text)

    def _scan(self, text: str) -> Proposed:
        return self._fitting(self._proposed(text), text)

    def _fitting(self, found: Collection[int], value: Any) -> Proposed:
        if not found:
            return NOBODY
        demands = self._demands
        if demands:
            return tuple(n for n in set(found) if n not in demands or demands[n](value))
        return tuple(set(found))

    def _proposed(self, text: str) -> list[int]:
        even = evened(text)
        search = self._search
        found = search.find(f"{FIRST}{even}{LAST}") if search is not None else []
        if self._present:
            found += self._present
        if even in self._exact:
            found += self._exact[even]
        if self._numbers and NUMERIC.match(text):
            number = number_of(text)
            if number is not None:
                found += self._numbers.get(number, ())
        if self._tests:
            found += [one for test, one in self._tests if test(text)]
        return found


def _evened_argument(predicate: Predicate) -> str:
    text: str = predicate.argument
    return evened(text) if predicate.cased or not text.isascii() else text  # it is folded already
