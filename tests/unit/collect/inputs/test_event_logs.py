"""Windows event logs: each record once, by its number, as the log grows, wraps or is replaced."""

import asyncio
import gzip
import io
import os
import shutil
import struct
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.base.ids import digest
from cgii.collect import whole_files
from cgii.collect.event_logs import CHUNK_BYTES, HEADER_BYTES, DamagedLog, read_numbered
from cgii.collect.inputs.event_logs import EventLogs, _Reading
from cgii.collect.inputs.matching import Seen
from cgii.collect.inputs.whole_child import Answer, Begins, Loss, Record, Request
from tests.unit.collect.inputs.collecting import Kept, a_while, collecting, until

pytestmark = pytest.mark.usefixtures("quick")

SHARED = Path(__file__).resolve().parents[4].parent / "shared" / "data" / "evtx"
SAMPLE = SHARED / "babyshark_mimikatz_powershell.evtx"  # one chunk, records 1 to 33
shared = pytest.mark.skipif(not SAMPLE.is_file(), reason="../shared/data is not there")


# --- which records are new ----------------------------------------------------------------------
def log_of(monkeypatch: pytest.MonkeyPatch, *found: tuple[int, bytes] | DamagedLog) -> None:
    def read(_: io.BytesIO) -> Iterator[tuple[int, bytes] | DamagedLog]:
        return iter(found)

    monkeypatch.setattr(whole_files, "read_numbered", read)


def answers(after: int = -1, mark: bytes = b"") -> tuple[bool, list[Any]]:
    first, *rest = whole_files.event_log(io.BytesIO(), after, digest(mark.decode()))
    return first["continues"], [one if isinstance(one, list) else one["loss"] for one in rest]


def test_a_new_log_is_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(monkeypatch, (5, b"a"), (6, b"b"))
    assert answers() == (False, [[5, "a"], [6, "b"]])


def test_a_log_that_grew_gives_what_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(monkeypatch, (5, b"a"), (6, b"b"), (7, b"c"))
    assert answers(6, b"b") == (True, [[7, "c"]])


def test_a_log_that_went_on_over_its_oldest_records_gives_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_of(monkeypatch, (9, b"a"), (10, b"b"))
    assert answers(6, b"b") == (True, [[9, "a"], [10, "b"]])


@pytest.mark.parametrize("found", [[(6, b"x"), (7, b"c")], [(1, b"x"), (2, b"y")]])
def test_another_log_under_the_same_name_is_read_whole(
    monkeypatch: pytest.MonkeyPatch, found: list[tuple[int, bytes]]
) -> None:
    log_of(monkeypatch, *found)
    assert answers(6, b"b") == (False, [[number, text.decode()] for number, text in found])


def test_damage_is_told_in_its_place_and_a_number_is_given_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log_of(monkeypatch, DamagedLog("1"), (5, b"a"), DamagedLog("2"), (6, b"b"), (6, b"b"))
    assert answers() == (False, ["damaged", [5, "a"], "damaged", [6, "b"]])
    assert answers(5, b"a") == (True, ["damaged", "damaged", [6, "b"]])


def test_an_empty_or_unreadable_log_ends_well(monkeypatch: pytest.MonkeyPatch) -> None:
    log_of(monkeypatch)
    assert answers() == (False, [])
    log_of(monkeypatch, DamagedLog("no log"))
    assert answers(6, b"b") == (False, ["damaged"])


@pytest.mark.parametrize("number", [2**53, 2**64 - 1])
def test_a_number_that_the_centre_would_not_take_is_damage(
    monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    log_of(monkeypatch, (5, b"a"), (number, b"x"), (6, b"b"))
    assert answers() == (False, [[5, "a"], "damaged", [6, "b"]])


def test_a_reader_that_is_killed_has_another_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, tries = Kept(tmp_path), []
    folder = tmp_path / "evtx"
    folder.mkdir()
    (folder / os.fsdecode(b"Security\xff.evtx")).write_bytes(b"x")

    async def killed(request: Request) -> AsyncGenerator[Answer, None]:
        tries.append(request.after)
        yield Begins("f", continues=len(tries) > 1)
        yield Record(4 + len(tries), f"text {len(tries)}")
        if len(tries) == 1:
            yield Loss("timeout")

    monkeypatch.setattr("cgii.collect.inputs.event_logs.read_whole", killed)

    async def run() -> None:
        async with collecting(kept, EventLogs("windows_events", str(folder))):
            await until(lambda: len(kept.texts) == 2, "the rest arrives")
            await a_while()

    asyncio.run(run())
    assert tries == [-1, 5]
    assert kept.losses == []


def test_of_too_many_logs_the_newest_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.WHOLE_FILES_MAX", 2)
    for number, name in enumerate(("c", "b", "a", "d")):
        (tmp_path / f"{name}.evtx").write_bytes(b"log")
        os.utime(tmp_path / f"{name}.evtx", (1_000 + number,) * 2)
    read: set[str] = set()

    async def remember(_: object, seen: Seen, stop: asyncio.Event) -> None:
        read.add(seen.path.name)

    monkeypatch.setattr(_Reading, "read", remember)

    kept = Kept(tmp_path)

    async def run() -> None:
        async with collecting(kept, EventLogs("windows_events", str(tmp_path))):
            await until(lambda: len(read) == 2 and len(kept.losses) > 0, "two are read")
            await a_while()

    asyncio.run(run())
    assert read == {"a.evtx", "d.evtx"}
    assert [(one["reason"], one["files"]) for one in kept.losses] == [("too many", 2)]


# --- real logs ----------------------------------------------------------------------------------
def chunk(data: bytes, add: int) -> bytes:
    """The sample's chunk with other record numbers."""
    found = bytearray(data[HEADER_BYTES:])
    for at in (8, 16, 24, 32):  # first and last number, first and last id
        struct.pack_into("<Q", found, at, struct.unpack_from("<Q", found, at)[0] + add)
    at = 512
    while found[at : at + 4] == b"**\0\0":
        size, number = struct.unpack_from("<IQ", found, at + 4)
        struct.pack_into("<Q", found, at + 8, number + add)
        at += size
    return bytes(found)


def log_file(*first_numbers: int) -> bytes:
    sample = SAMPLE.read_bytes()
    header = bytearray(sample[:HEADER_BYTES])
    struct.pack_into("<H", header, 42, len(first_numbers))
    return bytes(header) + b"".join(chunk(sample, number - 1) for number in first_numbers)


@shared
def test_a_wrapped_log_is_read_in_the_order_of_its_numbers() -> None:
    found = list(read_numbered(io.BytesIO(log_file(67, 1, 34))))
    assert [one[0] for one in found if not isinstance(one, DamagedLog)] == list(range(1, 100))


class Watched(io.BytesIO):
    """A file that remembers how much was asked of it at once."""

    most = 0

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        self.most = max(self.most, size if size >= 0 else CHUNK_BYTES * 99)
        return super().read(size)


@shared
def test_a_log_of_any_size_is_read_piece_by_piece() -> None:
    file = Watched(log_file(*range(1, 331, 33)))

    assert sum(not isinstance(one, DamagedLog) for one in read_numbered(file)) == 330
    assert file.most <= CHUNK_BYTES


@shared
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.999])
def test_a_packed_log_that_is_cut_gives_what_came_before(kept: float) -> None:
    packed = gzip.compress(log_file(1, 34, 67))
    file = gzip.GzipFile(fileobj=io.BytesIO(packed[: int(len(packed) * kept)]))
    *found, last = read_numbered(file)  # type: ignore[arg-type]  # it reads like one

    numbers = [one[0] for one in found if not isinstance(one, DamagedLog)]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= 99 * kept - 33
    assert "empaquetado está dañado" in str(last)


@shared
def test_a_log_that_unpacks_to_too_much_is_refused_before_it_is_unpacked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cgii.base.limits.EVTX_BYTES_MAX", 1_000_000)
    bomb = gzip.compress(log_file(1) + bytes(50_000_000))
    file = gzip.GzipFile(fileobj=io.BytesIO(bomb))
    [told] = read_numbered(file)  # type: ignore[arg-type]  # it reads like one

    assert "mide más de 1000000 bytes" in str(told)
    assert file.tell() < 2_000_000


@shared
def test_a_log_with_too_much_damage_is_given_up_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cgii.base.limits.EVTX_DAMAGED_RECORDS_MAX", 2)
    data = bytearray(log_file(1, 34, 67, 100))
    for number in range(3):
        at = HEADER_BYTES + number * CHUNK_BYTES
        data[at : at + 8] = b"no chunk"
    *found, last = read_numbered(io.BytesIO(bytes(data)))

    assert all(isinstance(one, DamagedLog) for one in found)
    assert (len(found), "no se leyó más" in str(last)) == (2, True)


@shared
@given(st.lists(st.tuples(st.integers(0, 2 * CHUNK_BYTES), st.binary(min_size=1, max_size=40))))
def test_no_damage_makes_the_reader_of_logs_fail(holes: list[tuple[int, bytes]]) -> None:
    data = bytearray(log_file(1, 34))
    for at, junk in holes:
        data[at : at + len(junk)] = junk
    found = list(read_numbered(io.BytesIO(bytes(data))))

    assert found
    assert holes or len(found) == 66


@shared
def test_a_log_is_delivered_once_as_it_grows_wraps_and_is_replaced(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    folder = tmp_path / "evtx"
    folder.mkdir()
    path = folder / "Security.evtx"
    logs = EventLogs("windows_events", str(folder))

    async def run() -> None:
        path.write_bytes(log_file(1))
        async with collecting(kept, logs):
            await until(lambda: len(kept.texts) == 33, "the log arrives")
            path.write_bytes(log_file(1, 34))
            await until(lambda: len(kept.texts) == 66, "what is new arrives")
        path.write_bytes(log_file(67, 34))
        async with collecting(kept, logs):
            await until(lambda: len(kept.texts) == 99, "what wrapped arrives")
            await a_while()
        async with collecting(kept, logs):
            await a_while()
            assert kept.again == 0
            shutil.copy(SHARED / "DE_104_system_log_cleared.evtx", path)
            await until(lambda: len(kept.texts) == 100, "the other log arrives")

    asyncio.run(run())
    assert kept.changed == []
    assert kept.losses == []
    assert set(kept.sources.values()) == {"windows_events"}
    assert "Event" in orjson.loads(kept.texts[0])


@shared
def test_a_damaged_log_gives_its_records_and_a_loss(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    data = log_file(1, 34)
    (tmp_path / "a.evtx").write_bytes(data[: -CHUNK_BYTES // 2])
    (tmp_path / "b.evtx").write_bytes(b"no log at all" * 1_000)

    async def run() -> None:
        async with collecting(kept, EventLogs("windows_events", str(tmp_path))):
            await until(lambda: len(kept.losses) >= 2, "both are told")

    asyncio.run(run())
    assert len(kept.texts) >= 33
    assert {loss["input"] for loss in kept.losses} == {"evtx"}
