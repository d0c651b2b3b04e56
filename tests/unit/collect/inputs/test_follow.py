"""A followed file gives every line once, through rotation, truncation and restarts."""

import contextlib
import errno
import gzip
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import time_machine

from cgii.collect.inputs.follow import FollowedFile, Line, Position
from cgii.collect.inputs.outlet import at_start


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "auth.log"


def append(path: Path, text: str) -> None:
    with path.open("a") as file:
        file.write(text)


def read_all(file: FollowedFile) -> list[Line]:
    """Poll until two polls in a row have nothing: a rotation takes one without lines."""
    found: list[Line] = []
    idle = 0
    while idle < 3:
        lines = file.poll()
        found += lines
        idle = 0 if lines else idle + 1
    return found


def texts(lines: list[Line]) -> list[bytes]:
    return [line.data for line in lines]


NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)


def identities(lines: list[Line]) -> list[tuple[str, int]]:
    return [(line.after.epoch, line.seq) for line in lines]


def test_lines_are_numbered_from_zero_without_gaps(path: Path) -> None:
    append(path, "one\n\ntwo\r\nthree\n")
    lines = read_all(FollowedFile(path))
    assert texts(lines) == [b"one", b"two", b"three"]
    assert [line.seq for line in lines] == [0, 1, 2]
    assert lines[-1].after.offset == path.stat().st_size


def test_a_file_that_does_not_exist_is_waited_for(path: Path) -> None:
    file = FollowedFile(path)
    assert file.poll() == []
    append(path, "one\n")
    assert texts(read_all(file)) == [b"one"]


def test_half_a_line_is_waited_for(path: Path) -> None:
    append(path, "one\ntw")
    file = FollowedFile(path)
    assert texts(read_all(file)) == [b"one"]
    append(path, "o\n")
    assert texts(read_all(file)) == [b"two"]


def test_a_restart_goes_on_after_the_last_delivered_line(path: Path) -> None:
    append(path, "one\ntwo\nthree\n")
    lines = read_all(FollowedFile(path))
    again = read_all(FollowedFile(path, lines[0].after))
    assert texts(again) == [b"two", b"three"]
    assert identities(again) == identities(lines[1:])


def test_a_start_without_a_position_gives_the_same_identities(path: Path) -> None:
    append(path, "one\ntwo\n")
    assert identities(read_all(FollowedFile(path))) == identities(read_all(FollowedFile(path)))


def test_a_renamed_file_is_read_to_its_end_before_the_new_one(path: Path) -> None:
    append(path, "one\n")
    file = FollowedFile(path)
    lines = read_all(file)
    path.rename(path.with_name("auth.log.1"))
    append(path.with_name("auth.log.1"), "late\nno end")
    lines += read_all(file)
    append(path, "new\n")
    lines += read_all(file)
    assert texts(lines) == [b"one", b"late", b"no end", b"new"]
    assert len(set(identities(lines))) == 4


def test_a_file_renamed_while_nobody_looked_is_finished_first(path: Path) -> None:
    append(path, "one\ntwo\n")
    first = read_all(FollowedFile(path))[0]
    path.rename(path.with_name("auth.log.1"))
    append(path, "new\n")
    file = FollowedFile(path, first.after)
    assert texts(read_all(file)) == [b"two", b"new"]
    append(path, "more\n")
    assert texts(read_all(file)) == [b"more"]


def test_a_renamed_file_that_was_finished_is_not_read_again(path: Path) -> None:
    append(path, "one\n")
    last = read_all(FollowedFile(path))[-1]
    path.rename(path.with_name("auth.log.1"))
    append(path, "new\n")
    assert texts(read_all(FollowedFile(path, last.after))) == [b"new"]


def test_a_truncated_file_is_read_from_its_start_under_a_new_name(path: Path) -> None:
    append(path, "one\ntwo\n")
    file = FollowedFile(path)
    lines = read_all(file)
    os.truncate(path, 0)
    assert read_all(file) == []
    append(path, "one\n")  # the very same line is another record
    lines += read_all(file)
    assert texts(lines) == [b"one", b"two", b"one"]
    assert len(set(identities(lines))) == 3


def test_a_file_written_anew_and_longer_is_noticed(path: Path) -> None:
    append(path, "Mar  1 one\n")
    file = FollowedFile(path)
    read_all(file)
    path.write_text("Mar  2 one\nMar  2 two\nMar  2 three\n")
    assert texts(read_all(file)) == [b"Mar  2 one", b"Mar  2 two", b"Mar  2 three"]


def test_a_file_truncated_while_nobody_looked_starts_again(path: Path) -> None:
    append(path, "one\ntwo\n")
    last = read_all(FollowedFile(path))[-1]
    path.write_text("one\n")
    lines = read_all(FollowedFile(path, last.after))
    assert texts(lines) == [b"one"]
    assert lines[0].after.epoch != last.after.epoch


def test_the_same_beginning_again_and_again_never_gives_an_old_name(path: Path) -> None:
    file = FollowedFile(path)
    seen: list[tuple[str, int]] = []
    for text in ("a\n", "b\n", "a\n", "a\n", "b\n"):
        path.write_text(text)
        seen += identities(read_all(file))
        os.truncate(path, 0)
        file.poll()
    assert len(set(seen)) == 5


def test_a_position_that_is_not_ours_is_no_obstacle(path: Path) -> None:
    append(path, "one\n")
    assert texts(read_all(FollowedFile(path, Position("x", "nonsense", 7, 7)))) == [b"one"]


def test_a_line_over_the_limit_comes_cut_and_the_next_one_whole(path: Path) -> None:
    append(path, "x" * 3_000_000 + "\nnext\n")
    lines = read_all(FollowedFile(path))
    assert len(lines[0].data) == 256 * 1024 + 1
    assert lines[1].data == b"next"
    assert lines[1].after.offset == path.stat().st_size


def test_a_folder_is_no_file_to_follow(tmp_path: Path) -> None:
    assert FollowedFile(tmp_path).poll() == []


def rotate(path: Path, name: str, *, at: int, pack: bool = True) -> Path:
    """Rename and pack as logrotate does; `at` orders the times of change."""
    rotated = path.rename(path.with_name(name))
    if pack:
        packed = rotated.with_name(f"{name}.gz")
        packed.write_bytes(gzip.compress(rotated.read_bytes()))
        rotated.unlink()
        rotated = packed
    os.utime(rotated, (at, at))
    return rotated


def test_a_file_packed_while_nobody_looked_is_finished_first(path: Path) -> None:
    append(path, "one\ntwo\nthree\n")
    before = read_all(FollowedFile(path))
    rotate(path, "auth.log.1", at=1)
    append(path, "new\n")
    file = FollowedFile(path, before[0].after)
    lines = read_all(file)
    assert texts(lines) == [b"two", b"three", b"new"]
    assert identities(lines[:2]) == identities(before[1:])
    assert not file.missed
    append(path, "more\n")
    assert texts(read_all(file)) == [b"more"]


def test_a_packed_file_that_was_finished_is_no_loss(path: Path) -> None:
    append(path, "one\nno end")
    file = FollowedFile(path)
    lines = read_all(file)
    rotate(path, "auth.log.1", at=1, pack=False)
    append(path, "new\n")
    lines += read_all(file)
    assert texts(lines) == [b"one", b"no end", b"new"]
    path.with_name("auth.log.1").rename(path.with_name("kept"))
    rotate(path.with_name("kept"), "auth.log.1", at=1)
    again = FollowedFile(path, lines[1].after)
    assert texts(read_all(again)) == [b"new"]
    assert not again.missed


@pytest.mark.parametrize("pack", [True, False])
def test_what_rotated_more_than_once_while_nobody_looked_comes_in_order(
    path: Path, pack: bool
) -> None:
    append(path.with_name("auth.log.4.gz"), "long known")
    os.utime(path.with_name("auth.log.4.gz"), (1, 1))
    append(path.with_name("auth.log.bak"), "no rotation\n")
    append(path, "one\ntwo\n")
    first = read_all(FollowedFile(path))[0]
    rotate(path, "auth.log.3", at=2, pack=pack)
    append(path, "three\n")
    rotate(path, "auth.log-20261130", at=3, pack=pack)
    append(path, "four\n")
    rotate(path, "auth.log.1", at=4, pack=False)
    append(path, "five\n")
    lines = read_all(FollowedFile(path, first.after))
    assert texts(lines) == [b"two", b"three", b"four", b"five"]
    assert len(set(identities(lines))) == 4
    for place, line in enumerate(lines[1:], start=1):  # and after a fall before any of them
        for known in (lines[place - 1].after, at_start(line.after)):
            again = FollowedFile(path, known)
            read = read_all(again)
            assert texts(read) == texts(lines[place:])
            assert not again.missed
        assert identities(read)[0] == identities(lines)[place]  # its content was begun


def test_a_place_of_old_gives_no_record_the_name_of_another(path: Path) -> None:
    """As in a folder taken from a backup: what came since began with the same heading."""
    heading = "fecha;usuario;ip;" + "columna;" * 40 + "\n"
    append(path, heading + "one\n")
    before = read_all(file := FollowedFile(path))[-1].after
    path.write_text(heading)
    assert texts(read_all(file)) == [heading.strip().encode()]
    append(path, "three\n")
    since = read_all(file)
    path.write_text(heading)
    again = FollowedFile(path, before)
    read_all(again)
    append(path, "four\n")
    later = read_all(again)
    assert (texts(since), texts(later)) == ([b"three"], [b"four"])
    assert not set(identities(since)) & set(identities(later))


def test_a_copy_of_a_file_cut_to_nothing_while_nobody_looked_is_finished_first(path: Path) -> None:
    append(path, "one\ntwo\n")
    first = read_all(FollowedFile(path))[0]
    shutil.copy(path, path.with_name("auth.log.1"))
    path.write_text("new\n")
    file = FollowedFile(path, first.after)
    assert texts(read_all(file)) == [b"two", b"new"]
    assert not file.missed


def test_what_was_rotated_and_is_nowhere_is_missed_once(path: Path) -> None:
    append(path, "one\ntwo\n")
    last = read_all(FollowedFile(path))[-1]
    packed = rotate(path, "auth.log.1", at=1)
    packed.write_bytes(gzip.compress(b"one\n and another file that goes on"))
    file = FollowedFile(path, last.after)
    assert file.poll() == []
    assert not file.missed, "the new one may come later, and the old one with it"
    append(path, "new\n")
    assert texts(read_all(file)) == [b"new"]
    assert file.missed
    file.missed = False
    append(path, "more\n")
    assert texts(read_all(file)) == [b"more"]
    assert not file.missed


def rotated_and_cut(path: Path) -> Line:
    """The first of 4,000 lines in a file that was rotated and packed; half of that is gone."""
    append(path, "".join(f"{number} {os.urandom(40).hex()}\n" for number in range(4_000)))
    first = read_all(FollowedFile(path))[0]
    packed = rotate(path, "auth.log.1", at=1)
    os.truncate(packed, packed.stat().st_size // 2)
    return first


def test_a_damaged_packed_file_gives_what_it_has_and_is_missed(path: Path) -> None:
    first = rotated_and_cut(path)
    append(path, "new\n")
    file = FollowedFile(path, first.after)
    lines = read_all(file)
    assert texts(lines)[0].startswith(b"1 ")
    assert 1_000 < len(lines) < 4_000
    assert texts(lines)[-1] == b"new"
    assert file.missed


def test_a_content_that_ended_is_no_loss_wherever_it_went(path: Path) -> None:
    append(path, "one\n")
    file = FollowedFile(path)
    read_all(file)
    rotate(path, "auth.log.1", at=1, pack=False)
    append(path, "")
    assert read_all(file) == []
    place = file.left
    assert place is not None
    path.with_name("auth.log.1").unlink()
    append(path, "two\n")
    again = FollowedFile(path, place)
    assert texts(read_all(again)) == texts(read_all(file)) == [b"two"]
    assert not again.missed


@pytest.mark.parametrize("pack", [True, False])
def test_what_rotated_while_there_was_no_room_is_read(path: Path, pack: bool) -> None:
    """A sensor that is full does not ask for days; what it had open is not all that came."""
    append(path, "one\n")
    with time_machine.travel(NOW) as moment:
        file = FollowedFile(path)
        read_all(file)
        append(path, "two\n")
        rotate(path, "auth.log.3", at=1, pack=pack)
        append(path, "three\n")
        rotate(path, "auth.log.2", at=2, pack=pack)
        append(path, "four\n")
        rotate(path, "auth.log.1", at=3, pack=False)
        append(path, "five\n")
        moment.shift(timedelta(days=3))
        assert texts(read_all(file)) == [b"two", b"three", b"four", b"five"]
        assert not file.missed


def test_what_rotated_before_the_next_file_was_opened_is_read(path: Path) -> None:
    append(path, "one\n")
    with time_machine.travel(NOW) as moment:
        file = FollowedFile(path)
        read_all(file)
        rotate(path, "auth.log.2", at=1, pack=False)
        append(path, "two\n")
        assert file.poll() == []
        assert not file.is_open
        rotate(path, "auth.log.1", at=2, pack=False)
        append(path, "three\n")
        moment.shift(timedelta(hours=1))  # no room even to keep the place
        assert texts(read_all(file)) == [b"two", b"three"]


def test_what_is_older_is_not_read_again_when_a_file_is_rotated(path: Path) -> None:
    """It may have been packed just now by what does not keep its time."""
    append(path, "one\n")
    with time_machine.travel(NOW) as moment:
        file = FollowedFile(path)
        read_all(file)
        moment.shift(timedelta(days=1))
        read_all(file)
        append(path.with_name("auth.log.2.gz"), "packed\n")
        rotate(path, "auth.log.1", at=1, pack=False)
        append(path, "two\n")
        assert texts(read_all(file)) == [b"two"]


def test_the_rest_of_a_file_copied_and_emptied_while_there_was_no_room_is_read(
    path: Path,
) -> None:
    append(path, "one\n")
    with time_machine.travel(NOW) as moment:
        file = FollowedFile(path)
        read_all(file)
        append(path, "two\n")
        shutil.copy(path, path.with_name("auth.log.1"))
        path.write_text("")
        append(path, "3\n")
        moment.shift(timedelta(hours=1))
        assert texts(read_all(file)) == [b"two", b"3"]
        assert not file.missed
        append(path, "four\n")
        path.write_text("")
        append(path, "5\n")
        moment.shift(timedelta(hours=1))
        assert texts(read_all(file)) == [b"5"]
        assert file.missed  # no copy has it


def test_what_rotated_after_a_content_that_ended_is_read(path: Path) -> None:
    append(path, "one\n")
    file = FollowedFile(path)
    read_all(file)
    rotate(path, "auth.log.2", at=1, pack=False)
    append(path, "")
    read_all(file)
    append(path, "two\n")
    rotate(path, "auth.log.1", at=2)
    append(path, "three\n")
    assert texts(read_all(FollowedFile(path, file.left))) == [b"two", b"three"]


@pytest.mark.parametrize("is_finished", [True, False])
def test_what_rotated_later_is_read_though_the_path_comes_after_the_start(
    path: Path, is_finished: bool
) -> None:
    append(path, "one\n")
    last = read_all(FollowedFile(path))[-1]
    rest = [] if is_finished else [b"two"]
    append(path, "" if is_finished else "two\n")
    rotate(path, "auth.log.2", at=1, pack=False)
    append(path, "three\n")
    rotate(path, "auth.log.1", at=2, pack=False)
    file = FollowedFile(path, last.after)
    assert texts(read_all(file)) == rest
    append(path, "four\n")
    assert texts(read_all(file)) == [b"three", b"four"]
    assert not file.missed


def test_a_damaged_packed_file_is_missed_once(path: Path) -> None:
    first = rotated_and_cut(path)
    path.touch()
    file = FollowedFile(path, first.after)
    told = int(not file.poll())
    path.unlink()  # so that the packed one stays open
    for _ in range(5):
        read_all(file)
        told, file.missed = told + file.missed, False
    assert told == 1


def test_a_file_that_cannot_be_read_takes_no_descriptor(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append(path, "one\n")
    last = read_all(FollowedFile(path))[-1]
    rotate(path, "auth.log.1", at=1, pack=False)

    def broken(*_: int) -> bytes:
        raise OSError(errno.EIO, "Input/output error")

    for place in (None, last.after):
        monkeypatch.setattr(os, "pread", broken)
        files = len(os.listdir("/proc/self/fd"))
        file = FollowedFile(path, place)
        for there in (path.with_name("auth.log.1"), path):  # the renamed one; then the path too
            append(there, "more\n")
            with contextlib.suppress(OSError):
                file.poll()
        assert len(os.listdir("/proc/self/fd")) == files


def test_of_many_old_files_the_newest_are_looked_into(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_SIBLINGS_MAX", 3)
    append(path, "one\ntwo\n")
    first = read_all(FollowedFile(path))[0]
    rotate(path, "auth.log-20261130", at=100)
    for day in range(20):
        append(path, f"old {day}\n")
        rotate(path, f"auth.log-202601{day + 10}", at=day)
    append(path, "new\n")
    file = FollowedFile(path, first.after)
    assert texts(read_all(file)) == [b"two", b"new"]
    assert not file.missed


@pytest.mark.parametrize("days", [1, 2])
def test_of_two_packed_files_that_may_hold_the_rest_one_is_read_and_a_loss_is_told(
    path: Path, days: int
) -> None:
    heading = ",".join(f"column_{number:03}" for number in range(30))
    append(path, f"{heading}\n11,1\n")
    last = read_all(FollowedFile(path))[-1]
    append(path, "11,2\n")
    rotate(path, "auth.log.2", at=1)
    if days == 2:
        append(path, f"{heading}\n12,1\n12,2\n")
        rotate(path, "auth.log.1", at=2)
    append(path, f"{heading}\n13,1\n")
    file = FollowedFile(path, last.after)
    assert texts(read_all(file))[0] == b"1%d,2" % days
    assert file.missed == (days == 2)
