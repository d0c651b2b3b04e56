"""The terms by which an event is found in an index."""

import ipaddress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.store.elastic_document import address_code, number_code, term, written
from cgii.store.elastic_template import ECS, components
from tests.event_oracle import make_event

NUMBERS = st.one_of(st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))


def document(**given: Any) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(written(make_event(1, **given)).document)
    return found


@given(one=NUMBERS, other=NUMBERS)
def test_codes_of_numbers_sort_as_the_numbers_do(one: float, other: float) -> None:
    codes = number_code(one), number_code(other)
    assert codes[0] is not None
    assert codes[1] is not None
    assert (codes[0] < codes[1]) == (one < other)
    assert (codes[0] == codes[1]) == (one == other)


@pytest.mark.parametrize("number", [2**53 + 1, -(2**60), 10**39])
def test_a_number_that_a_double_would_change_has_no_code(number: int) -> None:
    assert number_code(number) is None


@given(one=st.ip_addresses(), other=st.ip_addresses())
def test_codes_of_addresses_sort_as_the_addresses_do(one: Any, other: Any) -> None:
    if one.version == other.version:
        assert (address_code(one) < address_code(other)) == (one < other)
    else:
        assert (address_code(one) < address_code(other)) == (one.version < other.version)


def test_every_address_of_a_network_lies_between_its_ends() -> None:
    network = ipaddress.ip_network("fe80::/10")
    low, high = address_code(network[0]), address_code(network[-1])
    assert low < address_code(ipaddress.ip_address("fe80::1")) < high
    assert not low <= address_code(ipaddress.ip_address("10.1.2.3")) <= high


def test_long_values_differ_even_where_they_begin_alike() -> None:
    long = "x" * (limits.TERM_CHARS_MAX + 1)
    assert term(long) != term(long + "y")
    assert term(long).startswith("x" * limits.TERM_CHARS_MAX)
    assert len(term(long).encode()) < 32_766
    assert term("x" * limits.TERM_CHARS_MAX) == "x" * limits.TERM_CHARS_MAX


def test_a_document_has_ecs_under_its_names_and_the_event_whole() -> None:
    found = document(
        ecs={"user.name": ["Ana", "Eva"], "source.port": 22, "own.field": 1, "message": None},
        fields={"pid": 7},
        at=datetime(2026, 11, 22, 12, 0, 1, 123_999, tzinfo=UTC),
    )
    assert found["user.name"] == ["Ana", "Eva"]
    assert found["source.port"] == 22
    assert "own.field" not in found
    assert "message" not in found
    assert found["@timestamp"] == "2026-11-22T12:00:01.123Z"
    assert orjson.loads(found["cgii"]["body"])["ecs"]["own.field"] == 1
    assert "user.name\0ana" in found["cgii"]["values"]
    assert "pid\x007" in found["cgii"]["values"]
    assert found["cgii"]["hot"]["user"] == ["ana", "eva"]
    assert "odd" not in found["cgii"]


@pytest.mark.parametrize(
    ("given", "mark"),
    [
        ({"fields": {"a": "x" * 2_000}}, "a"),
        ({"fields": {"a": "Sesión"}}, "~a"),
        ({"fields": {"a": 2**60 + 1}}, "#a"),
        ({"fields": {f"k{n}": n for n in range(6_000)}}, "*"),
        ({"fields": {"a\0b": 1}}, "*"),
        ({"original": "x" * 2_000}, "=words"),
        ({"ecs": {"message": "x" * 2_000}}, "=message"),
        ({"original": "{}", "fields": {"a": 1}}, "=original"),
    ],
)
def test_what_the_terms_do_not_tell_is_marked(given: dict[str, Any], mark: str) -> None:
    assert mark in document(**given)["cgii"]["odd"]


def test_no_ecs_field_of_the_template_stands_inside_another() -> None:
    assert not [name for name in ECS for other in ECS if other.startswith(f"{name}.")]
    properties = components("x")["x-ecs"]["mappings"]["properties"]
    assert properties["source"]["properties"]["ip"] == {"type": "ip", "ignore_malformed": True}
