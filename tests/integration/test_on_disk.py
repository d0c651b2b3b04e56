"""On disk before 200: the system calls of a running centre say so."""

import json
import re
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

from cgii.base import clock
from cgii.base.settings import Settings
from cgii.centre import build
from cgii.store.events_files import MonthFiles
from cgii.store.events_month import month_of
from tests.integration.ledgers import failed_login
from tests.own_server import missing
from tests.process import RunningCentre, is_ready
from tests.waiting import until

CALLS = "fsync,fdatasync,write,writev,sendto,sendmsg"
SYNC = re.compile(r"^(\d+) +(?:fsync|fdatasync)\(\d+<([^>]*)>(\) += 0)?")
RESUMED = re.compile(r"^(\d+) +<\.\.\. (?:fsync|fdatasync) resumed>\) += 0")
ANSWER = "HTTP/1.1 200"
FULL = 2  # of PRAGMA synchronous
PATIENCE_SECONDS = 240


def test_events_and_record_are_synced_before_the_answer_leaves(
    running: RunningCentre, tmp_path: Path
) -> None:
    program = shutil.which("strace")
    if program is None:
        missing("strace", "apt-get install strace")
    token = running.command("sensor", "add", "prueba", "--token")
    trace = tmp_path / "trace"
    # Its own child may be watched also where other processes may not.
    watch = [
        program,
        "-I2",
        "-f",
        "--seccomp-bpf",
        "-y",
        "-s",
        "64",
        "-e",
        f"trace={CALLS}",
        "-o",
        trace,
    ]
    serve = [sys.executable, "-m", "cgii", "serve"]
    output = tmp_path / "output"
    with (
        output.open("wb") as log,
        subprocess.Popen([*watch, *serve], env=running.environment, stderr=log) as watched,
    ):
        try:
            until(lambda: is_ready(running.url) or watched.poll() is not None, "it is ready")
            if watched.poll() is not None and "ptrace" in output.read_text():
                missing("strace", f"it may not watch a process here: {output.read_text()}")
            _send(running, token, 0)  # the month's file is made by the first batch
            before = _answers(trace, 2)
            _send(running, token, 10)
            whole = _answers(trace, 3)
        finally:
            watched.terminate()

    synced, answered = _order(whole[len(before) :])
    month = f"events-{month_of(clock.now())}.sqlite-wal"
    assert [Path(name).name for name in synced][-1] == "cgii.sqlite-wal"
    assert month in {Path(name).name for name in synced}
    assert answered


def test_both_kinds_of_file_are_written_with_full_synchronisation(tmp_path: Path) -> None:
    centre = build(Settings(data=tmp_path / "data"))
    with centre.database.transaction() as session:
        assert session.connection().exec_driver_sql("PRAGMA synchronous").scalar() == FULL
    files = MonthFiles(tmp_path / "events")
    db, _ = files.writer(month_of(clock.now()))
    assert db.execute("PRAGMA synchronous").fetchone() == (FULL,)
    files.close()
    centre.close()


def _send(running: RunningCentre, token: str, seq: int) -> None:
    lines = [failed_login(n, host="srv", network="203.0.113") for n in range(seq, seq + 10)]
    body = {"source": "linux_auth", "epoch": "e", "seq": seq, "records": lines}
    request = urllib.request.Request(
        f"{running.url}/api/v1/ingest",
        json.dumps(body).encode(),
        {"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
        assert answer.status == 200


def _answers(trace: Path, count: int) -> str:
    """The trace, once it shows as many answers as we have got: that it is ready, and batches."""
    until(lambda: trace.read_text().count(ANSWER) >= count, f"{count} answers are in the trace")
    return trace.read_text()


def _order(trace: str) -> tuple[list[str], bool]:
    """The files whose syncing had ended when the answer began to leave, and whether it left."""
    under_way: dict[str, str] = {}
    synced = []
    for line in trace.splitlines():
        if ANSWER in line:
            return synced, True
        if begun := SYNC.match(line):
            thread, name, ended = begun.groups()
            if ended:
                synced.append(name)
            else:
                under_way[thread] = name
        elif (ended_now := RESUMED.match(line)) and ended_now[1] in under_way:
            synced.append(under_way.pop(ended_now[1]))
    return synced, False
