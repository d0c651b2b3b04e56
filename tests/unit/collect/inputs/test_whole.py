"""Whole files are read once each, in a child; what is damaged or too much is told."""

import asyncio
import gzip
import json
import os
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from cgii.base import content, limits
from cgii.collect.inputs import whole_child
from cgii.collect.inputs.whole import WholeFiles
from cgii.collect.inputs.whole_child import Answer, Loss, Record, Request, read_whole
from tests.unit.collect.inputs.collecting import Kept, a_while, collecting, until

pytestmark = pytest.mark.usefixtures("quick")

EVENT = {"Event": {"System": {"EventID": 4625, "Computer": "dc"}, "EventData": {}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    found = tmp_path / "in"
    found.mkdir()
    return found


def packed(folder: Path, pattern: str = "*.gz") -> WholeFiles:
    return WholeFiles("web_access", str(folder / pattern), "patterns")


async def has(kept: Kept, count: int) -> None:
    await until(lambda: len(kept.texts) >= count, f"{count} records, there are {kept.texts}")


def test_packed_files_are_read_once_also_after_a_restart_or_under_another_name(
    folder: Path, kept: Kept
) -> None:
    async def run() -> None:
        (folder / "a.gz").write_bytes(gzip.compress(b"one\n\ntwo\n"))
        async with collecting(kept, packed(folder)):
            await has(kept, 2)
            (folder / "a.gz").rename(folder / "b.gz")
            (folder / "copy.gz").write_bytes((folder / "b.gz").read_bytes())
            await a_while()
        async with collecting(kept, packed(folder)):
            (folder / "new.gz").write_bytes(gzip.compress(b"three\n"))
            await has(kept, 3)

    asyncio.run(run())
    assert sorted(kept.texts) == ["one", "three", "two"]
    assert kept.again == 0
    assert kept.losses == []


def test_a_json_document_gives_its_records(folder: Path, kept: Kept) -> None:
    async def run() -> None:
        (folder / "events.json").write_text(json.dumps([EVENT, EVENT | {"n": 2}], indent=1))
        (folder / "lines.json").write_text(f"{json.dumps(EVENT)}\n")
        events = WholeFiles("windows_events", str(folder / "*.json"), "windows")
        async with collecting(kept, events):
            await has(kept, 3)

    asyncio.run(run())
    assert [json.loads(text)["Event"]["System"]["EventID"] for text in kept.texts] == [4625] * 3


def test_a_moment_without_processes_loses_no_file(
    folder: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = asyncio.create_subprocess_exec
    tries: list[int] = []

    async def fail_first(*given: object, **more: object) -> object:
        tries.append(1)
        if len(tries) == 1:
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return await real(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(asyncio, "create_subprocess_exec", fail_first)

    async def run() -> None:
        (folder / "a.gz").write_bytes(gzip.compress(b"one\n"))
        async with collecting(kept, packed(folder)):
            await has(kept, 1)

    asyncio.run(run())
    assert kept.losses == []


def test_a_file_that_is_still_written_waits(folder: Path, kept: Kept) -> None:
    async def run() -> None:
        whole = gzip.compress(b"one\ntwo\n")
        async with collecting(kept, packed(folder)):
            with (folder / "a.gz").open("wb") as file:
                for piece in whole:
                    file.write(bytes([piece]))
                    file.flush()
                    await asyncio.sleep(0.002)
            await has(kept, 2)
            await until(lambda: bool(kept.places.known), "the place is kept")

    asyncio.run(run())
    assert {"one", "two"} == set(kept.texts)


def test_a_damaged_file_gives_what_can_be_read_and_tells_the_rest_once(
    folder: Path, kept: Kept
) -> None:
    async def run() -> None:
        whole = gzip.compress(os.urandom(4_000).hex().encode() + b"\nfirst\n" + os.urandom(20_000))
        (folder / "cut.gz").write_bytes(gzip.compress(b"first\n") + whole[:-9_000])
        async with collecting(kept, packed(folder)):
            await until(lambda: len(kept.losses) == 1, "the loss is told")
            await until(lambda: bool(kept.places.known), "the place is kept")
        async with collecting(kept, packed(folder)):
            await a_while()

    asyncio.run(run())
    assert "first" in kept.texts
    assert len(kept.losses) == 1
    told = kept.losses[0]
    assert (told["kind"], told["input"], told["reason"]) == ("damage", "file", "damaged")
    assert told["file"].endswith("cut.gz")


def test_a_file_in_another_encoding_is_told_without_the_childs_name_for_it(
    folder: Path, kept: Kept
) -> None:
    async def run() -> None:
        (folder / "a.gz").write_bytes(gzip.compress("{}".encode("utf-16")))
        async with collecting(kept, packed(folder)):
            await until(lambda: len(kept.losses) == 1, "the loss is told")

    asyncio.run(run())
    assert kept.losses[0]["detail"] == "El archivo está en UTF-16; conviértalo a UTF-8."


def test_a_bomb_is_cut_at_the_limit_and_told(
    folder: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(whole_child, "CHILD", "cgii_small_limits")
    (tmp_path / "cgii_small_limits.py").write_text(
        "from cgii.base import limits\nlimits.WHOLE_UNPACKED_BYTES_MAX = 1_000_000\n"
        "from cgii.collect.whole_files import main\nmain()\n"
    )
    path = f"{content.PACKAGE.parent}:{tmp_path}"
    monkeypatch.setattr(whole_child, "search_path", lambda: path)
    (folder / "bomb.gz").write_bytes(gzip.compress(b"0" * 99 + b"\n") * 100_000)

    async def run() -> None:
        async with collecting(kept, packed(folder)):
            await until(lambda: bool(kept.losses), "the loss is told")

    asyncio.run(run())
    assert 0 < len(kept.texts) < 20_000
    assert "demasiado grande" in kept.losses[0]["detail"]


def test_more_files_or_bytes_than_allowed_are_told(
    folder: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.WHOLE_FILE_BYTES_MAX", 100)

    async def run() -> None:
        (folder / "a.gz").write_bytes(os.urandom(101))
        async with collecting(kept, packed(folder)):
            await until(lambda: bool(kept.losses), "the loss is told")

    asyncio.run(run())
    assert kept.losses[0]["reason"] == "size"
    assert kept.texts == []


def test_a_file_that_is_gone_is_forgotten_and_come_back_has_the_same_numbers(
    folder: Path, kept: Kept
) -> None:
    async def run() -> None:
        (folder / "a.gz").write_bytes(gzip.compress(b"one\n"))
        async with collecting(kept, packed(folder)):
            await has(kept, 1)
            (folder / "a.gz").unlink()
            await until(lambda: not kept.places.known, "it is forgotten")
            (folder / "a.gz").write_bytes(gzip.compress(b"one\n", mtime=0))
            (folder / "a.gz").write_bytes(gzip.compress(b"one\n"))
            await until(lambda: bool(kept.places.known), "it is read again")

    asyncio.run(run())
    assert kept.changed == []


def read(request_of: Path, parser: str = "") -> list[object]:
    async def run() -> list[object]:
        with request_of.open("rb") as file:
            request = Request(file.fileno(), request_of.stat().st_size, parser=parser)
            return [answer async for answer in read_whole(request)]

    return asyncio.run(run())


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("print('[0,\"ok\"]', flush=True); import os; os.kill(os.getpid(), 11)", "crashed"),
        ("print('[0,\"ok\"]', flush=True); import time; time.sleep(600)", "timeout"),
        ("print('[0,\"ok\"]'); print('nonsense')", "crashed"),
        ("print('[0,\"ok\"]'); print('[1,' + '\"x' * 3_000_000)", "crashed"),
    ],
)
def test_a_child_that_dies_or_talks_nonsense_ends_the_file_with_a_loss(
    program: str, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgii_bad_child.py").write_text(program)
    monkeypatch.setattr(whole_child, "CHILD", "cgii_bad_child")
    monkeypatch.setattr(whole_child, "search_path", lambda: str(tmp_path))
    monkeypatch.setattr("cgii.base.limits.WHOLE_SILENCE_SECONDS", 1)

    assert read(tmp_path / "cgii_bad_child.py") == [Record(0, "ok"), Loss(reason)]


def test_the_child_may_write_no_file_start_no_process_and_take_little_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgii_tries.py").write_text(
        "import resource, sys, json\n"
        "from cgii.collect import whole_files\n"
        "def tries(path, parser, shape):\n"
        "    for n, what in enumerate(('FSIZE', 'NPROC', 'CORE', 'AS', 'CPU')):\n"
        "        yield [n, str(resource.getrlimit(getattr(resource, 'RLIMIT_' + what))[1])]\n"
        "whole_files.records = tries\nwhole_files.main()\n"
    )
    monkeypatch.setattr(whole_child, "CHILD", "cgii_tries")
    path = f"{content.PACKAGE.parent}:{tmp_path}"
    monkeypatch.setattr(whole_child, "search_path", lambda: path)
    file = tmp_path / "cgii_tries.py"
    memory = 512 * 1024 * 1024

    assert [answer.text for answer in read(file)] == ["0", "0", "0", str(memory), "30"]  # type: ignore[attr-defined]


def test_the_largest_json_document_in_the_worst_encoding_fits_in_the_memory_of_the_child(
    tmp_path: Path,
) -> None:
    record = '{"a": "' + "x" * 200_000 + '"},\n'
    times = limits.JSON_FILE_BYTES_MAX // len(record)
    file = tmp_path / "a.json"
    # As PowerShell writes it, and each kind of character makes all of the text wider.
    file.write_text(f'[{record * times}{{"a": "ñ日😀"}}]', encoding="utf-8-sig")
    *_, last = found = read(file, "json_lines")

    assert (len(found), last) == (times + 1, Record(times, '{"a":"ñ日😀"}'))


def test_a_file_name_that_is_no_text_is_read_and_told(folder: Path, kept: Kept) -> None:
    peers: list[str] = []

    async def run() -> None:
        (folder / os.fsdecode(b"a\xff.gz")).write_bytes(gzip.compress(b"one\n")[:-4])
        keep = kept.keep
        kept.keep = lambda batch: (  # type: ignore[method-assign]
            peers.extend(raw.peer for raw in batch.raws if raw.peer), keep(batch))[1]  # fmt: skip
        async with collecting(kept, packed(folder)):
            await has(kept, 1)
            await until(lambda: bool(kept.losses), "the loss is told")

    asyncio.run(run())
    assert peers == [f"{folder}/a\\xff.gz:1"]
    assert kept.losses[0]["file"] == f"{folder}/a\\xff.gz"


def test_a_number_that_the_centre_would_not_take_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cgii_bad_child.py").write_text(f"print('[{2**53},\"x\"]')")
    monkeypatch.setattr(whole_child, "CHILD", "cgii_bad_child")
    monkeypatch.setattr(whole_child, "search_path", lambda: str(tmp_path))

    assert read(tmp_path / "cgii_bad_child.py") == [Loss("crashed")]


@pytest.mark.parametrize(("kills", "losses"), [(2, []), (99, ["crashed"])])
def test_a_reader_that_is_killed_has_three_tries(
    folder: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch, kills: int, losses: list[str]
) -> None:
    runs: list[Request] = []

    async def killed(request: Request) -> AsyncGenerator[Answer, None]:
        runs.append(request)
        yield Record(0, "one")
        if len(runs) <= kills:
            yield Loss("crashed")
            return
        yield Record(1, "two")

    monkeypatch.setattr("cgii.collect.inputs.whole.read_whole", killed)

    async def run() -> None:
        (folder / "a.gz").write_bytes(b"x")
        async with collecting(kept, packed(folder)):
            await until(lambda: any(p.offset for p in kept.places.known.values()), "it is done")
            await a_while()

    asyncio.run(run())
    assert len(runs) == 3
    assert kept.texts == (["one"] if losses else ["one", "two"])
    assert kept.again == 0
    assert [loss["reason"] for loss in kept.losses] == losses


def test_files_beyond_the_limit_are_told_once_and_read_when_there_is_room(
    folder: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.WHOLE_FILES_MAX", 1)

    async def run() -> None:
        (folder / "a.gz").write_bytes(gzip.compress(b"one\n"))
        (folder / "b.gz").write_bytes(gzip.compress(b"two\n"))
        async with collecting(kept, packed(folder)):
            await until(lambda: bool(kept.losses), "the loss is told")
            await a_while()
            (folder / "a.gz").unlink()
            await has(kept, 2)

    asyncio.run(run())
    assert sorted(kept.texts) == ["one", "two"]
    assert [(loss["reason"], loss["files"]) for loss in kept.losses] == [("too many", 1)]


def test_a_copy_that_pauses_is_read_when_it_is_whole(
    folder: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.WHOLE_SETTLED_SECONDS", 1)

    async def run() -> None:
        whole = gzip.compress(b"one\n")
        async with collecting(kept, packed(folder)):
            (folder / "a.gz").write_bytes(whole[:-4])
            await a_while()
            (folder / "a.gz").write_bytes(whole)
            await has(kept, 1)
            await a_while()

    asyncio.run(run())
    assert (kept.texts, kept.losses) == (["one"], [])
