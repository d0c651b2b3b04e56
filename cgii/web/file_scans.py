"""What scans of evidence said, as pages show it: the newest that the visitor may see."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import func
from sqlalchemy.orm import Session, selectinload

from cgii.detect.yara_rules import YaraRule
from cgii.model.evidence_scans import EvidenceMatch, EvidenceScan
from cgii.model.incidents import Evidence
from cgii.model.people import User
from cgii.web.visible import visible

LEVELS = ("critical", "high", "medium", "low", "informational")  # the gravest first


@dataclass(frozen=True)
class Family:
    """One file of YARA rules, with its gravest level."""

    name: str
    level: str
    rules: tuple[YaraRule, ...]
    found: int  # pieces of evidence that any of its rules matches


def newest_scans(
    session: Session, user: User, evidence: Iterable[Evidence]
) -> dict[int, EvidenceScan]:
    """For each piece of evidence the newest scan that this person may see, with its matches."""
    query = (
        visible(user, EvidenceScan)
        .where(EvidenceScan.evidence_id.in_([row.id for row in evidence]))
        .options(selectinload(EvidenceScan.matches))
        .order_by(EvidenceScan.id)
    )
    return {scan.evidence_id: scan for scan in session.scalars(query)}


def files_found(session: Session, user: User) -> dict[str, int]:
    """In how many pieces of evidence each rule stands, going by their latest scans."""
    latest = visible(user, EvidenceScan).where(EvidenceScan.is_latest)
    query = (
        visible(user, EvidenceMatch)
        .where(EvidenceMatch.scan_id.in_(latest.with_only_columns(EvidenceScan.id)))
        .with_only_columns(EvidenceMatch.rule, func.count(EvidenceMatch.evidence_id.distinct()))
        .group_by(EvidenceMatch.rule)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def families(rules: Sequence[YaraRule], found: dict[str, int]) -> list[Family]:
    """The rules by their files, those that found most first."""
    by_file: dict[str, list[YaraRule]] = {}
    for rule in rules:
        by_file.setdefault(rule.namespace, []).append(rule)
    made = []
    for name, of_file in by_file.items():
        levels = {str(rule.meta.get("level", "")) for rule in of_file}
        level = next((one for one in LEVELS if one in levels), "")
        count = max(found.get(rule.id, 0) for rule in of_file)
        made.append(Family(name, level, tuple(of_file), count))
    grades = {level: place for place, level in enumerate((*LEVELS, ""))}
    return sorted(made, key=lambda one: (-one.found, grades[one.level], one.name))
