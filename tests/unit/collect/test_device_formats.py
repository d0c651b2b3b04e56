"""Formats that devices write: pairs, columns, CEF, LEEF, audit records, events in XML."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.errors import ContentError
from cgii.collect.definition import Definition, load_definitions, read_definition
from cgii.collect.normalize import PARSERS, normalize
from cgii.collect.parsers.record import Record
from cgii.collect.rejects import Unreadable
from cgii.collect.route import choose_source
from cgii.model.event import Origin, Raw
from tests.effort import SECONDS_MAX, seconds

SHIPPED = load_definitions()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
# Of each parser one source that uses it.
USES = {
    "key_values": "fortinet_fortigate",
    "columns": "paloalto_panos",
    "cef": "common_cef",
    "leef": "common_leef",
    "auditd": "linux_auditd",
    "windows": "windows_events",
}


HEAD = (
    "name: own\ntitle: P\ndescription: P.\n"
    "time: [{field: t, format: auto}]\nlogsource: {product: own}\n"
)
MANY = " ".join(f"a{number}=1" for number in range(1_001))


def read(parser: str, line: str) -> Record:
    return PARSERS[parser](line.encode(), SHIPPED.by_name[USES[parser]])


def reason(parser: str, line: str) -> str:
    with pytest.raises(Unreadable) as caught:
        read(parser, line)
    return caught.value.reason


def read_own(tmp_path: Path, text: str) -> tuple[Definition | None, list[ContentError]]:
    """A definition with these lines after those that every one has."""
    path = tmp_path / "own.yml"
    path.write_text(HEAD + text)
    return read_definition(path)


def own(tmp_path: Path, text: str) -> Definition:
    definition, problems = read_own(tmp_path, text)
    assert definition is not None, problems
    return definition


FORTI = "logid=1 type=traffic "


@pytest.mark.parametrize(
    ("pairs", "name", "value"),
    [
        ('a="b c"', "a", "b c"),
        ("a='b \"c'", "a", 'b "c'),
        (r'a="b \"c\" \\ d"', "a", r'b "c" \ d'),
        ("a=b=c", "a", "b=c"),
        ("a=1 a=2", "a", "1"),
        ('a=""', "a", ""),
        ('a="ends never b=2', "a", '"ends'),
        ("a.b-c=ñ", "a.b-c", "ñ"),
        ("srcport=080", "srcport", 80),
        ("srcport=8x", "srcport", "8x"),
    ],
)
def test_pairs_are_taken_as_they_are_quoted(pairs: str, name: str, value: Any) -> None:
    assert read("key_values", FORTI + pairs).fields[name] == value


def test_pairs_may_be_divided_otherwise(tmp_path: Path) -> None:
    definition = own(tmp_path, "parser: key_values\noptions: {assign: ':', between: ';'}\n")
    fields = PARSERS["key_values"](b'[a:"x; y"; b:two words; c:3]', definition).fields

    assert fields == {"a": "x; y", "b": "two words", "c": "3"}


def test_a_header_is_kept_beside_the_pairs_but_never_over_them() -> None:
    line = "<189>Nov 20 10:00:00 fw1 logid=1 type=event severity=high host=x"
    fields = read("key_values", line).fields

    assert fields["severity"] == "high"
    assert fields["host"] == "x"
    assert fields["syslog_severity"] == "notice"


def test_columns_are_named_by_the_first_layout_that_fits(tmp_path: Path) -> None:
    layouts = """\
parser: columns
numbers: [n]
columns:
  - {when: {0: [A, B]}, names: [kind, n]}
  - {names: [x, ~, z]}
"""
    definition = own(tmp_path, layouts)
    parse = PARSERS["columns"]

    assert parse(b"A,7,more", definition).fields == {"kind": "A", "n": 7}
    assert parse(b"B", definition).fields == {"kind": "B"}
    assert parse(b'1,2,"a,""b"""', definition).fields == {"x": "1", "z": 'a,"b"'}
    assert parse(b"-,,3", definition).fields == {"z": "3"}
    for line, why in ((b"1,2", "no pattern fits"), (b"#Fields: x", "heading")):
        with pytest.raises(Unreadable) as caught:
            parse(line, definition)
        assert caught.value.reason == why


@pytest.mark.parametrize(
    ("extension", "expected"),
    [
        ("src=10.0.0.1 msg=a b c dst=10.0.0.2", {"src": "10.0.0.1", "msg": "a b c"}),
        (r"msg=a \= b\nc act=x", {"msg": "a = b\nc", "act": "x"}),
        ("request=http://x/?a=1&b=2 act=x", {"request": "http://x/?a=1&b=2", "act": "x"}),
        ("cs1=value of it cs1Label=Policy", {"cs1": "value of it", "Policy": "value of it"}),
        ("cs1=x cs1Label=act act=deny", {"act": "deny"}),
        ("fname= dvc= suser=root", {"fname": "", "suser": "root"}),
        ("", {}),
    ],
)
def test_cef_values_go_on_to_the_next_name(extension: str, expected: dict[str, str]) -> None:
    fields = read("cef", f"CEF:0|V|P|1|9|N|5|{extension}").fields

    assert expected.items() <= fields.items()
    assert (fields["deviceVendor"], fields["name"], fields["severity"]) == ("V", "N", "5")


@pytest.mark.parametrize(
    ("line", "pairs"),
    [
        ("LEEF:1.0|V|P|1|e|a=1\tb=2 3", {"a": "1", "b": "2 3"}),
        ("LEEF:2.0|V|P|1|e|^|a=1^b=x|y", {"a": "1", "b": "x|y"}),
        ("LEEF:2.0|V|P|1|e|x7C|a=1|b=2", {"a": "1", "b": "2"}),
        ("LEEF:2.0|V|P|1|e||a=1\tb=2", {"a": "1", "b": "2"}),
        ("LEEF:2.0|V|P|1|e|a=long enough to be a pair|\tb=2", {"b": "2"}),
    ],
)
def test_leef_says_by_itself_what_divides_its_pairs(line: str, pairs: dict[str, str]) -> None:
    assert pairs.items() <= read("leef", line).fields.items()


def test_audit_records_show_what_was_written_in_hexadecimal() -> None:
    begin = "type=EXECVE msg=audit(1.5:7): "
    fields = read("auditd", begin + "argc=2 a0=6C73 a1=2D6C61").fields
    assert (fields["a0"], fields["a1"], fields["serial"]) == ("ls", "-la", "7")

    call = read("auditd", "type=SYSCALL msg=audit(1.5:7): a0=6C73 comm=6120 exe=(null) success=no")
    assert call.fields["a0"] == "6C73"  # a number, in system calls
    assert call.fields["comm"] == "a"
    assert call.fields["exe"] == "(null)"

    login = read("auditd", "type=USER_LOGIN msg=audit(1.5:7): uid=0 msg='op=login acct=FFFE res=x'")
    assert login.fields["op"] == "login"
    assert "\N{REPLACEMENT CHARACTER}" in login.fields["acct"]


def test_windows_events_in_xml_are_read_like_their_json() -> None:
    xml = (
        "<Event xmlns='http://x'><System><Provider Name='P'/><EventID>5</EventID>"
        "<Channel>Security</Channel><TimeCreated SystemTime='2026-11-20T14:00:00Z'/></System>"
        "<EventData><Data Name='A'>1 &lt; 2</Data><Data Name='B'/></EventData></Event>"
    )
    fields = read("windows", f"<13>Nov 20 10:00:00 wec app: {xml}").fields

    assert fields["EventID"] == 5
    assert fields["A"] == "1 < 2"
    assert fields["B"] is None
    inside_json = '{"EventID": 1, "Channel": "Security", "Message": "<Event>"}'
    assert read("windows", inside_json).fields["Message"] == "<Event>"


@pytest.mark.parametrize(
    ("parser", "line", "why"),
    [
        ("key_values", "logid=1 " + MANY, "too many fields"),
        ("key_values", "logid=1 a=2", "no pattern fits"),
        ("columns", "," * 1_001, "too many fields"),
        ("cef", "CEF:0|a|b|c|d|e|f|" + MANY, "too many fields"),
        ("cef", "CEF:0|a|b|c|d|e", "no pattern fits"),
        ("leef", "LEEF:1.0|a|b|c|d|" + "a=1\t" * 1_001, "too many fields"),
        ("auditd", "type=EXECVE msg=audit(1.5:7): " + MANY,
         "too many fields"),
        ("auditd", "type=x msg=audit(1.5:7): a=1", "no pattern fits"),
        ("windows", "<Event>" + "<a>" * 9_000, "not XML"),
        ("windows", "<Event><System>" + "<a/>" * 1_001 + "</System></Event>", "too many fields"),
        ("windows", '<!DOCTYPE a [<!ENTITY b "c">]><Event>&b;</Event>', "not JSON"),
        ("windows", "<Event/>", "no pattern fits"),
    ],
)  # fmt: skip
def test_what_is_damaged_or_too_much_is_refused(parser: str, line: str, why: str) -> None:
    assert reason(parser, line) == why


@pytest.mark.parametrize("parser", list(USES))
@given(st.text(max_size=300))
def test_no_text_is_more_than_refused(parser: str, text: str) -> None:
    beginnings = ("", "CEF:0|a|b|c|d|e|f|", "LEEF:2.0|a|b|c|d|", "logid=1 type=x ",
                  "type=A msg=audit(1.1:1): ", "<Event><System>", "1,2,3,TRAFFIC,")  # fmt: skip
    for beginning in beginnings:
        raws = [Raw(0, (beginning + text).encode(errors="surrogatepass"))]
        found = normalize(Origin(USES[parser], "x", "1"), raws, SHIPPED, received_at=NOW)
        assert len(found.events) + len(found.rejected) == 1
        assert not any(one.reason == "not understood" for one in found.rejected)


@pytest.mark.parametrize("parser", list(USES))
@pytest.mark.parametrize("piece", ['a="', "a='\\", "a=", "|", "\\|", " a", '"', "type=A ", "<a "])
def test_a_line_as_long_as_may_be_costs_no_more_than_its_length(parser: str, piece: str) -> None:
    line = piece * (limits.LINE_BYTES_MAX // len(piece) // 2)
    definition = SHIPPED.by_name[USES[parser]]

    def attempt() -> None:
        for beginning in ("", "CEF:0|a|b|c|d|e|f|", "LEEF:1.0|a|b|c|d|", "logid=1 type=x "):
            with suppress(Unreadable):
                PARSERS[parser]((beginning + line).encode(), definition)

    assert seconds(attempt) < SECONDS_MAX


@pytest.mark.parametrize(
    "name",
    ["cisco_asa", "linux_auditd", "fortinet_fortigate", "paloalto_panos", "checkpoint_firewall",
     "pfsense_filterlog", "common_cef", "common_leef"],
)  # fmt: skip
def test_devices_find_their_source_by_how_their_lines_begin(name: str) -> None:
    raws = [line.encode() for line in raws_of(name)]

    assert {choose_source(raw, SHIPPED) for raw in raws} == {name}


def raws_of(name: str) -> list[str]:
    """The raw lines that a source's examples take."""
    path = SHIPPED.by_name[name].path.with_suffix(".examples.jsonl")
    examples = map(json.loads, path.read_text().splitlines())
    return [one["raw"] for one in examples if "expect" in one and isinstance(one["raw"], str)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("parser: columns\n", "necesita «columns»"),
        ("parser: columns\ncolumns: 5\n", "debe ser una lista"),
        ("parser: columns\ncolumns: [{names: 5}]\n", "«names» debe ser una lista"),
        ("parser: columns\ncolumns: [{names: [a], when: {x: 1}}]\n", "números de columna"),
        ("parser: columns\ncolumns: [{names: [a], when: 3}]\n", "números de columna"),
        ("parser: columns\ncolumns: [{names: [a], if: 3}]\n", "clave desconocida «if»"),
        (
            "parser: columns\ncolumns: [{names: [a]}]\noptions: {separator: ab}\n",
            "un solo carácter",
        ),
        ("parser: key_values\noptions: {assign: '>'}\n", "debe ser uno de"),
        ("parser: key_values\noptions: {embedded: quizás}\n", "debe ser uno de"),
    ],
)
def test_what_is_wrong_with_a_definition_is_told(tmp_path: Path, text: str, said: str) -> None:
    assert any(said in one.reason for one in read_own(tmp_path, text)[1])
