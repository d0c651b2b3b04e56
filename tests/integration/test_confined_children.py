"""Whoever reads foreign files can open nothing, and one that eats or loops costs its file alone.

Each child is started as it always is; in place of the reader stands one that has been taken over.
"""

import asyncio
import gzip
import itertools
import json
import os
import resource
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cgii.base import content
from cgii.cli.app import build
from cgii.collect import child, event_logs
from cgii.collect.child import PartialReading
from cgii.collect.event_logs import DamagedLog, scan_event_log
from cgii.collect.inputs import mail, whole_child
from cgii.collect.inputs.whole import WholeFiles
from cgii.collect.inputs.whole_child import Answer, Loss, Record, Request, read_whole
from cgii.collect.packets import child as packets
from cgii.collect.packets.child import read_packets
from cgii.detect import yara_child
from cgii.detect.yara_child import Target, scan
from tests.certificates import Authority
from tests.imap_server import ImapServer
from tests.make_packets import pcap
from tests.unit.collect.inputs.collecting import QUICK, Kept, collecting, until
from tests.unit.collect.inputs.test_mail import mail as a_mail
from tests.unit.collect.inputs.test_mail import mailbox
from tests.unit.collect.packets.test_patterns import attempt
from tests.yara_samples import BOUNDS, sources, temporary

CHILD = "cgii_taken_over"
OPENED = """
import os, socket, subprocess
WAYS = {
    "file": lambda: open("/etc/hostname"),
    "new_file": lambda: open("new", "w"),
    "socket": socket.socket,
    "unix_socket": lambda: socket.socketpair(),
    "pipe": os.pipe,
    "copy": lambda: os.dup(1),
    "program": lambda: subprocess.run(["true"]),
}
def opened():
    found = []
    for name, way in WAYS.items():
        try:
            way()
        except OSError:
            continue
        found.append(name)
    return found
"""
EATS = "kept = []\nwhile True: kept.append(bytes(1_000_000))\n"
MANY_SECONDS = 1_000


@pytest.fixture
def take_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the program that is started in place of every child is to be written."""
    for module in (event_logs, packets, whole_child, mail, yara_child):
        monkeypatch.setattr(module, "CHILD", CHILD)
    folder = tmp_path / "evil"
    folder.mkdir()
    root = os.pathsep.join((str(folder), str(content.PACKAGE.parent)))
    monkeypatch.setattr(child, "search_path", lambda: root)
    monkeypatch.setattr(whole_child, "search_path", lambda: root)
    return folder / f"{CHILD}.py"


def read_log(path: Path, seconds: int = MANY_SECONDS) -> tuple[list[bytes | DamagedLog], str]:
    found: list[bytes | DamagedLog] = []
    with path.open("rb") as file:
        try:
            found.extend(scan_event_log(file, seconds=seconds))
        except PartialReading as problem:
            return found, str(problem)
    return found, ""


def whole(path: Path, **asked: object) -> list[Answer]:
    async def run() -> list[Answer]:
        with path.open("rb") as file:
            request = Request(file.fileno(), path.stat().st_size, **asked)  # type: ignore[arg-type]
            return [answer async for answer in read_whole(request)]

    return asyncio.run(run())


# --- what each can open --------------------------------------------------------------------------
def test_the_child_that_reads_event_logs_can_open_nothing(take_over: Path) -> None:
    take_over.write_text(
        f"{OPENED}from cgii.collect import event_logs\n"
        "found = lambda file: iter([b'read', *(way.encode() for way in opened())])\n"
        "event_logs.read_event_log = found\n"
        "event_logs.main()\n"
    )

    assert read_log(take_over) == ([b"read"], "")


def test_the_child_that_reads_captures_can_open_nothing(take_over: Path) -> None:
    take_over.write_text(
        f"{OPENED}from cgii.collect.packets import dissect\n"
        "dissect.Observer.see = lambda self, frames: iter([['read', *opened()]])\n"
        "dissect.main()\n"
    )
    capture = take_over.with_suffix(".pcap")
    capture.write_bytes(pcap(attempt("10.20.3.8", 22)))
    with capture.open("rb") as file:
        first = next(read_packets(file))

    assert json.loads(first) == ["read"]


@pytest.mark.parametrize("asked", [{"parser": "windows"}, {"after": -1}])
def test_the_child_that_reads_whole_files_can_open_nothing(
    take_over: Path, asked: dict[str, object]
) -> None:
    take_over.write_text(
        f"{OPENED}from cgii.collect import whole_files\n"
        "def said(*given, **more):\n"
        "    yield [0, 'read ' + ' '.join(opened())]\n"
        "whole_files.records = whole_files.event_log = said\n"
        "whole_files.main()\n"
    )

    assert whole(take_over, **asked) == [Record(0, "read ")]


def test_the_child_that_looks_with_yara_can_open_nothing(
    take_over: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("yara", reason="yara-python is not installed")
    monkeypatch.setattr(content, "PACKAGE", Path(child.search_path()) / "cgii")
    take_over.write_text(
        f"{OPENED}from cgii.detect import yara_scan\n"
        "facts = {'matches': [], 'members': 0, 'bytes': 0, 'seconds': 0}\n"
        "yara_scan._scan = lambda *given: {'reasons': ['read', *opened()]} | facts\n"
        "yara_scan.main()\n"
    )
    with temporary(b"x") as file:
        [verdict] = scan(sources(), [Target("x", file)], BOUNDS)

    assert verdict.reasons == ("read",)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in QUICK.items():
        monkeypatch.setattr(f"cgii.base.limits.{name}", value)


def test_the_child_that_reads_mail_hears_its_server_and_can_open_nothing_more(
    take_over: Path, tmp_path: Path, quick: None
) -> None:
    take_over.write_text(
        f"{OPENED}from cgii.collect import mailbox\n"
        "mailbox.report = lambda data: {'subject': 'read ' + ' '.join(opened())}\n"
        "mailbox.main()\n"
    )
    authority, kept = Authority(tmp_path), Kept(tmp_path)
    server = ImapServer(authority.issue("servidor"))
    server.mails = {3: bytes(a_mail("tres")), 4: bytes(a_mail("cuatro"))}

    async def run() -> None:
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: len(kept.texts) == 2, "both arrive")

    asyncio.run(run())
    server.close()
    assert [json.loads(text)["subject"] for text in kept.texts] == ["read ", "read "]


# What mail programs write; the last three have a module of their own, and no other name.
CHARSETS = ("utf-8", "iso-8859-1", "iso-2022-jp", "koi8-u", "cp874", "utf-8-sig")


def test_mail_in_any_charset_is_read_by_the_child_that_can_open_nothing(
    tmp_path: Path, quick: None
) -> None:
    authority, kept = Authority(tmp_path), Kept(tmp_path)
    server = ImapServer(authority.issue("servidor"))
    for number, charset in enumerate(CHARSETS, start=1):
        server.mails[number] = (
            f"From: =?{charset}?Q?Soporte?= <a@malo.example>\n"
            f"Subject: =?{charset}?B?QQ==?=\n"
            f"Content-Type: text/plain; charset={charset}\n\nuno"
        ).encode()

    async def run() -> None:
        async with collecting(kept, mailbox(server, authority, tmp_path)):
            await until(lambda: len(kept.texts) == len(CHARSETS), "all arrive")

    asyncio.run(run())
    server.close()
    told = [json.loads(text) for text in kept.texts]
    assert {(one["from_name"], one["subject"], one["body"]) for one in told} == {
        ("Soporte", "A", "uno")
    }


# --- what each can take --------------------------------------------------------------------------
def test_a_reader_that_eats_memory_dies_and_what_it_said_stands(take_over: Path) -> None:
    take_over.write_text(
        "from cgii.collect import event_logs\n"
        "def eats(file):\n"
        "    yield b'one'\n"
        "    event_logs.sys.stdout.buffer.flush()\n"
        + "".join(f"    {line}\n" for line in EATS.splitlines())
        + "event_logs.read_event_log = eats\nevent_logs.main()\n"
    )

    assert read_log(take_over) == ([b"one"], f"{child.FAILED}, quizás por falta de memoria")


def test_a_reader_that_does_not_get_on_is_ended_long_before_its_time_is_over(
    take_over: Path,
) -> None:
    take_over.write_text(
        "from cgii.base import limits\nlimits.CHILD_STEP_SECONDS = 1\n"
        "from cgii.collect import event_logs\n"
        "def loops(file):\n"
        "    yield b'one'\n"
        "    event_logs.sys.stdout.buffer.flush()\n"
        "    while True: pass\n"
        "event_logs.read_event_log = loops\nevent_logs.main()\n"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime

    assert read_log(take_over) == ([b"one"], child.OVERDUE)
    # Of the processor, not of the clock: it was granted a thousand.
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before < 60


def test_a_reader_that_gets_on_slowly_is_not_ended(take_over: Path) -> None:
    take_over.write_text(
        "from time import process_time\n"
        "from cgii.base import limits\n"
        "limits.CHILD_STEP_SECONDS, limits.CHILD_STEP_BYTES = 1, 3\n"
        "from cgii.collect import event_logs\n"
        "def works(file):\n"
        "    for _ in range(6):\n"
        "        begun = process_time()\n"
        "        while process_time() - begun < 0.6: pass\n"
        "        yield b'one'\n"
        "event_logs.read_event_log = works\nevent_logs.main()\n"
    )

    assert read_log(take_over) == ([b"one"] * 6, "")


def test_while_whoever_waits_is_stopped_no_time_is_over(
    take_over: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As by Ctrl-Z in a terminal, an hour at each look: the child is in no hurry, nor are we."""
    take_over.write_text(
        "from time import process_time\n"
        "from cgii.collect import event_logs\n"
        "def works(file):\n"
        "    for _ in range(3):\n"
        "        begun = process_time()\n"
        "        while process_time() - begun < 0.2: pass\n"
        "        yield b'one'\n"
        "        event_logs.sys.stdout.buffer.flush()\n"
        "event_logs.read_event_log = works\nevent_logs.main()\n"
    )
    hours = itertools.count(0, 3_600)
    monkeypatch.setattr(child, "monotonic", lambda: float(next(hours)))

    assert read_log(take_over, seconds=30) == ([b"one"] * 3, "")


def test_the_time_in_all_is_bounded_too(take_over: Path) -> None:
    take_over.write_text(
        "from cgii.base import limits\nlimits.CHILD_STEP_BYTES = 1\n"
        "from cgii.collect import event_logs\n"
        "def explodes(file):\n"
        "    while True: yield b'one'\n"
        "event_logs.read_event_log = explodes\nevent_logs.main()\n"
    )
    found, why = read_log(take_over, seconds=2)

    assert why == child.OVERDUE
    assert set(found) == {b"one"}


def test_a_capture_that_unpacks_to_more_than_is_read_says_so(take_over: Path) -> None:
    take_over.write_text(
        "from cgii.base import limits\nlimits.FILE_UNPACKED_BYTES_MAX = 1_000_000\n"
        "from cgii.collect.packets.dissect import main\nmain()\n"
    )
    bomb = take_over.with_suffix(".gz")
    frames = attempt("10.20.3.8", 22) * 100_000
    bomb.write_bytes(gzip.compress(pcap(frames, step=0)))
    records = []
    with bomb.open("rb") as file, pytest.raises(PartialReading, match="más de 1000000 bytes"):
        for record in read_packets(file):
            records.append(record)
    assert records


def test_a_narrower_bound_of_whoever_started_us_holds_and_is_no_failure(take_over: Path) -> None:
    take_over.write_text(
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (20, 20))\n"
        "from cgii.collect import event_logs\n"
        "def bounds(file):\n"
        "    yield str(resource.getrlimit(resource.RLIMIT_CPU)[1]).encode()\n"
        "event_logs.read_event_log = bounds\nevent_logs.main()\n"
    )

    assert read_log(take_over) == ([b"20"], "")


def test_an_end_that_makes_no_sense_is_no_good_end(take_over: Path) -> None:
    take_over.write_text("print('+one')\nprint('{\"end\":')\n")

    assert read_log(take_over) == ([b"one"], child.FAILED)


# --- and whoever is beside it --------------------------------------------------------------------
LINE = "Mar  3 02:14:07 srv sshd[1]: Failed password for root from 203.0.113.77 port {n} ssh2\n"
DIES = (
    "from cgii.collect import event_logs\n"
    "def dies(file):\n"
    "    yield b'{}'\n"
    "    event_logs.sys.stdout.buffer.flush()\n"
    "    __import__('os').abort()\n"
    "event_logs.read_event_log = dies\nevent_logs.main()\n"
)


def test_a_log_that_kills_its_reader_is_told_and_its_neighbours_are_read(
    take_over: Path, tmp_path: Path
) -> None:
    take_over.write_text(DIES)
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "a.evtx").write_bytes(event_logs.MAGIC + bytes(5_000))
    (folder / "b.log").write_text("".join(LINE.format(n=n) for n in range(1, 200)))
    done = CliRunner().invoke(build("scan"), ["scan", "--jobs", "1", str(folder)])

    assert done.exit_code == 1
    assert "a.evtx: El registro de Windows se leyó solo en parte: su lectura falló" in done.output
    assert "203.0.113.77" in done.output


def test_a_whole_file_that_eats_memory_is_told_and_its_neighbours_arrive(
    take_over: Path, tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.CHILD_TRIES_MAX", 1)
    take_over.write_text(
        "from cgii.collect import whole_files\n"
        "honest = whole_files._contents\n"
        "def contents(path, parser, shape):\n"
        "    for data in honest(path, parser, shape):\n"
        "        yield data\n"
        "        if data == b'evil':\n"
        + "".join(f"            {line}\n" for line in EATS.splitlines())
        + "whole_files._contents = contents\nwhole_files.main()\n"
    )
    folder, kept = tmp_path / "in", Kept(tmp_path)
    folder.mkdir()
    (folder / "a.gz").write_bytes(gzip.compress(b"evil\nlost\n"))
    (folder / "b.gz").write_bytes(gzip.compress(b"good\n"))

    async def run() -> None:
        files = WholeFiles("web_access", str(folder / "*.gz"), "patterns")
        async with collecting(kept, files):
            await until(lambda: "good" in kept.texts and bool(kept.losses), "both are done with")

    asyncio.run(run())
    assert "lost" not in kept.texts
    assert [(loss["reason"], Path(loss["file"]).name) for loss in kept.losses] == [
        ("crashed", "a.gz")
    ]


def test_a_whole_file_that_is_a_capture_is_told(tmp_path: Path) -> None:
    capture = tmp_path / "red.pcap"
    capture.write_bytes(pcap(attempt("10.20.3.8", 22)))

    [loss] = whole(capture, parser="windows")
    assert isinstance(loss, Loss)
    assert (loss.reason, "[[pcap]]" in loss.detail) == ("damaged", True)
