"""Files of a pattern are followed as they come and go; each line is delivered once."""

import asyncio
import errno
import gzip
import os
import resource
from dataclasses import replace
from pathlib import Path

import pytest

from cgii.base.counters import EVENTS_DROPPED, total
from cgii.collect.inputs.contents import ENDED
from cgii.collect.inputs.following import Follow
from cgii.collect.inputs.matching import matching
from cgii.collect.inputs.pattern import FollowPattern
from tests.unit.collect.inputs.collecting import Kept, a_while, collecting, until

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    folder.mkdir()
    return folder


def append(path: Path, *lines: str) -> None:
    with path.open("a") as file:
        file.writelines(f"{line}\n" for line in lines)


def follow(logs: Path, pattern: str = "*.log*") -> FollowPattern:
    return FollowPattern("web_access", str(logs / pattern))


async def has(kept: Kept, *lines: str) -> None:
    await until(lambda: set(kept.texts) >= set(lines), f"{lines} arrive, there is {kept.texts}")


def test_files_that_are_there_and_that_appear_are_read(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "a1")
        append(logs / "other.txt", "no")
        async with collecting(kept, follow(logs)):
            await has(kept, "a1")
            append(logs / "b.log", "b1")
            append(logs / "a.log", "a2")
            await has(kept, "a2", "b1")

    asyncio.run(run())
    assert sorted(kept.texts) == ["a1", "a2", "b1"]
    assert set(kept.sources.values()) == {"web_access"}


def test_a_folder_means_its_files(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "a1")
        async with collecting(kept, FollowPattern("syslog", str(logs))):
            await has(kept, "a1")

    asyncio.run(run())


def test_renaming_within_the_pattern_delivers_no_line_twice_and_loses_none(
    logs: Path, kept: Kept
) -> None:
    async def run() -> None:
        append(logs / "a.log", "1", "2")
        async with collecting(kept, follow(logs)):
            await has(kept, "1", "2")
            for turn in range(3):
                if (logs / "a.log.1").exists():
                    (logs / "a.log.1").rename(logs / "a.log.2")
                (logs / "a.log").rename(logs / "a.log.1")
                append(logs / "a.log.1", f"late {turn}")  # by whoever still has it open
                append(logs / "a.log", f"new {turn}")
                await has(kept, f"late {turn}", f"new {turn}")
            await a_while()

    asyncio.run(run())
    assert len(kept.texts) == 8
    assert kept.again == 0


def test_a_rotation_while_the_sensor_is_down_delivers_each_line_once(
    logs: Path, kept: Kept
) -> None:
    async def run() -> None:
        append(logs / "a.log", "1", "2")
        async with collecting(kept, follow(logs)):
            await has(kept, "1", "2")
        append(logs / "a.log", "3")
        (logs / "a.log").rename(logs / "a.log.1")
        append(logs / "a.log", "4")
        async with collecting(kept, follow(logs)):
            await has(kept, "3", "4")
            await a_while()

    asyncio.run(run())
    assert sorted(kept.texts) == ["1", "2", "3", "4"]


def test_what_was_renamed_out_of_the_pattern_is_read_to_its_end(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "1")
        append(logs / "b.log", "b")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "1", "b")
        append(logs / "a.log", "2")
        (logs / "a.log").rename(logs / "a.log.1")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "2")
            (logs / "b.log").rename(logs / "b.old")
            append(logs / "b.old", "late")
            (logs / "b.old").open("a").write("no end")
            await has(kept, "late", "no end")
            await until(lambda: not kept.places.known, "both are forgotten")

    asyncio.run(run())
    assert sorted(kept.texts) == ["1", "2", "b", "late", "no end"]


def pack(path: Path, name: str) -> None:
    (path.parent / name).write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()


def test_what_was_packed_while_the_sensor_is_down_is_read_to_its_end(
    logs: Path, kept: Kept
) -> None:
    async def run() -> None:
        append(logs / "a.log", "1")
        append(logs / "b.log", "b")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "1", "b")
        append(logs / "a.log", "2")
        pack(logs / "a.log", "a.log.1.gz")
        append(logs / "a.log", "3")
        (logs / "other.gz").write_bytes(b"no gzip")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "2", "3")
            await until(lambda: len(kept.places.known) == 2, "the packed one is forgotten")

    asyncio.run(run())
    assert sorted(kept.texts) == ["1", "2", "3", "b"]
    assert kept.losses == []


def test_a_packed_copy_takes_no_place_from_the_file_that_is_there(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "1")
        append(logs / "b.log", "b")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "1", "b")
        (logs / "a.gz").write_bytes(gzip.compress((logs / "a.log").read_bytes()))
        append(logs / "a.log", "2")
        append(logs / "b.log", "c")
        pack(logs / "b.log", "b.log.1.gz")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "2", "c")

    asyncio.run(run())
    assert sorted(kept.texts) == ["1", "2", "b", "c"]
    assert len({stream for stream, _, _ in kept.records}) == 2


def test_what_was_rotated_while_the_sensor_is_down_and_is_nowhere_is_a_loss(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_FORGET_LOOKS", 3)
    before = total(EVENTS_DROPPED)

    async def run() -> None:
        append(logs / "a.log", "1")
        append(logs / "b.log", "b")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "1", "b")
        (logs / "a.log").unlink()
        append(logs / "a.log", "2")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "2")
            await until(lambda: bool(kept.losses), "the loss is told")
            await a_while()

    asyncio.run(run())
    (loss,) = kept.losses
    assert (loss["kind"], loss["reason"], loss["rotated"]) == ("gap", "rotated", 1)
    assert loss["pattern"] == str(logs / "*.log")
    assert total(EVENTS_DROPPED) == before + 1


def test_a_followed_file_that_was_rotated_and_is_nowhere_is_a_loss(logs: Path, kept: Kept) -> None:
    path = logs / "a.log"

    async def run() -> None:
        append(path, "1")
        async with collecting(kept, Follow("web_access", path)):
            await has(kept, "1")
        path.unlink()
        append(path, "2")
        async with collecting(kept, Follow("web_access", path)):
            await has(kept, "2")
            await until(lambda: bool(kept.losses), "the loss is told")
        async with collecting(kept, Follow("web_access", path)):
            await a_while()

    asyncio.run(run())
    (loss,) = kept.losses
    assert (loss["kind"], loss["reason"], loss["file"]) == ("gap", "rotated", str(path))


def test_a_deleted_file_is_read_to_its_end_and_forgotten(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "1")
        async with collecting(kept, follow(logs)):
            await has(kept, "1")
            with (logs / "a.log").open("a") as file:
                (logs / "a.log").unlink()
                file.write("2\n")
            await has(kept, "2")
            await until(lambda: not kept.places.known, "it is forgotten")

    asyncio.run(run())


def test_an_inode_that_is_used_again_is_another_content(logs: Path, kept: Kept) -> None:
    """Most file systems give a free inode to the next file, and its beginning may be the same."""

    async def run() -> None:
        for turn in range(4):
            append(logs / "a.log", "#Fields: the same head")
            async with collecting(kept, follow(logs)):
                await until(lambda: len(kept.records) == 2 * turn + 1, "the head arrives")  # noqa: B023
                append(logs / "a.log", f"line {turn}")
                await has(kept, f"line {turn}")
                os.unlink(logs / "a.log")
                await until(lambda: not kept.places.known, "it is forgotten")

    asyncio.run(run())
    assert kept.changed == []
    assert len(kept.texts) == 8


def test_a_file_cut_to_nothing_is_read_from_its_start(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "1", "2")
        async with collecting(kept, follow(logs)):
            await has(kept, "1", "2")
            os.truncate(logs / "a.log", 0)
            await a_while()
            append(logs / "a.log", "1")
            await until(lambda: len(kept.texts) == 3, "the line is a new record")

    asyncio.run(run())


def test_a_file_written_anew_at_once_is_read_without_another_write(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "1", "2")
        async with collecting(kept, follow(logs)):
            await has(kept, "1", "2")
            for turn in range(10):
                (logs / "a.log").write_text(f"new {turn}\n")
                await has(kept, f"new {turn}")

    asyncio.run(run())
    assert kept.changed == []


def test_few_files_are_open_and_all_are_read(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_OPEN_MAX", 3)

    def opened() -> int:
        links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        return sum(str(logs) in os.readlink(link) for link in links if os.path.islink(link))

    async def run() -> None:
        for number in range(20):
            append(logs / f"{number}.log", f"first {number}")
        async with collecting(kept, follow(logs)):
            await has(kept, *(f"first {number}" for number in range(20)))
            await until(lambda: opened() <= 3, "the quiet ones are closed")
            for number in range(20):
                append(logs / f"{number}.log", f"second {number}")
            await has(kept, *(f"second {number}" for number in range(20)))

    asyncio.run(run())
    assert len(kept.texts) == 40
    assert kept.again == 0


def test_links_lead_nowhere_and_packed_files_are_left_to_patterns_that_ask_for_them(
    logs: Path, kept: Kept, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("secret\n")

    async def run() -> None:
        (logs / "x.log").symlink_to(tmp_path / "secret")
        (logs / "a.log.1.gz").write_bytes(b"packed\n")
        append(logs / "a.log", "1")
        async with collecting(kept, follow(logs)):
            await has(kept, "1")
            await a_while()

    asyncio.run(run())
    assert kept.texts == ["1"]


def test_a_kill_between_records_and_places_gives_the_same_numbers(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        append(logs / "a.log", "1")
        async with collecting(kept, follow(logs)):
            await has(kept, "1")
            kept.keeps_places = False
            append(logs / "a.log", "2")
            await has(kept, "2")
        kept.keeps_places = True
        append(logs / "a.log", "3")
        async with collecting(kept, follow(logs)):
            await has(kept, "3")

    asyncio.run(run())
    assert sorted(kept.texts) == ["1", "2", "3"]
    assert kept.changed == []


def test_many_files_leave_descriptors_to_others(logs: Path, kept: Kept) -> None:
    """Also where the process may have fewer than the files that one pattern holds open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = len(os.listdir("/proc/self/fd")) + 120  # whatever the tests before have left open

    async def run() -> None:
        for number in range(400):
            append(logs / f"{number}.log", f"first {number}")
        async with collecting(kept, follow(logs)):
            await has(kept, *(f"first {number}" for number in range(400)))
            for number in range(400):
                append(logs / f"{number}.log", f"second {number}")
            await has(kept, *(f"second {number}" for number in range(400)))
            assert len(os.listdir("/proc/self/fd")) < most - 20

    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    try:
        asyncio.run(run())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert len(kept.texts) == 800


def test_never_more_files_are_open_than_is_allowed(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_OPEN_MAX", 3)
    most = 0
    real = os.open

    def opened(path: str, *flags: int, **more: int) -> int:
        nonlocal most
        file = real(path, *flags, **more)
        links = [os.path.join("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
        most = max(most, sum(str(logs) in os.readlink(x) for x in links if os.path.islink(x)))
        return file

    async def run() -> None:
        for number in range(20):
            append(logs / f"{number}.log", f"first {number}")
        monkeypatch.setattr(os, "open", opened)
        async with collecting(kept, follow(logs)):
            await has(kept, *(f"first {number}" for number in range(20)))

    asyncio.run(run())
    assert most == 3


def test_of_too_many_files_the_newest_are_read_and_the_rest_is_told_once(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_FILES_MAX", 3)

    async def run() -> None:
        for number in range(6):  # the newest has the last name
            append(logs / f"{number}.log", f"line {number}")
            os.utime(logs / f"{number}.log", (1_000 + number,) * 2)
        async with collecting(kept, follow(logs)):
            await has(kept, "line 3", "line 4", "line 5")
            append(logs / "new.log", "new")
            await has(kept, "new")
            await until(lambda: len(kept.losses) > 0, "it is told")
            append(logs / "3.log", "again")  # which gave way
            await has(kept, "again")
            await a_while()

    asyncio.run(run())
    assert sorted(kept.texts) == ["again", "line 3", "line 4", "line 5", "new"]
    assert [(one["reason"], one["files"]) for one in kept.losses] == [("too many", 3)]


def test_files_that_find_no_room_later_are_told_too(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_FILES_MAX", 1)
    monkeypatch.setattr("cgii.base.limits.LEFT_OUT_TOLD_SECONDS", 0)

    async def run() -> None:
        append(logs / "new.log", "new")
        before = total(EVENTS_DROPPED)
        async with collecting(kept, follow(logs)):
            await has(kept, "new")
            for number in range(2):
                append(logs / f"{number}.txt", f"old {number}")
                os.utime(logs / f"{number}.txt", (1_000,) * 2)
                (logs / f"{number}.txt").rename(logs / f"{number}.log")
                await until(lambda: len(kept.losses) > number, "it is told")  # noqa: B023
        assert total(EVENTS_DROPPED) - before == 2  # and stands in the sensor's report

    asyncio.run(run())
    assert [one["files"] for one in kept.losses] == [1, 1]


def test_names_that_nobody_looks_at_are_told_once(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_LOOKED_AT_MAX", 2)

    async def run() -> None:
        for number in range(3):
            append(logs / f"{number}.log", f"line {number}")
        before = total(EVENTS_DROPPED)
        async with collecting(kept, follow(logs)):
            await until(lambda: len(kept.texts) == 2 and len(kept.losses) > 0, "two are read")
            await a_while()
        assert total(EVENTS_DROPPED) - before == 1

    asyncio.run(run())
    told = [(one["reason"], one["files"], one["pattern"]) for one in kept.losses]
    assert told == [("too many names", 1, str(logs / "*.log*"))]


def test_the_last_record_of_a_file_that_was_closed_and_deleted_arrives(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_OPEN_MAX", 1)

    async def run() -> None:
        with (logs / "a.log").open("w") as file:
            file.write("1\nno end")
        append(logs / "b.log", "b")
        append(logs / "c.log", "c")
        async with collecting(kept, follow(logs)):
            await has(kept, "1", "b", "c")
            await a_while()
            (logs / "a.log").unlink()
            await has(kept, "no end")

    asyncio.run(run())
    assert kept.losses == []


def test_what_was_not_read_of_a_deleted_file_is_told(logs: Path, kept: Kept) -> None:
    async def run() -> None:
        with (logs / "a.log").open("w") as file:
            file.write("too little")  # to know the file again by
        async with collecting(kept, follow(logs)):
            await a_while()
            (logs / "a.log").unlink()
            await until(lambda: len(kept.losses) > 0, "it is told")

    asyncio.run(run())
    assert [(one["reason"], one["bytes"]) for one in kept.losses] == [("gone", 10)]


def test_of_several_places_with_one_inode_the_one_of_the_content_is_taken(
    logs: Path, kept: Kept
) -> None:
    """Each disk numbers its own."""

    async def run() -> None:
        append(logs / "a.log", "1")
        async with collecting(kept, follow(logs)):
            await has(kept, "1")
        ((stream, place),) = kept.places.known.items()
        inode = place.epoch.partition(".")[0]
        for name in ("aa", "zz"):
            other = replace(place, stream=stream[:-12] + name * 6, epoch=f"{inode}.2.{'0' * 16}.0")
            kept.places.keep((other, place) if name == "aa" else (other,))
        append(logs / "a.log", "2")
        async with collecting(kept, follow(logs)):
            await has(kept, "2")
            await until(lambda: len(kept.places.known) == 1, "the others are forgotten")

    asyncio.run(run())
    assert kept.texts == ["1", "2"]


def test_a_file_that_comes_back_late_is_known(logs: Path, kept: Kept, tmp_path: Path) -> None:
    async def run() -> None:
        append(logs / "a.log", "1")
        append(logs / "b.log", "b")
        async with collecting(kept, follow(logs)):
            await has(kept, "1", "b")
        (logs / "a.log").rename(tmp_path / "away")
        async with collecting(kept, follow(logs)):
            append(logs / "b.log", "c")
            await has(kept, "c")
            (tmp_path / "away").rename(logs / "a.log")
            append(logs / "a.log", "2")
            await has(kept, "2")

    asyncio.run(run())
    assert sorted(kept.texts) == ["1", "2", "b", "c"]


def test_no_linked_folder_is_looked_into(tmp_path: Path) -> None:
    real = tmp_path / "real"
    (real / "sub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    append(real / "sub" / "a.log", "a")
    append(tmp_path / "other" / "secret.log", "secret")
    (real / "linked").symlink_to(tmp_path / "other")
    (real / "sub" / "loop").symlink_to(real)
    (tmp_path / "log").symlink_to(real)  # what is named itself may be a link

    def names(pattern: str) -> list[str]:
        return [seen.path.name for seen in matching(str(tmp_path / pattern)).files]

    assert names("real/**/*.log") == ["a.log"]
    assert names("log/**/*.log") == ["a.log"]
    assert names("real/*/*.log") == ["a.log"]
    assert names("log/sub") == ["a.log"]
    assert names("real/linked/*.log") == ["secret.log"]


def test_a_copied_and_cut_file_that_was_read_is_no_loss_after_a_restart(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cgii.base.limits.FOLLOW_FORGET_LOOKS", 3)

    async def run() -> None:
        append(logs / "a.log", "1")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "1")
            os.truncate(logs / "a.log", 0)
            await until(lambda: ended(kept), "the end is kept")
        async with collecting(kept, follow(logs, "*.log")):
            await until(lambda: not kept.places.known, "it is forgotten")

    asyncio.run(run())
    assert kept.losses == []


def test_a_followed_file_that_was_read_and_rotated_is_no_loss_after_a_restart(
    logs: Path, kept: Kept
) -> None:
    path = logs / "a.log"

    async def run() -> None:
        append(path, "1")
        async with collecting(kept, Follow("web_access", path)):
            await has(kept, "1")
            path.rename(logs / "a.log.1")
            path.touch()
            await until(lambda: ended(kept), "the end is kept")
        (logs / "a.log.1").unlink()
        append(path, "2")
        async with collecting(kept, Follow("web_access", path)):
            await has(kept, "2")

    asyncio.run(run())
    assert kept.losses == []


def ended(kept: Kept) -> bool:
    return [place.offset for place in kept.places.known.values()] == [ENDED]


def test_a_copy_of_a_file_cut_to_nothing_while_the_sensor_is_down_is_read_to_its_end(
    logs: Path, kept: Kept
) -> None:
    async def run() -> None:
        append(logs / "a.log", "1")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "1")
        append(logs / "a.log", "2")
        (logs / "a.log.1").write_bytes((logs / "a.log").read_bytes())
        (logs / "a.log").write_text("new\n")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "2", "new")
            await until(lambda: len(kept.places.known) == 1, "the copy is forgotten")

    asyncio.run(run())
    assert sorted(kept.texts) == ["1", "2", "new"]
    assert kept.losses == []


def test_a_packed_file_that_cannot_be_opened_once_is_tried_again(
    logs: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, failed = os.open, []

    def opened(path: str, *flags: int, **more: int) -> int:
        if str(path).endswith(".gz") and not failed:
            failed.append(path)
            raise OSError(errno.EMFILE, "Too many open files")
        return real(path, *flags, **more)

    async def run() -> None:
        append(logs / "a.log", "1")
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "1")
        append(logs / "a.log", "2")
        pack(logs / "a.log", "a.log.1.gz")
        append(logs / "a.log", "3")
        monkeypatch.setattr(os, "open", opened)
        async with collecting(kept, follow(logs, "*.log")):
            await has(kept, "2", "3")

    asyncio.run(run())
    assert failed
