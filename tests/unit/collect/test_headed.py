"""Columns that a heading names: the same whatever batch they come in, as Zeek's JSON has them."""

import gzip
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.collect import rejects
from cgii.collect.definition import load_definitions
from cgii.collect.files import guess_source, read_records
from cgii.collect.inputs.follow import FollowedFile
from cgii.collect.normalize import normalize
from cgii.model.event import Event, Origin, Raw

DEFINITIONS = load_definitions()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
HEADING = (
    b"#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    b"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tlocal_orig\ttunnel_parents\tduration\n"
    b"#types\ttime\tstring\taddr\tport\taddr\tbool\tset[string]\tinterval\n"
)
LINE = b"1795183200.5\tCabc\t198.51.100.7\t4000\t192.0.2.1\tT\tx,y\t-"
JSON = {
    "_path": "conn", "ts": 1795183200.5, "uid": "Cabc", "id.orig_h": "198.51.100.7",
    "id.orig_p": 4000, "id.resp_h": "192.0.2.1", "local_orig": True, "tunnel_parents": ["x", "y"],
}  # fmt: skip


def event(source: str, data: bytes) -> Event:
    read = normalize(Origin(source, "s", "1"), [Raw(0, data)], DEFINITIONS, received_at=NOW)
    assert read.rejected == []
    return read.events[0]


def refused(source: str, data: bytes) -> str:
    read = normalize(Origin(source, "s", "1"), [Raw(0, data)], DEFINITIONS, received_at=NOW)
    return read.rejected[0].reason


def zeek(count: int) -> bytes:
    return HEADING + b"".join(LINE.replace(b"Cabc", b"C%d" % n) + b"\n" for n in range(count))


def test_an_event_is_as_from_zeeks_json() -> None:
    tsv, json = event("zeek_tsv", HEADING + LINE), event("zeek_json", orjson.dumps(JSON))

    assert tsv.fields == json.fields
    assert tsv.at == json.at
    assert tsv.logsource == json.logsource
    ours = {"event.dataset"}
    assert {k: v for k, v in tsv.ecs.items() if k not in ours} == {
        k: v for k, v in json.ecs.items() if k not in ours
    }
    assert tsv.original == LINE.decode(), "the heading is not the record's"


@pytest.mark.parametrize("is_packed", [False, True])
def test_every_record_of_a_long_file_knows_its_heading(tmp_path: Path, is_packed: bool) -> None:
    path = tmp_path / ("conn.log.gz" if is_packed else "conn.log")
    whole = zeek(5_000) + b"#close\t2026-11-20-15-00-00\n"
    path.write_bytes(gzip.compress(whole) if is_packed else whole)

    assert guess_source(path, DEFINITIONS) == "zeek_tsv"
    raws = list(read_records(path, "zeek_tsv", DEFINITIONS))
    read = normalize(Origin("zeek_tsv", "s", "1"), raws, DEFINITIONS, received_at=NOW)
    assert (len(read.events), read.rejected) == (5_000, [])
    assert read.events[-1].ecs["log.file.line"] == HEADING.count(b"\n") + 5_000


def test_a_followed_file_is_read_on_in_its_middle_with_its_heading(tmp_path: Path) -> None:
    path = tmp_path / "conn.log"
    path.write_bytes(zeek(20))
    shape = DEFINITIONS.shape_of("zeek_tsv")
    seen = [line for _ in range(3) for line in FollowedFile(path, None, shape).poll()]
    assert len(seen) == 60, "each new reader gives all of them"

    again = FollowedFile(path, seen[11].after, shape)
    rest = again.poll()
    assert [line.seq for line in rest] == [*range(12, 20)]
    assert event("zeek_tsv", rest[0].data).fields["uid"] == "C12"


def test_columns_follow_the_heading_that_stands_above_them(tmp_path: Path) -> None:
    path = tmp_path / "informe.csv"
    path.write_bytes(
        b'"timestamp","ip","tag"\r\n"2026-11-20 00:00:00","192.0.2.1","rdp"\r\n'
        b'"timestamp","ip","port","tag"\r\n"2026-11-20 00:00:01","192.0.2.2","23","telnet"\r\n'
    )
    raws = list(read_records(path, "shadowserver_report", DEFINITIONS))
    origin = Origin("shadowserver_report", "s", "1")
    events = normalize(origin, raws, DEFINITIONS, received_at=NOW).events

    assert [(one.ecs["host.ip"], one.fields["tag"]) for one in events] == [
        ("192.0.2.1", "rdp"),
        ("192.0.2.2", "telnet"),
    ]


def test_a_value_in_quotes_keeps_its_line_breaks(tmp_path: Path) -> None:
    path = tmp_path / "informe.csv"
    path.write_bytes(
        b'"timestamp","ip","tag","banner"\r\n'
        b'"2026-11-20 00:00:00","192.0.2.1","ftp","220 uno\r\n""dos"", tres\r\n"\r\n'
        b'"2026-11-20 00:00:01","192.0.2.2","telnet","login:"\r\n'
    )
    raws = list(read_records(path, "shadowserver_report", DEFINITIONS))
    origin = Origin("shadowserver_report", "s", "1")
    events = normalize(origin, raws, DEFINITIONS, received_at=NOW).events

    assert [one.fields["banner"] for one in events] == ['220 uno\n"dos", tres\n', "login:"]
    assert [one.ecs["log.file.line"] for one in events] == [2, 5]
    assert events[0].original.endswith('"220 uno\n""dos"", tres\n"')


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (LINE, rejects.NO_HEADING),
        (b"#close\t2026", rejects.HEADING),
        (HEADING + LINE + b"\tmore", rejects.NO_PATTERN),
        (b"#open\n" + LINE, rejects.NO_HEADING),
        (b"#fields\n" + LINE, rejects.NO_PATTERN),
        (b"#fields" + b"\tx" * 2_000 + b"\n" + LINE, rejects.TOO_MANY_FIELDS),
        (b"a,b\n1,2", rejects.NO_TIME),
    ],
)
def test_what_no_heading_fits_is_refused_with_its_reason(data: bytes, reason: str) -> None:
    assert refused("zeek_tsv", data) == reason


def test_types_that_lie_leave_the_text() -> None:
    lied = LINE.replace(b"4000", b"http").replace(b"\tT\t", b"\tquiz\\xc3\\xa1s\t")
    fields = event("zeek_tsv", HEADING + lied).fields

    assert (fields["id.orig_p"], fields["local_orig"]) == ("http", "quiz\\xc3\\xa1s")
    assert event("zeek_tsv", HEADING + LINE.replace(b"Cabc", b"\\xc3\\xb1")).fields["uid"] == "ñ"


@given(st.binary(max_size=400))
def test_nothing_that_comes_raises(data: bytes) -> None:
    for source in ("zeek_tsv", "microsoft_exchange", "shadowserver_report"):
        for above in (b"", HEADING, b"#Fields: a,b\n", b"timestamp,ip,tag\n"):
            read = normalize(
                Origin(source, "s", "1"), [Raw(0, above + data)], DEFINITIONS, received_at=NOW
            )
            assert len(read.events) + len(read.rejected) == 1
            assert all(one.reason != rejects.NOT_UNDERSTOOD for one in read.rejected)


IIS = (
    b"#Software: Microsoft Internet Information Services 10.0\n"
    b"#Fields: date time s-ip cs-method cs-uri-stem c-ip cs(User-Agent) cs(X-Forwarded-For) "
    b"sc-status\n"
)
ACCESS = b"2026-11-20 14:00:01 192.0.2.20 GET /a.aspx 10.9.9.9 %b 203.0.113.9 500"


def test_iis_is_read_by_the_fields_that_it_names() -> None:
    found = event("microsoft_iis", IIS + ACCESS % b"curl/8.5.0")

    assert found.ecs["source.ip"] == "203.0.113.9"
    assert found.ecs["user_agent.original"] == "curl/8.5.0"
    assert found.ecs["event.outcome"] == "failure"


def test_a_quote_in_iis_opens_nothing() -> None:
    assert event("microsoft_iis", IIS + ACCESS % b'"curl').fields["cs-user-agent"] == '"curl'


@pytest.mark.parametrize(
    "columns",
    [
        b"HTTP/2 curl/8.5.0 500 0 0 9",  # cs-version, cs(User-Agent)
        b"curl/8.5.0 www.example.bo 500 0 0 9",  # cs(User-Agent), cs-host
        b"curl/8.5.0 www.example.bo:8443 500 0 0 9",
        b"- Mozilla/5.0 500 0 0 9",  # cs-version of a request without one, cs(User-Agent)
        b"curl/8.5.0 id=ab 500 0 0 9",  # cs(User-Agent), cs(Cookie)
        b"curl/8.5.0 - 500 0 203.0.113.9 9",  # one of one's own in place of sc-win32-status
        b"ASP.NET_SessionId=a1 https://example.bo/ 500 0 0 9",  # cs(Cookie), cs(Referer)
        b"https://example.bo/ www.example.bo 500 0 0 9",  # cs(Referer), cs-host
        b"curl/8.5.0 500 0 0 9 203.0.113.9",  # cs(User-Agent) and one of one's own at the end
        b"curl/8.5.0 - 500 0 0",  # no time-taken
    ],
)
def test_an_iis_line_that_may_have_other_fields_is_not_guessed(columns: bytes) -> None:
    line = b"2026-11-20 14:00:01 192.0.2.20 GET /a.aspx - 443 - 10.9.9.9 " + columns

    assert refused("microsoft_iis", line) == rejects.NO_HEADING


@pytest.mark.parametrize(
    "referrer", ["/x", "/x?a=b", "www.google.com/", "intranet.bo:81/x", "about:blank"]
)
def test_a_referrer_without_a_scheme_is_one(referrer: str) -> None:
    line = f"2026-11-20 14:00:01 192.0.2.20 GET /a - 443 - 10.9.9.9 curl/8 {referrer} 500 0 0 9"

    assert event("microsoft_iis", line.encode()).ecs["http.request.referrer"] == referrer


def test_addresses_of_a_link_are_addresses(tmp_path: Path) -> None:
    line = b"2026-11-20 14:00:01 fe80::1%12 GET /a - 443 - fe80::2%12 curl/8 - 500 0 0 9"
    found = event("microsoft_iis", line)
    path = tmp_path / "u_ex.log"
    path.write_bytes(line + b"\n")

    assert found.fields["c-ip"] == "fe80::2%12"
    assert guess_source(path, DEFINITIONS) == "microsoft_iis"


def test_an_iis_file_with_any_fields_is_known_and_read(tmp_path: Path) -> None:
    path = tmp_path / "u_ex261120.log"
    other = b"#Fields: date time cs-method cs-uri-stem sc-status\n2026-11-20 14:00:02 GET / 200\n"
    path.write_bytes(IIS + (ACCESS % b"curl/8.5.0" + b"\n") * 300 + other)

    assert guess_source(path, DEFINITIONS) == "microsoft_iis"
    raws = list(read_records(path, "microsoft_iis", DEFINITIONS))
    read = normalize(Origin("microsoft_iis", "s", "1"), raws, DEFINITIONS, received_at=NOW)
    assert (len(read.events), read.rejected) == (301, [])
    assert read.events[-1].ecs["http.response.status_code"] == 200
