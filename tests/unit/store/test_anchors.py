"""The anchors find a trail that was rewritten as a whole, and their own tampering."""

from pathlib import Path

import pytest
from sqlalchemy import delete, update
from sqlalchemy.orm import Session

from cgii.model.records import AuditAnchor, AuditEntry
from cgii.store.anchors import append_anchor, check_anchors
from cgii.store.audit import AuditTrail
from tests.make import NOW

TRAIL = AuditTrail(b"key")


@pytest.fixture
def anchors(session: Session, tmp_path: Path) -> Path:
    """A trail of nine entries, anchored after every third."""
    path = tmp_path / "audit.anchors"
    for number in range(9):
        TRAIL.record(session, "user:1", "incident.closed", f"incident:{number}", now=NOW)
        if number % 3 == 2:
            assert append_anchor(TRAIL, session, path, now=NOW)
    return path


def faults(session: Session, path: Path) -> list[int]:
    session.flush()  # or expiring would throw the last changes away
    session.expire_all()
    return [fault.entry_id for fault in check_anchors(TRAIL, session, path)]


def test_an_untouched_trail_agrees_with_its_anchors(session: Session, anchors: Path) -> None:
    assert faults(session, anchors) == []


def test_nothing_new_is_not_anchored_again(session: Session, anchors: Path) -> None:
    assert not append_anchor(TRAIL, session, anchors, now=NOW)
    assert len(anchors.read_text().splitlines()) == 3


def test_an_empty_trail_has_no_anchor(session: Session, tmp_path: Path) -> None:
    assert not append_anchor(TRAIL, session, tmp_path / "none", now=NOW)
    assert faults(session, tmp_path / "none") == []


def test_a_trail_cut_together_with_its_head_is_found(session: Session, anchors: Path) -> None:
    digest = session.get_one(AuditEntry, 5).digest
    session.execute(delete(AuditEntry).where(AuditEntry.id > 5))
    session.execute(update(AuditAnchor).values(last_id=5, count=5, digest=digest))

    assert list(TRAIL.verify(session)) == [], "the trail alone cannot know"
    assert faults(session, anchors) == [6, 9]


def test_an_entry_taken_out_is_found(session: Session, anchors: Path) -> None:
    session.execute(delete(AuditEntry).where(AuditEntry.id == 2))
    assert faults(session, anchors) == [3, 6, 9]


def test_a_changed_anchor_is_found(session: Session, anchors: Path) -> None:
    anchors.write_text(anchors.read_text().replace('"count":6', '"count":7'))
    assert 6 in faults(session, anchors)


def test_an_anchor_taken_out_is_found(session: Session, anchors: Path) -> None:
    first, _, third = anchors.read_text().splitlines(keepends=True)
    anchors.write_text(first + third)
    assert faults(session, anchors) == [9]


def test_an_unreadable_anchor_is_found_and_the_next_one_is_still_written(
    session: Session, anchors: Path
) -> None:
    anchors.write_text(anchors.read_text() + "not JSON\n")
    assert append_anchor(TRAIL, session, anchors, now=NOW)
    assert 0 in faults(session, anchors)


def test_an_anchor_that_a_crash_cut_short_is_written_again(session: Session, anchors: Path) -> None:
    whole = anchors.read_bytes()
    anchors.write_bytes(whole[:-20])
    assert faults(session, anchors) == []

    assert append_anchor(TRAIL, session, anchors, now=NOW)
    assert anchors.read_bytes() == whole
