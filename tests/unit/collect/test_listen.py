"""The listener delivers every line once and keeps what could not be delivered."""

import asyncio
import errno
import socket
from pathlib import Path

import orjson
import pytest

from cgii.base.counters import EVENTS_DROPPED
from cgii.base.errors import Invalid, Unavailable
from cgii.collect.buffer import Batch, Buffer, Item
from cgii.collect.definition import load_definitions
from cgii.collect.inputs.follow import Position
from cgii.collect.inputs.netflow import Netflow
from cgii.collect.inputs.outlet import Input, Outlet, Zoned
from cgii.collect.listen import Follow, Inputs, Listener, back_off
from cgii.model.event import Origin, Raw

DEFINITIONS = load_definitions()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgii.base.limits.LISTEN_FLUSH_SECONDS", 0.01)
    monkeypatch.setattr("cgii.base.limits.FOLLOW_POLL_SECONDS", 0.01)
    monkeypatch.setattr("cgii.base.limits.LISTEN_RETRY_SECONDS", (0.01,))


class Centre:
    """Takes batches; fails as often as told; sets `stop` when it has enough records."""

    def __init__(self, enough: int, failures: int = 0) -> None:
        self.enough = enough
        self.failures = failures
        self.lines: list[bytes] = []
        self.batches: list[Batch] = []
        self.positions: dict[str, Position] = {}
        self.stop = asyncio.Event()
        self.loop = asyncio.get_running_loop()

    def deliver(self, batch: Batch) -> None:
        if self.failures:
            self.failures -= 1
            raise Unavailable("El centro está ocupado.")
        self.batches.append(batch)
        self.lines += [bytes(raw.data) for raw in batch.raws]  # type: ignore[arg-type]
        self.positions.update({position.stream: position for position in batch.positions})
        if len(self.lines) >= self.enough:
            self.loop.call_soon_threadsafe(self.stop.set)


def inputs(path: Path) -> Inputs:
    return Inputs(others=(Follow("linux_auth", path),))


async def run(path: Path, enough: int, failures: int = 0, **more: object) -> Centre:
    centre = Centre(enough, failures)
    listener = Listener(inputs(path), DEFINITIONS, centre.deliver, **more)  # type: ignore[arg-type]
    async with asyncio.timeout(120):
        await listener.run(centre.stop)
    return centre


def test_a_followed_file_is_delivered_with_its_position(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("one\ntwo\nthree\n")
    centre = asyncio.run(run(path, 3, sensor_id=4, entity_id=9))
    assert centre.lines == [b"one", b"two", b"three"]
    begun, batch = centre.batches
    assert (begun.raws, begun.positions[0].offset) == ([], 0)  # known before a line is on its way
    assert (batch.origin.source, batch.origin.sensor_id, batch.origin.entity_id) == (
        "linux_auth", 4, 9,
    )  # fmt: skip
    assert [raw.seq for raw in batch.raws] == [0, 1, 2]
    assert centre.positions[f"file:{path}"].offset == 14


def test_the_records_of_an_input_carry_its_zone(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("one\n")

    async def run() -> Centre:
        centre = Centre(2)
        others = (Zoned(Follow("linux_auth", path), "UTC"),)
        listener = Listener(
            Inputs(tcp_port=0, zone="Asia/Tokyo", others=others), DEFINITIONS, centre.deliver
        )
        async with asyncio.timeout(120):
            running = asyncio.create_task(listener.run(centre.stop))
            await listener.started.wait()
            _, writer = await asyncio.open_connection("127.0.0.1", listener.tcp_port)
            writer.write(b"two\n")
            await writer.drain()
            writer.close()
            await running
        return centre

    found = {
        bytes(raw.data): one.origin.zone for one in asyncio.run(run()).batches for raw in one.raws
    }  # type: ignore[arg-type]
    assert found == {b"one": "UTC", b"two": "Asia/Tokyo"}


def test_what_could_not_be_delivered_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("one\ntwo\n")
    assert asyncio.run(run(path, 2, failures=3)).lines == [b"one", b"two"]


def test_a_restart_goes_on_from_the_given_positions(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("one\n")
    first = asyncio.run(run(path, 1))
    path.write_text("one\ntwo\n")
    second = asyncio.run(run(path, 1, positions=first.positions))
    assert second.lines == [b"two"]
    assert second.batches[0].raws[0].seq == 1


def test_a_content_is_known_before_a_line_of_it_is_on_its_way(tmp_path: Path) -> None:
    """Else who dies just after its first lines were kept reads them again as others."""
    path = tmp_path / "auth.log"
    path.write_text("one\n")
    first = asyncio.run(run(path, 1))
    path.rename(tmp_path / "auth.log.1")
    with (tmp_path / "auth.log.1").open("a") as file:
        file.write("two\n")
    path.write_text("three\n")
    second = asyncio.run(run(path, 2, positions=first.positions))
    assert second.lines == [b"two", b"three"]
    places: dict[str, Position] = dict(first.positions)
    for batch in second.batches:
        if batch.raws:
            assert places[batch.positions[0].stream].epoch == batch.origin.epoch
        places.update({one.stream: one for one in batch.positions})


def test_a_small_buffer_delivers_everything_in_order(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    lines = [f"line {number}" for number in range(500)]
    path.write_text("\n".join(lines) + "\n")

    async def with_small_buffer() -> Centre:
        return await run(path, 500, buffer=Buffer(records_max=7))

    assert asyncio.run(with_small_buffer()).lines == [line.encode() for line in lines]


def test_numbers_with_a_gap_are_batches_of_their_own() -> None:
    async def fill() -> list[Batch]:
        buffer = Buffer()
        one, two = Origin("syslog", "one", "1"), Origin("syslog", "two", "1")
        for origin, seq in ((one, 4), (two, 0), (one, 5), (one, 7), (two, 1), (one, 8)):
            place = Position(origin.stream, "1", 0, seq + 1)
            buffer.add(Item(origin, Raw(seq, b"x"), 1, place))
        buffer.add(Item(one, None, 0, Position("one", "1", 1, 9)))
        return buffer.take()

    batches = asyncio.run(fill())
    assert [(b.origin.stream, [raw.seq for raw in b.raws]) for b in batches] == [
        ("one", [4, 5]), ("two", [0, 1]), ("one", [7, 8]),
    ]  # fmt: skip
    assert batches[2].positions == (Position("one", "1", 1, 9),)


def test_a_place_between_two_records_hides_no_gap() -> None:
    async def fill() -> list[Batch]:
        buffer, origin = Buffer(), Origin("syslog", "one", "1")
        for seq in (5, None, None, 7, None, 8):
            buffer.add(Item(origin, None if seq is None else Raw(seq, b"x"), 1))
        return buffer.take()

    assert [[raw.seq for raw in batch.raws] for batch in asyncio.run(fill())] == [[5], [7, 8]]


def test_a_refused_batch_is_counted_and_does_not_block(tmp_path: Path) -> None:
    path = tmp_path / "auth.log"
    path.write_text("one\n")
    counted = EVENTS_DROPPED.labels("file", "refused")
    before = counted._value.get()

    async def refuse() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def deliver(_: Batch) -> None:
            loop.call_soon_threadsafe(stop.set)
            raise Invalid("No se acepta.")

        async with asyncio.timeout(120):
            await Listener(inputs(path), DEFINITIONS, deliver).run(stop)

    asyncio.run(refuse())
    assert counted._value.get() == before + 1


def test_after_a_failed_batch_at_the_end_nothing_later_of_its_file_is_delivered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.LISTEN_BATCH_RECORDS", 1)
    path = tmp_path / "auth.log"
    path.write_text("one\ntwo\nthree\n")
    delivered: list[bytes] = []

    async def fail_first() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()

        def deliver(batch: Batch) -> None:
            loop.call_soon_threadsafe(stop.set)
            if batch.raws[0].data == b"one":
                raise Unavailable("No ahora.")
            delivered.append(bytes(batch.raws[0].data))  # type: ignore[arg-type]

        async with asyncio.timeout(120):
            await Listener(inputs(path), DEFINITIONS, deliver).run(stop)

    asyncio.run(fail_first())
    assert delivered == []


def test_the_buffer_is_full_by_records_or_by_bytes() -> None:
    async def fill() -> None:
        origin = Origin("s", "t", "e")
        by_records, by_bytes = Buffer(records_max=2), Buffer(bytes_max=100)
        by_records.add(Item(origin, Raw(0, b""), 1))
        assert not by_records.is_full
        by_records.add(Item(origin, Raw(1, b""), 1))
        assert by_records.is_full
        by_bytes.add(Item(origin, Raw(0, b""), 100))
        assert by_bytes.is_full
        assert [len(batch.raws) for batch in by_bytes.take()] == [1]
        assert not by_bytes.is_full

    asyncio.run(fill())


def test_a_batch_holds_one_origin_in_order() -> None:
    async def group() -> None:
        first, second = Origin("a", "t/a", "e"), Origin("b", "t/b", "e")
        buffer = Buffer()
        for number in range(3):
            buffer.add(Item(first, Raw(number, b"x"), 1, Position("t", "e", number, number)))
            buffer.add(Item(second, Raw(number, b"y"), 1))
        one, two = buffer.take()
        assert (one.origin, [raw.seq for raw in one.raws]) == (first, [0, 1, 2])
        assert one.positions == (Position("t", "e", 2, 2),)
        assert (two.origin, two.positions) == (second, ())

    asyncio.run(group())


def test_back_off_grows_and_is_spread() -> None:
    assert back_off(0, 0.0) == 0.005
    assert back_off(99, 1.0) == 0.01


class Failing:
    """An input that fails some times before it has a record."""

    def __init__(self, failures: int, error: Exception) -> None:
        self.failures, self.error = failures, error

    async def run(self, outlet: Outlet, stop: asyncio.Event) -> None:
        if self.failures:
            self.failures -= 1
            raise self.error
        await outlet.put_live("syslog", "failing", b"at last", size=7)
        await stop.wait()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (Unavailable("No hay interfaz."), "No hay interfaz."),
        (OSError(errno.EACCES, "Permission denied", "/a.log"), "/a.log: no hay permiso"),
    ],
)
def test_an_input_that_cannot_start_is_told_once_and_tried_again_beside_the_others(
    tmp_path: Path, error: Exception, said: str
) -> None:
    path = tmp_path / "auth.log"
    path.write_text("one\n")

    async def run() -> Centre:
        centre = Centre(3)
        both = Inputs(others=(Failing(3, error), Follow("linux_auth", path)))
        async with asyncio.timeout(120):
            await Listener(both, DEFINITIONS, centre.deliver).run(centre.stop)
        return centre

    told, *others = sorted(asyncio.run(run()).lines, reverse=True)
    assert others == [b"one", b"at last"]
    assert orjson.loads(told)["detail"] == said


def test_a_mistake_in_an_input_and_a_port_that_is_taken_are_seen() -> None:
    async def run(each: Input) -> None:
        async with asyncio.timeout(120):
            await Listener(Inputs(others=(each,)), DEFINITIONS, print).run(asyncio.Event())

    with pytest.raises(ZeroDivisionError):
        asyncio.run(run(Failing(1, ZeroDivisionError())))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unavailable, match="NetFlow"):
            asyncio.run(run(Netflow("127.0.0.1", taken.getsockname()[1])))
