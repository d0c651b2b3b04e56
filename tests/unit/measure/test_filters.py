"""Filters come from a query string and go back into one."""

import pytest

from cgii.base.errors import Invalid
from cgii.measure.filters import Filters


def test_filters_survive_the_query_string() -> None:
    filters = Filters(entity=7, sector="health", severity="alto")
    assert Filters.from_query(filters.to_query()) == filters
    assert Filters.from_query({"other": "x", "sector": " "}) == Filters()


@pytest.mark.parametrize("given", [{"entity": "x"}, {"entity": "-1"}, {"sector": "s" * 999}])
def test_an_impossible_filter_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(Invalid):
        Filters.from_query(given)
