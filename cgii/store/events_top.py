"""The most frequent values of a field in one month's file."""

import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

from cgii.base import limits
from cgii.store.events_files import Reader
from cgii.store.events_month import BODY, HOT, has_stand_in, key, value_of
from cgii.store.events_plan import Plan, Stretch, plan
from cgii.store.events_search import count, span, tally
from cgii.store.query_tree import Everything, Node

Another = Callable[[], AbstractContextManager[Reader | None]]

_SLICES = 64  # at least
_EVENTS_PER_SLICE = 150_000
_TEXT_BYTES_MAX = 4 << 20  # of the values of one slice: 80 MB as short texts of Python's at worst
_TOP_PER_FILE = 1_000  # values kept of each month before the months are added up


def top_values(
    reader: Reader, tree: Node, stretch: Stretch, field: str, *, another: Another
) -> Counter[str]:
    """The most frequent values, in comparable form. `another` opens one more reader of the file."""
    chosen = plan(reader.db, tree, stretch)
    column = HOT.get(field)
    if column is None:
        return _in_documents(reader, chosen, field, "")
    totals, shortest = None, 0
    if isinstance(tree, Everything) and _is_all(reader, stretch):
        totals = _in_words(reader, field)
        shortest = limits.HOT_VALUE_CHARS_MAX + 1  # the others are among the words
    if totals is None:
        totals, shortest = _in_column(reader, chosen, _Slices(tree, stretch, column), another), 0
    if chosen.odd:
        rest = _in_documents(reader, chosen, field, f"AND e.odd IS 1 AND e.{column} IS NULL")
        totals.update({value: rest[value] for value in rest if len(value) >= shortest})
    return totals


def _is_all(reader: Reader, stretch: Stretch) -> bool:
    whole = span(reader)
    return whole is None or (stretch.low <= whole.low and whole.high < stretch.high)


def _in_words(reader: Reader, field: str) -> Counter[str] | None:
    """Over the whole file: the full text knows in how many rows each value is.

    None when a word may stand for several values.
    """
    low = key(field, "")
    statement = "SELECT term, doc FROM temp.told WHERE term >= ? AND term < ? ORDER BY doc DESC"
    bounds = (low, low[:-1] + chr(ord(low[-1]) + 1))
    rows = reader.db.execute(f"{statement} LIMIT {_TOP_PER_FILE}", bounds).fetchall()
    if any(has_stand_in(term) for term, _ in rows):
        return None
    return Counter({value_of(term): number for term, number in rows})


def _in_column(reader: Reader, chosen: Plan, slices: "_Slices", another: Another) -> Counter[str]:
    few = limits.TOP_GROUPED_MAX
    if chosen.has_open_end or count(reader, slices.tree, slices.stretch, few) < few:
        return _grouped(reader, chosen, slices.column)
    # GROUP BY would sort all of them; a long text is split and counted in half the time. The
    # data base works without Python's lock, so several threads share the slices.
    slices.cut(reader)
    helpers = limits.TOP_THREADS - 1
    with ThreadPoolExecutor(helpers) as pool:
        try:
            helped = [pool.submit(_help, slices, another) for _ in range(helpers)]
            totals = slices.count(reader)
            for one in helped:
                totals.update(one.result())
        finally:
            slices.left.clear()  # whoever still works finishes with the slice that it has
    if slices.is_too_much or len(totals) > limits.TOP_VALUES_MAX:
        return _grouped(reader, chosen, slices.column)  # the file sorts them outside of memory
    return Counter(dict(totals.most_common(_TOP_PER_FILE)))


def _help(slices: "_Slices", another: Another) -> Counter[str]:
    totals: Counter[str] = Counter()  # remains if the file is set aside as damaged meanwhile
    with another() as reader:
        if reader is not None:
            totals = slices.count(reader)
    return totals


class _Slices:
    """A search cut in parts by time, for as many as want to take part in counting them."""

    def __init__(self, tree: Node, stretch: Stretch, column: str) -> None:
        self.tree = tree
        self.stretch = stretch
        self.column = column
        self.left: deque[tuple[Stretch, Plan]] = deque()
        self.is_too_much = False

    def cut(self, reader: Reader) -> None:
        """Cut the stretch as far as the file goes."""
        whole = span(reader)
        assert whole is not None, "there were hits"
        low, high = max(self.stretch.low, whole.low), min(self.stretch.high, whole.high + 1)
        share = (high - low) / max(1, whole.high + 1 - whole.low)
        number = max(_SLICES, round(share * tally(reader) / _EVENTS_PER_SLICE))
        step = max(1, -(-(high - low) // number))
        self._add(reader, *(Stretch(one, min(one + step, high)) for one in range(low, high, step)))

    def _add(self, reader: Reader, *parts: Stretch) -> None:
        """Plan beforehand: a statement between two slices would wait for Python's lock.

        Who has added up its values would wait until the other one has, and each for each.
        """
        self.left.extend((part, plan(reader.db, self.tree, part)) for part in parts)

    def count(self, reader: Reader) -> Counter[str]:
        """Take slices until none is left; the values of those taken."""
        totals: Counter[str] = Counter()
        while self.left:
            try:
                part, chosen = self.left.pop()
            except IndexError:  # another was faster
                break
            try:
                found = self._values_in(reader, chosen)
            except sqlite3.DataError:  # their text is too long
                if part.high - part.low < 2:
                    raise  # something else is
                found = None
            if found is None:
                middle = (part.low + part.high) // 2
                self._add(reader, Stretch(part.low, middle), Stretch(middle, part.high))
            else:
                totals.update(found)
            if len(totals) > limits.TOP_VALUES_MAX:
                self.is_too_much = True
                self.left.clear()
        return totals

    def _values_in(self, reader: Reader, chosen: Plan) -> Iterable[str] | Mapping[str, int] | None:
        """The values of the column, or their counts; None when there are too many rows.

        Raises DataError when their text would be too long.
        """
        # The sign stands in the text: char(31) would be made for each row, under a lock that all
        # connections share.
        wanted = "count({0}), group_concat({0}, '\x1f')"
        if chosen.bare:  # then no long document is read, and the length of the text is bound
            statement, after = chosen.select(wanted.format(f"e.{self.column}")), []
        else:
            inner = chosen.select(f"e.{self.column} AS value", "LIMIT ?")
            statement = f"SELECT {wanted.format('value')}, count(*) FROM ({inner})"  # noqa: S608
            after = [limits.TOP_ROWS_AT_ONCE + 1]
        with reader.counting(_TEXT_BYTES_MAX if chosen.bare else 0):
            [(filled, text, *counted)] = reader.run(chosen, statement, after=after)
        if counted and counted[0] > limits.TOP_ROWS_AT_ONCE:
            return None
        values = text.split("\x1f") if filled else []
        if len(values) == filled:
            return values
        # A value holds the sign that should stand between them.
        told = f"AND e.{self.column} IS NOT NULL GROUP BY 1"
        return dict(reader.run(chosen, chosen.select(f"e.{self.column}, count(*)", told)))


def _grouped(reader: Reader, chosen: Plan, column: str) -> Counter[str]:
    told = f"AND e.{column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT {_TOP_PER_FILE}"
    rows = reader.run(chosen, chosen.select(f"e.{column}, count(*)", told))
    return Counter({str(value): number for value, number in rows})


def _in_documents(reader: Reader, chosen: Plan, field: str, told: str) -> Counter[str]:
    inner = chosen.select(f"found(?, {BODY}) AS found", told)
    statement = f"SELECT j.value, count(*) FROM ({inner}) t, json_each(t.found) j"  # noqa: S608
    statement += f" GROUP BY 1 ORDER BY 2 DESC LIMIT {_TOP_PER_FILE}"
    return Counter(dict(reader.run(chosen, statement, before=(field,))))
