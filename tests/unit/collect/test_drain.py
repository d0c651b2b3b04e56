"""The spool is sent in order; a centre that is away, busy or unwilling loses nothing."""

import gzip
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import orjson
import pytest

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.collect.buffer import Batch
from cgii.collect.drain import Drain, Places, keeper
from cgii.collect.inputs.follow import Position
from cgii.collect.send import Sender, by_token
from cgii.collect.spool import Spool
from cgii.model.event import Origin, Raw

ORIGIN = Origin("syslog", "syslog:udp:here/syslog", "e1")
BAD = "bad"  # a record that no centre takes


class Centre:
    """Answers as it is told, then with 200; keeps what it said 200 to."""

    def __init__(self, answers: list[int], enough: int) -> None:
        self.answers = answers
        self.asked: list[list[str]] = []  # the records of each request
        self.kept: list[str] = []
        self.done = threading.Event()
        self._enough = enough

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        status = self.answers.pop(0) if self.answers else 200
        records = orjson.loads(gzip.decompress(request.content))["records"]
        self.asked.append(records)
        if status == 0:
            raise httpx2.ConnectError("refused")
        if BAD in records:
            status = 422
        if status == 200:
            self.kept += records
        if len(self.kept) >= self._enough:
            self.done.set()
        return httpx2.Response(status, json={"events": 0})


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cgii.collect.drain.pause_before_next", lambda tries, error, share: 0.0)
    monkeypatch.setattr(limits, "SEND_REFUSED_SECONDS", 0.0)


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    found = Spool(tmp_path / "spool")
    yield found
    found.close()


def batch(*texts: str, seq: int = 0, positions: tuple[Position, ...] = ()) -> Batch:
    raws = [Raw(seq + number, text.encode()) for number, text in enumerate(texts)]
    return Batch(ORIGIN, raws, positions)


def sent(spool: Spool, centre: Centre) -> None:
    """Drain until the centre has enough."""
    transport = httpx2.MockTransport(centre.answer)
    with Sender("https://centro.example", by_token("secreto"), transport=transport) as sender:
        drain = Drain(spool, sender)
        drain.start()
        assert centre.done.wait(60)
        drain.stop()


@pytest.mark.parametrize(
    "answers", [[], [0, 0, 0], [503, 429, 500], [401, 403, 401], [301, 404, 405, 204]]
)
def test_all_is_sent_in_order_whatever_the_centre_says_first(
    spool: Spool, tmp_path: Path, answers: list[int]
) -> None:
    keep = keeper(spool, Places(tmp_path / "places.json"))
    for number in range(5):
        keep(batch(f"a{number}", f"b{number}", seq=number * 2))
    centre = Centre(answers, 10)
    sent(spool, centre)

    assert centre.kept == [f"{letter}{number}" for number in range(5) for letter in "ab"]
    assert spool.records == 0


def test_a_batch_that_is_refused_for_good_holds_up_no_other(spool: Spool, tmp_path: Path) -> None:
    keep = keeper(spool, Places(tmp_path / "places.json"))
    keep(batch(BAD, "worse"))
    keep(batch("good", seq=2))
    centre = Centre([], 2)
    sent(spool, centre)

    assert centre.asked[:3] == [[BAD, "worse", "good"], [BAD, "worse"], ["good"]]
    assert spool.records == 0
    assert centre.kept[0] == "good"
    told = orjson.loads(centre.kept[1])
    assert (told["kind"], told["reason"], told["count"]) == ("gap", "refused", 2)
    (reason,) = (spool.folder / "refused").glob("*.txt")
    assert "422" in reason.read_text()


def test_what_waits_is_one_request_and_comes_again_as_it_was(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = keeper(spool, Places(tmp_path / "places.json"))
    keep(batch("a", "b"))
    keep(batch("c", seq=2))
    centre = Centre([0, 503], 4)

    def pause(tries: int, error: Unavailable, share: float) -> float:
        if not tries:  # the centre may have taken it all the same
            keep(batch("d", seq=3))
        return 0.0

    monkeypatch.setattr("cgii.collect.drain.pause_before_next", pause)
    sent(spool, centre)

    assert centre.asked == [["a", "b", "c"]] * 3 + [["d"]]
    assert spool.records == 0


def test_a_batch_that_waits_alone_is_sent_as_it_is(spool: Spool, tmp_path: Path) -> None:
    keep = keeper(spool, Places(tmp_path / "places.json"))
    centre = Centre([], 1)
    keep(batch("a"))
    sent(spool, centre)
    centre = Centre([], 1)
    keep(batch("b", seq=1))
    sent(spool, centre)

    assert centre.asked == [["b"]]


def test_damage_is_told_to_the_centre(tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    before = Spool(folder, segment_bytes=1)
    for number, text in enumerate(("lost", "kept")):
        keeper(before, Places(tmp_path / "places.json"))(batch(text, seq=number))
    before.close()
    first = min(folder.glob("*.seg"))
    first.write_bytes(b"\0" * 50)
    spool = Spool(folder)
    centre = Centre([], 2)
    sent(spool, centre)
    spool.close()

    told = orjson.loads(centre.kept[1])
    assert centre.kept[0] == "kept"
    assert (told["kind"], told["bytes"]) == ("damage", 50)


def test_a_fault_of_its_own_disk_does_not_end_the_sending(
    spool: Spool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper(spool, Places(tmp_path / "places.json"))(batch("x"))
    faults = [OSError(5, "Input/output error"), OSError(28, "No space left on device")]
    peek = spool.peek

    def fails_at_first() -> object:
        if faults:
            raise faults.pop()
        return peek()

    monkeypatch.setattr(spool, "peek", fails_at_first)
    centre = Centre([], 1)
    sent(spool, centre)

    assert centre.kept == ["x"]


def test_several_files_may_begin_to_be_followed_at_once(tmp_path: Path) -> None:
    places = Places(tmp_path / "places.json")
    faults: list[Exception] = []

    def keep(name: str) -> None:
        for number in range(40):
            try:
                places.keep([Position(name, "e", number, number)])
            except Unavailable as error:
                faults.append(error)

    threads = [threading.Thread(target=keep, args=(f"file:{n}",)) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert faults == []
    assert Places(tmp_path / "places.json").known == {
        f"file:{n}": Position(f"file:{n}", "e", 39, 39) for n in range(5)
    }


def test_places_are_kept_with_what_was_read(spool: Spool, tmp_path: Path) -> None:
    path = tmp_path / "places.json"
    place = Position("file:/var/log/a", "e", 120, 3)
    keeper(spool, Places(path))(batch("x", positions=(place,)))

    assert Places(path).known == {"file:/var/log/a": place}
    path.write_text("{broken")
    assert Places(path).known == {}
    path.write_text('{"a": 5}')
    assert Places(path).known == {}


def test_without_room_the_place_stays_where_it_was(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool", bytes_max=10)
    spool.append(b"first", 1)
    places = Places(tmp_path / "places.json")
    with pytest.raises(Unavailable):
        keeper(spool, places)(batch("x" * 500, positions=(Position("file:a", "e", 1, 1),)))

    assert places.known == {}
    spool.close()
