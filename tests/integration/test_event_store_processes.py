"""Several processes with one event store, and processes that are killed while they write."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

from cgii.store.events import EventQuery, open_events
from tests.event_oracle import NOON, make_event

ROOT = Path(__file__).parents[2]

# Writes batches of 50, some of which the neighbour writes too, and prints each that is durable.
WRITER = """
import sys
from pathlib import Path
from cgii.store.events import open_events
from tests.event_oracle import make_event
store = open_events("", Path(sys.argv[1]))
for begin in range(int(sys.argv[2]), int(sys.argv[3]), 25):
    batch = [make_event(seq, at=make_event(seq % 60).at) for seq in range(begin, begin + 50)]
    new = store.write(batch)
    print(begin, new, flush=True)
"""


# Dies in the middle of making a month's file, or when it has its name and the other is still there.
KILLED = """
import os, signal, sys
from pathlib import Path
from cgii.store import events_month
from cgii.store.events import open_events
from tests.event_oracle import make_event
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(events_month, "unlink", die) if sys.argv[2] == "named" else setattr(os, "link", die)
open_events("", Path(sys.argv[1])).write([make_event(1)])
"""


def _start(folder: Path, begin: int, end: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(folder), str(begin), str(end)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_two_processes_write_one_store_while_a_third_reads(tmp_path: Path) -> None:
    writers = [_start(tmp_path, begin, begin + 2_000) for begin in (0, 1_000)]
    store = open_events("", tmp_path)
    seen = 0
    while any(writer.poll() is None for writer in writers):
        count = store.count(EventQuery("line"))
        assert count >= seen
        seen = count
        assert len(store.search(EventQuery("line", size=10)).events) == min(10, count) or count < 10
    new = 0
    for writer in writers:
        output, _ = writer.communicate()
        assert writer.returncode == 0
        new += sum(int(line.split()[1]) for line in output.splitlines())
    assert new == store.count(EventQuery("line")) == store.stats().events == 3_025


def test_what_a_process_killed_while_it_makes_a_month_leaves_is_deleted(tmp_path: Path) -> None:
    store = open_events("", tmp_path)
    long_ago = NOON - timedelta(days=9_999)

    def killed(how: str) -> Path:
        command = [sys.executable, "-c", KILLED, str(tmp_path), how]
        assert subprocess.run(command, cwd=ROOT, check=False).returncode == -signal.SIGKILL
        (left,) = (path for path in tmp_path.iterdir() if path.name.startswith("."))
        return left

    left = killed("unnamed")
    store.prune(long_ago)
    assert left.exists()  # another process might be making it
    beside = Path(f"{left}-wal")
    beside.touch()
    for path in (left, beside):
        os.utime(path, (0, 0))
    store.prune(long_ago)
    assert list(tmp_path.iterdir()) == []

    left = killed("named")
    assert store.write([make_event(2)]) == 1
    store.prune(long_ago)
    assert not left.exists()
    assert store.write([make_event(1), make_event(3)]) == 2
    assert open_events("", tmp_path).count(EventQuery()) == 3


def test_a_writer_killed_at_any_moment_loses_nothing_it_had_told(tmp_path: Path) -> None:
    told: set[int] = set()
    for turn in range(5):
        writer = _start(tmp_path, turn * 10_000, turn * 10_000 + 10_000)
        assert writer.stdout is not None
        lines = [writer.stdout.readline()]
        time.sleep(0.02 + 0.037 * turn)  # the moment of the kill is the experiment
        writer.kill()
        output, _ = writer.communicate()
        lines += [line for line in output.splitlines(keepends=True) if line.endswith("\n")]
        for line in lines:
            begin = int(line.split()[0])
            told.update(range(begin, begin + 50))
    store = open_events("", tmp_path)
    ids = {make_event(seq).id for seq in told}
    assert set(store.get_many(ids)) == ids
    stats = store.stats()
    assert stats.set_aside == ()
    assert stats.events == store.count(EventQuery()) == store.count(EventQuery("line")) >= len(ids)
    # Resent after the crash, as a sender does that had no answer: nothing twice.
    resent = [make_event(seq, at=make_event(seq % 60).at) for seq in sorted(told)]
    assert store.write(resent) == 0
