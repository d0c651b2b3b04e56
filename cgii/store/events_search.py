"""Questions to one month's file, each in one statement."""

from collections import Counter
from collections.abc import Iterable, Mapping

from cgii.base import limits
from cgii.model.event import Event
from cgii.store.events_files import Reader
from cgii.store.events_month import BODY, HOT, SLOT_BITS, event_of, has_stand_in, key, value_of
from cgii.store.events_plan import Plan, Stretch, plan
from cgii.store.query_tree import Everything, Node

Row = tuple[int, str, bytes, bytes]  # position, month, id, document

_SLICES = 64
_TOP_PER_FILE = 1_000  # values kept of each month before the months are added up


def span(reader: Reader) -> Stretch | None:
    """The first and the last position that are taken; None when there are none."""
    low = reader.db.execute("SELECT min(position) FROM event").fetchone()[0]
    high = reader.db.execute("SELECT max(position) FROM event").fetchone()[0]
    return None if low is None else Stretch(low, high)


def tally(reader: Reader) -> int:
    """How many events the file has."""
    return int(reader.db.execute("SELECT events FROM tally").fetchone()[0])


def newest(reader: Reader, tree: Node, stretch: Stretch, size: int) -> list[Row]:
    """The newest events that match, `size` at most."""
    chosen = plan(reader.db, tree, stretch)
    statement = chosen.select(
        f"e.position, e.id, {BODY}", f"ORDER BY {chosen.position} DESC LIMIT ?"
    )
    rows = reader.run(chosen, statement, after=(size,))
    return [(position, reader.month, key, body) for position, key, body in rows]


def oldest(reader: Reader, tree: Node, stretch: Stretch, size: int) -> list[Row]:
    """The oldest events that match, `size` at most, by position."""
    chosen = plan(reader.db, tree, stretch)
    statement = chosen.select(f"e.position, e.id, {BODY}", f"ORDER BY {chosen.position} LIMIT ?")
    rows = reader.run(chosen, statement, after=(size,))
    return [(position, reader.month, key, body) for position, key, body in rows]


def by_id(reader: Reader, tree: Node, stretch: Stretch, *, after: bytes, size: int) -> list[Row]:
    """Events that match with an id past `after`, `size` at most, by id."""
    chosen = plan(reader.db, tree, stretch)
    # The documents are fetched for the page alone, not for all that are sorted.
    inner = chosen.select("e.position, e.id, e.kept", "AND e.id > ? ORDER BY e.id LIMIT ?")
    statement = f"SELECT e.position, e.id, {BODY} FROM ({inner}) e ORDER BY e.id"  # noqa: S608
    rows = reader.run(chosen, statement, after=(after, size))
    return [(position, reader.month, key, body) for position, key, body in rows]


def after(reader: Reader, position: int, size: int) -> list[Row]:
    """The events after a position, whatever they are, `size` at most."""
    rows = reader.db.execute(
        f"SELECT e.position, e.id, {BODY} FROM event e"  # noqa: S608 constants
        " WHERE e.position > ? ORDER BY e.position LIMIT ?",
        (position, size),
    )
    return [(place, reader.month, key, body) for place, key, body in rows]


def count(reader: Reader, tree: Node, stretch: Stretch, most: int) -> int:
    """How many match; a negative `most` means no limit, as in SQL."""
    chosen = plan(reader.db, tree, stretch)
    inner = chosen.select_positions("1", "LIMIT ?")
    return int(reader.run(chosen, f"SELECT count(*) FROM ({inner})", after=(most,))[0][0])  # noqa: S608


def steps(
    reader: Reader, tree: Node, stretch: Stretch, *, begin: int, step: int, used: int
) -> dict[int, int]:
    """Events by the number of their step below `used`; `begin` and `step` are in milliseconds."""
    chosen = plan(reader.db, tree, stretch)
    few = limits.HISTOGRAM_SORTED_MAX
    if chosen.has_open_end or count(reader, tree, stretch, few) < few:
        place = f"({chosen.position} - {begin << SLOT_BITS}) / {step << SLOT_BITS}"
        statement = chosen.select_positions(f"{place}, count(*)", "GROUP BY 1")
        return dict(reader.run(chosen, statement))
    # Hits come in order of time, which GROUP BY does not know: it would sort all of them.
    found: dict[int, int] = {}
    for number in range(used):
        low = (begin + number * step) << SLOT_BITS
        within = Stretch(max(low, stretch.low), min(low + (step << SLOT_BITS), stretch.high))
        if within.low < within.high:
            found[number] = count(reader, tree, within, -1)
    return found


def top_values(reader: Reader, tree: Node, stretch: Stretch, field: str) -> Counter[str]:
    """The most frequent values of a field, in comparable form."""
    chosen = plan(reader.db, tree, stretch)
    column = HOT.get(field)
    if column is None:
        return _in_documents(reader, chosen, field, "")
    totals, shortest = None, 0
    if isinstance(tree, Everything) and _is_all(reader, stretch):
        totals = _in_words(reader, field)
        shortest = limits.HOT_VALUE_CHARS_MAX + 1  # the others are among the words
    if totals is None:
        totals, shortest = _in_column(reader, tree, stretch, column), 0
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


def _in_column(reader: Reader, tree: Node, stretch: Stretch, column: str) -> Counter[str]:
    chosen = plan(reader.db, tree, stretch)
    few = limits.TOP_GROUPED_MAX
    if chosen.has_open_end or count(reader, tree, stretch, few) < few:
        return _grouped(reader, chosen, column)
    # GROUP BY would sort all of them; a long text is split and counted in half the time.
    totals: Counter[str] = Counter()
    whole = span(reader)
    assert whole is not None
    low, high = max(stretch.low, whole.low), min(stretch.high, whole.high + 1)
    step = max(1, -(-(high - low) // _SLICES))
    parts = [Stretch(one, min(one + step, high)) for one in range(low, high, step)]
    while parts:
        part = parts.pop()
        found = _in_slice(reader, plan(reader.db, tree, part), column)
        if found is None:
            middle = (part.low + part.high) // 2
            parts += [Stretch(part.low, middle), Stretch(middle, part.high)]
        else:
            totals.update(found)
        if len(totals) > limits.TOP_VALUES_MAX:  # the file sorts them outside of memory
            return _grouped(reader, chosen, column)
    return Counter(dict(totals.most_common(_TOP_PER_FILE)))


def _grouped(reader: Reader, chosen: Plan, column: str) -> Counter[str]:
    told = f"AND e.{column} IS NOT NULL GROUP BY 1 ORDER BY 2 DESC LIMIT {_TOP_PER_FILE}"
    rows = reader.run(chosen, chosen.select(f"e.{column}, count(*)", told))
    return Counter({str(value): number for value, number in rows})


def _in_slice(
    reader: Reader, chosen: Plan, column: str
) -> Iterable[str] | Mapping[str, int] | None:
    """The values of a column, or their counts; None when there are too many rows."""
    most = limits.TOP_ROWS_AT_ONCE
    inner = chosen.select(f"e.{column} AS value", "LIMIT ?")
    statement = "SELECT count(*), count(value), group_concat(value, char(31))"
    [(rows, number, text)] = reader.run(chosen, f"{statement} FROM ({inner})", after=(most + 1,))
    if rows > most:
        return None
    values = text.split("\x1f") if number else []
    if len(values) == number:
        return values
    # A value holds the sign that should stand between them.
    told = f"AND e.{column} IS NOT NULL GROUP BY 1"
    return dict(reader.run(chosen, chosen.select(f"e.{column}, count(*)", told)))


def _in_documents(reader: Reader, chosen: Plan, field: str, told: str) -> Counter[str]:
    inner = chosen.select(f"found(?, {BODY}) AS found", told)
    statement = f"SELECT j.value, count(*) FROM ({inner}) t, json_each(t.found) j"  # noqa: S608
    statement += f" GROUP BY 1 ORDER BY 2 DESC LIMIT {_TOP_PER_FILE}"
    return Counter(dict(reader.run(chosen, statement, before=(field,))))


def by_ids(reader: Reader, ids: Iterable[str]) -> dict[str, Event]:
    """Those of the events that the file has."""
    found = {}
    for one in ids:
        row = reader.db.execute(
            f"SELECT e.id, {BODY} FROM event e WHERE e.id = ?",  # noqa: S608 constants
            (bytes.fromhex(one),),
        ).fetchone()
        if row is not None:
            found[one] = event_of(*row)
    return found
