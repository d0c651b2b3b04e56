"""Rows that come as columns, and lists that come as one value, are the same on both databases."""

from datetime import timedelta

from sqlalchemy import bindparam, delete, insert, select, update

from cgii.model.alerts import CorrelationWindow
from cgii.store.database import Database
from cgii.store.statements import Columns, Prepared, Same, among
from tests.make import NOW

NAMES = (
    "key_hash", "rule_id", "version", "key", "state", "last_at", "updated_at", "due_at",
    "expires_at",
)  # fmt: skip
INSERT = Prepared(insert(CorrelationWindow), NAMES)
MOVE = Prepared(
    update(CorrelationWindow)
    .where(CorrelationWindow.key_hash == bindparam("hash_"))
    .values(due_at=bindparam("due_"), key=bindparam("key_"))
)
REMOVE = Prepared(
    delete(CorrelationWindow).where(
        CorrelationWindow.key_hash == bindparam("hash_"),
        CorrelationWindow.last_at < bindparam("until_"),
    )
)
ALL = Prepared(
    select(CorrelationWindow.key_hash, CorrelationWindow.due_at.is_(None).label("is_late"))
)
HASHES = ["a%s", "b:c", "ñ'\"\\"]


def rows(count: int) -> Columns:
    return {
        "key_hash": HASHES[:count],
        "rule_id": Same("r"),
        "version": Same(""),
        "key": [[None, "é"], [7, "x", "%(y)s"], []][:count],
        "state": Same("{}"),
        "last_at": [NOW + timedelta(microseconds=n) for n in range(count)],
        "updated_at": Same(NOW),
        "due_at": [None, NOW, NOW][:count],
        "expires_at": Same(NOW + timedelta(hours=1)),
    }


def test_rows_given_by_column_are_read_back_by_their_objects(record: Database) -> None:
    with record.transaction() as session:
        INSERT.run(session, rows(3))
    with record.transaction() as session:
        MOVE.run(session, {"hash_": HASHES[:2], "due_": Same(None), "key_": [[1], [2]]})
    with record.reading() as session:
        found = {row.key_hash: row for row in session.scalars(select(CorrelationWindow))}

    assert [found[one].key for one in HASHES] == [[1], [2], []]
    assert [found[one].due_at for one in HASHES] == [None, None, NOW]
    assert found[HASHES[1]].last_at == NOW + timedelta(microseconds=1)
    assert {row.expires_at for row in found.values()} == {NOW + timedelta(hours=1)}


def test_no_rows_are_no_statement(record: Database) -> None:
    with record.transaction() as session:
        INSERT.run(session, rows(0))
        assert session.scalars(select(CorrelationWindow)).all() == []


def test_a_list_is_one_value_whatever_stands_in_it(record: Database) -> None:
    query = select(CorrelationWindow.key_hash).order_by(CorrelationWindow.key_hash)
    with record.transaction() as session:
        INSERT.run(session, rows(3))
        query = query.where(among(session, CorrelationWindow.key_hash, "hashes"))
        for asked in ([], HASHES[1:], [*HASHES, *map(str, range(2_000))]):
            found = session.scalars(query, {"hashes": asked}).all()
            assert set(found) == set(asked) & set(HASHES)


def test_one_statement_tells_what_it_found_and_how_many_rows_it_changed(record: Database) -> None:
    with record.transaction() as session:
        INSERT.run(session, rows(2))
        gone = REMOVE.once(session, {"hash_": HASHES[0], "until_": NOW + timedelta(seconds=1)})
        assert gone.rowcount == 1
        assert REMOVE.once(session, {"hash_": "none", "until_": NOW}).rowcount == 0
    with record.reading() as session:
        (found,) = ALL.once(session).all()
        assert (found.key_hash, found.is_late) == (HASHES[1], False)
