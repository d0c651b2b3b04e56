"""`cgii backup` and `cgii restore`: whatever happens on the way, what is put back is whole."""

import fcntl
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from io import BytesIO
from pathlib import Path

import pytest
from click.testing import Result
from sqlalchemy import select
from typer.testing import CliRunner

from cgii.base.errors import Invalid, Unavailable
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.centre import build as build_centre
from cgii.cli.app import build
from cgii.model.event import Origin, Raw
from cgii.model.records import Batch
from cgii.pipeline import take
from cgii.store import anchors, audit, backup, backup_files, files
from cgii.store.backup import check, make, put_back
from cgii.store.events import EventQuery
from cgii.store.events_aside import put_aside
from tests.make import NOW
from tests.waiting import until

ROOT = Path(__file__).parents[2]
LINE = b"Nov 22 12:00:00 srv sshd[7]: Failed password for ana from 203.0.113.9 port 40000 ssh2"
OLD_MONTH = "events-2026-10.sqlite"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a centre's data are that has an event, an alert's audit trail, and a file."""
    data = tmp_path / "data"
    monkeypatch.setenv("CGII_DATA", str(data))
    centre = build_centre(load())
    send(centre, 0)
    with centre.database.transaction() as session:
        centre.act(session, via="cli").record("tried", "centre")
        session.flush()  # the seal is of what is written
        anchors.append_anchor(centre.trail, session, data / anchors.FILE_NAME, now=centre.clock())
    files.save(BytesIO(b"evidence"), data / "evidence")
    centre.close()
    (data / "site" / "rules").mkdir(parents=True)
    (data / "site" / "rules" / "own.yml").write_text("# ours\n")
    return data


def send(centre: Centre, number: int, count: int = 10) -> None:
    raws = [Raw(number + place, LINE) for place in range(count)]
    take(centre, Origin("linux_auth", "sensor:1/linux_auth", "e"), raws)


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(build(str(words[0])), [str(word) for word in words])


def only(folder: Path) -> Path:
    (found,) = backup.backups(folder)
    return found


def content(folder: Path) -> dict[str, bytes]:
    """What stays the same whoever opens it: all but SQLite's files."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".sqlite" not in path.name and "cache" not in path.parts
    }


def test_what_is_put_back_is_what_was_there(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = run("backup", tmp_path / "copies")
    assert told.exit_code == 0, told.output
    made = only(tmp_path / "copies")
    assert made.stat().st_mode & 0o777 == 0o700
    before = content(place)
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "fresh"))

    told = run("restore", made)

    assert told.exit_code == 0, told.output
    assert "La bitácora está íntegra" in told.output
    assert content(tmp_path / "fresh") == before
    assert (tmp_path / "fresh" / "secret").stat().st_mode & 0o777 == 0o600
    centre = build_centre(load())
    assert centre.events.count(EventQuery("ana")) == 10
    with centre.database.reading() as session:
        assert [one.event_count for one in session.scalars(select(Batch))] == [10]
    send(centre, 10)
    assert centre.events.stats().events == 20
    centre.close()
    assert check(made) == []


def test_a_backup_beside_a_centre_that_takes_events_has_every_event_its_record_tells(
    place: Path, tmp_path: Path
) -> None:
    centre = build_centre(load())
    done = threading.Event()
    sent = [10]

    def keep_sending() -> None:
        while not done.is_set():
            send(centre, sent[0], 50)
            sent[0] += 50

    sender = threading.Thread(target=keep_sending)
    sender.start()
    try:
        until(lambda: sent[0] > 100, "events are on their way")
        made = make(place, tmp_path / "copies", now=NOW, keep=7)
        first = sent[0]
        until(lambda: sent[0] > first, "more of them came")
    finally:
        done.set()
        sender.join()
        centre.close()

    put_back(made.path, tmp_path / "fresh")
    restored = build_centre(load(data=tmp_path / "fresh"))
    with restored.database.reading() as session:
        told = sum(session.scalars(select(Batch.event_count)))
        assert list(restored.trail.verify(session)) == []
    assert 60 <= told <= restored.events.stats().events <= first + 50
    restored.close()


def test_no_seal_is_of_an_entry_that_the_record_of_the_backup_lacks(
    place: Path, tmp_path: Path
) -> None:
    centre = build_centre(load())

    def seal(name: str) -> None:
        if name != "cgii.sqlite":  # before or after it
            return
        with centre.database.transaction() as session:
            centre.act(session, via="cli").record("meanwhile", "centre")
            session.flush()  # the seal is of what is written
            path = place / anchors.FILE_NAME
            assert anchors.append_anchor(centre.trail, session, path, now=centre.clock())

    made = make(place, tmp_path / "copies", now=NOW, keep=7, told=seal)
    centre.close()
    put_back(made.path, tmp_path / "fresh")

    restored = build_centre(load(data=tmp_path / "fresh"))
    with restored.database.reading() as session:
        path = tmp_path / "fresh" / anchors.FILE_NAME
        assert list(anchors.check_anchors(restored.trail, session, path)) == []
    restored.close()


def test_what_has_not_changed_is_copied_once_and_old_backups_go(
    place: Path, tmp_path: Path
) -> None:
    (month,) = (place / "events").glob("*.sqlite")
    with sqlite3.connect(month) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    shutil.copy(month, place / "events" / OLD_MONTH)
    copies = tmp_path / "copies"
    times = [NOW.replace(hour=hour) for hour in (1, 2, 3)]

    first = make(place, copies, now=times[0], keep=2)
    centre = build_centre(load())
    send(centre, 10)
    centre.close()
    second = make(place, copies, now=times[1], keep=2)

    def inodes(name: str) -> tuple[int, int]:
        return (first.path / name).stat().st_ino, (second.path / name).stat().st_ino

    for name in (f"events/{OLD_MONTH}", "secret", "site/rules/own.yml"):
        assert len({*inodes(name)}) == 1
    for name in (f"events/{month.name}", "cgii.sqlite"):
        assert len({*inodes(name)}) == 2
    assert (first.linked, second.linked) == (0, len(second.files) - 2)
    assert second.copied_bytes < first.copied_bytes
    third = make(place, copies, now=times[2], keep=2)
    assert backup.backups(copies) == [second.path, third.path]
    assert sorted(os.listdir(copies)) == [second.path.name, third.path.name]
    assert check(third.path) == check(second.path) == []


def test_a_killed_backup_leaves_none_and_the_next_one_sweeps(place: Path, tmp_path: Path) -> None:
    copies = tmp_path / "copies"
    killed = subprocess.run(
        [
            sys.executable, "-c",
            "import os, signal, sys\n"
            "from datetime import UTC, datetime\n"
            "from pathlib import Path\n"
            "from cgii.store.backup import make\n"
            "def told(name):\n"
            "    if name.startswith('evidence'): os.kill(os.getpid(), signal.SIGKILL)\n"
            "data, folder = map(Path, sys.argv[1:])\n"
            "make(data, folder, now=datetime.now(UTC), keep=1, told=told)\n",
            place, copies,
        ],
        cwd=ROOT, check=False,
    )  # fmt: skip
    assert killed.returncode == -9
    assert os.listdir(copies) == [".cgii-new"]
    assert backup.backups(copies) == []
    (copies / ".cgii-20261101T000000Z").mkdir()  # it was being deleted
    (copies / ".cgii-of-somebody").mkdir()

    made = make(place, copies, now=NOW, keep=1)

    assert sorted(os.listdir(copies)) == [".cgii-of-somebody", made.path.name]
    assert check(made.path) == []


def test_a_restore_that_was_interrupted_goes_on(place: Path, tmp_path: Path) -> None:
    made = make(place, tmp_path / "copies", now=NOW, keep=7)
    fresh = tmp_path / "fresh"

    def stop(name: str) -> None:
        if fresh.is_dir() and (fresh / "evidence").is_dir() and name == "cgii.sqlite":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        put_back(made.path, fresh, stop)
    assert not (fresh / "cgii.sqlite").exists()  # so that nobody takes it for a centre

    assert put_back(made.path, fresh) == len(made.files)
    assert content(fresh) == content(place)
    assert put_back(made.path, fresh) == len(made.files)


@pytest.mark.parametrize("name", ["cgii.sqlite", "cgii.sqlite-wal", "site/rules/other.yml"])
def test_nothing_is_put_over_anything_else(place: Path, tmp_path: Path, name: str) -> None:
    made = make(place, tmp_path / "copies", now=NOW, keep=7)
    other = tmp_path / "other" / name
    other.parent.mkdir(parents=True)
    other.write_bytes(b"of somebody else")

    with pytest.raises(Invalid, match=name):
        put_back(made.path, tmp_path / "other")

    assert [path for path in (tmp_path / "other").rglob("*") if path.is_file()] == [other]


def test_a_backup_that_changed_is_told_and_not_put_back(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("backup", tmp_path / "copies")
    made = only(tmp_path / "copies")
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "fresh"))
    (month,) = (made / "events").glob("*.sqlite")
    with month.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"x")
    (made / "secret").unlink()

    told = run("restore", made, "--check")
    assert told.exit_code == 1
    assert f"events/{month.name}: no es el que se respaldó" in told.stderr
    assert "secret: no se puede leer" in told.stderr
    with pytest.raises(Invalid, match="no está íntegro"):
        put_back(made, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"{}",
        b'{"version": 1, "files": [{"name": "secret"}]}',
        b'{"version": 9, "files": []}',
        json.dumps(
            {
                "version": 1,
                "files": [
                    {"name": "../x", "size": 0, "sha256": "", "mode": 420, "source": []},
                ],
            }
        ).encode(),
        b'{"version": 1, "files": [{"name": "a\\u0000b", "size": 0, "sha256": "", "mode": 420, '
        b'"source": []}]}',
    ],
)
def test_what_is_no_backup_is_refused(tmp_path: Path, manifest: bytes) -> None:
    (tmp_path / "manifest.json").write_bytes(manifest)
    with pytest.raises(Invalid):
        put_back(tmp_path, tmp_path / "fresh")
    with pytest.raises(Invalid):
        check(tmp_path / "nothing")


def test_a_damaged_month_is_kept_as_it_is_set_aside(place: Path, tmp_path: Path) -> None:
    bad = place / "events" / OLD_MONTH
    bad.write_bytes(b"no data base" * 1_000)

    told = run("backup", tmp_path / "copies")

    assert told.exit_code == 3
    assert f"events/{OLD_MONTH} está dañado" in told.stderr
    made = only(tmp_path / "copies")
    (aside,) = (made / "events").glob("*.damaged-*")
    assert aside.read_bytes() == bad.read_bytes()
    put_back(made, tmp_path / "fresh")
    centre = build_centre(load(data=tmp_path / "fresh"))
    assert centre.events.stats().set_aside == (aside.name,)
    assert centre.events.stats().events == 10
    centre.close()


def test_a_damaged_record_is_no_backup_and_those_before_stay(place: Path, tmp_path: Path) -> None:
    before = make(place, tmp_path / "copies", now=NOW, keep=1)
    (place / "cgii.sqlite").write_bytes(b"no data base" * 1_000)

    with pytest.raises(Unavailable, match=r"cgii\.sqlite"):
        make(place, tmp_path / "copies", now=NOW.replace(minute=59), keep=1)

    assert os.listdir(tmp_path / "copies") == [before.path.name]
    assert check(before.path) == []


def test_where_no_backup_can_be(place: Path, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="dentro de"):
        make(place, place / "copies", now=NOW, keep=1)
    copies = tmp_path / "copies"
    copies.mkdir()
    handle = os.open(copies, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(Invalid, match="Otro respaldo está en marcha"):
        make(place, copies, now=NOW, keep=1)
    os.close(handle)
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="no se pudo hacer"):
        make(place, tmp_path / "file" / "x", now=NOW, keep=1)


def test_without_data_there_is_nothing_to_back_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CGII_DATA", str(tmp_path / "nothing"))

    told = run("backup", tmp_path / "copies")

    assert isinstance(told.exception, Invalid)
    assert not (tmp_path / "nothing").exists()
    assert not (tmp_path / "copies").exists()


def test_doctor_says_when_the_last_one_was_made(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "ninguno con `cgii backup`" in run("doctor").output
    centre = build_centre(load())
    with monkeypatch.context() as ahead, centre.database.transaction() as session:
        ahead.setattr(centre, "clock", lambda: NOW.replace(year=2099))
        centre.act(session, via="cli").record(audit.BACKUP_MADE, "centre")
    centre.close()
    run("backup", tmp_path / "copies")
    assert "hace 0 días" in run("doctor").output


def test_what_lies_on_another_disk_is_in_it(place: Path, tmp_path: Path) -> None:
    for name in ("events", "secret"):
        (place / name).rename(tmp_path / name)
        (place / name).symlink_to(tmp_path / name)
    (place / "site" / "round").symlink_to(place)
    copies = tmp_path / "copies"
    copies.mkdir()
    (place / "copies").symlink_to(copies)

    make(place, copies, now=NOW.replace(hour=1), keep=7)
    made = make(place, copies, now=NOW.replace(hour=2), keep=7)

    names = [kept.name for kept in made.files]
    assert not [name for name in names if name.startswith(("copies/", "site/round/"))]
    put_back(made.path, tmp_path / "fresh")
    assert (tmp_path / "fresh" / "secret").read_bytes() == (place / "secret").read_bytes()
    centre = build_centre(load(data=tmp_path / "fresh"))
    assert centre.events.stats().events == 10
    centre.close()


def test_what_cannot_be_looked_into_is_not_left_out(place: Path, tmp_path: Path) -> None:
    before = make(place, tmp_path / "copies", now=NOW.replace(hour=1), keep=1)
    (place / "events").rename(tmp_path / "disk")
    (place / "events").symlink_to(tmp_path / "not mounted")
    with pytest.raises(Unavailable, match=r"events \(no existe\)"):
        make(place, tmp_path / "copies", now=NOW.replace(hour=2), keep=1)

    (place / "events").unlink()
    (tmp_path / "disk").rename(place / "events")
    inner = os.open(place / "site", os.O_RDONLY)
    for _ in range(20):  # a path too long to be opened
        os.mkdir("n" * 250, dir_fd=inner)
        outer, inner = inner, os.open("n" * 250, os.O_RDONLY, dir_fd=inner)
        os.close(outer)
    os.close(inner)
    with pytest.raises(Unavailable, match="el nombre es demasiado largo"):
        make(place, tmp_path / "copies", now=NOW.replace(hour=2), keep=1)
    assert os.listdir(tmp_path / "copies") == [before.path.name]


def test_the_log_of_a_damaged_month_goes_with_it(place: Path, tmp_path: Path) -> None:
    folder = place / "events"
    aside = folder / f"{OLD_MONTH}.damaged-7"
    aside.write_bytes(b"no data base")
    Path(f"{aside}-wal").write_bytes(b"set aside with it")
    Path(f"{aside}-shm").write_bytes(b"of no use")
    bad = folder / "events-2026-09.sqlite"
    (month,) = folder.glob("*.sqlite")
    shutil.copy(month, bad)
    centre = sqlite3.connect(bad)  # has it open, so that its log stays
    centre.execute("PRAGMA journal_mode=WAL")
    centre.execute("CREATE TABLE stored_last (number INTEGER)")
    log = Path(f"{bad}-wal").read_bytes()
    with bad.open("r+b") as file:
        file.seek(8_192)
        file.write(b"\xff" * 100_000)
    inode = bad.stat().st_ino

    def set_aside_after(name: str) -> None:
        if name.endswith(OLD_MONTH + ".damaged-7-wal"):
            put_aside(bad, bad.with_name(f"{bad.name}.damaged-{inode}"))

    made = make(place, tmp_path / "copies", now=NOW, keep=7, told=set_aside_after)
    centre.close()

    in_it = [kept.name for kept in made.files if ".damaged-" in kept.name]
    assert sorted(in_it) == [
        f"events/{bad.name}.damaged-{inode}",
        f"events/{bad.name}.damaged-{inode}-wal",
        f"events/{aside.name}",
        f"events/{aside.name}-wal",
    ]
    kept = made.path / "events" / f"{bad.name}.damaged-{inode}-wal"
    assert kept.read_bytes() == log
    assert check(made.path) == []


def test_a_month_that_is_set_aside_while_it_is_copied_and_the_new_one_are_both_in_it(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (month,) = (place / "events").glob("*.sqlite")
    inode = month.stat().st_ino
    aside = month.with_name(f"{month.name}.damaged-{inode}")

    def is_sound(path: Path) -> bool:
        if path.name == month.name and not aside.exists():
            shutil.copy(month, tmp_path / "new")
            put_aside(month, aside)
            (tmp_path / "new").rename(month)
            return False
        return backup_files.is_sound(path)

    monkeypatch.setattr(backup, "is_sound", is_sound)
    made = make(place, tmp_path / "copies", now=NOW, keep=7)

    names = [kept.name for kept in made.files]
    assert names.count(f"events/{month.name}") == names.count(f"events/{aside.name}") == 1
    assert made.damaged == []
    assert check(made.path) == []


def test_a_full_disk_is_told_in_spanish_and_by_the_file_that_did_not_fit(
    place: Path, tmp_path: Path
) -> None:
    def limited(script: str, *places: Path, most: int) -> str:
        done = subprocess.run(
            [
                sys.executable, "-c",
                "import resource, sys\n"
                "from datetime import UTC, datetime\n"
                "from pathlib import Path\n"
                "from cgii.base.errors import Unavailable\n"
                "from cgii.store.backup import make, put_back\n"
                "one, other = map(Path, sys.argv[1:3])\n"
                "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)\n"
                f"try: {script}\n"
                "except Unavailable as error: print(error)\n",
                *places, str(most),
            ],
            cwd=ROOT, check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout

    copies, fresh = tmp_path / "copies", tmp_path / "fresh"
    big = place / "evidence" / "big"
    big.write_bytes(bytes(8_000_000))
    script = "make(one, other, now=datetime.now(UTC), keep=1)"
    told = limited(script, place, copies, most=200_000)
    assert f"{copies}/.cgii-new/cgii.sqlite (error de entrada y salida)" in told
    told = limited(script, place, copies, most=7_000_000)
    assert f"{copies}/.cgii-new/evidence/big (el archivo sería demasiado grande)" in told
    assert os.listdir(copies) == []

    made = make(place, copies, now=NOW, keep=1)
    told = limited("put_back(one, other)", made.path, fresh, most=7_000_000)
    assert f"{fresh}/evidence/.big.new: el archivo sería demasiado grande" in told
    assert put_back(made.path, fresh) == len(made.files)


@pytest.mark.parametrize("changed", [b"less", b"x" * 8])
def test_what_changed_in_the_backup_before_does_not_come_into_the_next(
    place: Path, tmp_path: Path, changed: bytes
) -> None:
    (place / "evidence" / "one").write_bytes(b"evidence")
    before = make(place, tmp_path / "copies", now=NOW.replace(hour=1), keep=7)
    copy = before.path / "evidence" / "one"
    copy.write_bytes(changed)
    os.utime(copy, ns=(0, (before.path / "manifest.json").stat().st_mtime_ns + 1))

    made = make(place, tmp_path / "copies", now=NOW.replace(hour=2), keep=7)

    assert check(before.path) == ["evidence/one: no es el que se respaldó"]
    assert check(made.path) == []
