"""Gapless numbers for documents: receipts, incidents, filings, decisions."""

from sqlalchemy import text
from sqlalchemy.orm import Session

# One statement takes the row's lock, makes the row in a new year and counts, so two writers
# never get one number; a rolled back transaction gives its number back.
NEXT = text(
    "INSERT INTO numbering (kind, year, last) VALUES (:kind, :year, 1) "
    "ON CONFLICT (kind, year) DO UPDATE SET last = numbering.last + 1 RETURNING last"
)


def next_number(session: Session, kind: str, year: int) -> int:
    """The next number of `kind` (incident, notice, submission, decision) in `year`, from 1."""
    return int(session.execute(NEXT, {"kind": kind, "year": year}).scalar_one())
