"""A filled board is JSON, and every number in it opens exactly as many rows as it says."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cgii.base.errors import ContentError, NotFound
from cgii.measure.boards import Panel
from cgii.measure.catalogue import ALL
from cgii.measure.filters import Filters
from cgii.measure.metric import Figure, Metric, Table, case_ids
from cgii.measure.panels import fill_panel, panel_table
from cgii.measure.period import Period, parse_period
from cgii.measure.rows import list_rows
from cgii.model.registry import Table as RecordTable
from cgii.store.database import Database
from tests.make import NOW, make_incident
from tests.make_measures import OCTOBER, START, YEAR, make_case, make_small_year

MONTHS = parse_period("12m", now=NOW)
# Numbers of these are sums over the rows behind, not how many rows there are.
SUMS = {"events_by_source", "events_over_time", "silent_sources"}


@contextmanager
def _record(folder: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{folder / 'record.sqlite'}")
    RecordTable.metadata.create_all(database.engine)
    yield database
    database.close()


@pytest.fixture(scope="module")
def small_year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A reading session over a small year, built once: no test here writes to it."""
    with _record(tmp_path_factory.mktemp("year")) as database:
        with database.transaction() as session:
            make_small_year(session)
        with database.reading() as session:
            yield session


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A reading session over an empty record."""
    with (
        _record(tmp_path_factory.mktemp("nothing")) as database,
        database.reading() as session,
    ):
        yield session


def _numbers(chosen: Metric, found: Figure | Table) -> list[tuple[str, float]]:
    """Parts with the count that stands on them."""
    table = found if isinstance(found, Table) else found.table
    numbers = []
    for row in table.rows if table else ():
        for cell, column in zip(row.cells, table.columns if table else (), strict=True):
            if cell.part and column.unit == "count" and cell.value is not None:
                numbers.append((cell.part, cell.value))
    if isinstance(found, Figure) and found.part:
        numbers.append((found.part, found.value if chosen.unit == "count" else found.n))
    return [(part, value) for part, value in numbers if value is not None]


@pytest.mark.parametrize("name", sorted(set(ALL) - SUMS))
@pytest.mark.parametrize("period", [MONTHS, OCTOBER], ids=["months", "october"])
def test_every_number_opens_exactly_its_rows(
    small_year: Session, name: str, period: Period
) -> None:
    chosen = ALL[name]
    numbers = _numbers(chosen, chosen.compute(small_year, period, Filters()))
    for part, value in numbers:
        page = list_rows(small_year, name, period, Filters(), part=part)
        assert (part, page.total) == (part, value)
        assert len(page.rows) == min(page.total, 50)
        assert all(len(row) == len(page.columns) for row in page.rows)


@pytest.mark.parametrize("name", sorted(SUMS))
def test_the_rows_of_a_sum_add_up(small_year: Session, name: str) -> None:
    found = ALL[name].compute(small_year, MONTHS, Filters())
    table = found if isinstance(found, Table) else found.table
    assert table is not None
    for row in table.rows:
        if row.cells[0].value:
            page = list_rows(small_year, name, MONTHS, Filters(), part=row.cells[0].part)
            assert page.total >= 1


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_metric_says_what_it_is_and_fills_a_json_panel(
    small_year: Session, name: str
) -> None:
    chosen = ALL[name]
    assert chosen.definition.endswith(".")
    assert chosen.formula
    assert chosen.excludes.endswith(".")
    for filters in (Filters(), Filters(entity=1, severity="alto", rsit_class="fraud")):
        filled = fill_panel(small_year, Panel("p", name, "T", "bar"), YEAR, filters)
        assert json.loads(json.dumps(filled.as_dict()))["metric"] == name


@pytest.mark.parametrize("name", sorted(ALL))
def test_every_metric_stands_an_empty_record(nothing: Session, name: str) -> None:
    filled = fill_panel(nothing, Panel("p", name, "T", "bar"), YEAR, Filters())
    assert filled.n == 0
    assert "None" not in json.dumps(filled.rows)


def test_a_panel_tells_value_target_and_change(session: Session) -> None:
    make_case(session, after_hours={"acknowledged": 1})
    make_case(session)
    filled = fill_panel(session, Panel("p", "attended_in_time", "T", "number"), OCTOBER, Filters())
    assert filled.value_text == "50 %"
    assert filled.target_text == "meta: 90 %"
    assert filled.target_met is False
    assert filled.previous_text == ""
    assert filled.chart is None


def test_the_rows_beyond_the_top_are_summed_up(session: Session) -> None:
    for _ in range(5):
        make_incident(session, received_at=START)
    filled = fill_panel(
        session, Panel("p", "incidents_by_entity", "T", "hbar", top=2), OCTOBER, Filters()
    )
    assert [row["label"] for row in filled.rows][-1] == "Otras 3"
    assert sum(row["cells"][0]["value"] for row in filled.rows) == 5
    assert filled.rows[-1]["cells"][0]["part"] == ""


def test_the_exported_table_is_whole_and_raw(session: Session) -> None:
    for _ in range(5):
        make_incident(session, received_at=START)
    panel = Panel("p", "incidents_by_entity", "T", "hbar", top=2)
    headings, rows = panel_table(session, panel, OCTOBER, Filters())
    assert headings == ["Entidad", "Casos", "Parte (%)", "Período anterior"]
    assert len(rows) == 5


def test_a_panel_that_draws_an_unknown_column_is_a_content_error(session: Session) -> None:
    panel = Panel("p", "incidents_by_class", "T", "bar", columns=("weight",))
    with pytest.raises(ContentError, match="weight"):
        fill_panel(session, panel, OCTOBER, Filters())


def test_a_part_with_wildcards_of_the_database_matches_only_itself(session: Session) -> None:
    make_incident(session, received_at=START, rsit_class="fraud")
    for part in ("%", "_raud", "fr%*"):
        ids = case_ids(ALL["incidents_by_class"], OCTOBER, Filters(), part)
        assert session.execute(ids).all() == []


def test_an_unknown_metric_is_not_found(session: Session) -> None:
    with pytest.raises(NotFound):
        list_rows(session, "happiness", OCTOBER, Filters(), part="*")
