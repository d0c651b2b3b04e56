"""What every test may ask for: an empty record of its own, and a session on it."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy.orm import Session

from cgii.model.registry import Table
from cgii.store.database import Database
from tests.process import RunningCentre

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


# These start servers and processes, which a machine without a moment to spare may keep waiting.
# A test that fails once is tried a second time, and the summary tells its first failure: it is
# to be looked into. Not those that kill: what they lose once is lost.
WITH_PROCESSES = ("integration", "contract", "e2e", "unit/collect")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Allow the tests with processes a second try."""
    places = [Path(__file__).parent / place for place in WITH_PROCESSES]
    for item in items:
        is_there = any(place in item.path.parents for place in places)
        if is_there and item.get_closest_marker("crash") is None:
            item.add_marker(pytest.mark.flaky(reruns=1))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell why each test that had a second try failed in its first."""
    for report in terminalreporter.getreports("rerun"):
        terminalreporter.write_sep("_", f"{report.nodeid}: first try", yellow=True)
        terminalreporter.write_line(report.longreprtext)


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


@pytest.fixture
def running(tmp_path: Path) -> Iterator[RunningCentre]:
    """A centre of its own that takes no syslog; the test starts it, and the end kills it."""
    centre = RunningCentre(tmp_path / "data", syslog_udp_port="0", syslog_tcp_port="0")
    yield centre
    centre.kill()
