"""The typed tree of a search: what Lucene syntax means here, before any store's own language."""

from dataclasses import dataclass
from enum import Enum


class Wild(Enum):
    """The two wildcards of a pattern."""

    ANY = "*"  # any characters, also none
    ONE = "?"  # exactly one


Pieces = tuple[str | Wild, ...]


@dataclass(frozen=True, slots=True)
class Everything:
    """True for each event."""


@dataclass(frozen=True, slots=True)
class Words:
    """These words stand in the event one after the other; the last may be only a beginning."""

    words: tuple[str, ...]
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class WordLike:
    """Some word of the event looks like this (`*katz`)."""

    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Says:
    """A long text field has these words one after the other."""

    field: str
    words: tuple[str, ...]
    open_end: bool = False


@dataclass(frozen=True, slots=True)
class Equals:
    """One of the field's values is this; `value` is in comparable form."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Like:
    """One of the field's values looks like this from end to end; pieces are folded."""

    field: str
    pieces: Pieces


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression (RE2) fits one of the field's values from end to end."""

    field: str
    pattern: str


@dataclass(frozen=True, slots=True)
class Range:
    """A value lies between; numbers are compared as numbers when the bound is one, else as text.

    Without `low` or `high` that side is open. Bounds are folded text.
    """

    field: str
    low: str | None = None
    high: str | None = None
    low_counts: bool = True
    high_counts: bool = True


@dataclass(frozen=True, slots=True)
class Within:
    """One of the field's values is an address from `first` to `last`, which are of one family."""

    field: str
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class During:
    """A time field lies in [start, end), both in milliseconds since 1970."""

    field: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class And:
    """All of them."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of them."""

    parts: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not this one; an event that lacks the field counts."""

    part: "Node"


Leaf = Words | WordLike | Says | Equals | Like | Regex | Range | Within | During | Exists
Node = Everything | Leaf | And | Or | Not
