"""Reading forms: types, La Paz times, problems beside their fields."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Annotated, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from starlette.datastructures import FormData

from cgii.base.errors import Conflict, Invalid, InvalidForm
from cgii.web.forms import REQUIRED, Filled, blank, read


@dataclass(frozen=True)
class Sample:
    """One field of each kind."""

    title: Annotated[str, Field(min_length=1, max_length=10)]
    tlp: Literal["AMBER", "RED"]
    at: datetime | None = None
    on: date | None = None
    count: Annotated[int, Field(ge=1)] = 1
    sure: bool = False
    tags: tuple[str, ...] = ()


def form(**values: str | list[str]) -> Filled[Sample]:
    pairs = [
        (name, value)
        for name, given_ in values.items()
        for value in ([given_] if isinstance(given_, str) else given_)
    ]
    return read(FormData(pairs), Sample)


def test_a_time_is_read_as_la_paz_time() -> None:
    filled = form(title="x", tlp="RED", at="2026-11-22T14:05", on="2026-11-22")

    assert filled.data().at == datetime(2026, 11, 22, 18, 5, tzinfo=UTC)
    assert filled.data().on == date(2026, 11, 22)


def test_boxes_and_lists_come_in_their_types() -> None:
    data = form(title="x", tlp="RED", sure="on", tags=["a", "b"], count="3").data()

    assert (data.sure, data.tags, data.count) == (True, ("a", "b"), 3)


def test_what_is_absent_takes_its_default() -> None:
    data = form(title="x", tlp="RED", at="", count="").data()

    assert (data.at, data.count, data.sure, data.tags) == (None, 1, False, ())


def test_every_problem_is_told_at_once_beside_its_field() -> None:
    filled = form(title="", tlp="PINK", count="0", at="mañana")

    with pytest.raises(InvalidForm) as caught:
        filled.data()
    wrong = filled.with_problems(caught.value)
    assert set(wrong.problems) == {"title", "tlp", "count", "at"}
    assert wrong.problem("title") == REQUIRED
    assert wrong.problem("count") == "Escriba un número desde 1."
    assert wrong.problem("tlp") == "Elija una de las opciones."
    assert wrong.value("at") == "mañana"


def test_too_long_a_text_says_how_long_it_may_be() -> None:
    filled = form(title="x" * 11, tlp="RED")

    with pytest.raises(InvalidForm) as caught:
        filled.data()
    assert filled.with_problems(caught.value).problem("title") == (
        "Escriba como máximo 10 caracteres."
    )


def test_an_error_of_a_verb_stands_beside_its_field_with_its_facts() -> None:
    wrong = blank(title="x").with_problems(Invalid("«{name}» ya existe.", field="title", name="x"))

    assert wrong.problem("title") == "«x» ya existe."
    assert wrong.value("title") == "x"


def test_an_error_without_a_field_stands_above_the_form() -> None:
    assert blank().with_problems(Invalid("No se pudo.")).general == "No se pudo."


def test_what_is_sent_beside_the_fields_is_ignored() -> None:
    filled = form(title="x", tlp="RED", is_admin="1")

    assert "is_admin" not in filled.typed


def test_a_form_shown_first_has_times_of_la_paz_and_ticked_boxes() -> None:
    shown = blank(at=datetime(2026, 11, 22, 18, 5, tzinfo=UTC), sure=True, other=False, none=None)

    assert shown.value("at") == "2026-11-22T14:05"
    assert (shown.value("sure"), shown.value("other"), shown.value("none")) == ("on", "", "")


@given(st.dictionaries(st.sampled_from(["title", "tlp", "at", "on", "count", "tags"]), st.text()))
def test_no_text_breaks_a_form(values: dict[str, str]) -> None:
    filled = form(**values)
    try:
        filled.data()
    except InvalidForm as problem:
        wrong = filled.with_problems(problem)
        assert all(wrong.problem(name) for name in wrong.problems)


def test_a_conflict_is_not_a_problem_of_a_field() -> None:
    assert not issubclass(Conflict, Invalid)
