"""One month of events in one SQLite file: its tables, its connections, its insert.

`position` is the millisecond of the event times 2^20 plus a running number, so walking it
backwards is "newest first", and the full text gives its hits in the order of the page. Documents
are large and lie in the order in which they came: records that were late would otherwise be put
between others, a page of the file for nearly each of them.

The full text also serves as the index of the hot fields: a value is indexed there as one more
word, `g=10.1.2.3`. That costs a fifth of an index of its own, does not slow down as the file
grows, takes several values, and AND, OR and NOT of all of them are one walk.
"""

import os
import re
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any

import orjson

from cgii.base import limits
from cgii.base.durable import sync_folder
from cgii.model.event import Event, LogSource
from cgii.store.events_aside import MONTH, unlink
from cgii.store.events_faults import Unusable, must_be_whole
from cgii.store.query_fields import comparable, values
from cgii.store.query_times import milliseconds
from cgii.store.words import full_texts

VERSION = 2  # of the tables; the one before is brought up to it, another number is refused
SLOT_BITS = 20  # a million events in one millisecond; past that they count as the next one's
LAST_MILLISECOND = 2**42  # the year 2109; a stranger clock is put there, the document keeps it
_IDS_AT_ONCE = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NAME = re.compile(rf"events-({MONTH})\.sqlite")

# Fields kept in columns of their own, in comparable form: those that every desk filters by.
HOT: Mapping[str, str] = {
    "source": "source",
    "entity_id": "entity_id",
    "sensor_id": "sensor_id",
    "host.name": "host",
    "user.name": "user",
    "source.ip": "source_ip",
    "destination.ip": "destination_ip",
    "event.action": "action",
    "event.outcome": "outcome",
    "event.code": "code",
    "rule.name": "rule",
    "process.name": "process",
}
HOT_ECS = {name: name.partition(".")[0] for name in HOT if "." in name}
_KNOWN_MAX, _KNOWN_CHARS_MAX = 4_096, 128  # values kept of each hot field: 15 MB at most in all
Known = dict[str, tuple[str, str]]  # a value, its comparable form and its word
_HEADS: tuple[tuple[str, str, Known], ...] = tuple(
    (name, HOT_ECS.get(name, ""), {}) for name in HOT
)
_HEAD_NAMES = frozenset(HOT_ECS.values())
_HOT_NAMES = _HEAD_NAMES | HOT_ECS.keys()
MARKS = {name: f"{chr(ord('a') + place)}=" for place, name in enumerate(HOT)}
_SIGNS = "".join(chr(code) for code in range(33, 127) if not chr(code).isalnum())
_TOKENIZER = "ascii tokenchars '" + _SIGNS.replace("'", "''") + "'"
_CONTROLS = {code: 0xE000 + code for code in (*range(32), 127)}
_STAND_IN = re.compile("[\ue000-\ue07f]")

_COLUMNS = ", ".join(f"{HOT[name]} TEXT" for name in HOT_ECS)
_QUOTED_TOKENIZER = '"' + _TOKENIZER.replace('"', '""') + '"'
SCHEMA = (
    # `odd` is 1 when a column has several values or a very long one: then ask the document.
    "CREATE TABLE event (position INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE,"
    f" source TEXT, entity_id INTEGER, sensor_id INTEGER, {_COLUMNS}, odd INTEGER, kept INTEGER)",
    "CREATE INDEX event_odd ON event (odd) WHERE odd IS NOT NULL",
    # `event.kept` is its key; version 1 had the position of its event there.
    "CREATE TABLE document (number INTEGER PRIMARY KEY, body BLOB NOT NULL)",
    "CREATE TABLE tally (events INTEGER NOT NULL)",
    "INSERT INTO tally VALUES (0)",
    "CREATE VIRTUAL TABLE words USING fts5("
    f"text, content='', columnsize=0, detail=full, tokenize={_QUOTED_TOKENIZER})",
    # Few large merges instead of many small ones.
    "INSERT INTO words(words, rank) VALUES('automerge', 8)",
    f"PRAGMA user_version = {VERSION}",
)
_INSERT = f"INSERT INTO event VALUES ({', '.join('?' * (len(HOT) + 4))})"  # noqa: S608 constants


# The document of a row `e` of `event`.
BODY = "(SELECT body FROM document WHERE document.rowid = coalesce(e.kept, e.position))"


def month_of(moment: datetime) -> str:
    """`2026-11`, in UTC."""
    return f"{moment.year:04d}-{moment.month:02d}"


def first_moment(month: str) -> datetime:
    """When a month begins, in UTC."""
    return datetime(int(month[:4]), int(month[5:]), 1, tzinfo=UTC)


def path_of(folder: Path, month: str) -> Path:
    """The file of a month."""
    return folder / f"events-{month}.sqlite"


def months(folder: Path) -> list[str]:
    """The months that have a file, oldest first."""
    found = (_NAME.fullmatch(name) for name in os.listdir(folder))
    return sorted(match[1] for match in found if match)


def connect(path: Path) -> sqlite3.Connection:
    """A connection for writing; makes the file with its tables when there is none."""
    if not path.exists():
        _make(path)
    return _open(
        path,
        "synchronous = FULL",  # what is acknowledged survives a power cut
        "secure_delete = OFF",
        "wal_autocheckpoint = 4000",
        "cache_size = -65536",
    )


def connect_for_reading(path: Path) -> sqlite3.Connection:
    """A connection that cannot write and does not make the file."""
    db = _open(path, "cache_size = -16384", "mmap_size = 1073741824")
    db.execute("CREATE VIRTUAL TABLE temp.told USING fts5vocab('main', 'words', 'row')")
    db.execute("PRAGMA query_only = ON")
    return db


def _open(path: Path, *pragmas: str) -> sqlite3.Connection:
    must_be_whole(path)
    db = sqlite3.connect(
        f"{path.resolve().as_uri()}?mode=rw",  # a reader, too, writes beside a file in WAL mode
        uri=True,
        timeout=limits.STORE_WAIT_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        version = db.execute("PRAGMA user_version").fetchone()[0]
        if version == 1:
            version = _upgrade(db)
        for pragma in pragmas:
            db.execute(f"PRAGMA {pragma}")
    except sqlite3.Error:
        db.close()
        raise
    if version != VERSION:
        db.close()
        raise Unusable(
            "El archivo de eventos {name} es de otra versión del programa (formato {version}); "
            "actualice el programa o muévalo a otra carpeta.",
            name=path.name,
            version=version,
        )
    return db


def _upgrade(db: sqlite3.Connection) -> int:
    """From version 1, at once and without rewriting anything; the version that it has then.

    What is written from now on comes after the positions by which the documents are kept there.
    """
    db.execute("BEGIN IMMEDIATE")
    with db:  # commits, or leaves it as it was
        version = int(db.execute("PRAGMA user_version").fetchone()[0])
        if version == 1:  # nobody else was faster
            db.execute("ALTER TABLE event ADD COLUMN kept INTEGER")
            db.execute(f"PRAGMA user_version = {VERSION}")
            return VERSION
        return version


def _make(path: Path) -> None:
    """Make a month's file under another name, so that it appears complete or not at all."""
    fresh = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        db = sqlite3.connect(fresh, isolation_level=None)
        try:
            db.execute("PRAGMA page_size = 8192")  # fewer, larger nodes for the full text
            db.execute("PRAGMA journal_mode = WAL")
            for statement in SCHEMA:
                db.execute(statement)
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # closing would fail without a word
        finally:
            db.close()
        with suppress(FileExistsError):  # another process was faster
            os.link(fresh, path)
    finally:
        unlink(fresh)
    sync_folder(path.parent)


def known(db: sqlite3.Connection, ids: Iterable[str]) -> set[str]:
    """Those of the ids that the file has."""
    wanted = [bytes.fromhex(one) for one in ids]
    found: set[str] = set()
    for begin in range(0, len(wanted), _IDS_AT_ONCE):
        some = wanted[begin : begin + _IDS_AT_ONCE]
        marks = ",".join("?" * len(some))
        rows = db.execute(f"SELECT id FROM event WHERE id IN ({marks})", some)  # noqa: S608 marks
        found.update(row[0].hex() for row in rows)
    return found


def insert(db: sqlite3.Connection, events: Sequence[Event]) -> None:
    """Add events that the file lacks; inside the caller's transaction."""
    ordered = sorted(events, key=attrgetter("at"))
    places = _places(db, [milliseconds(event.at) for event in ordered])
    number = db.execute("SELECT coalesce(max(rowid), 0) FROM document").fetchone()[0]
    spelled = full_texts([(event.original, event.fields, event.ecs) for event in ordered])
    rows, bodies, texts = [], [], []
    for place, event, text in zip(places, ordered, spelled, strict=True):
        number += 1
        document = document_of(event)
        columns, keys = _hot(event, document)
        rows.append((place, bytes.fromhex(event.id), *columns, number))
        bodies.append((number, pack(document)))
        keys.append(text)
        texts.append((place, " ".join(keys)))
    db.executemany(_INSERT, rows)
    db.executemany("INSERT INTO document VALUES (?, ?)", bodies)
    db.executemany("INSERT INTO words(rowid, text) VALUES (?, ?)", texts)
    db.execute("UPDATE tally SET events = events + ?", (len(rows),))


def position_of(millisecond: int) -> int:
    """The first position that belongs to a millisecond since 1970."""
    return max(-LAST_MILLISECOND, min(millisecond, LAST_MILLISECOND)) << SLOT_BITS


def _places(db: sqlite3.Connection, moments: Sequence[int]) -> list[int]:
    """A free position for each of the moments, which are in order."""
    begins = [position_of(moment) for moment in moments]
    last = dict(
        db.execute(
            "SELECT j.value, (SELECT max(position) FROM event WHERE position >= j.value"
            " AND position < j.value + ?) FROM json_each(?) j",
            (1 << SLOT_BITS, orjson.dumps(list(dict.fromkeys(begins))).decode()),
        )
    )
    places: list[int] = []
    for begin in begins:
        taken = last[begin]
        place = begin if taken is None else taken + 1
        if places and place <= places[-1]:
            place = places[-1] + 1
        if place >> SLOT_BITS != begin >> SLOT_BITS:
            place = _next_free(db, place)
        last[begin] = place
        places.append(place)
    return places


def _next_free(db: sqlite3.Connection, place: int) -> int:
    """The first free position from here on, when a millisecond is full."""
    while db.execute("SELECT 1 FROM event WHERE position = ?", (place,)).fetchone():
        begin = place >> SLOT_BITS << SLOT_BITS
        place = (
            1
            + db.execute(
                "SELECT max(position) FROM event WHERE position >= ? AND position < ?",
                (begin, begin + (1 << SLOT_BITS)),
            ).fetchone()[0]
        )
    return place


def document_of(event: Event) -> dict[str, Any]:
    """An event as it is stored: everything but its id; times in microseconds."""
    return {
        "@timestamp": (event.at - _EPOCH) // _MICROSECOND,
        "event.ingested": (event.received_at - _EPOCH) // _MICROSECOND,
        "source": event.source,
        "logsource.product": event.logsource.product,
        "logsource.category": event.logsource.category,
        "logsource.service": event.logsource.service,
        "entity_id": event.entity_id,
        "sensor_id": event.sensor_id,
        "notes": event.notes,
        "fields": event.fields,
        "ecs": event.ecs,
        "event.original": event.original,
    }


def event_of(event_id: bytes, body: bytes) -> Event:
    """The event that was stored."""
    document = orjson.loads(body)
    return Event(
        id=event_id.hex(),
        at=_EPOCH + document["@timestamp"] * _MICROSECOND,
        received_at=_EPOCH + document["event.ingested"] * _MICROSECOND,
        source=document["source"],
        logsource=LogSource(
            document["logsource.product"],
            document["logsource.category"],
            document["logsource.service"],
        ),
        fields=document["fields"],
        ecs=document["ecs"],
        original=document["event.original"],
        entity_id=document["entity_id"],
        sensor_id=document["sensor_id"],
        notes=tuple(document["notes"]),
    )


def pack(document: Mapping[str, Any]) -> bytes:
    """The document as JSON; what JSON cannot hold becomes text."""
    try:
        return orjson.dumps(document, default=str)
    except TypeError:  # half a surrogate pair, an integer of 65 bits, a key that is no text
        return orjson.dumps(_plain(document), default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return str(value)
    return value


def _hot(event: Event, document: Mapping[str, Any]) -> tuple[list[Any], list[str]]:
    """The columns after the id, and the words by which the hot values are found."""
    row: list[Any] = [None] * (len(HOT) + 1)
    keys: list[str] = []
    ecs = event.ecs
    # Nearly always a field is one text under its whole name in ECS, and nowhere else.
    is_plain = _HEAD_NAMES.isdisjoint(ecs) and _has_no_hot(event.fields)
    for place, (name, head, known_values) in enumerate(_HEADS):
        value = ecs.get(name) if head else document[name]
        if value is None and (is_plain or not head):
            continue
        if type(value) is str:
            # Hosts and people come again and again.
            text, word = known_values.get(value) or _met(name, value, known_values)
            if len(text) <= limits.HOT_VALUE_CHARS_MAX:  # nearly always
                row[place] = text
                keys.append(word)
                continue
            texts = [text]
        elif head:
            texts = [comparable(name, one) for one in values(document, name)]
        else:
            texts = [str(value)]
        short = [text for text in texts if len(text) <= limits.HOT_VALUE_CHARS_MAX]
        keys += [key(name, text) for text in short]
        if len(short) == len(texts) == 1:
            row[place] = short[0] if head else value
        elif texts:
            row[-1] = 1
    return row, keys


def _has_no_hot(fields: Mapping[str, Any]) -> bool:
    """Whether no hot field is among the producer's names; `host` alone is not `host.name`."""
    found = _HOT_NAMES.intersection(fields)
    return not found or all(name in _HEAD_NAMES and type(fields[name]) is str for name in found)


def _met(name: str, value: str, known_values: Known) -> tuple[str, str]:
    """A value in comparable form and its word; remembered if it is short."""
    text = comparable(name, value)
    found = text, key(name, text)
    if len(value) <= _KNOWN_CHARS_MAX:
        if len(known_values) >= _KNOWN_MAX:
            known_values.clear()
        known_values[value] = found
    return found


def key(name: str, value: str) -> str:
    """The word under which a value of a hot field is in the full text; `value` is comparable."""
    text = value if value.isprintable() else value.translate(_CONTROLS)
    return MARKS[name] + text.replace(" ", "\xa0")


def value_of(word: str) -> str:
    """The value of a hot field that is in the full text under a word without stand-ins."""
    return word[2:].replace("\xa0", " ")


def has_stand_in(word: str) -> bool:
    """Whether the word has a character that stands for another one, or for itself."""
    return _STAND_IN.search(word) is not None
