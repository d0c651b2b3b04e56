"""What every test may ask for: an empty record of its own, and a session on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.orm import Session

from cgii.model.registry import Table
from cgii.store.database import Database

# A busy machine is slow for no reason of ours: only what a test says of time counts. And where
# nobody looks for new cases the same ones are tried every time; `CI= pytest` looks for new ones.
settings.register_profile(
    "cgii",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),
    database=None if os.environ.get("CI") else settings.default.database,
)
settings.load_profile("cgii")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty SQLite record, made without the migrations because that is quicker."""
    database = Database(f"sqlite:///{tmp_path / 'record.sqlite'}")
    Table.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture
def session(database: Database) -> Iterator[Session]:
    """A writing transaction, committed at the end of the test."""
    with database.transaction() as session:
        yield session
