"""Each finished capture of a folder is read once, also over restarts, and told when in part."""

import asyncio
import gzip
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from cgii.base import clock, limits
from cgii.collect.buffer import Batch
from cgii.collect.child import BrokenOff
from cgii.collect.definition import load_definitions
from cgii.collect.drain import Places
from cgii.collect.inputs.capture_contents import Content, content_of
from cgii.collect.inputs.captures import DONE, READING, Captures, finished
from cgii.collect.inputs.follow import Position
from cgii.collect.listen import Inputs, Listener
from cgii.collect.packets.child import read_packets
from tests.make_packets import pcap
from tests.unit.collect.packets.test_patterns import attempt

DEFINITIONS = load_definitions()
OLD = 1_795_183_200.0
FRAMES = [frame for port in range(1, 6) for frame in attempt("10.20.3.8", port, is_refused=True)]
RECORDS = 6  # five conversations and what was seen in all


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LISTEN_FLUSH_SECONDS", 0.01)
    monkeypatch.setattr(limits, "CAPTURE_LOOK_SECONDS", 0.02)


def content_name(path: Path) -> str:
    return content_of(path, Content()).name


def losses(batches: list[Batch]) -> list[dict[str, Any]]:
    return [json.loads(raw.data) for batch in batches for raw in batch.raws
            if batch.origin.source == "sensor_losses"]  # fmt: skip


def put(folder: Path, name: str, data: bytes, *, age: float = 1_000) -> Path:
    path = folder / name
    path.write_bytes(data)
    moment = clock.now().timestamp() - age
    os.utime(path, (moment, moment))
    return path


async def _run(folder: Path, enough: int, known: Mapping[str, Position]) -> list[Batch]:
    batches: list[Batch] = []
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def deliver(batch: Batch) -> None:
        batches.append(batch)
        if sum(len(one.raws) for one in batches) >= enough:
            loop.call_soon_threadsafe(stop.set)

    listener = Listener(Inputs(others=(Captures(folder),)), DEFINITIONS, deliver, positions=known)
    if not enough:
        loop.call_later(1.5, stop.set)
    async with asyncio.timeout(120):
        await listener.run(stop)
    return batches


def run(folder: Path, enough: int, known: Mapping[str, Position] | None = None) -> list[Batch]:
    return asyncio.run(_run(folder, enough, known or {}))


def reached(batches: list[Batch]) -> dict[str, Position]:
    return {one.stream: one for batch in batches for one in batch.positions}


def test_a_capture_is_read_and_marked_as_done(tmp_path: Path) -> None:
    path = put(tmp_path, "a.pcap", pcap(FRAMES))
    batches = run(tmp_path, RECORDS)
    raws = [raw for batch in batches for raw in batch.raws]
    stream = f"pcap:{content_name(path)}"

    assert [raw.seq for raw in raws] == list(range(RECORDS))
    assert batches[-1].origin.source == "network_traffic"
    assert reached(batches) == {stream: Position(stream, READING, DONE, RECORDS)}


def test_what_was_read_is_not_read_again_under_another_name_or_after_a_restart(
    tmp_path: Path,
) -> None:
    first = put(tmp_path, "a.pcap", pcap(FRAMES))
    known = reached(run(tmp_path, RECORDS))
    put(tmp_path, "copia.pcap", first.read_bytes())

    assert sum(len(batch.raws) for batch in run(tmp_path, 0, known)) == 0


def test_a_reading_that_was_broken_off_goes_on_with_the_same_numbers(tmp_path: Path) -> None:
    path = put(tmp_path, "a.pcap", pcap(FRAMES))
    whole = [raw for batch in run(tmp_path, RECORDS) for raw in batch.raws]
    stream = f"pcap:{content_name(path)}"
    rest = run(tmp_path, RECORDS - 2, {stream: Position(stream, READING, 2, 2)})

    assert [raw for batch in rest for raw in batch.raws] == whole[2:]


def test_a_capture_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    put(tmp_path, "new.pcap", pcap(FRAMES), age=limits.CAPTURE_SETTLED_SECONDS - 10)
    put(tmp_path, "half.pcap.part", pcap(FRAMES))
    put(tmp_path, ".hidden", pcap(FRAMES))
    put(tmp_path, "empty", b"")
    old = put(tmp_path, "old.pcap", pcap(FRAMES))

    assert [path for path, _ in finished(tmp_path, clock.now().timestamp())] == [old]


def test_a_damaged_capture_gives_its_records_and_a_loss(tmp_path: Path) -> None:
    put(tmp_path, "a.pcap", pcap(FRAMES)[:-5])
    batches = run(tmp_path, RECORDS + 1)
    (told,) = losses(batches)

    assert (told["kind"], told["input"], told["reason"]) == ("damage", "pcap", "partial")
    assert told["file"].endswith("a.pcap")
    assert told["records"] == RECORDS


@pytest.mark.parametrize("kills", [1, 99])
def test_a_reader_that_is_killed_has_three_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kills: int
) -> None:
    path = put(tmp_path, "a.pcap", pcap(FRAMES))
    runs: list[BinaryIO] = []

    def killed(file: BinaryIO, before_end: list[int]) -> Iterator[bytes]:
        runs.append(file)
        yield b'{"n":1}'
        if len(runs) <= kills:
            raise BrokenOff("killed")
        yield b'{"n":2}'

    monkeypatch.setattr("cgii.collect.inputs.captures.read_packets", killed)
    batches = run(tmp_path, 2)
    texts = [raw.data for batch in batches for raw in batch.raws]
    stream = f"pcap:{content_name(path)}"

    assert texts[0] == b'{"n":1}'
    if kills == 1:
        assert (len(runs), texts[1:]) == (2, [b'{"n":2}'])
        assert reached(batches)[stream] == Position(stream, READING, DONE, 2)
    else:
        assert len(runs) == 3
        assert json.loads(texts[1])["detail"] == "killed"
        assert reached(batches)[stream] == Position(stream, READING, DONE, 1)


def test_a_link_that_leads_nowhere_stops_no_folder(tmp_path: Path) -> None:
    old = put(tmp_path, "old.pcap", pcap(FRAMES))
    (tmp_path / "a.pcap").symlink_to(tmp_path / "nowhere")

    assert [path for path, _ in finished(tmp_path, clock.now().timestamp())] == [old]


def test_a_folder_that_is_away_for_a_moment_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = put(tmp_path, "a.pcap", pcap(FRAMES))
    stream = f"pcap:{content_name(path)}"
    looks: list[float] = []
    named: list[Path] = []

    def away_at_times(folder: Path, now: float) -> list[tuple[Path, tuple[int, int, int]]]:
        looks.append(now)
        if len(looks) % 2 == 0:
            raise OSError(5, "Input/output error")
        return finished(folder, now)

    def name_of(path: Path, before: Content) -> Content:
        named.append(path)
        return content_of(path, before)

    monkeypatch.setattr("cgii.collect.inputs.captures.finished", away_at_times)
    monkeypatch.setattr("cgii.collect.inputs.captures.content_of", name_of)
    run(tmp_path, 0, {stream: Position(stream, READING, DONE, RECORDS)})

    assert len(looks) > 4
    assert len(named) == 1


def test_what_is_no_capture_is_told_once(tmp_path: Path) -> None:
    for number in range(12):
        put(tmp_path, f"notes{number:02}.txt", b"hello")
    batches = run(tmp_path, 0)
    (told,) = losses(batches)

    assert (told["kind"], told["input"], told["reason"]) == ("damage", "pcap", "no capture")
    assert "no es una captura" in told["detail"]
    assert told["detail"].endswith("notes09.txt y 2 más")
    assert sum(len(batch.raws) for batch in batches) == 1


def test_a_capture_that_may_not_be_read_yet_is_told_once_and_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.pcap", pcap(FRAMES))
    looks: list[Path] = []

    def allowed_later(path: Path, before: Content) -> Content:
        looks.append(path)
        if len(looks) <= 3:
            raise PermissionError(13, "Permission denied")
        return content_of(path, before)

    monkeypatch.setattr("cgii.collect.inputs.captures.content_of", allowed_later)
    batches = run(tmp_path, RECORDS + 1)

    assert [one["reason"] for one in losses(batches)] == ["refused"]
    assert sum(len(batch.raws) for batch in batches) == RECORDS + 1


def test_a_capture_for_which_no_process_can_be_started_is_told_once_and_read_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "a.pcap", pcap(FRAMES))
    tries: list[BinaryIO] = []

    def started_later(file: BinaryIO, **more: Any) -> Iterator[bytes]:
        tries.append(file)
        if len(tries) <= 3:
            raise OSError(24, "Too many open files")
        yield from read_packets(file, **more)

    monkeypatch.setattr("cgii.collect.inputs.captures.read_packets", started_later)
    batches = run(tmp_path, RECORDS + 1)

    (told,) = losses(batches)
    assert (told["reason"], told["detail"]) == (
        "refused",
        "este proceso tiene demasiados archivos abiertos",
    )
    assert sum(len(batch.raws) for batch in batches) == RECORDS + 1


def test_a_capture_that_was_read_is_not_read_again_when_it_is_packed(tmp_path: Path) -> None:
    path = put(tmp_path, "a.pcap", pcap(FRAMES))
    known = reached(run(tmp_path, RECORDS))
    put(tmp_path, "a.pcap.gz", gzip.compress(path.read_bytes()))
    path.unlink()

    assert run(tmp_path, 0, known) == []


def test_a_packed_capture_that_an_earlier_version_began_goes_on_there(tmp_path: Path) -> None:
    path = put(tmp_path, "a.pcap.gz", gzip.compress(pcap(FRAMES)))
    stream = f"pcap:{content_of(path, Content()).packed}"
    batches = run(tmp_path, RECORDS - 2, {stream: Position(stream, READING, 2, 2)})

    assert {batch.origin.stream for batch in batches} == {stream}
    assert [raw.seq for batch in batches for raw in batch.raws] == [2, 3, 4, 5]


def test_a_packed_capture_that_an_earlier_version_read_is_not_read_again(tmp_path: Path) -> None:
    path = put(tmp_path, "a.pcap.gz", gzip.compress(pcap(FRAMES)))
    stream = f"pcap:{content_of(path, Content()).packed}"

    assert run(tmp_path, 0, {stream: Position(stream, READING, DONE, RECORDS)}) == []


def test_a_capture_that_grows_after_it_was_read_gives_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = [*FRAMES, (60.0, attempt("10.20.3.9", 80)[0])]
    half, whole = pcap(first), pcap([*first, (120.0, attempt("10.20.3.9", 81)[0])])
    assert whole.startswith(half)
    path = put(tmp_path, "a.pcap", half)
    looks = 0

    def grown(folder: Path, now: float) -> list[tuple[Path, tuple[int, int, int]]]:
        nonlocal looks
        looks += 1
        if looks == 3:  # into the same file
            with path.open("ab") as file:
                file.write(whole[len(half) :])
        return finished(folder, now + 1_000)

    monkeypatch.setattr("cgii.collect.inputs.captures.finished", grown)
    batches = run(tmp_path, RECORDS + 1 + 3)
    told = [json.loads(raw.data) for batch in batches for raw in batch.raws]
    ports = [one["id.resp_p"] for one in told if one["network_traffic"] == "conn"]
    stream = f"pcap:{content_name(path)}"

    assert ports == [1, 2, 3, 4, 5, 80, 80, 81]  # what had not ended is told again, whole
    assert reached(batches)[stream] == Position(stream, READING, DONE, 8)


def test_a_folder_that_is_missing_ends_nothing(tmp_path: Path) -> None:
    assert run(tmp_path / "nowhere", 0) == []


def test_places_forget_the_oldest_captures_and_no_other_stream(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "CAPTURE_PLACES_MAX", 3)
    places = Places(tmp_path / "places.json")
    places.keep([Position("file:/var/log/auth.log", "e", 1, 1)])
    for number in range(6):
        places.keep([Position(f"pcap:{number}", READING, DONE, 1)])

    wanted = {"file:/var/log/auth.log", "pcap:3", "pcap:4", "pcap:5"}
    assert set(places.known) == set(Places(tmp_path / "places.json").known) == wanted
