"""Conditions that the page adds to a search mean exactly the value that was pointed at."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import QueryParams

from cgii.base.errors import Invalid
from cgii.model.people import Role, User
from cgii.store.query import parse
from cgii.store.query_fields import comparable
from cgii.store.query_tree import And, Equals, Not, Or
from cgii.web.hunting import OWN_RANGE, condition, joined, moment_text, read_hunt, read_moment

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=60)


@given(value=VALUES)
def test_a_condition_means_the_value_and_nothing_else(value: str) -> None:
    assert parse(condition("user.title", value)) == Equals("user.title", comparable("x", value))


@given(name=st.from_regex(r"x[A-Za-z0-9_.@ :/\-()]{0,20}[a-z]", fullmatch=True))
def test_a_condition_names_the_field_and_no_other(name: str) -> None:
    assert parse(condition(name, "v")) == Equals(name, "v")


@given(value=VALUES)
def test_excluding_a_value_is_its_opposite(value: str) -> None:
    tree = parse(joined("", f"NOT {condition('user.title', value)}"))
    assert isinstance(tree, Not)


def test_a_condition_applies_to_the_whole_of_a_search_with_or() -> None:
    tree = parse(joined("user.name:a OR user.name:b", condition("host.name", "h")))
    assert isinstance(tree, And)
    assert isinstance(tree.parts[0], Or)


@given(moment=st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)))
def test_a_moment_in_an_address_reads_back_to_the_millisecond(moment: datetime) -> None:
    read = read_moment(moment_text(moment))
    assert read is not None
    assert abs(read - moment) < timedelta(milliseconds=1)


def test_the_address_of_a_hunt_reads_back_as_it() -> None:
    asked = QueryParams("q=a+b&desde=2026-11-20T10:00&hasta=2026-11-20T11:00")
    hunt = read_hunt(asked, now=NOW)
    again = read_hunt(QueryParams(hunt.url().partition("?")[2]), now=NOW + timedelta(days=9))

    assert hunt.range == OWN_RANGE
    assert hunt.start == datetime(2026, 11, 20, 14, tzinfo=UTC)
    assert again == hunt


@pytest.mark.parametrize("text", ["", "ayer", "2026-13-01", "0001-01-01T00:00", "9999-12-31T23:59"])
def test_what_is_no_moment_is_none(text: str) -> None:
    assert read_moment(text) is None


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ("desde=ayer", "desde"),
        ("desde=2026-11-20T10:00&hasta=9999-12-31T23:59", "hasta"),
        ("rango=ayer", "rango"),
        ("rango=propio", "rango"),
        ("q=a&rango=24H", "rango"),
    ],
)
def test_a_time_that_cannot_be_read_is_no_other_time(asked: str, field: str) -> None:
    hunt = read_hunt(QueryParams(asked), now=NOW)
    again = read_hunt(QueryParams(hunt.url().partition("?")[2]), now=NOW)  # of the file, a view

    for one in (hunt, again):
        with pytest.raises(Invalid) as refused:
            one.query(User(role=Role.ANALYST))
        assert refused.value.field == field
        assert f"«{QueryParams(asked)[field]}»" in str(refused.value)


@pytest.mark.parametrize("role", [Role.REPORTER, Role.OFFICER, Role.MAE])
def test_an_entitys_people_search_their_own_records_only(role: Role) -> None:
    hunt = read_hunt(QueryParams("q=x"), now=NOW)

    assert hunt.query(User(role=role, entity_id=7)).entity_ids == frozenset({7})
    assert hunt.query(User(role=role, entity_id=None)).entity_ids == frozenset()
    assert hunt.query(User(role=Role.ANALYST, entity_id=None)).entity_ids is None
