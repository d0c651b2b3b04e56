"""Tests one condition on a stored document, for the conditions that no index answers."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any

import re2

from cgii.store.query_fields import comparable, values
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
from cgii.store.words import full_text, shown, words

_NUMBER = re.compile(r"-?\d{1,40}(?:\.\d{1,40})?", re.ASCII)

Document = Mapping[str, Any]
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Test = Callable[[Document], bool]


def search_test(node: Node) -> Test:
    """The function that tells whether a document meets a whole search."""
    match node:
        case Everything():
            return lambda document: True
        case And(parts):
            every = [search_test(part) for part in parts]
            return lambda document: all(test(document) for test in every)
        case Or(parts):
            some = [search_test(part) for part in parts]
            return lambda document: any(test(document) for test in some)
        case Not(part):
            test = search_test(part)
            return lambda document: not test(document)
        case _:
            return test_of(node)


def test_of(leaf: Leaf) -> Test:
    """The function that tells whether a document meets the condition."""
    match leaf:
        case Words() | WordLike():
            return _fulltext_test(leaf)
        case Says():
            padded, field = _padded(leaf.words, leaf.open_end), leaf.field
            return lambda document: any(
                padded in _padded(words(shown(value))) for value in values(document, field)
            )
        case Exists(field):
            return lambda document: any(True for _ in values(document, field))
        case During():
            return _time_test(leaf)
        case Regex(field, pattern):
            regex = compile_regex(pattern)
            return lambda document: any(
                regex.fullmatch(shown(value)) is not None for value in values(document, field)
            )
        case _:
            field, fits = leaf.field, text_test(leaf)
            return lambda document: any(
                fits(comparable(field, value)) for value in values(document, field)
            )


def compile_regex(pattern: str) -> Any:  # re2's own type has no stubs
    """A regular expression without case, in bounded time. Raises re2.error."""
    options = re2.Options()
    options.log_errors = False
    options.case_sensitive = False
    options.dot_nl = True
    return re2.compile(pattern, options)


def compile_like(pieces: Pieces) -> Any:
    """The regular expression of a pattern with wildcards."""
    return compile_regex("".join(map(_like_piece, pieces)))


def _like_piece(piece: str | Wild) -> str:
    if isinstance(piece, Wild):
        return ".*" if piece is Wild.ANY else "."
    return str(re2.escape(piece))


def _padded(found: tuple[str, ...], open_end: bool = False) -> str:
    """Words between blanks, so that a phrase is a part of a text."""
    return f" {' '.join(found)}" + ("" if open_end else " ")


def _fulltext_test(leaf: Words | WordLike) -> Test:
    def spelled(document: Document) -> tuple[str, ...]:
        text = full_text(document["event.original"], document["fields"], document["ecs"])
        return tuple(text.split())

    if isinstance(leaf, Words):
        phrase = _padded(leaf.words, leaf.open_end)
        return lambda document: phrase in _padded(spelled(document))
    regex = compile_like(leaf.pieces)
    # "=" stands between texts: it is no word.
    return lambda document: any(regex.fullmatch(word) for word in {*spelled(document)} - {"="})


def _time_test(leaf: During) -> Test:
    start = -(2**63) if leaf.start is None else leaf.start
    end = 2**63 if leaf.end is None else leaf.end
    return lambda document: any(
        start <= value // 1000 < end for value in values(document, leaf.field)
    )


def text_test(leaf: Equals | Like | Range | Within) -> Callable[[str], bool]:
    """The function that tells whether one value, in comparable form, meets the condition."""
    match leaf:
        case Equals(_, wanted):
            return lambda text: text == wanted
        case Like(_, pieces):
            regex = compile_like(pieces)
            return lambda text: regex.fullmatch(text) is not None
        case Range():
            return _range_test(leaf)
        case Within(_, first, last):
            return _address_test(ipaddress.ip_address(first), ipaddress.ip_address(last))


def _address_test(first: Address, last: Address) -> Callable[[str], bool]:
    """Whether a text is an address between; a text that is no address is not."""
    version, low, high = first.version, int(first), int(last)

    def fits(text: str) -> bool:
        try:
            address = ipaddress.ip_address(text)
        except ValueError:
            return False
        return address.version == version and low <= int(address) <= high

    return fits


def _range_test(leaf: Range) -> Callable[[str], bool]:
    bounds = [bound for bound in (leaf.low, leaf.high) if bound is not None]
    numbers = [number_in(bound) for bound in bounds]
    if any(number is None for number in numbers):
        return lambda text: _between(text, leaf.low, leaf.high, leaf)
    low = None if leaf.low is None else number_in(leaf.low)
    high = None if leaf.high is None else number_in(leaf.high)

    def fits(text: str) -> bool:
        number = number_in(text)
        return number is not None and _between(number, low, high, leaf)

    return fits


def _between(value: Any, low: Any, high: Any, leaf: Range) -> bool:
    if low is not None and (value < low or (value == low and not leaf.low_counts)):
        return False
    return high is None or value < high or (value == high and leaf.high_counts)


def number_in(text: str) -> float | int | None:
    """The number that a text is, as ranges compare it; None when it is none."""
    if not _NUMBER.fullmatch(text):
        return None
    return float(text) if "." in text else int(text)
