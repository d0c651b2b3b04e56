"""Numbers of documents have no gap and no double."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy.orm import Session

from cgii.store.database import Database
from cgii.store.numbering import next_number


def test_numbers_start_at_one_and_follow_each_other(session: Session) -> None:
    assert [next_number(session, "incident", 2026) for _ in range(3)] == [1, 2, 3]


def test_each_kind_and_year_counts_by_itself(session: Session) -> None:
    next_number(session, "incident", 2026)
    assert next_number(session, "notice", 2026) == 1
    assert next_number(session, "incident", 2027) == 1
    assert next_number(session, "incident", 2026) == 2


def test_a_rolled_back_number_is_given_again(database: Database) -> None:
    with pytest.raises(RuntimeError), database.transaction() as session:
        next_number(session, "incident", 2026)
        raise RuntimeError
    with database.transaction() as session:
        assert next_number(session, "incident", 2026) == 1


def test_writers_at_the_same_time_get_different_numbers(database: Database) -> None:
    def take(_turn: int) -> int:
        with database.transaction() as session:
            return next_number(session, "submission", 2026)

    with ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(take, range(20)))
    assert numbers == list(range(1, 21))
