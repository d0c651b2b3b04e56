"""`cgii scan` reads captures, in a child that may die, and says what it did not read."""

import gzip
import json
import os
from pathlib import Path

import pytest

from cgii.base import clock, limits
from cgii.collect.definition import load_definitions
from cgii.collect.files import guess_source, read_records
from cgii.collect.normalize import normalize
from cgii.collect.packets import child
from cgii.collect.packets.child import PartialCapture, read_packets
from cgii.model.event import Origin
from tests.integration.test_scan import REAL, needs_real, scan
from tests.make_packets import ethernet, pcap, udp
from tests.unit.collect.packets.test_patterns import attempt

FRAMES = [frame for port in range(1, 31) for frame in attempt("10.20.3.8", port, is_refused=True)]
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
        except PartialCapture as problem:
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


def test_a_child_without_memory_is_no_clean_capture(capture: Path) -> None:
    many = (ethernet(udp("10.0.0.1", n, "10.0.0.2", 9_999)) for n in range(40_000))
    capture.write_bytes(pcap(many, step=0))
    found, why = read(capture, memory=40 * 1024 * 1024)

    assert found == []
    assert "falló" in why


def test_a_child_that_says_nothing_is_killed(
    capture: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(child, "START_SECONDS", 0)
    monkeypatch.setattr(child, "PATIENCE", 0)

    assert read(capture, seconds=1) == ([], "no terminó en el tiempo permitido")


def test_the_child_has_no_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rights are gone when the capture is looked at: a reader that opens a file dies of it."""
    package = tmp_path / "evil"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "dissect.py").write_text(
        "import sys\n"
        "from cgii.collect.packets import dissect\n"
        "def opens(*rest):\n"
        "    for way in (lambda: open('/etc/hostname'), lambda: __import__('socket').socket()):\n"
        "        try:\n            way()\n        except OSError:\n            continue\n"
        "        sys.stdout.write('{\"open\": 1}\\n')\n"
        "    return iter(())\n"
        "dissect.read_capture = opens\n"
        "dissect.main()\n"
    )
    monkeypatch.setattr(child, "CHILD", "evil.dissect")
    root = os.pathsep.join((str(tmp_path), str(Path(child.content.PACKAGE).parent)))
    monkeypatch.setattr(child.content, "PACKAGE", Path(root) / "cgii")
    capture = tmp_path / "red.pcap"
    capture.write_bytes(pcap(FRAMES))

    assert read(capture) == ([], "")


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
    assert all(len(line) < limits.CAPTURE_LINE_BYTES_MAX for line in first)
