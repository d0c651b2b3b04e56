"""Pages of JSON interfaces, as their makers shape them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base.errors import Invalid
from cgii.collect.inputs.pages import address, at_path, read_page


def read(
    body: bytes, records: str = "", cursor: str = "", link: str = ""
) -> tuple[list[bytes], str]:
    page = read_page(body, {"link": link} if link else {}, records=records, cursor=cursor)
    return list(page.records), page.cursor


def test_records_and_cursor_stand_where_the_paths_say() -> None:
    body = b'{"data": {"items": [{"a": 1}, {"a": 2}]}, "meta": {"next": 17}}'
    assert read(body, "data.items", "meta.next") == ([b'{"a":1}', b'{"a":2}'], "17")


def test_the_cursor_may_be_a_field_of_the_last_record() -> None:
    assert read(b'[{"id": 4}, {"id": 9}]', cursor="-1.id") == ([b'{"id":4}', b'{"id":9}'], "9")
    assert read(b"[]", cursor="-1.id") == ([], "")


def test_lines_of_json_are_a_page() -> None:
    assert read(b'{"a":1}\n{"a":2}\n') == ([b'{"a":1}', b'{"a":2}'], "")


def test_a_list_that_is_left_out_is_empty() -> None:
    assert read(b'{"next": "x"}', "items", "next") == ([], "x")


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ('<https://a/x?p=2>; rel="next"', "https://a/x?p=2"),
        ('<https://a/1>; rel="prev", </x?p=3>; title="a, b"; rel="last next"', "/x?p=3"),
        ("<https://a/4>; rel=next", "https://a/4"),
        ('<https://a/5>; rel="nextish"', ""),
        ("", ""),
        ("<<<;;;rel=", ""),
    ],
)
def test_the_link_header_names_the_next_page(header: str, found: str) -> None:
    assert read(b"[]", cursor="link", link=header)[1] == found


@pytest.mark.parametrize(
    ("body", "records", "cursor"),
    [
        (b"<html>", "", ""),
        (b'{"items": {"a": 1}}', "items", ""),
        (b'{"items": [], "next": {"a": 1}}', "items", "next"),
        (b'{"items": [], "next": "' + b"x" * 3_000 + b'"}', "items", "next"),
        (b"[" + b"{}," * 50_001 + b"{}]", "", ""),
        (b"[" * 4_000_000, "", ""),
    ],
)
def test_what_is_no_page_is_refused(body: bytes, records: str, cursor: str) -> None:
    with pytest.raises(Invalid):
        read(body, records, cursor)


def test_the_cursor_goes_into_its_parameter_or_is_the_address() -> None:
    assert address("https://a/x?q=1", "", "since") == "https://a/x?q=1"
    assert address("https://a/x?q=1&since=0", "a&b", "since") == "https://a/x?q=1&since=a%26b"
    assert address("https://a/x?q=1", "/y?p=2", "") == "https://a/y?p=2"
    assert address("https://a/x", "https://b/y", "") == "https://b/y"  # refused when it is asked


@given(st.binary(max_size=60), st.text(max_size=20))
def test_any_bytes_are_a_page_or_refused(body: bytes, path: str) -> None:
    try:
        read(body, path, path)
    except Invalid:
        return


def test_a_record_too_deep_to_be_written_again_is_a_record_that_will_be_refused() -> None:
    deep = b"[" * 500 + b"]" * 500
    records, _ = read(b'[{"n": 1}, ' + deep + b", " + b"[" * 1_000 + b"]" * 1_000 + b"]")
    assert (len(records), records[0]) == (3, b'{"n":1}')


def test_a_cursor_that_is_no_address_is_refused() -> None:
    with pytest.raises(Invalid):
        address("https://a/x", "//[", "")


def test_a_path_that_leads_nowhere_finds_nothing() -> None:
    assert at_path({"a": [1]}, "a.7") is None
    assert at_path({"a": [1]}, "a.b.c") is None
    assert at_path([], "-1") is None


def test_a_number_of_very_many_digits_does_not_take_the_page_with_it() -> None:
    digits = b"1" * 5_000
    assert read(b'[{"a": 1}, {"a": %s}]' % digits) == ([b'{"a":1}', b'{"a":"%s"}' % digits], "")
