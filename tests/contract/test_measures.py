"""Every figure is the same on SQLite and PostgreSQL, and opens its rows on both."""

import json
from collections.abc import Iterator

import pytest

from cgii.measure.boards import Panel
from cgii.measure.catalogue import ALL
from cgii.measure.filters import Filters
from cgii.measure.panels import fill_panel
from cgii.measure.period import parse_period
from cgii.measure.rows import list_rows
from cgii.model.registry import Table
from cgii.store.database import Database
from tests.make import NOW
from tests.make_measures import make_small_year

SEEN: dict[tuple[str, str], str] = {}  # what the first database said, by metric and period


@pytest.fixture
def record(empty_url: str) -> Iterator[Database]:
    """A small year on each kind of database."""
    database = Database(empty_url)
    Table.metadata.create_all(database.engine)
    with database.transaction() as session:
        make_small_year(session)
    yield database
    database.close()


def test_every_metric_says_the_same_on_both(record: Database) -> None:
    with record.reading() as session:
        for name in ALL:
            for text in ("12m", "2026-10"):
                period = parse_period(text, now=NOW)
                panel = fill_panel(session, Panel("p", name, "T", "bar"), period, Filters())
                # Names of entities carry a running number of the builders.
                told = [[cell["value"] for cell in row["cells"]] for row in panel.rows]
                if name == "incidents_by_entity":
                    told.sort(key=str)
                said = json.dumps([panel.value, panel.n, panel.previous, told])
                assert SEEN.setdefault((name, text), said) == said, name


def test_every_number_opens_its_rows_on_both(record: Database) -> None:
    period = parse_period("12m", now=NOW)
    filters = Filters(level="central")
    with record.reading() as session:
        for name in ALL:
            panel = fill_panel(session, Panel("p", name, "T", "bar"), period, filters)
            for row in panel.rows:
                for cell in row["cells"]:
                    if cell["part"]:
                        page = list_rows(session, name, period, filters, part=cell["part"])
                        assert page.total >= 1, (name, cell)
