"""Values become what their ECS fields want, or nothing."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect import convert

ANY = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.text())


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [
        ("ip", "203.0.113.9", "203.0.113.9"),
        ("ip", "::ffff:203.0.113.9", "203.0.113.9"),
        ("ip", "[2001:DB8::0:1]", "2001:db8::1"),
        ("ip", "fe80::1%eth0", "fe80::1"),
        ("ip", "LOCAL", None),
        ("ip", "203.0.113.999", None),
        ("ip", 3405803785, None),
        ("domain", "Mail.Gob.BO.", "mail.gob.bo"),
        ("domain", "203.0.113.9", None),
        ("domain", "con espacio.bo", None),
        ("port", "443", 443),
        ("port", 0, None),
        ("port", 70_000, None),
        ("int", "0x1f", 31),
        ("int", "12abc", None),
        ("int", True, None),
        ("text", "-", None),
        ("text", False, "false"),
        ("text", 5, "5"),
        ("lower", "ÑANDÚ", "ñandú"),
        ("account", "FINANZAS\\lcondori", "lcondori"),
        ("account", "lcondori", "lcondori"),
        ("account_domain", "FINANZAS\\lcondori", "FINANZAS"),
        ("account_domain", "lcondori", None),
        ("file_name", "C:\\Windows\\cmd.exe", "cmd.exe"),
        ("number", "1.5", 1.5),
    ],
)
def test_a_conversion_gives_what_is_wanted(name: str, value: Any, wanted: Any) -> None:
    found = convert.CONVERSIONS[name](value)
    assert found == wanted
    assert type(found) is type(wanted)


@given(st.sampled_from(sorted(convert.CONVERSIONS)), ANY)
def test_no_conversion_raises(name: str, value: Any) -> None:
    convert.CONVERSIONS[name](value)


def test_a_name_is_looked_up_as_written_before_it_is_a_path() -> None:
    assert convert.lookup({"id.orig_h": "a", "id": {"orig_h": "b"}}, "id.orig_h") == "a"
    assert convert.lookup({"id": {"orig_h": "b"}}, "id.orig_h") == "b"
    assert convert.lookup({"dns": {"queries": [{"rrname": "x"}]}}, "dns.queries.rrname") == "x"
    assert convert.lookup({"dns": {"queries": []}}, "dns.queries.rrname") is None
    assert convert.lookup({"a": "text"}, "a.b") is None
