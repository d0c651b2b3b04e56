"""Questions to one month's file, each in one statement."""

from collections import Counter
from collections.abc import Iterable

from cgii.base import limits
from cgii.model.event import Event
from cgii.store.events_files import Reader
from cgii.store.events_month import HOT, SLOT_BITS, event_of
from cgii.store.events_plan import Stretch, plan
from cgii.store.query_tree import Node

Row = tuple[int, str, bytes, bytes]  # position, month, id, document

_BODY = "(SELECT body FROM document WHERE document.position = e.position)"
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
        f"e.position, e.id, {_BODY}", f"ORDER BY {chosen.position} DESC LIMIT ?"
    )
    rows = reader.run(chosen, statement, after=(size,))
    return [(position, reader.month, key, body) for position, key, body in rows]


def oldest(reader: Reader, tree: Node, stretch: Stretch, size: int) -> list[Row]:
    """The oldest events that match, `size` at most, by position."""
    chosen = plan(reader.db, tree, stretch)
    statement = chosen.select(f"e.position, e.id, {_BODY}", f"ORDER BY {chosen.position} LIMIT ?")
    rows = reader.run(chosen, statement, after=(size,))
    return [(position, reader.month, key, body) for position, key, body in rows]


def by_id(reader: Reader, tree: Node, stretch: Stretch, *, after: bytes, size: int) -> list[Row]:
    """Events that match with an id past `after`, `size` at most, by id."""
    chosen = plan(reader.db, tree, stretch)
    # The documents are fetched for the page alone, not for all that are sorted.
    inner = chosen.select("e.position, e.id", "AND e.id > ? ORDER BY e.id LIMIT ?")
    statement = f"SELECT e.position, e.id, {_BODY} FROM ({inner}) e ORDER BY e.id"  # noqa: S608
    rows = reader.run(chosen, statement, after=(after, size))
    return [(position, reader.month, key, body) for position, key, body in rows]


def after(reader: Reader, position: int, size: int) -> list[Row]:
    """The events after a position, whatever they are, `size` at most."""
    rows = reader.db.execute(
        "SELECT e.position, e.id, d.body FROM event e JOIN document d ON d.position = e.position"
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
    ending = f"GROUP BY 1 ORDER BY 2 DESC LIMIT {_TOP_PER_FILE}"
    totals: Counter[str] = Counter()
    column = HOT.get(field)
    if column is not None:
        told = f"AND e.{column} IS NOT NULL {ending}"
        rows = reader.run(chosen, chosen.select(f"e.{column}, count(*)", told))
        totals.update({str(value): number for value, number in rows})
        if not chosen.odd:
            return totals
        ending = f"AND e.odd IS 1 AND e.{column} IS NULL {ending}"
    inner = chosen.select(f"found(?, {_BODY}) AS found", ending.partition("GROUP BY")[0])
    statement = f"SELECT j.value, count(*) FROM ({inner}) t, json_each(t.found) j"  # noqa: S608
    statement += f" GROUP BY 1 ORDER BY 2 DESC LIMIT {_TOP_PER_FILE}"
    for value, number in reader.run(chosen, statement, before=(field,)):
        totals[value] += number
    return totals


def by_ids(reader: Reader, ids: Iterable[str]) -> dict[str, Event]:
    """Those of the events that the file has."""
    found = {}
    for one in ids:
        row = reader.db.execute(
            "SELECT e.id, d.body FROM event e JOIN document d ON d.position = e.position"
            " WHERE e.id = ?",
            (bytes.fromhex(one),),
        ).fetchone()
        if row is not None:
            found[one] = event_of(*row)
    return found
