"""Writes a search as SQL for one month's file: conditions, and what its full text can answer."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cgii.base import limits
from cgii.store.events_month import BODY, HOT, LAST_MILLISECOND, MARKS, key, position_of
from cgii.store.query_fields import ADDRESSES, OWN
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
    Range,
    Says,
    Wild,
    Within,
    Words,
)
from cgii.store.query_values import Test, test_of, text_test
from cgii.store.words import words

_WHOLE_NUMBER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
# What a wildcard may continue: a word, or numbers that are one word as an address.
_OPEN_START = re.compile(r"^\w*(?:[\d.]*\.\d\w*)?")
_OPEN_END = re.compile(r"(?:\w*\d\.[\d.]*)?\w*$")


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL with the values for its question marks; `text` is made of constants only."""

    text: str
    values: tuple[Any, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """What the full text can say about a condition; `matching` takes the text.

    `exact` means that it is the condition; otherwise its hits contain all that meet it.
    """

    text: str
    exact: bool


_PREFIX_SIGN = '" *'  # of a phrase whose last word may go on
_KEY_BEGINS = frozenset(mark.removesuffix("=") for mark in MARKS.values())
# Each byte by which a word may go on: letters, digits, and the first of any other character.
_WORD_BYTES = (*b"0123456789abcdefghijklmnopqrstuvwxyz", *range(0xC2, 0xF5))
_GOES_ON = [bytes((one,)).decode(errors="surrogateescape") for one in _WORD_BYTES]
TRUE = Sql("1")
FALSE = Sql("0")


def both(parts: Sequence[Sql], word: str = "AND") -> Sql:
    """The parts joined by AND, or by another word."""
    if not parts:
        return TRUE
    text = f" {word} ".join(part.text for part in parts)
    return Sql(f"({text})", tuple(value for part in parts for value in part.values))


def match_of(node: Node) -> Match | None:
    """The full-text search for a condition; None when the full text cannot narrow it."""
    match node:
        case Words():
            return Match(_phrase(node.words, node.open_end), exact=True)
        case Says(field, found, open_end) if field != "event.original":
            return Match(_phrase(found, open_end), exact=False)
        case Equals(field, value):
            return _match_value(field, value)
        case Like(field) if field not in OWN:
            sure = _sure_words(node)
            return Match(" AND ".join(map(quoted, sure)), exact=False) if sure else None
        case And(parts):
            return match_all(parts)[0]
        case Or(parts):
            return _match_any([match_of(part) for part in parts])
        case _:
            return None


def _match_value(field: str, value: str) -> Match | None:
    if field in HOT and len(value) <= limits.HOT_VALUE_CHARS_MAX:
        return Match(quoted(key(field, value)), exact=value.isascii() and value.isprintable())
    if field in OWN or (field in ADDRESSES and ":" in value):
        return None
    spelled = words(value)
    return Match(_phrase(spelled), exact=False) if spelled else None


def match_all(parts: Sequence[Node]) -> tuple[Match | None, list[Node]]:
    """What the full text can say about all parts together, and the parts left to test."""
    wanted: list[Match] = []
    unwanted: list[Match] = []
    rest: list[Node] = []
    for part in parts:
        if isinstance(part, Not):
            denied = match_of(part.part)
            if denied is not None and denied.exact:
                unwanted.append(denied)
                continue
        found = match_of(part)
        if found is not None:
            wanted.append(found)
        if found is None or not found.exact:
            rest.append(part)
    if not wanted:
        return None, list(parts)
    text = " AND ".join(f"({match.text})" for match in wanted)
    if unwanted:
        text = " NOT ".join([f"({text})", *(f"({match.text})" for match in unwanted)])
    return Match(text, exact=not rest), rest


def _match_any(found: list[Match | None]) -> Match | None:
    known = [match for match in found if match is not None]
    if not known or len(known) < len(found):
        return None
    exact = all(match.exact for match in known)
    return Match(" OR ".join(f"({match.text})" for match in known), exact)


def is_placed(times: During) -> bool:
    """Whether the positions of events tell of all of them whether they lie in these times."""
    bounds = [bound for bound in (times.start, times.end) if bound is not None]
    return all(-LAST_MILLISECOND < bound <= LAST_MILLISECOND for bound in bounds)


def quoted(text: str) -> str:
    """A text as one string of the full text's own language."""
    return '"' + text.replace('"', '""') + '"'


def _phrase(found: Sequence[str], open_end: bool = False) -> str:
    text = quoted(" ".join(found))
    if not open_end:
        return text
    if text[1:-1] in _KEY_BEGINS:  # keys begin like this, too, and go on with a sign
        return " OR ".join([text, *(f"{text[:-1]}{one}{_PREFIX_SIGN}" for one in _GOES_ON)])
    return text[:-1] + _PREFIX_SIGN


def matching(text: str) -> Sql:
    """The condition that a row of the full text is a hit; as bytes, for half characters."""
    return Sql("words MATCH CAST(? AS TEXT)", (text.encode(errors="surrogateescape"),))


def has_open_end(sql: Sql) -> bool:
    """Whether a word's beginning is sought in the full text."""
    sign = _PREFIX_SIGN.encode()
    return any(isinstance(one, bytes) and sign in one for one in sql.values)


def _sure_words(node: Like) -> list[str]:
    """Whole words that each value of this pattern has."""
    sure: dict[str, None] = {}
    last = len(node.pieces) - 1
    for place, piece in enumerate(node.pieces):
        if isinstance(piece, Wild):
            continue
        if place > 0:
            piece = _OPEN_START.sub("", piece, count=1)
        if place < last:
            piece = _OPEN_END.sub("", piece, count=1)
        sure.update((word, None) for word in words(piece))
    return list(sure)


class SqlWriter:
    """Writes conditions on a row `e` of `event`; collects the tests that SQL calls by number.

    Full-text hits matter between the positions `low` and `high`. `odd` says whether the file has
    rows whose columns do not tell everything.
    """

    def __init__(self, *, low: int, high: int, odd: bool) -> None:
        self.low = low
        self.high = high
        self.odd = odd
        self.document_tests: list[Test] = []
        self.text_tests: list[Callable[[str], bool]] = []

    def write(self, node: Node) -> Sql:
        """The condition as an expression that is 0 or 1, never NULL."""
        match node:
            case Everything():
                return TRUE
            case And(parts):
                return both([self.write(part) for part in parts])
            case Or(parts):
                together = match_of(node)
                if together is not None and together.exact:
                    return self._found(together.text)
                return both([self.write(part) for part in parts], "OR") if parts else FALSE
            case Not(part):
                inner = self.write(part)
                return Sql(f"(NOT {inner.text})", inner.values)
            case Words(found, open_end):
                return self._found(_phrase(found, open_end))
            case During("@timestamp", start, end) if is_placed(node):
                return _between(start, end)
            case _:
                return self._leaf(node)

    def _found(self, match: str) -> Sql:
        hits = matching(match)
        return Sql(
            f"(e.position IN (SELECT rowid FROM words WHERE {hits.text}"  # noqa: S608 constants
            " AND rowid >= ? AND rowid < ?))",
            (*hits.values, self.low, self.high),
        )

    def _leaf(self, leaf: Leaf) -> Sql:
        name = getattr(leaf, "field", "")
        if name not in HOT:
            return self._by_document(leaf)
        plain = self._by_column(leaf, f"e.{HOT[name]}")
        if plain is None:
            return self._by_document(leaf)
        if not self.odd:
            return plain
        other = self._by_document(leaf)
        return Sql(f"({plain.text} OR (e.odd IS 1 AND {other.text}))", plain.values + other.values)

    def _by_document(self, leaf: Leaf) -> Sql:
        self.document_tests.append(test_of(leaf))
        number = len(self.document_tests) - 1
        return Sql(f"meets({number}, {BODY})")

    def _by_column(self, leaf: Leaf, column: str) -> Sql | None:
        match leaf:
            case Exists():
                return Sql(f"({column} IS NOT NULL)")
            case Equals(field, value):
                wanted = column_value(field, value)
                return FALSE if wanted is None else Sql(f"({column} IS ?)", (wanted,))
            case Like(_, pieces) if column not in ("e.entity_id", "e.sensor_id"):
                return Sql(f"coalesce({column} GLOB ?, 0)", ("".join(map(_glob, pieces)),))
            case Range() | Within() | Like():
                self.text_tests.append(text_test(leaf))
                fits = f"fits({len(self.text_tests) - 1}, {column})"
                near = _near(leaf) if isinstance(leaf, Within) else ""
                if not near:
                    return Sql(fits)
                # "/" follows "." in ASCII: all texts that begin with these whole numbers.
                return Sql(
                    f"(coalesce({column} >= ? AND {column} < ?, 0) AND {fits})",
                    (f"{near}.", f"{near}/"),
                )
            case _:
                return None


def column_value(field: str, value: str) -> str | int | None:
    """What a column of an indexed field is compared with; None when nothing can be equal."""
    if field not in ("entity_id", "sensor_id"):
        return value
    return int(value) if _WHOLE_NUMBER.fullmatch(value) and value != "-0" else None


def _between(start: int | None, end: int | None) -> Sql:
    parts = []
    if start is not None:
        parts.append(Sql("e.position >= ?", (position_of(start),)))
    if end is not None:
        parts.append(Sql("e.position < ?", (position_of(end),)))
    return both(parts)


def _glob(piece: str | Wild) -> str:
    if isinstance(piece, Wild):
        return piece.value
    return "".join(f"[{char}]" if char in "*?[" else char for char in piece)


def _near(leaf: Within) -> str:
    """The whole numbers with which each of the addresses begins: `10.20`; empty for IPv6."""
    if ":" in leaf.first:
        return ""
    same: list[str] = []
    for first, last in zip(leaf.first.split(".")[:3], leaf.last.split("."), strict=False):
        if first != last:
            break
        same.append(first)
    return ".".join(same)
