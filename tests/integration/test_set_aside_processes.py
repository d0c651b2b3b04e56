"""Two processes meet one damaged event file: it is set aside, and the fresh one never is."""

import subprocess
import sys
from pathlib import Path

import pytest

from cgii.store.events import EventQuery, open_events
from cgii.store.events_month import path_of
from cgii.store.events_salvage import Salvage
from tests.event_oracle import make_event

ROOT = Path(__file__).parents[2]
MONTH = "2026-11"

# Goes on in the middle of setting aside only when it is told to.
SLOW = """
import sqlite3, sys
from pathlib import Path
from cgii.store import events_aside, events_files, events_month
from cgii.store.events import EventQuery, open_events
from tests.event_oracle import make_event

def wait():
    print("there", flush=True)
    sys.stdin.readline()

def before_the_first(real):
    def renamed(*names):
        events_aside.os.rename = real
        wait()
        real(*names)
    return renamed

def after_damage(real):
    def connected(path):
        try:
            return real(path)
        except sqlite3.Error:
            wait()
            raise
    return connected

store = open_events("", Path(sys.argv[1]))
match sys.argv[2]:
    case "renames":
        events_aside.os.rename = before_the_first(events_aside.os.rename)
    case "opens to write":
        events_month.connect = after_damage(events_month.connect)
    case "opens to read":
        events_month.connect_for_reading = after_damage(events_month.connect_for_reading)
if sys.argv[2] == "opens to write":
    store.write([make_event(7)])
else:
    store.count(EventQuery())
store.close()
"""

# Says when it asks for the folder's lock, and when it is through.
FAST = """
import fcntl, sys
from pathlib import Path
from cgii.store.events import open_events
from tests.event_oracle import make_event

real = fcntl.flock

def asked(*given):
    fcntl.flock = real
    print("asks", flush=True)
    real(*given)

store = open_events("", Path(sys.argv[1]))
fcntl.flock = asked
store.write([make_event(8)])
print("done", flush=True)
store.close()
"""


def _start(code: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _damaged(folder: Path) -> None:
    store = open_events("", folder)
    store.write([make_event(1)])
    store.close()
    path_of(folder, MONTH).write_bytes(b"this is no database" * 500)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def _finish(process: subprocess.Popen[str]) -> None:
    process.communicate("\n")
    assert process.returncode == 0


@pytest.mark.parametrize("where", ["renames", "opens to write", "opens to read"])
def test_a_fresh_file_is_not_set_aside_by_who_met_the_damage_too(
    tmp_path: Path, where: str
) -> None:
    _damaged(tmp_path)
    slow = _start(SLOW, str(tmp_path), where)
    assert _line(slow) == "there"
    fast = _start(FAST, str(tmp_path))
    # It waits for the other, or there is nothing to wait for.
    assert _line(fast) in {"asks", "done"}
    _finish(slow)
    _finish(fast)

    store = open_events("", tmp_path)
    assert len(store.stats().set_aside) == 1
    wanted = {make_event(seq).id for seq in ((7, 8) if where == "opens to write" else (8,))}
    assert {event.id for event in store.search(EventQuery()).events} == wanted
    store.close()


def test_who_is_killed_while_it_sets_aside_stops_nobody(tmp_path: Path) -> None:
    _damaged(tmp_path)
    slow = _start(SLOW, str(tmp_path), "renames")
    assert _line(slow) == "there"
    fast = _start(FAST, str(tmp_path))
    assert _line(fast) == "asks"
    slow.kill()
    slow.communicate()
    _finish(fast)

    store = open_events("", tmp_path)
    assert (len(store.stats().set_aside), store.count(EventQuery())) == (1, 1)
    store.close()


# Is killed when it has set aside only the log, in which all events are.
HALF = """
import os, sqlite3, sys
from pathlib import Path
from cgii.store import events_aside
from cgii.store.events import open_events
from tests.event_oracle import make_event

store = open_events("", Path(sys.argv[1]))
store.write([make_event(1)])
real = os.rename

def once(*names):
    real(*names)
    os._exit(0)

events_aside.os.rename = once
month = sys.argv[2]
store._files.set_aside(month, store._files.inode(month), sqlite3.DatabaseError("torn"))
"""


@pytest.mark.parametrize("does", ["reads", "writes"])
def test_who_comes_after_a_kill_finishes_what_it_left_half_done(tmp_path: Path, does: str) -> None:
    _finish(_start(HALF, str(tmp_path), MONTH))
    assert [path.name[-4:] for path in tmp_path.glob("*.damaged-*")] == ["-wal"]

    store = open_events("", tmp_path)
    if does == "writes":
        store.write([make_event(2)])
    assert store.count(EventQuery()) == (does == "writes")
    (name,) = store.stats().set_aside
    assert [gap.file for gap in store.gaps(EventQuery())] == [name]
    store.close()

    salvage = Salvage(tmp_path / name)
    assert [event.id for batch in salvage.batches() for event in batch] == [make_event(1).id]
    salvage.close()
