"""Chooses how a search walks through one month's file: by its full text, or by time."""

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from cgii.store.event_shapes import EventQuery
from cgii.store.events_month import LAST_MILLISECOND, first_moment, position_of
from cgii.store.events_neighbours import neighbour
from cgii.store.query import parse
from cgii.store.query_sql import Sql, SqlWriter, both, has_open_end, is_placed, match_all, matching
from cgii.store.query_times import milliseconds
from cgii.store.query_tree import And, During, Equals, Node, Or
from cgii.store.query_values import Test


@dataclass(frozen=True, slots=True)
class Stretch:
    """Positions from `low` on, before `high`."""

    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The rest of a SELECT: what it reads, in which order, under which condition.

    `bare` is a source that gives positions alone, for questions that need no more; it is empty
    when the condition needs the row `e`.
    """

    source: str
    bare: str
    position: str  # the column to order by
    where: Sql
    document_tests: tuple[Test, ...] = ()
    text_tests: tuple[Callable[[str], bool], ...] = ()
    odd: bool = False  # some rows' columns do not tell everything

    @property
    def has_open_end(self) -> bool:
        """Whether a word's beginning is sought: all words with it are read for each statement."""
        return has_open_end(self.where)

    def select(self, columns: str, ending: str = "") -> str:
        """The statement with a row `e` at hand; both arguments are constants of ours."""
        return f"SELECT {columns} FROM {self.source} WHERE {self.where.text} {ending}"  # noqa: S608

    def select_positions(self, columns: str, ending: str = "") -> str:
        """The statement that reads positions only, cheaper when the full text says it all."""
        source = self.bare or self.source
        return f"SELECT {columns} FROM {source} WHERE {self.where.text} {ending}"  # noqa: S608


def understood(query: EventQuery) -> tuple[Node, Stretch]:
    """What is asked, with the tenant guard inside, and the positions that can be meant."""
    tree = guarded(parse(query.text), query.entity_ids)
    start = None if query.start is None else milliseconds(query.start)
    end = None if query.end is None else milliseconds(query.end)
    times = During("@timestamp", start, end)
    low, high = -(2**63), 2**63 - 1
    for part in (times, *_conditions(tree)):
        if isinstance(part, During) and part.field == "@timestamp":
            low = low if part.start is None else max(low, position_of(part.start))
            high = high if part.end is None else min(high, _position_after(part.end))
    return tree if is_placed(times) else And((tree, times)), Stretch(low, high)


def _position_after(millisecond: int) -> int:
    """The first position behind all events before a millisecond: strange clocks are at the ends."""
    if millisecond > LAST_MILLISECOND:
        return 2**63 - 1
    return position_of(max(millisecond, 1 - LAST_MILLISECOND))


def may_hold(month: str, stretch: Stretch) -> bool:
    """Whether what was received in a month, such as `2026-11`, belongs to the stretch.

    For files that cannot be read: records that came late are in the file of a later month.
    """
    ends = (first_moment(month), first_moment(neighbour(month, 1)))
    low, high = (position_of(milliseconds(moment)) for moment in ends)
    return low < stretch.high and high > stretch.low


def guarded(tree: Node, entity_ids: frozenset[int] | None) -> Node:
    """The search with the tenant guard built in: nothing outside these entities meets it."""
    if entity_ids is None:
        return tree
    return And((tree, Or(tuple(Equals("entity_id", str(one)) for one in sorted(entity_ids)))))


def plan(db: sqlite3.Connection, tree: Node, stretch: Stretch) -> Plan:
    """The plan for one file."""
    match, rest = match_all([part for part in _conditions(tree) if not _is_stretch(part)])
    odd = bool(
        db.execute("SELECT EXISTS (SELECT 1 FROM event WHERE odd IS NOT NULL)").fetchone()[0]
    )
    writer = SqlWriter(low=stretch.low, high=stretch.high, odd=odd)
    remaining = [writer.write(part) for part in rest]
    position = "e.position" if match is None else "words.rowid"
    inside = Sql(f"{position} >= ? AND {position} < ?", (stretch.low, stretch.high))
    if match is None:
        source, ways = "event e NOT INDEXED", [inside]
    else:
        source = "words CROSS JOIN event e ON e.position = words.rowid"
        ways = [matching(match.text), inside]
    return Plan(
        source=source,
        bare="" if remaining or match is None else "words",
        position=position,
        where=both([*ways, *remaining]),
        document_tests=tuple(writer.document_tests),
        text_tests=tuple(writer.text_tests),
        odd=odd,
    )


def _conditions(tree: Node) -> list[Node]:
    """What must all be true."""
    if isinstance(tree, And):
        return [inner for part in tree.parts for inner in _conditions(part)]
    return [tree]


def _is_stretch(part: Node) -> bool:
    """Whether the stretch alone answers it."""
    return isinstance(part, During) and part.field == "@timestamp" and is_placed(part)
