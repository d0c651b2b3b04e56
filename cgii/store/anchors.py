"""Anchors of the audit trail: its head, sealed in a file outside the database, hour after hour.

Whoever rewrites the trail in the database, anchor row and all, still disagrees with this file.
"""

import fcntl
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import orjson
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.model.records import AuditAnchor, AuditEntry
from cgii.store.audit import START, AuditTrail, Fault

FILE_NAME = "audit.anchors"  # in the data folder
SEALED = ("at", "last_id", "count", "digest")


def append_anchor(trail: AuditTrail, session: Session, path: Path, *, now: datetime) -> bool:
    """Seal the trail's head as a new line; False when it is the one sealed last."""
    head = session.get(AuditAnchor, 1)
    if head is None:
        return False
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # two runners may do this at once
        lines, whole = _lines(file.read())
        previous = _last(lines)
        if previous["digest"] == head.digest:
            return False
        line = {
            "at": now.isoformat(),
            "last_id": head.last_id,
            "count": head.count,
            "digest": head.digest,
        }
        line["seal"] = trail.seal(_sealed_text(line, previous["seal"]))
        file.seek(whole)  # over a line that a crash cut short
        file.truncate()
        file.write(orjson.dumps(line) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return True


def check_anchors(trail: AuditTrail, session: Session, path: Path) -> Iterator[Fault]:
    """Every anchor that was changed, or that the trail no longer agrees with."""
    if not path.is_file():
        return
    previous, counted_to, counted = START, 0, 0
    for text in _lines(path.read_bytes())[0]:
        try:
            line = orjson.loads(text)
            last_id, seal = int(line["last_id"]), str(line["seal"])
            expected = trail.seal(_sealed_text(line, previous))
        except (ValueError, KeyError, TypeError):
            yield Fault(0, "un ancla no se puede leer")
            continue
        if seal != expected:
            yield Fault(last_id, "su ancla fue modificada, o falta una anterior")
        previous = seal
        digest = session.scalar(select(AuditEntry.digest).where(AuditEntry.id == last_id))
        if digest != line["digest"]:
            yield Fault(last_id, "no es la entrada que se ancló")
            continue
        counted += _count(session, counted_to, last_id)
        counted_to = last_id
        if counted != line["count"]:
            yield Fault(last_id, "antes de ella faltan o sobran entradas desde que se ancló")


def _count(session: Session, after: int, up_to: int) -> int:
    between = (AuditEntry.id > after) & (AuditEntry.id <= up_to)
    return session.scalar(select(func.count()).select_from(AuditEntry).where(between)) or 0


def _last(lines: list[bytes]) -> dict[str, str]:
    try:
        line = orjson.loads(lines[-1])
        return {"seal": str(line["seal"]), "digest": str(line["digest"])}
    except (IndexError, ValueError, KeyError, TypeError):  # none yet, or one that was tampered with
        return {"seal": START, "digest": ""}


def _sealed_text(line: dict[str, object], previous: str) -> str:
    return "\n".join(str(part) for part in (previous, *(line[key] for key in SEALED)))


def _lines(data: bytes) -> tuple[list[bytes], int]:
    """The whole lines, and how many bytes they are; an unfinished one at the end is no anchor."""
    whole = data.rfind(b"\n") + 1
    return data[:whole].splitlines(), whole
