"""The audit trail finds every change."""

from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from cgii.model.records import AuditEntry
from cgii.store.audit import AuditTrail
from tests.make import NOW

TRAIL = AuditTrail(b"key")


def fill(session: Session) -> None:
    for number in range(5):
        TRAIL.record(session, "user:1", "incident.closed", f"incident:{number}", now=NOW, why="ok")


def test_an_untouched_trail_has_no_fault(session: Session) -> None:
    fill(session)
    assert list(TRAIL.verify(session)) == []


def test_a_changed_entry_is_found(session: Session) -> None:
    fill(session)
    session.execute(update(AuditEntry).where(AuditEntry.id == 3).values(actor="user:2"))
    session.expire_all()
    assert [fault.entry_id for fault in TRAIL.verify(session)] == [3]


def test_a_missing_entry_is_found(session: Session) -> None:
    fill(session)
    session.execute(delete(AuditEntry).where(AuditEntry.id == 2))
    assert [fault.entry_id for fault in TRAIL.verify(session)] == [3, 5]


def test_a_cut_end_is_found(session: Session) -> None:
    fill(session)
    session.execute(delete(AuditEntry).where(AuditEntry.id == 5))
    assert "no termina" in next(iter(TRAIL.verify(session))).reason


def test_another_key_does_not_verify(session: Session) -> None:
    fill(session)
    assert len(list(AuditTrail(b"other").verify(session))) == 5
