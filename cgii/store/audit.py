"""The audit trail: append-only rows, each carrying an HMAC over itself and the row before."""

import hashlib
import hmac
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from cgii.model.records import AuditAnchor, AuditEntry

START = "0" * 64
BACKUP_MADE = "backup.made"  # the action of a backup, which doctor looks for


@dataclass(frozen=True)
class Fault:
    """A place where the chain does not hold, in words."""

    entry_id: int
    reason: str


class AuditTrail:
    """Writes and checks the chain with the centre's key."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def record(
        self,
        session: Session,
        actor: str,
        action: str,
        target: str,
        *,
        now: datetime,
        entity_id: int | None = None,
        **data: Any,  # JSON values
    ) -> AuditEntry:
        """Append one entry in the caller's transaction; concurrent writers wait for each other."""
        anchor = session.get(AuditAnchor, 1, with_for_update=True) or _first_anchor(session)
        entry = AuditEntry(
            at=now,
            actor=actor,
            action=action,
            target=target,
            entity_id=entity_id,
            data=orjson.dumps(data, option=orjson.OPT_SORT_KEYS, default=str).decode(),
            previous=anchor.digest,
            digest="",
        )
        entry.digest = self._digest(entry)
        session.add(entry)
        session.flush()  # the anchor needs the entry's id
        anchor.last_id, anchor.count, anchor.digest = entry.id, anchor.count + 1, entry.digest
        return entry

    def verify(self, session: Session) -> Iterator[Fault]:
        """Every fault of the chain: a changed, missing, added or reordered entry, a cut end."""
        previous, count, last_id = START, 0, 0
        for entry in session.scalars(
            select(AuditEntry).order_by(AuditEntry.id).execution_options(yield_per=1000)
        ):
            if entry.previous != previous:
                yield Fault(entry.id, "no sigue a la entrada anterior")
            if not hmac.compare_digest(entry.digest, self._digest(entry)):
                yield Fault(entry.id, "fue modificada")
            previous, last_id = entry.digest, entry.id
            count += 1
        anchor = session.get(AuditAnchor, 1)
        if anchor is None:
            if count:
                yield Fault(last_id, "falta el extremo anotado de la cadena")
        elif (anchor.last_id, anchor.count, anchor.digest) != (last_id, count, previous):
            yield Fault(last_id, "la cadena no termina donde está anotado")

    def seal(self, text: str) -> str:
        """A mark on the text that only the centre's key can make; for anchors outside the trail."""
        return hmac.new(self._key, b"anchor\n" + text.encode(), hashlib.sha256).hexdigest()

    def _digest(self, entry: AuditEntry) -> str:
        parts = (
            entry.previous,
            entry.at.isoformat(timespec="microseconds"),
            entry.actor,
            entry.action,
            entry.target,
            str(entry.entity_id),
            entry.data,
        )
        return hmac.new(self._key, orjson.dumps(parts), hashlib.sha256).hexdigest()


def _first_anchor(session: Session) -> AuditAnchor:
    try:
        with session.begin_nested():
            session.add(AuditAnchor(id=1, last_id=0, count=0, digest=START))
    except IntegrityError:
        pass  # another writer began the chain in this moment, and has committed
    return session.get_one(AuditAnchor, 1, with_for_update=True)


def count(session: Session) -> int:
    """How many entries there are."""
    return session.scalar(select(func.count()).select_from(AuditEntry)) or 0


def last_of(session: Session, action: str) -> datetime | None:
    """When something was done for the last time, also after one by a clock that was ahead."""
    done = select(AuditEntry.at).where(AuditEntry.action == action)
    return session.scalar(done.order_by(AuditEntry.id.desc()).limit(1))
