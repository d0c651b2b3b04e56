"""Tuning in the record: batches that count at once lose nothing, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from cgii.detect.tuning import (
    end_tuning,
    enforce,
    load_tuning,
    note_hidden,
    suppress,
    switch_off,
    tuning_revision,
)
from cgii.detect.tuning_effect import Hidden
from cgii.model.detection import RuleTuning
from cgii.model.registry import Table
from cgii.store.database import Database
from tests.make import NOW, make_act

BATCHES = 8
UNTIL = NOW + timedelta(days=30)


@pytest.fixture
def record(empty_url: str) -> Iterator[Database]:
    """An empty record of each kind, with the tables as the model has them."""
    database = Database(empty_url)
    Table.metadata.create_all(database.engine)
    yield database
    database.close()


def test_batches_that_count_at_once_lose_nothing(record: Database) -> None:
    with record.transaction() as session:
        act = make_act(session)
        rows = [
            switch_off(act, rule, reason="x", until=None, is_watching=True).id
            for rule in ("one", "two")
        ]

    def batch(number: int) -> None:
        order = rows if number % 2 else rows[::-1]
        with record.transaction() as session:
            note_hidden(
                session,
                [Hidden(one, "one", f"{number}", NOW, f"e{number}", True) for one in order],
            )

    with ThreadPoolExecutor(BATCHES) as pool:
        list(pool.map(batch, range(BATCHES)))
    with record.reading() as session:
        counts = [session.get_one(RuleTuning, one).hidden_count for one in rows]
        samples = {sample[0] for sample in session.get_one(RuleTuning, rows[0]).samples}
    assert counts == [BATCHES, BATCHES]
    assert samples == {str(number) for number in range(BATCHES)}


def test_a_row_comes_back_as_it_was_set_and_stops_when_it_ends(record: Database) -> None:
    with record.transaction() as session:
        act = make_act(session)
        row = suppress(
            act, "r", key=[["source.ip", "10.0.0.1"]], reason="x", until=UNTIL, is_watching=True
        )
        row_id, first = row.id, tuning_revision(session)
    with record.transaction() as session:
        (held,) = load_tuning(session, NOW).by_rule["r"]
        assert held.key == (("source.ip", "10.0.0.1"),)
        assert held.is_watching
        assert (held.holds_at(UNTIL - timedelta(seconds=1)), held.holds_at(UNTIL)) == (True, False)
        enforce(make_act(session), session.get_one(RuleTuning, row_id))
        second = tuning_revision(session)
        end_tuning(make_act(session), session.get_one(RuleTuning, row_id))
    with record.reading() as session:
        assert len({first, second, tuning_revision(session)}) == 3
        assert load_tuning(session, NOW).by_rule == {}
