"""Files of every shape give their records, damaged ones what is readable and one reject."""

import contextlib
import gzip
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.collect.definition import load_definitions
from cgii.collect.files import guess_source, read_records
from cgii.collect.normalize import Normalised, normalize
from cgii.model.event import Origin, Raw

DEFINITIONS = load_definitions()
NOW = datetime(2026, 11, 22, tzinfo=UTC)
LINE = b"Mar  3 02:14:07 srv sshd[1]: Failed password for root from 203.0.113.77 port 1 ssh2\n"
ZEEK = {"_path": "conn", "ts": 1_778_588_130.5, "uid": "C1", "id.orig_h": "10.0.0.1"}
WINDOWS = {"EventID": 4625, "Channel": "Security", "Computer": "dc", "TimeCreated": "2026-05-01"}
SHARED = Path(__file__).resolve().parents[3].parent / "shared" / "data"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not there")


def write(tmp_path: Path, data: bytes | str, name: str = "some.log") -> Path:
    path = tmp_path / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return path


def scan(path: Path, source: str | None = None) -> tuple[str, list[Raw], Normalised]:
    source = source or guess_source(path, DEFINITIONS)
    raws = list(read_records(path, source, DEFINITIONS))
    return (
        source,
        raws,
        normalize(Origin(source, "f", "1"), raws, DEFINITIONS, received_at=NOW),
    )


def reasons(found: Normalised) -> Counter[str]:
    return Counter(rejected.reason for rejected in found.rejected)


def test_lines_have_their_number_and_empty_ones_are_passed_over(tmp_path: Path) -> None:
    path = write(tmp_path, LINE + b"\n" + LINE.rstrip())
    source, raws, found = scan(path)
    assert source == "linux_auth"
    assert [(raw.seq, raw.peer) for raw in raws] == [(0, f"{path}:1"), (2, f"{path}:3")]
    assert len(found.events) == 2


@pytest.mark.parametrize(
    ("text", "source", "events"),
    [
        (json.dumps(ZEEK) + "\n" + json.dumps(ZEEK), "zeek_json", 2),
        (json.dumps(ZEEK, indent=2), "zeek_json", 1),
        (json.dumps([ZEEK, ZEEK, ZEEK]), "zeek_json", 3),
        (json.dumps([ZEEK, 5, ZEEK], indent=1), "zeek_json", 2),
        ("\ufeff" + json.dumps(WINDOWS), "windows_events", 1),
        (json.dumps({"Event": {"System": WINDOWS, "EventData": {}}}), "windows_events", 1),
        (json.dumps([{"Event": {"System": {**WINDOWS}}}] * 2, indent=1), "windows_events", 2),
        ('203.0.113.4 - - [12/May/2026:08:15:30 -0400] "GET / HTTP/1.1" 200 1\n', "web_access", 1),
        ("<34>1 2026-05-01T10:00:00Z srv app - - - hola\n", "syslog", 1),
        ('{"timestamp":"2026-05-12T08:15:30Z","event_type":"x","flow_id":1}\n', "suricata_eve", 1),
    ],
)  # fmt: skip
def test_the_source_is_recognised_and_read(
    tmp_path: Path, text: str, source: str, events: int
) -> None:
    for name, data in (("a.log", text.encode()), ("b.gz", gzip.compress(text.encode()))):
        found_source, _, found = scan(write(tmp_path, data, name))
        assert (found_source, len(found.events)) == (source, events)


@pytest.mark.parametrize(
    "data", [b"", b"  \n\n", b"[Sun Dec 04 04:47:44 2005] [error] x\n", b"\x89PNG\r\n", b"[1,2]"]
)
def test_an_unknown_format_is_answered_with_a_sentence(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(Invalid, match=r"some\.log"):
        guess_source(write(tmp_path, data), DEFINITIONS)


def test_a_missing_file_and_a_folder_are_answered_with_a_sentence(tmp_path: Path) -> None:
    for path in (tmp_path / "nada.log", tmp_path):
        with pytest.raises(Invalid, match="No se puede abrir"):
            guess_source(path, DEFINITIONS)
        with pytest.raises(Invalid, match="No se puede abrir"):
            list(read_records(path, "syslog", DEFINITIONS))


def test_a_truncated_archive_gives_what_is_readable_and_one_reject(tmp_path: Path) -> None:
    lines = b"".join(LINE.replace(b"port 1", b"port %d" % port) for port in range(1, 5_000))
    packed = gzip.compress(lines)
    source, _, found = scan(write(tmp_path, packed[: len(packed) // 2], "auth.log.gz"))
    assert source == "linux_auth"
    assert 1_000 < len(found.events) < 4_500
    assert reasons(found)["file damaged"] == 1
    assert found.rejected[-1].reason == "file damaged"
    assert sum(reasons(found).values()) <= 2  # the line that was cut may be unreadable, too
    ports = [event.fields["src_port"] for event in found.events[:-1]]
    assert ports == list(range(1, len(ports) + 1))


def test_an_archive_with_a_wrong_checksum_keeps_its_lines(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(LINE * 10))
    packed[-5] ^= 0xFF
    _, _, found = scan(write(tmp_path, bytes(packed), "a.gz"))
    assert (len(found.events), reasons(found)) == (10, {"file damaged": 1})


def test_a_packed_bomb_ends_at_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "FILE_UNPACKED_BYTES_MAX", 1_000_000)
    path = write(tmp_path, gzip.compress(LINE * 100_000), "bomb.gz")
    _, raws, found = scan(path)
    assert len(raws) < 15_000
    assert reasons(found)["file damaged"] == 1


def test_a_line_of_many_megabytes_is_one_reject(tmp_path: Path) -> None:
    path = write(tmp_path, LINE + b"x" * 20_000_000 + b"\n" + LINE)
    _, raws, found = scan(path)
    assert (len(found.events), reasons(found)) == (2, {"too long": 1})
    assert max(len(raw.data) for raw in raws) == limits.LINE_BYTES_MAX + 1
    one_line = write(tmp_path, b'{"a":"' + b"x" * 20_000_000, "one.json")
    _, _, found = scan(one_line, "zeek_json")
    assert reasons(found) == {"too long": 1}


def test_a_json_document_over_the_limit_is_answered_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "JSON_FILE_BYTES_MAX", 1_000)
    path = write(tmp_path, json.dumps([ZEEK] * 100))
    with pytest.raises(Invalid, match="demasiado grande"):
        scan(path)


def test_a_damaged_event_log_is_one_reject(tmp_path: Path) -> None:
    source, _, found = scan(write(tmp_path, b"ElfFile\0" + b"\0" * 5_000, "a.evtx"))
    assert (source, reasons(found)) == ("windows_events", {"file damaged": 1})


def test_utf16_is_answered_with_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path, "hola\n".encode("utf-16"))
    with pytest.raises(Invalid, match="UTF-16"):
        list(read_records(path, "syslog", DEFINITIONS))


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(sorted(DEFINITIONS.by_name)),
    st.sampled_from([b"", b"\x1f\x8b\x08", b"ElfFile\0", b"[", b"{", b"\xff\xfe", b"\xef\xbb\xbf"]),
    st.binary(max_size=300),
)
def test_any_file_is_read_or_answered_with_a_sentence(
    tmp_path: Path, source: str, head: bytes, data: bytes
) -> None:
    path = write(tmp_path, head + data)
    for given_source in (None, source):
        with contextlib.suppress(Invalid):
            _, raws, found = scan(path, given_source)
            assert len(found.events) + len(found.rejected) == len(raws)


@shared
@pytest.mark.parametrize(
    ("name", "source", "events", "rejects"),
    [
        ("logs/OpenSSH_2k.log", "linux_auth", 2_000, 0),
        ("logs/auth.log", "linux_auth", 3_000, 0),
        ("logs/Linux_2k.log", "linux_auth", 2_000, 0),
        ("logs/apache_access.log", "web_access", 3_000, 0),
        ("zeek.jsonl", "zeek_json", 1_776, 80),  # loaded_scripts have no time
        ("windows-20k.jsonl.gz", "windows_events", 20_000, 0),
        ("evtx/DE_104_system_log_cleared.evtx", "windows_events", 1, 0),
        ("evtx/babyshark_mimikatz_powershell.evtx", "windows_events", 33, 0),
    ],
)
def test_public_samples_are_read_whole(name: str, source: str, events: int, rejects: int) -> None:
    found_source, _, found = scan(SHARED / name)
    assert (found_source, len(found.events), len(found.rejected)) == (source, events, rejects)


@shared
def test_an_event_log_whose_head_counts_too_much_is_read_and_told(tmp_path: Path) -> None:
    whole = bytearray((SHARED / "evtx/babyshark_mimikatz_powershell.evtx").read_bytes())
    whole[42:44] = b"\xff\xff"
    _, _, found = scan(write(tmp_path, bytes(whole), "count.evtx"))
    assert (len(found.events), reasons(found)) == (33, {"file damaged": 1})


@shared
def test_an_event_log_cut_in_the_middle_keeps_its_first_records(tmp_path: Path) -> None:
    whole = (SHARED / "evtx/babyshark_mimikatz_powershell.evtx").read_bytes()
    path = write(tmp_path, whole[: len(whole) // 2], "cut.evtx")
    _, _, found = scan(path)
    assert len(found.events) == 24
    assert reasons(found) == {"file damaged": 1}
    damaged = bytearray(whole)
    damaged[20_000:24_000] = b"\xaa" * 4_000
    _, _, found = scan(write(tmp_path, bytes(damaged), "holes.evtx"))
    assert found.events
