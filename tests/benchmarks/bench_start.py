"""How soon a centre and a sensor that were killed are ready again, with a backlog of a million."""

import multiprocessing
import os
import signal
import sqlite3
import tempfile
import time
import zlib
from datetime import timedelta
from pathlib import Path

from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.settings import Settings
from cgii.centre import Centre
from cgii.collect.spool import HEAD, MAGIC, Spool
from cgii.model.alerts import CorrelationWindow
from cgii.model.records import Batch, Job
from cgii.model.registry import Table
from cgii.model.sensors import SensorNonce
from cgii.store.events_month import SLOT_BITS
from tests.benchmarks.figures import Figure, Watch
from tests.event_oracle import make_event
from tests.integration.ledgers import failed_login, post
from tests.process import RunningCentre

COUNT = int(os.environ.get("CGII_START_BACKLOG", "1000000"))
GOAL_SECONDS = 5  # until it is ready
STARTS = 3
NUMBERS = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < {count}) "
RANDOM = "lower(hex(randomblob(16)))"


def bench() -> list[Figure]:
    """Ready, first answer and processor of an empty centre and of a full one; a sensor's queue."""
    with tempfile.TemporaryDirectory() as name:
        running = RunningCentre(Path(name) / "data", syslog_udp_port="0", syslog_tcp_port="0")
        try:
            token = running.command("sensor", "add", "prueba", "--token")
            empty = [_started(running, token, number) for number in range(STARTS)]
            _fill_and_fall(running.data)
            full = [_started(running, token, STARTS + number) for number in range(STARTS)]
        finally:
            running.kill()
        sensor = _sensor(Path(name) / "spool")
    figures = [Figure("backlog of each kind", COUNT, "rows")]
    for words, place, unit in (
        ("ready again", 0, "s"),
        ("first batch acknowledged", 1, "s"),
        ("processor of web until then", 2, "s"),
    ):
        # The first start after the fall is the one that counts, not the best.
        beside = f"empty {min(one[place] for one in empty):.2f} {unit}"
        goal = GOAL_SECONDS if place == 0 else None
        figures.append(Figure(words, full[0][place], unit, beside, at_most=goal))
    figures.append(Figure("ready again, the quickest start", min(one[0] for one in full), "s"))
    figures.append(Figure("a sensor's queue is open again", sensor.seconds, "s",
                          f"{sensor.cpu_seconds:.2f} s of the processor"))  # fmt: skip
    return figures


def _started(running: RunningCentre, token: str, number: int) -> tuple[float, float, float]:
    """Seconds until ready and until a batch is acknowledged, and of the processor; then killed."""
    begun = time.monotonic()
    running.start()
    ready = time.monotonic() - begun
    body = {"source": "linux_auth", "epoch": "e1", "seq": 100 * number,
            "records": [failed_login(number, host="srv", network="203.0.113")]}  # fmt: skip
    while post(running, "/api/v1/ingest", body, Authorization=f"Bearer {token}") is None:
        time.sleep(0.05)
    answered = time.monotonic() - begun
    processor = running.processor_seconds("serve")
    running.kill()
    return ready, answered, processor


def _fill_and_fall(data: Path) -> None:
    """Have a process write the backlog and die while it has all files open."""
    writer = multiprocessing.get_context("spawn").Process(target=_fill, args=(data,))
    writer.start()
    writer.join()
    assert writer.exitcode == -signal.SIGKILL


def _fill(data: Path) -> None:
    centre = Centre(Settings(data=data))
    now = centre.clock()
    past = now - timedelta(hours=1)
    window = {"key_hash": "0", "rule_id": "gone", "version": "1", "key": [], "state": "{}",
              "last_at": past, "updated_at": past, "expires_at": past}  # fmt: skip
    job = {"name": "send_message", "arguments": {"message_id": 0}, "state": "waiting",
           "run_at": now, "created_at": now, "last_error": "", "result": {}}  # fmt: skip
    mark = {"stream": "sensor:0/x", "epoch": "e1", "seq": 0, "record_count": 1, "event_count": 1,
            "reject_count": 0, "received_at": now}  # fmt: skip
    nonce = {"key_id": "0", "nonce": "0", "expires_at": past}
    with centre.database.transaction() as session:
        _rows(session, CorrelationWindow, window, key_hash=RANDOM)
        _rows(session, Job, job)
        _rows(session, Batch, mark, seq="i")
        _rows(session, SensorNonce, nonce, nonce=RANDOM)
    centre.events.write([make_event(0, at=now, received_at=now)])
    (file,) = (data / "events").glob("*.sqlite")
    db = sqlite3.connect(file, isolation_level=None)
    _events(db)
    # Written in one transaction, it lies in the log; in earnest the log is emptied on the way.
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with centre.database.engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    later = now + timedelta(seconds=1)
    centre.events.write([make_event(COUNT + n, at=later, received_at=later) for n in range(1_000)])
    os.kill(os.getpid(), signal.SIGKILL)


def _rows(session: Session, table: type[Table], row: dict[str, object], **own: str) -> None:
    """Add one row, and copies of it in which the columns `own` are what those expressions say."""
    session.execute(insert(table).values(**row))
    names = [one.name for one in table.__table__.columns if one.name != "id"]
    wanted = ", ".join(own.get(name, f't."{name}"') for name in names)
    columns = ", ".join(f'"{name}"' for name in names)
    where = table.__tablename__
    session.execute(text(
        f"INSERT INTO {where} ({columns}) {NUMBERS.format(count=COUNT - 1)}"
        f"SELECT {wanted} FROM n, (SELECT * FROM {where} ORDER BY rowid DESC LIMIT 1) t"
    ))  # fmt: skip


def _events(db: sqlite3.Connection) -> None:
    """Copy the one event of a month file, each a millisecond before the one before."""
    numbers = NUMBERS.format(count=COUNT - 1)
    place = f"t.position - (i << {SLOT_BITS})"
    names = [row[1] for row in db.execute("PRAGMA table_info(event)")]
    own = {"position": place, "id": "randomblob(16)", "kept": "t.kept + i"}
    columns = ", ".join(own.get(name, f't."{name}"') for name in names)
    db.execute("BEGIN IMMEDIATE")
    one = "(SELECT * FROM event ORDER BY position DESC LIMIT 1) t"
    db.execute(f"INSERT INTO event {numbers} SELECT {columns} FROM n, {one}")
    db.execute(
        f"INSERT INTO document {numbers} SELECT t.number + i, t.body FROM n,"
        " (SELECT * FROM document ORDER BY number DESC LIMIT 1) t"
    )
    db.execute(
        f"INSERT INTO words(rowid, text) {numbers} SELECT {place}, 'line ' || i FROM n, {one}"
    )
    db.execute("UPDATE tally SET events = ?", (COUNT,))
    db.execute("COMMIT")


def _sensor(folder: Path) -> Watch:
    """Open the queue of a sensor that was alone while its lines came one by one."""
    body = bytes(range(160))
    entry = HEAD.pack(MAGIC, 1, len(body), zlib.crc32(body)) + body
    folder.mkdir()
    most = limits.SPOOL_SEGMENT_BYTES // len(entry)
    for number, begin in enumerate(range(0, COUNT, most)):
        (folder / f"{number:012d}.seg").write_bytes(entry * min(most, COUNT - begin))
    watch = Watch()
    with watch.running():
        spool = Spool(folder)
    assert spool.records == COUNT
    spool.close()
    return watch
