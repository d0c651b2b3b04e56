"""Indicators: how values are spelled, and that the table finds what it should and nothing else."""

import ipaddress
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base.errors import Invalid
from cgii.detect.indicator_files import read_lines
from cgii.detect.indicators import Indicators, IndicatorTable, read_indicator
from cgii.model.event import Event, LogSource

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
SHA256 = "A" * 64


@pytest.mark.parametrize(
    ("written", "kind", "value"),
    [
        ("203.0.113.9", "ip", "203.0.113.9"),
        ("203[.]0[.]113[.]9", "ip", "203.0.113.9"),
        ("::ffff:203.0.113.9", "ip", "203.0.113.9"),
        ("2001:DB8:0:0::1", "ip", "2001:db8::1"),
        ("203.0.113.77/24", "cidr", "203.0.113.0/24"),
        ("Malo[.]Example", "domain", "malo.example"),
        ("*.malo.example.", "domain", "malo.example"),
        ("señal.example", "domain", "xn--seal-hqa.example"),
        ("hxxps://Malo.Example:443/A?b=C#d", "url", "https://malo.example/A?b=C"),
        ("http://u:p@malo.example:8080", "url", "http://malo.example:8080/"),
        (SHA256, "hash", SHA256.lower()),
        ("Fraude[@]malo[.]example", "email", "fraude@malo.example"),
    ],
)
def test_a_value_has_one_spelling(written: str, kind: str, value: str) -> None:
    assert read_indicator(written) == (kind, value)


@pytest.mark.parametrize("written", ["", "hola", "1.2.3", "0.0.0.0/0", "a" * 500, "x@", "http://"])
def test_what_is_no_indicator_is_refused_with_a_sentence(written: str) -> None:
    with pytest.raises(Invalid) as error:
        read_indicator(written)
    assert str(error.value).endswith(".")


def test_a_name_speaks_for_all_names_below_it_and_for_no_neighbour() -> None:
    table = IndicatorTable([("domain", "malo.example")])
    assert table.find("domain", "WWW.Malo.Example.") == [("domain", "malo.example")]
    assert table.find("domain", "nomalo.example") == []
    assert table.find("url", "https://a.malo.example:8443/x") == [("domain", "malo.example")]
    assert table.find("email", "Quien@a.malo.example") == [("domain", "malo.example")]


def test_an_address_is_found_by_itself_and_by_every_network_around_it() -> None:
    table = IndicatorTable(
        [("ip", "203.0.113.9"), ("cidr", "203.0.113.0/24"), ("cidr", "203.0.0.0/16")]
    )
    found = table.find("ip", "::ffff:203.0.113.9")
    assert sorted(found) == [
        ("cidr", "203.0.0.0/16"), ("cidr", "203.0.113.0/24"), ("ip", "203.0.113.9"),
    ]  # fmt: skip
    assert table.find("ip", "203.1.113.9") == []
    assert table.find("url", "http://203.0.113.9:8080/x.sh") == found


@pytest.mark.parametrize("text", ["", "-", "\x00", "\ud800", "1.2.3.4.5", "[::", "a" * 100_000])
def test_any_text_may_be_looked_up(text: str) -> None:
    table = IndicatorTable([("ip", "203.0.113.9"), ("domain", "malo.example")])
    assert all(table.find(kind, text) == [] for kind in ("ip", "domain", "url", "hash", "email"))


@given(
    st.lists(st.ip_addresses(v=4), max_size=20),
    st.lists(st.tuples(st.ip_addresses(v=4), st.integers(8, 32)), max_size=8),
    st.lists(st.ip_addresses(v=4), max_size=20),
)
def test_addresses_are_found_as_a_plain_search_finds_them(
    listed: list[ipaddress.IPv4Address],
    around: list[tuple[ipaddress.IPv4Address, int]],
    others: list[ipaddress.IPv4Address],
) -> None:
    networks = {ipaddress.ip_network((one, size), strict=False) for one, size in around}
    table = IndicatorTable(
        [("ip", str(one)) for one in listed] + [("cidr", str(one)) for one in networks]
    )
    for address in [*listed, *others, *(one for one, _ in around)]:
        wanted = {("cidr", str(one)) for one in networks if address in one}
        if address in listed:
            wanted.add(("ip", str(address)))
        assert set(table.find("ip", str(address))) == wanted


def test_a_warning_stands_beside_the_suspicion() -> None:
    event = Event(
        id="e", at=NOW, received_at=NOW, source="s", logsource=LogSource(), fields={},
        ecs={"source.ip": ["203.0.113.9", "198.51.100.1"], "url.full": 5}, original="",
    )  # fmt: skip
    known = Indicators(
        IndicatorTable([("cidr", "203.0.113.0/24")]), IndicatorTable([("ip", "203.0.113.9")])
    )
    (suspect,) = known.suspects([event])
    assert (suspect.field, suspect.text) == ("source.ip", "203.0.113.9")
    assert suspect.indicators == (("cidr", "203.0.113.0/24"),)
    assert suspect.warnings == (("ip", "203.0.113.9"),)


def test_lists_are_read_as_people_publish_them() -> None:
    plain = read_lines(["# lista\n", "203.0.113.9  # visto en MINEDU\n", "\n", "malo.example,x\n"])
    assert [(line.number, line.text, line.note) for line in plain] == [
        (2, "203.0.113.9", "visto en MINEDU"), (4, "malo.example", ""),
    ]  # fmt: skip
    table = ["\ufeffvalue;type;comment;days\n", '"1.2.3.4";ip-dst;"a; b";30\n', ";;;\n"]
    assert [(line.text, line.kind, line.note, line.days) for line in read_lines(table)] == [
        ("1.2.3.4", "ip", "a; b", 30)
    ]
    attributes = [
        {"type": "domain|ip", "value": "malo.example|1.2.3.4"},
        {"type": "text", "value": "no"},
        {"type": "md5", "value": "x", "to_ids": False},
    ]
    misp = json.dumps({"Event": {"Attribute": attributes}})
    assert [(line.kind, line.text) for line in read_lines([misp])] == [
        ("domain", "malo.example"), ("ip", "1.2.3.4"),
    ]  # fmt: skip


def test_broken_json_is_refused_with_a_sentence() -> None:
    with pytest.raises(Invalid, match="JSON"):
        list(read_lines(['{"Event": [\n', "nada"]))
