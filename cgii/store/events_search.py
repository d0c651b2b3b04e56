"""Questions to one month's file, each in one statement."""

from collections.abc import Iterable

from cgii.base import limits
from cgii.model.event import Event
from cgii.store.events_document import event_or_none
from cgii.store.events_files import Reader
from cgii.store.events_month import BODY, SLOT_BITS
from cgii.store.events_plan import Stretch, plan
from cgii.store.query_tree import Node

Row = tuple[int, str, bytes, bytes]  # position, month, id, document


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
        place = f"(({chosen.position} >> {SLOT_BITS}) - {begin}) / {step}"
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


def by_ids(reader: Reader, ids: Iterable[str]) -> dict[str, Event]:
    """Those of the events that the file has."""
    found = {}
    for one in ids:
        row = reader.db.execute(
            f"SELECT e.id, {BODY} FROM event e WHERE e.id = ?",  # noqa: S608 constants
            (bytes.fromhex(one),),
        ).fetchone()
        event = None if row is None else event_or_none(*row)
        if event is not None:
            found[one] = event
    return found
