"""Lists: only what the list has may be asked for, and every row is on exactly one page."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.requests import Request

from cgii.model.entities import Entity
from cgii.web.tables import Column, Listing, Shown, cells, choice, flag, show
from tests.make import make_entity

LIST = Listing(
    columns=(
        Column("name", "Nombre", sort=Entity.name, value=lambda row: row.name),
        Column("kind", "Tipo", sort=Entity.kind),
        Column("note", "Nota", is_extra=True, value=lambda row: row.note),
    ),
    filters=(
        choice("kind", "Tipo", Entity.kind, "entities.kinds"),
        flag("active", "Estado", Entity.is_active, words=("Activas", "Cerradas")),
    ),
    default_sort="-name",
    search=lambda words: Entity.name.icontains(words, autoescape=True),
    page_rows=3,
)


def shown(session: Session, query: str = "", **options: Any) -> Shown[Entity]:
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/cosas",
        "server": ("x", 80),
        "headers": [],
        "query_string": query.encode(),
    }
    return show(session, LIST, select(Entity), Request(scope), **options)


@pytest.fixture
def seven(session: Session) -> list[Entity]:
    return [
        make_entity(
            session,
            name=f"Ent {number}",
            kind="ministry" if number % 2 else "university",
            is_active=number != 3,
        )
        for number in range(7)
    ]


def names(rows: Shown[Entity]) -> list[str]:
    return [row.name for row in rows.rows]


def test_a_list_begins_with_its_own_order(session: Session, seven: list[Entity]) -> None:
    assert names(shown(session)) == ["Ent 6", "Ent 5", "Ent 4"]


def test_every_row_is_on_one_page(session: Session, seven: list[Entity]) -> None:
    found = [
        name for page in (1, 2, 3) for name in names(shown(session, f"orden=kind&pagina={page}"))
    ]

    assert sorted(found) == sorted(row.name for row in seven)


def test_a_page_past_the_end_is_the_last(session: Session, seven: list[Entity]) -> None:
    assert shown(session, "pagina=99").page == 3
    assert shown(session, "pagina=0").page == 1


def test_filters_say_what_they_hide(session: Session, seven: list[Entity]) -> None:
    rows = shown(session, "kind=ministry&active=si")

    assert (rows.total, rows.hidden) == (2, 5)
    assert [(chip.label, chip.value) for chip in rows.chips] == [
        ("Tipo", "Ministerio"),
        ("Estado", "Activas"),
    ]
    assert rows.chips[0].url == "/cosas?active=si"


def test_what_the_list_does_not_have_is_ignored(session: Session, seven: list[Entity]) -> None:
    plain = names(shown(session))

    for query in ("orden=password_hash", "orden=id;drop", "kind=nope", "evil=1", "pagina=abc"):
        assert names(shown(session, query)) == plain
    assert "evil" not in shown(session, "evil=1&kind=ministry").url(pagina=2)


def test_percent_signs_are_searched_as_such(session: Session, seven: list[Entity]) -> None:
    make_entity(session, name="100 % público")

    assert shown(session, "q=%25").total == 1
    assert shown(session, "q=_").total == 0


def test_sorting_twice_turns_the_order(session: Session, seven: list[Entity]) -> None:
    column = LIST.columns[0]

    assert shown(session).url_sorted(column) == "/cosas?orden=name"
    assert shown(session, "orden=name").url_sorted(column) == "/cosas?orden=-name"
    assert shown(session, "orden=name").order_of(column) == "ascending"


def test_chosen_columns_stand_in_the_url(session: Session, seven: list[Entity]) -> None:
    assert [column.key for column in shown(session).columns] == ["name", "kind"]
    assert [column.key for column in shown(session, "cols=note").columns] == ["note"]


def test_an_export_has_all_rows_and_the_columns_with_a_value(
    session: Session, seven: list[Entity]
) -> None:
    heads, rows = cells(shown(session, "kind=ministry", rows_max=100))

    assert heads == ["Nombre", "Nota"]
    assert [row[0] for row in rows] == ["Ent 5", "Ent 3", "Ent 1"]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["q", "orden", "pagina", "cols", "kind", "active", "formato"]),
            st.text(max_size=30),
        ),
        max_size=6,
    )
)
def test_no_url_breaks_a_list(session: Session, pairs: list[tuple[str, str]]) -> None:
    rows = shown(session, str(QueryParams(pairs)))

    assert rows.url(pagina=2).startswith("/cosas")
