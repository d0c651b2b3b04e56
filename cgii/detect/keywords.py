"""Keywords: one native pass over what an event says, or over raw lines, tells if any is in."""

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate

import ahocorasick_rs
import hyperscan

from cgii.base import limits
from cgii.detect.literals import required_text
from cgii.detect.predicates import Kind, Predicate
from cgii.detect.screens import Proposed, Screen, ValueMemory, evened

RUN_CHARS_MIN = 3
# What JSON may write otherwise than it is meant: quotes, backslashes, slashes, control characters.
PLAIN = re.compile(r"[ !#-.0-\[\]-~]+")
# With these a line may mean what it does not show: an ASCII letter that is escaped, or a letter
# that is the same as an ASCII one but for its case. Without the backslash they are found faster.
ESCAPED = (b"u00", b"u212a", b"u0130", b"u017f")
DISGUISED = tuple(letter.encode() for letter in "\u212a\u0130\u017f")


class Keywords:
    """The rules that an event's texts propose by keywords."""

    def __init__(self, asked: Sequence[tuple[Predicate, int]], memory: ValueMemory) -> None:
        self._screen = Screen(asked, memory)
        texts = [_text(predicate) for predicate, _ in asked]
        runs = [max(PLAIN.findall(text), key=len, default="") for text in texts]
        first = ahocorasick_rs.MatchKind.LeftmostFirst  # any will do, and this way is the fastest
        self._in_texts = ahocorasick_rs.AhoCorasick(texts, matchkind=first) if all(texts) else None
        self._in_line = self._in_ascii_line = None
        self.sought: frozenset[bytes] = frozenset()  # one of them stands in any line that counts
        if min(map(len, runs)) >= RUN_CHARS_MIN:
            sought = [*ESCAPED, *dict.fromkeys(run.encode() for run in runs)]
            self.sought = frozenset((*sought, *DISGUISED))
            self._in_ascii_line = ahocorasick_rs.BytesAhoCorasick(sought, matchkind=first)
            sought += DISGUISED
            self._in_line = ahocorasick_rs.BytesAhoCorasick(sought, matchkind=first)

    def may_stand_in(self, line: bytes) -> bool:
        """Whether the texts of this raw JSON record have to be looked at."""
        search = self._in_ascii_line if line.isascii() else self._in_line
        return search is None or bool(search.find_matches_as_indexes(line.lower()))

    def proposed(self, texts: Sequence[str]) -> list[Proposed]:
        """The rules that keywords in these texts propose."""
        if self._in_texts is not None:
            try:
                if not self._in_texts.find_matches_as_indexes(evened("\n".join(texts))):
                    return []
            except UnicodeEncodeError:  # half of a surrogate pair, as broken JSON may hold
                pass
        return [found for text in texts if (found := self._screen.of_fresh(text))]


class LineSearch:
    """Tells in one native pass over many lines in which of them a sought text stands.

    What is sought grows as plans are met, and is compiled before the next pass. For one thread.
    """

    def __init__(self) -> None:
        self._sought: set[bytes] = set()
        self._texts: list[bytes] = []  # the same in the order of the database
        self._database: hyperscan.Database | None = None  # None: more is sought than it knows
        self._asking: set[Keywords] = set()
        self._told: set[Keywords] = set()  # whose texts the last pass has sought

    def covers(self, keywords: Keywords) -> bool:
        """Whether the last pass sought these keywords; if not, the next one will."""
        if keywords in self._told:
            return True
        if keywords.sought and len(self._sought) < limits.RULE_VALUES_MAX:
            if len(self._asking) >= limits.PLANS_MAX:  # those of plans that have learnt since
                self._asking.clear()
            self._asking.add(keywords)
            if not keywords.sought <= self._sought:
                self._sought |= keywords.sought
                self._database = None
        return False

    def found_in(self, lines: Sequence[bytes]) -> Mapping[int, set[bytes]]:
        """What stands in which line, by its number; nothing where it comes all the time."""
        found: dict[int, set[bytes]] = defaultdict(set)
        self._told = set()
        if not self._asking or not lines:
            return found
        if self._database is None:
            self._texts, self._database = _compiled(self._sought)
        hits: list[tuple[int, int]] = []
        most = limits.LINE_HITS_MAX * len(lines)

        def hit(number: int, start: int, end: int, *rest: object) -> bool:
            hits.append((number, end))
            return len(hits) > most

        try:
            # Without anything between the lines: what spans two of them names a line in vain.
            self._database.scan(b"".join(lines), match_event_handler=hit)
        except hyperscan.ScanTerminated:  # it would tell nothing: each line is looked at alone
            return found
        self._told = set(self._asking)
        borders = list(accumulate(map(len, lines))) if hits else []
        for number, end in hits:
            found[bisect_left(borders, end)].add(self._texts[number])
        return found


def _compiled(sought: Iterable[bytes]) -> tuple[list[bytes], hyperscan.Database]:
    texts = sorted(sought)
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    flags = [hyperscan.HS_FLAG_CASELESS] * len(texts)
    database.compile(expressions=texts, flags=flags, literal=True)
    return texts, database


def _text(predicate: Predicate) -> str:
    """A text that must stand wherever the predicate is true; empty if there is none."""
    if predicate.kind in (Kind.GLOB, Kind.REGEX):
        return required_text(predicate.argument)
    return evened(predicate.argument) if isinstance(predicate.argument, str) else ""
