"""What YARA said of evidence: asked for, kept, told in the timeline, shared on purpose."""

from collections.abc import Iterable
from dataclasses import asdict

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict
from cgii.base.labels import label
from cgii.model.evidence_scans import EvidenceMatch, EvidenceScan
from cgii.model.incidents import Evidence, Incident
from cgii.model.records import Job
from cgii.model.verdicts import MATCH, FileMatch, Verdict
from cgii.respond.file_alerts import raise_file_alerts
from cgii.respond.observables import add_observables
from cgii.respond.timeline import enter
from cgii.store.act import Act
from cgii.store.queue import enqueue

TITLES_SHOWN = 5  # in a line of the timeline


def enqueue_scan(act: Act, evidence: Evidence) -> Job:
    """Have the file looked into after this transaction; one job at a time for each file."""
    return enqueue(
        act.session,
        "scan_evidence",
        now=act.now,
        unique_key=_key(evidence.id),
        created_by_id=act.user_id,
        evidence_id=evidence.id,
    )


def ask_scan(act: Act, evidence: Evidence) -> Job:
    """Somebody wants the file looked into again."""
    if evidence.withdrawn_at is not None:
        raise Conflict("La evidencia fue retirada.")
    act.record("evidence.scan_asked", f"evidence:{evidence.id}", entity_id=evidence.entity_id)
    return enqueue_scan(act, evidence)


def keep_verdict(
    act: Act, evidence: Evidence, verdict: Verdict, *, asked_by_id: int | None = None
) -> EvidenceScan:
    """Keep what a scan said; a match that is new goes into the incident's timeline.

    Where no incident is open it is an alert, too.
    """
    # Two scans of one file at once: the second waits here, so that one is the latest.
    act.session.get_one(Evidence, evidence.id, with_for_update=True, populate_existing=True)
    earlier = act.session.scalar(_scans(evidence).where(EvidenceScan.is_latest))
    known = {match.rule for match in earlier.matches} if earlier else set()
    if earlier is not None:
        earlier.is_latest = False
    scan = EvidenceScan(
        evidence_id=evidence.id,
        at=act.now,
        outcome=verdict.outcome,
        reasons=list(verdict.reasons),
        members=verdict.members,
        bytes_scanned=verdict.bytes_scanned,
        seconds=verdict.seconds,
        rules_version=verdict.rules_version,
        asked_by_id=asked_by_id,
        is_latest=True,
    )
    act.session.add(scan)
    act.session.flush()  # its matches name it by its id
    scan.matches = [_row(evidence, one) for one in verdict.matches]
    rules = list(dict.fromkeys(match.rule for match in scan.matches))
    act.record(
        "evidence.scanned",
        f"evidence:{evidence.id}",
        entity_id=evidence.entity_id,
        outcome=verdict.outcome,
        reasons=list(verdict.reasons),
        rules=rules,
        rules_version=verdict.rules_version,
    )
    if set(rules) - known:
        _tell(act, evidence, scan)
    _forget_old(act.session, evidence)
    return scan


def share_verdict(act: Act, scan: EvidenceScan) -> None:
    """Let the entity see what this scan said, from now on; the timeline keeps who decided it."""
    evidence = scan.evidence
    if evidence.withdrawn_at is not None:
        raise Conflict("La evidencia fue retirada.")
    if not evidence.is_shared:
        raise Conflict("Comparta primero el archivo: la entidad todavía no lo ve.")
    if scan.is_shared:
        return
    scan.is_shared = True
    if evidence.incident_id is not None:
        incident = act.session.get_one(Incident, evidence.incident_id)
        said = label("detection.scan_outcomes", scan.outcome).lower()
        text = f"Resultado del análisis compartido con la entidad: {evidence.file_name}: {said}."
        facts = {"evidence": evidence.id, "scan": scan.id}
        enter(act, incident, "evidence", text, data=facts, is_shared=True)
    act.record(
        "evidence.verdict_shared",
        f"evidence:{evidence.id}",
        entity_id=evidence.entity_id,
        scan=scan.id,
        outcome=scan.outcome,
    )


def waiting_scans(session: Session, evidence_ids: Iterable[int]) -> set[int]:
    """Which of these files are about to be looked into."""
    keys = {_key(one): one for one in evidence_ids}
    query = select(Job.unique_key).where(Job.unique_key.in_(keys))
    return {keys[key] for key in session.scalars(query) if key is not None}


def outdated_evidence(session: Session, version: str) -> list[tuple[int, int]]:
    """(id, bytes) of files that were not looked into with these rules yet, the newest first."""
    current = select(EvidenceScan.evidence_id).where(
        EvidenceScan.is_latest, EvidenceScan.rules_version == version
    )
    query = (
        select(Evidence.id, Evidence.size_bytes)
        .where(Evidence.withdrawn_at.is_(None), Evidence.id.not_in(current))
        .order_by(Evidence.id.desc())
        .limit(limits.RESCAN_FILES_MAX)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def _key(evidence_id: int) -> str:
    return f"scan_evidence:{evidence_id}"


def _scans(evidence: Evidence) -> Select[EvidenceScan]:
    return select(EvidenceScan).where(EvidenceScan.evidence_id == evidence.id)


def _row(evidence: Evidence, match: FileMatch) -> EvidenceMatch:
    return EvidenceMatch(
        evidence_id=evidence.id,
        rule=f"{match.namespace}/{match.rule}"[: limits.SHORT_TEXT_CHARS_MAX],
        title=match.title[: limits.SHORT_TEXT_CHARS_MAX],
        level=match.level,
        member=match.member[-limits.SHORT_TEXT_CHARS_MAX :],
        tags=list(match.tags),
        meta=dict(match.meta),
        hits=[asdict(hit) for hit in match.hits],
    )


def _tell(act: Act, evidence: Evidence, scan: EvidenceScan) -> None:
    incident = act.session.get(Incident, evidence.incident_id) if evidence.incident_id else None
    if incident is None or incident.closed_at is not None:
        raise_file_alerts(act, evidence, scan.matches)  # nobody else would see it
    if incident is None:
        return
    titles = list(dict.fromkeys(match.title for match in scan.matches))
    more = len(titles) - TITLES_SHOWN
    named = "; ".join(titles[:TITLES_SHOWN]) + (f" y {more} más" if more > 0 else "")
    enter(
        act,
        incident,
        "evidence",
        f"YARA reconoce {evidence.file_name}: {named}.",
        data={"evidence": evidence.id, "scan": scan.id, "outcome": MATCH},
    )
    if incident.closed_at is None:
        add_observables(act, incident, [("hash", evidence.sha256)])


def _forget_old(session: Session, evidence: Evidence) -> None:
    """Only the newest limits.EVIDENCE_SCANS_KEPT scans stay, and those an entity was shown."""
    query = (
        _scans(evidence)
        .where(EvidenceScan.is_shared.is_(False))
        .order_by(EvidenceScan.id.desc())
        .with_only_columns(EvidenceScan.id)
        .offset(limits.EVIDENCE_SCANS_KEPT)
    )
    old = list(session.scalars(query))
    if old:
        session.execute(delete(EvidenceMatch).where(EvidenceMatch.scan_id.in_(old)))
        session.execute(delete(EvidenceScan).where(EvidenceScan.id.in_(old)))
