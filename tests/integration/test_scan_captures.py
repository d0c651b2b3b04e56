"""`cgii scan` reads captures, in a child that may die, and says what it did not read."""

import gzip
import json
import os
from pathlib import Path

import pytest

from cgii.base import clock, limits
from cgii.collect import child
from cgii.collect.child import PartialReading
from cgii.collect.definition import load_definitions
from cgii.collect.files import guess_source, read_records
from cgii.collect.normalize import normalize
from cgii.collect.packets import child as packets
from cgii.collect.packets.child import read_packets
from cgii.model.event import Origin
from tests.integration.test_scan import REAL, needs_real, scan
from tests.make_packets import (
    client_hello,
    conversation,
    dns_answer,
    dns_query,
    ethernet,
    pcap,
    udp,
)
from tests.unit.collect.packets.test_patterns import attempt
from tests.unit.collect.packets.test_payloads import certificate, certificates, server_hello

FRAMES = [frame for port in range(1, 31) for frame in attempt("10.20.3.8", port, is_refused=True)]
FAILED = "su lectura falló, quizás por falta de memoria"
OVERDUE = "no terminó en el tiempo permitido"
SCAN = "Barrido de puertos o de equipos visto en la red"


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "red.pcap"
    path.write_bytes(pcap(FRAMES))
    return path


def alerts(text: str) -> set[str]:
    return {json.loads(line)["rule"]["title"] for line in text.splitlines()}


def read(path: Path, **granted: int) -> tuple[list[bytes], str]:
    found: list[bytes] = []
    with path.open("rb") as file:
        try:
            for line in read_packets(file, **granted):
                found.append(line)
        except PartialReading as problem:
            return found, str(problem)
    return found, ""


def test_a_capture_is_scanned_without_naming_its_format(capture: Path) -> None:
    assert SCAN in alerts(scan("--json", capture).stdout)


def test_a_packed_capture_is_scanned_too(capture: Path) -> None:
    packed = capture.with_suffix(".pcap.gz")
    packed.write_bytes(gzip.compress(capture.read_bytes()))

    assert SCAN in alerts(scan("--json", packed).stdout)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_cut_capture_gives_its_alerts_and_says_that_it_was_read_in_part(
    capture: Path, jobs: int
) -> None:
    capture.write_bytes(capture.read_bytes()[:-7])
    done = scan("--json", "--jobs", jobs, capture, code=1)

    assert SCAN in alerts(done.stdout)
    assert "red.pcap: La captura se leyó solo en parte" in done.stderr


def test_a_packed_capture_that_is_cut_says_so(capture: Path) -> None:
    packed = capture.with_suffix(".pcap.gz")
    packed.write_bytes(gzip.compress(capture.read_bytes())[:-20])

    assert "solo en parte" in scan(packed, code=1).stderr


def test_every_record_is_read_by_its_source(capture: Path) -> None:
    definitions = load_definitions()
    raws = list(read_records(capture, guess_source(capture, definitions), definitions))
    done = normalize(
        Origin("network_traffic", "file:x", "1"), raws, definitions, received_at=clock.now()
    )

    assert done.rejected == []
    assert len(done.events) == len(raws) == 32  # 30 conversations, a scan, what was seen in all


def test_a_child_over_its_time_gives_what_it_had_said(capture: Path) -> None:
    frames = [(number / 100, frame) for number, frame in enumerate(FRAMES * 2_000)]
    capture.write_bytes(pcap(frames))

    found, why = read(capture, seconds=1)

    assert "tiempo" in why
    assert all(json.loads(line)["network_traffic"] for line in found)


def test_a_capture_of_which_much_is_to_be_said_is_not_ended(
    capture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgii_flood.py").write_text(
        "from time import process_time\n"
        "from cgii.base import limits\n"
        "limits.CHILD_STEP_SECONDS, limits.CHILD_STEP_BYTES = 1, 70_000\n"
        "from cgii.collect.packets import dissect\n"
        "def floods(self, frames):\n"
        "    next(frames)\n"
        "    for _ in range(6):\n"
        "        begun = process_time()\n"
        "        while process_time() - begun < 0.6: pass\n"
        "        yield {'flow': 'x' * 70_000}\n"
        "dissect.Observer.see = floods\n"
        "dissect.main()\n"
    )
    monkeypatch.setattr(packets, "CHILD", "cgii_flood")
    root = os.pathsep.join((str(tmp_path), child.search_path()))
    monkeypatch.setattr(child, "search_path", lambda: root)
    capture.write_bytes(pcap(FRAMES))
    found, why = read(capture, seconds=1_000)

    assert (len(found) >= 6, why) == (True, "")


def test_a_capture_for_which_no_process_can_be_started_is_told(
    capture: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture.write_bytes(pcap(FRAMES))
    monkeypatch.setattr("sys.executable", str(capture.with_name("gone")))
    [told] = read_records(capture, "network_traffic", load_definitions())

    assert "se leyó solo en parte" in str(told.data)


def test_a_child_without_memory_is_no_clean_capture(capture: Path) -> None:
    many = (ethernet(udp("10.0.0.1", n, "10.0.0.2", 9_999)) for n in range(40_000))
    capture.write_bytes(pcap(many, step=0))
    found, why = read(capture, seconds=1, memory=40 * 1024 * 1024)

    # CPython 3.11 may go round for ever where it has no memory for the number of a line
    # (`exception_unwind` in ceval.c): then the bound on its time ends it.
    assert found == []
    assert why in (FAILED, OVERDUE)


def test_a_child_that_says_nothing_is_killed(
    capture: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(child, "START_SECONDS", 0)
    monkeypatch.setattr(child, "PATIENCE", 0)

    assert read(capture, seconds=1) == ([], OVERDUE)


@pytest.mark.parametrize("junk", [b"\xd4\xc3\xb2\xa1", b"\xd4\xc3\xb2\xa1" + bytes(999)])
def test_a_capture_of_nonsense_is_not_clean(tmp_path: Path, junk: bytes) -> None:
    path = tmp_path / "red.pcap"
    path.write_bytes(junk)
    found, why = read(path)

    assert why or found == []


def names() -> list[str]:
    return sorted(path.name for path in (REAL / "pcap").glob("*.pcap"))


@needs_real
@pytest.mark.parametrize("name", names())
def test_real_captures_are_read_whole_and_always_the_same(name: str) -> None:
    first, why = read(REAL / "pcap" / name)

    assert why == ""
    assert len(first) > 1
    assert json.loads(first[-1])["malformed"] == 0
    assert read(REAL / "pcap" / name) == (first, "")
    assert all(len(line) < limits.CHILD_LINE_BYTES_MAX for line in first)


RULE = """
title: Regla ajena
id: 00000000-0000-4000-8000-00000000000{number}
logsource: {logsource}
detection:
  selection: {selection}
  condition: selection
level: high
"""


@pytest.mark.parametrize(
    ("logsource", "selection"),
    [
        ("{product: zeek, service: conn}", "{conn_state: REJ, id.resp_p: 21}"),
        ("{product: zeek, service: dns}", "{query|endswith: .gob.bo, qtype_name: A}"),
        ("{category: dns}", "{query: www.entidad.gob.bo, record_type: A, answer: 198.51.100.80}"),
        ("{category: firewall}", "{dst_ip: 10.20.3.8, dst_port: 445}"),
        ("{category: proxy}", "{c-uri: /a, c-useragent|startswith: curl, sc-status: 200}"),
        ("{product: zeek, service: ssl}", "{server_name: correo.gob.bo}"),
        ("{product: zeek, service: x509}", "{certificate.subject|contains: ejemplo.gob.bo}"),
        ("{product: cgii, service: scan}", "{scan_kind: ports}"),
    ],
)
def test_rules_that_others_wrote_for_networks_see_what_packets_say(
    tmp_path: Path, logsource: str, selection: str
) -> None:
    raw, _ = certificate()
    ends = ("10.20.1.44", 50_000, "203.0.113.9", 443)
    frames = [
        frame for port in range(20, 30) for frame in attempt("10.20.3.8", port, is_refused=True)
    ]
    frames += FRAMES + attempt("10.20.3.8", 445)
    question, answer = dns_query(1, "www.entidad.gob.bo"), bytes((198, 51, 100, 80))
    for source, port, to, far, data in (
        ("10.20.1.44", 51_000, "10.20.0.53", 53, question),
        ("10.20.0.53", 53, "10.20.1.44", 51_000, dns_answer(1, "www.entidad.gob.bo", 1, [answer])),
    ):
        frames.append(ethernet(udp(source, port, to, far, data)))
    frames += conversation(
        ends, [(0, client_hello("correo.gob.bo")), (1, server_hello() + certificates(raw))]
    )
    get = b"GET /a HTTP/1.1\r\nHost: b.bo\r\nUser-Agent: curl/8\r\n\r\n"
    frames += conversation((*ends[:3], 8080), [(0, get), (1, b"HTTP/1.1 200 OK\r\n\r\n")])
    path = tmp_path / "red.pcap"
    path.write_bytes(pcap(frames))
    rule = tmp_path / "regla.yml"
    rule.write_text(RULE.format(number=1, logsource=logsource, selection=selection))

    assert alerts(scan("--json", "--no-builtin", "--rules", rule, path).stdout) == {"Regla ajena"}
