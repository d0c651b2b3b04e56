"""The embedded database tells its planner what the tables hold."""

from sqlalchemy import text

from cgii.store.database import Database
from tests.make import make_incident


def test_the_planner_gets_figures_of_the_tables(database: Database) -> None:
    with database.transaction() as session:
        make_incident(session)

    database.analyse()

    with database.reading() as session:
        known = session.scalars(text("SELECT DISTINCT tbl FROM sqlite_stat1")).all()
    assert "incident" in known
