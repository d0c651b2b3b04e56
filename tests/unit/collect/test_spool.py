"""The sensor's queue on disk: in order, bounded; nothing kept is lost by a fall or by damage."""

import os
import random
import stat
import threading
import zlib
from pathlib import Path
from typing import IO, Any

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st

from cgii.base import limits
from cgii.base.errors import Unavailable
from cgii.collect.drain import Places
from cgii.collect.inputs.follow import Position
from cgii.collect.refused import set_aside
from cgii.collect.spool import HEAD, MAGIC, Spool


def drained(spool: Spool) -> list[bytes]:
    found = []
    while (entry := spool.peek()) is not None:
        found.append(entry.body)
        spool.done(entry)
    return found


def begin(folder: Path, **given: int) -> Spool:
    return Spool(folder, **{"segment_bytes": 200, **given})


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.seg"))


def test_what_is_kept_comes_out_in_order_and_leaves_no_file(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    bodies = [b"%d" % number * (number % 60) for number in range(100)]
    for body in bodies:
        spool.append(body, 3)
    assert spool.records == 300
    assert len(segments(tmp_path)) > 5

    assert drained(spool) == bodies
    assert (spool.records, spool.size) == (0, 0)
    assert len(segments(tmp_path)) <= 1


def test_who_begins_again_opens_no_file_for_each_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = begin(tmp_path, segment_bytes=20_000)
    for number in range(2_000):
        spool.append(b"%d" % number, 1)
    spool.close()
    opened: list[Path] = []
    plain = Path.open

    def counted(path: Path, *given: Any, **named: Any) -> IO[Any]:
        opened.append(path)
        return plain(path, *given, **named)

    monkeypatch.setattr(Path, "open", counted)
    again = begin(tmp_path, segment_bytes=20_000)

    assert again.records == 2_000
    assert len(opened) < 10  # a sensor may have a million to count


def test_who_begins_again_goes_on_where_the_other_ended(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    for number in range(20):
        spool.append(b"%d" % number, 1)
    for _ in range(7):
        entry = spool.peek()
        assert entry is not None
        spool.done(entry)
    spool.close()
    again = begin(tmp_path)

    assert again.records == 13
    again.append(b"more", 1)
    assert drained(again) == [b"%d" % number for number in range(7, 20)] + [b"more"]


def test_what_was_not_marked_as_sent_comes_again(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    spool.append(b"a", 1)
    assert spool.peek() == spool.peek()
    (tmp_path / "sent").write_text("no place at all")
    spool.close()

    assert drained(begin(tmp_path)) == [b"a"]


def test_a_spool_that_was_empty_loses_nothing_when_it_is_begun_again_and_again(
    tmp_path: Path,
) -> None:
    """Numbers of segments that were sent are not given again: they would be taken for sent."""
    for number in range(4):
        before = begin(tmp_path)
        assert drained(before) == ([b"%d" % (number - 1)] if number else [])
        before.close()
        spool = begin(tmp_path)
        spool.append(b"%d" % number, 1)
        spool.close()


def test_a_place_that_is_out_of_date_hides_nothing_that_came_later(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    for body in (b"one", b"two"):
        spool.append(body, 1)
    entry = spool.peek()
    assert entry is not None
    spool.done(entry)
    out_of_date = (tmp_path / "sent").read_bytes()
    spool.close()
    drained(spool := begin(tmp_path))
    spool.close()
    (tmp_path / "sent").write_bytes(out_of_date)  # it fell before the last one was written
    spool = begin(tmp_path)
    spool.append(b"three", 1)
    spool.close()

    assert drained(begin(tmp_path)) == [b"three"]


@pytest.mark.parametrize("cut", range(1, HEAD.size + 5))
def test_an_unfinished_end_is_cut_off(tmp_path: Path, cut: int) -> None:
    spool = begin(tmp_path, segment_bytes=10_000)
    for body in (b"one", b"two", b"three"):
        spool.append(body, 1)
    spool.close()
    (file,) = segments(tmp_path)
    file.write_bytes(file.read_bytes()[:-cut])
    again = begin(tmp_path, segment_bytes=10_000)

    assert (again.records, again.damaged_bytes) == (2, 0)
    again.append(b"four", 1)
    assert drained(again) == [b"one", b"two", b"four"]


def test_a_whole_entry_of_nothing_but_zeros_at_the_end_is_cut_off(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    spool.append(b"one", 1)
    spool.close()
    (file,) = segments(tmp_path)
    file.write_bytes(file.read_bytes() + HEAD.pack(MAGIC, 1, 3, 12345) + b"\0\0\0")

    assert drained(begin(tmp_path)) == [b"one"]


@pytest.mark.parametrize("segment", [1, -1])
@pytest.mark.parametrize("byte", [0, 8, HEAD.size + 3])  # of the magic, the length, the body
def test_only_what_is_damaged_is_set_aside(tmp_path: Path, segment: int, byte: int) -> None:
    spool = begin(tmp_path)
    bodies = [b"%02d" % number * 20 for number in range(30)]
    for body in bodies:
        spool.append(body, 1)
    spool.close()
    file = segments(tmp_path)[segment]
    data = bytearray(file.read_bytes())
    data[byte] ^= 0xFF
    file.write_bytes(data)
    again = begin(tmp_path)
    found = drained(again)

    assert len(found) == 29
    assert found == [body for body in bodies if body in found]
    assert again.damaged_bytes == HEAD.size + 40
    (aside,) = (tmp_path / "damaged").iterdir()
    assert aside.read_bytes() == bytes(data[: HEAD.size + 40])
    assert (again.records, again.size) == (0, 0)


def test_what_is_set_aside_and_the_places_are_for_nobody_else(tmp_path: Path) -> None:
    for name in ("refused", "damaged"):
        (tmp_path / name).mkdir(mode=0o755)  # by an older version
    before = os.umask(0o022)
    try:
        spool = begin(tmp_path)
        for body in (b"one", b"two"):
            spool.append(body, 1)
        (file,) = segments(tmp_path)
        file.write_bytes(b"?" + file.read_bytes()[1:])
        entry = spool.peek()
        assert entry is not None
        set_aside(spool.folder, entry, "no")
        Places(tmp_path / "places.json").keep([Position("file:/x", "1", 2, 3)])
    finally:
        os.umask(before)

    found = [tmp_path / "places.json"]
    found += [one for name in ("refused", "damaged") for one in (tmp_path / name).iterdir()]
    assert [stat.S_IMODE(one.stat().st_mode) for one in found] == [0o600] * 4
    folders = [tmp_path / "refused", tmp_path / "damaged"]
    assert [stat.S_IMODE(one.stat().st_mode) for one in folders] == [0o700] * 2


def test_damage_to_the_last_entry_is_no_unfinished_end(tmp_path: Path) -> None:
    spool = begin(tmp_path, segment_bytes=10_000)
    for body in (b"one", b"two"):
        spool.append(body, 1)
    spool.close()
    (file,) = segments(tmp_path)
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    again = begin(tmp_path, segment_bytes=10_000)

    assert drained(again) == [b"one"]
    assert again.damaged_bytes == HEAD.size + 3


def test_an_empty_spool_takes_a_batch_of_any_size(tmp_path: Path) -> None:
    spool = begin(tmp_path, bytes_max=10)
    spool.append(b"x" * 500, 1)
    with pytest.raises(Unavailable, match="llena"):
        spool.append(b"y", 1)
    assert drained(spool) == [b"x" * 500]


def test_of_what_was_refused_only_the_newest_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SPOOL_REFUSED_MAX", 2)
    spool = begin(tmp_path)
    for number in range(6):
        spool.append(b"%d" % number, 1)
        entry = spool.peek()
        assert entry is not None
        set_aside(spool.folder, entry, "no")
        spool.done(entry)
    kept = sorted((tmp_path / "refused").glob("*.gz"))

    assert [file.read_bytes() for file in kept] == [b"3", b"4", b"5"]


def test_no_more_is_kept_than_was_agreed(tmp_path: Path) -> None:
    spool = begin(tmp_path, bytes_max=500)
    with pytest.raises(Unavailable, match="llena"):
        for _ in range(100):
            spool.append(b"x" * 50, 1)
    kept = spool.records
    assert 5 <= kept <= 8
    entry = spool.peek()
    assert entry is not None
    spool.done(entry)
    spool.append(b"x" * 50, 1)

    assert len(drained(spool)) == kept


def test_a_full_disk_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = begin(tmp_path)
    spool.append(b"one", 1)
    written: list[bytes] = []

    def write_some(file: int, data: memoryview) -> int:
        if written:
            raise OSError(28, "No space left on device")
        written.append(bytes(data))
        return original(file, data[:5])

    original = os.write
    with monkeypatch.context() as patch:
        patch.setattr("cgii.collect.spool.os.write", write_some)
        with pytest.raises(Unavailable, match="no queda espacio"):
            spool.append(b"two", 1)
    spool.append(b"three", 1)

    assert spool.records == 2
    assert drained(spool) == [b"one", b"three"]


def test_what_the_centre_refuses_for_good_lies_beside_with_the_reason(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    spool.append(b"bad", 4)
    spool.append(b"good", 1)
    entry = spool.peek()
    assert entry is not None
    set_aside(spool.folder, entry, "no se entiende")
    spool.done(entry)

    assert drained(spool) == [b"good"]
    files = sorted((tmp_path / "refused").iterdir())
    assert [file.suffix for file in files] == [".gz", ".txt"]
    assert files[0].read_bytes() == b"bad"
    assert files[1].read_text() == "no se entiende\n"


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    with pytest.raises(Unavailable, match="Otro proceso"):
        begin(tmp_path)
    spool.close()
    begin(tmp_path).close()


def test_a_folder_that_cannot_be_used_is_told_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="no puede usar su cola"):
        begin(tmp_path / "file" / "spool")


@pytest.mark.parametrize(("number", "left"), [(24, [b"one", b"two"]), (5, [b"two"])])
def test_what_cannot_be_read_now_is_not_taken_for_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, left: list[bytes]
) -> None:
    """Too many open files may pass; a broken disk will not."""
    spool = begin(tmp_path, segment_bytes=1)
    for body in (b"one", b"two"):
        spool.append(body, 1)
    opened, first = Path.open, segments(tmp_path)[0]

    def fails(path: Path, *given: object, **named: object) -> object:
        if path == first:
            raise OSError(number, "it does not work")
        return opened(path, *given, **named)  # type: ignore[call-overload]

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", fails)
        if number == 5:
            assert spool.peek() is not None
        else:
            with pytest.raises(OSError, match="does not work"):
                spool.peek()

    assert drained(spool) == left


def test_one_thread_may_append_while_another_takes(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    found: list[bytes] = []

    def take() -> None:
        while len(found) < 300:
            entry = spool.peek()
            if entry is None:
                spool.wait(0.05)
                continue
            found.append(entry.body)
            spool.done(entry)

    taker = threading.Thread(target=take)
    taker.start()
    for number in range(300):
        spool.append(b"%d" % number, 1)
    taker.join(60)

    assert found == [b"%d" % number for number in range(300)]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5), max_size=60), st.integers(0, 2**32))
def test_whatever_happens_all_that_was_kept_comes_out(
    tmp_path_factory: pytest.TempPathFactory, steps: list[int], seed: int
) -> None:
    """Appending, sending and falling in any order: at least once, in order, none left out."""
    folder, chance = tmp_path_factory.mktemp("spool"), random.Random(seed)
    spool = begin(folder)
    kept: list[bytes] = []
    sent: list[bytes] = []
    for step in steps:
        if step < 3:
            kept.append(b"%d" % len(kept) * chance.randrange(1, 40))
            spool.append(kept[-1], 1)
        elif step < 5:
            entry = spool.peek()
            if entry is not None:
                sent.append(entry.body)
                if chance.random() < 0.8:  # else: it falls between the answer and the mark
                    spool.done(entry)
        else:
            spool.close()
            if chance.random() < 0.5 and segments(folder):
                with segments(folder)[-1].open("ab") as file:
                    file.write(HEAD.pack(MAGIC, 1, 99, zlib.crc32(b"")) + b"unfinished")
            spool = begin(folder)
    sent += drained(spool)
    spool.close()

    assert list(dict.fromkeys(sent)) == list(dict.fromkeys(kept))


def test_the_age_of_what_waits_is_known_and_goes_with_it(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    assert spool.oldest_at is None
    with time_machine.travel(1_000, tick=False) as moment:
        for _ in range(6):
            spool.append(b"x", 1)
            moment.shift(limits.SPOOL_STAMP_SECONDS)
    assert spool.oldest_at == 1_000
    for number in range(1, 6):
        entry = spool.peek()
        assert entry is not None
        spool.done(entry)
        assert spool.oldest_at == 1_000 + number * limits.SPOOL_STAMP_SECONDS
    assert drained(spool) == [b"x"]
    assert spool.oldest_at is None


def test_after_a_start_what_waits_is_as_old_as_its_segment(tmp_path: Path) -> None:
    spool = begin(tmp_path)
    spool.append(b"x", 1)
    spool.close()
    os.utime(segments(tmp_path)[0], (5_000, 5_000))
    spool = begin(tmp_path)
    assert spool.oldest_at == 5_000
    spool.append(b"y", 1)
    assert drained(spool) == [b"x", b"y"]
    assert spool.oldest_at is None


def test_several_are_done_at_once_up_to_the_end_of_their_segment(tmp_path: Path) -> None:
    spool = begin(tmp_path, segment_bytes=120)
    for number in range(6):
        spool.append(b"%d" % number * 30, number)
    oldest = spool.peek()
    assert oldest is not None
    together = [oldest]
    while (following := spool.after(together[-1])) is not None:
        together.append(following)
    assert [entry.records for entry in together] == [0, 1, 2]
    spool.done(*together)

    assert spool.records == 3 + 4 + 5
    assert drained(spool) == [b"%d" % number * 30 for number in (3, 4, 5)]
