"""Writes a search in Elasticsearch's own language, and says how far the index alone can tell.

Every condition becomes two queries: one whose hits surely meet it, and one that misses nothing.
Mostly they are the same. Where they differ, the events between them are looked at themselves.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from cgii.base import limits
from cgii.store.elastic_document import (
    ALL_FIELDS,
    LONG_MESSAGE_WORDS,
    LONG_WORDS,
    MARKED_UP,
    address_code,
    number_code,
    number_mark,
    pair,
    spelling_mark,
    term,
)
from cgii.store.query_fields import TEXTS, TIMES
from cgii.store.query_lucene import literal, lucene_regex
from cgii.store.query_tree import (
    And,
    During,
    Equals,
    Everything,
    Exists,
    Leaf,
    Like,
    Node,
    Not,
    Or,
    Pieces,
    Range,
    Regex,
    Says,
    Wild,
    Within,
    WordLike,
    Words,
)
from cgii.store.query_values import number_in

Query = dict[str, Any]  # of Elasticsearch

EVERYTHING: Query = {"match_all": {}}
NOTHING: Query = {"match_none": {}}
_WORDS, _MESSAGE = "cgii.words", "cgii.message"
_NAMES, _VALUES = "cgii.names", "cgii.values"
_ONES_MAX = 5  # `?` after a `*`: each doubles the automaton


@dataclass(frozen=True, slots=True)
class Bounds:
    """`sure` finds only events that meet the condition, `wide` finds all that do."""

    sure: Query
    wide: Query

    @property
    def is_exact(self) -> bool:
        """Whether there is nothing between the two."""
        return self.sure == self.wide

    @property
    def doubtful(self) -> Query:
        """The events of which the index cannot tell."""
        return {"bool": {"filter": [self.wide], "must_not": [self.sure]}}


def watched(node: Node) -> frozenset[str]:
    """The marks that an event may have of which these conditions cannot tell by the index."""
    return frozenset({ALL_FIELDS, *_marks(node)})


def prefix_regex(name: str) -> str:
    """Lucene's expression for all terms of a field."""
    return f"{literal(name)}\0.*"


def _marks(node: Node) -> Iterator[str]:
    match node:
        case And(parts) | Or(parts):
            for part in parts:
                yield from _marks(part)
        case Not(part):
            yield from _marks(part)
        case Words() | WordLike():
            yield LONG_WORDS
        case Says(field):
            yield from (LONG_WORDS, MARKED_UP) if field != "message" else (LONG_MESSAGE_WORDS,)
        case Like(field) | Regex(field) | Range(field):
            yield from (field, spelling_mark(field), number_mark(field))
        case _:
            return


class QueryWriter:
    """Writes conditions for an index where some events have these marks.

    Without `automata`, patterns are left to the documents: Lucene refuses some as too complex.
    """

    def __init__(self, odd: frozenset[str], *, automata: bool = True) -> None:
        self._odd = odd
        self._automata = automata

    def write(self, node: Node) -> Bounds:
        """The bounds of a condition."""
        match node:
            case Everything():
                return Bounds(EVERYTHING, EVERYTHING)
            case And(parts):
                each = [self.write(part) for part in parts]
                return Bounds(_all([one.sure for one in each]), _all([one.wide for one in each]))
            case Or(parts):
                return self._any(parts)
            case Not(part):
                inner = self.write(part)
                return Bounds(_not(inner.wide), _not(inner.sure))
            case _:
                return self._leaf(node)

    def _any(self, parts: Sequence[Node]) -> Bounds:
        """Many equal values are one list for the index."""
        equal = [part for part in parts if _is_term(part)]
        each = [self.write(part) for part in parts if not _is_term(part)]
        if equal:
            terms = [pair(part.field, term(part.value)) for part in equal]
            each.append(self._told({"terms": {_VALUES: terms}}))
        return Bounds(_some([one.sure for one in each]), _some([one.wide for one in each]))

    def _leaf(self, leaf: Leaf) -> Bounds:
        match leaf:
            case Words(words, open_end):
                return self._words(_WORDS, words, open_end, mark=LONG_WORDS)
            case WordLike(pieces):
                return self._pattern(_WORDS, "", pieces, marks=(LONG_WORDS,))
            case Says("message", words, open_end):
                return self._words(_MESSAGE, words, open_end, mark=LONG_MESSAGE_WORDS)
            case Says(_, words, open_end):
                among = self._words(_WORDS, words, open_end, mark=LONG_WORDS).wide
                return Bounds(NOTHING, _some([among, *self._marked(MARKED_UP)]))
            case During(field, start, end):
                return _exact(during(field, start, end))
            case Exists(field):
                return self._told({"term": {_NAMES: field}})
            case _ if leaf.field in TEXTS or leaf.field in TIMES:
                return self._untold(leaf.field)
            case Equals():
                return self._told({"term": {_VALUES: pair(leaf.field, term(leaf.value))}})
            case Like(field, pieces):
                return self._pattern(
                    _VALUES, pair(field, ""), pieces, marks=(field, ALL_FIELDS), name=field
                )
            case Regex(field, pattern):
                return self._regex(field, pattern)
            case Range():
                return self._range(leaf)
            case Within():
                return self._told(_within(leaf))

    # --- what the index says, and of which events it may be wrong --------------------------------

    def _told(self, query: Query, *marks: str) -> Bounds:
        """The query is right for events without these marks."""
        doubt = self._marked(*(marks or (ALL_FIELDS,)))
        if not doubt:
            return _exact(query)
        return Bounds({"bool": {"filter": [query], "must_not": doubt}}, _some([query, *doubt]))

    def _untold(self, field: str) -> Bounds:
        """Only the documents tell."""
        return Bounds(NOTHING, self._told({"term": {_NAMES: field}}).wide)

    def _marked(self, *marks: str) -> list[Query]:
        found = sorted(self._odd.intersection(marks))
        return [{"terms": {"cgii.odd": found}}] if found else []

    # --- the kinds of conditions -----------------------------------------------------------------

    def _words(self, place: str, words: Sequence[str], open_end: bool, *, mark: str) -> Bounds:
        *before, last = words
        if not open_end:
            cut = [term(word) for word in words]
            if len(cut) == 1:
                return _exact({"term": {place: cut[0]}})
            return _exact({"match_phrase": {place: {"query": " ".join(cut)}}})
        if len(last) > limits.TERM_CHARS_MAX:  # only a word that was cut begins so
            return Bounds(NOTHING, _some(self._marked(mark)))
        begins: Query = {"prefix": {place: {"value": last}}}
        if not before:
            return _exact(begins)
        whole = self._words(place, before, False, mark=mark)
        # That the two stand side by side, only the text tells.
        return Bounds(NOTHING, _all([whole.wide, begins]))

    def _pattern(
        self, place: str, begin: str, pieces: Pieces, *, marks: Sequence[str], name: str = ""
    ) -> Bounds:
        ones = 0
        for piece in pieces[pieces.index(Wild.ANY) if Wild.ANY in pieces else len(pieces) :]:
            ones += piece is Wild.ONE
        text = _wildcard((begin,)) + _wildcard(pieces)
        is_simple = ones <= _ONES_MAX and len(text) <= limits.TERM_CHARS_MAX
        if not is_simple or not self._automata:
            return self._untold(name) if name else Bounds(NOTHING, EVERYTHING)
        return self._told({"wildcard": {place: {"value": text}}}, *marks)

    def _regex(self, field: str, pattern: str) -> Bounds:
        said = lucene_regex(pattern) if self._automata else None
        if said is None:
            return self._untold(field)
        query = {
            "regexp": {
                _VALUES: {"value": f"{literal(field)}\0({said})", "flags": "NONE"},
            }
        }
        return self._told(query, field, spelling_mark(field), ALL_FIELDS)

    def _range(self, leaf: Range) -> Bounds:
        bounds = [bound for bound in (leaf.low, leaf.high) if bound is not None]
        if any(number_in(bound) is None for bound in bounds):
            low, high = leaf.low, leaf.high
            query = _between(leaf, _VALUES, low, high)
            return self._told(query, leaf.field, ALL_FIELDS)
        codes = [None if one is None else _code(one) for one in (leaf.low, leaf.high)]
        if "" in codes:
            return self._untold(leaf.field)
        return self._told(
            _between(leaf, "cgii.numbers", *codes), number_mark(leaf.field), ALL_FIELDS
        )


def during(field: str, start: int | None, end: int | None) -> Query:
    """Events of which a time lies in [start, end), in milliseconds since 1970."""
    inside: Query = {"format": "epoch_millis"}
    if start is not None:
        inside["gte"] = start
    if end is not None:
        inside["lt"] = end
    return {"range": {field: inside}} if len(inside) > 1 else EVERYTHING


def _is_term(node: Node) -> TypeGuard[Equals]:
    return isinstance(node, Equals) and node.field not in TEXTS and node.field not in TIMES


def _code(bound: str) -> str:
    """The bound as it stands in the index; empty when a double would change it."""
    number = number_in(bound)
    return (None if number is None else number_code(number)) or ""


def _between(leaf: Range, place: str, low: str | None, high: str | None) -> Query:
    inside = {"gte": pair(leaf.field, ""), "lt": f"{leaf.field}\x01"}
    if low is not None:
        del inside["gte"]
        inside["gte" if leaf.low_counts else "gt"] = pair(leaf.field, low)
    if high is not None:
        del inside["lt"]
        inside["lte" if leaf.high_counts else "lt"] = pair(leaf.field, high)
    return {"range": {place: inside}}


def _within(leaf: Within) -> Query:
    first, last = (
        pair(leaf.field, address_code(ipaddress.ip_address(one))) for one in (leaf.first, leaf.last)
    )
    return {"range": {"cgii.addresses": {"gte": first, "lte": last}}}


def _wildcard(pieces: Iterable[Any]) -> str:
    return "".join(
        piece.value
        if isinstance(piece, Wild)
        else "".join(f"\\{char}" if char in "*?\\" else char for char in piece)
        for piece in pieces
    )


def _exact(query: Query) -> Bounds:
    return Bounds(query, query)


def _all(queries: Sequence[Query]) -> Query:
    if NOTHING in queries:
        return NOTHING
    parts = [query for query in queries if query != EVERYTHING]
    if not parts:
        return EVERYTHING
    return parts[0] if len(parts) == 1 else {"bool": {"filter": parts}}


def _some(queries: Sequence[Query]) -> Query:
    if EVERYTHING in queries:
        return EVERYTHING
    parts = [query for query in queries if query != NOTHING]
    if not parts:
        return NOTHING
    if len(parts) == 1:
        return parts[0]
    return {"bool": {"should": parts, "minimum_should_match": 1}}


def _not(query: Query) -> Query:
    if query == EVERYTHING:
        return NOTHING
    return EVERYTHING if query == NOTHING else {"bool": {"must_not": [query]}}
