"""Ties kept files to incidents, notices, requests and plans; withdraws them without deleting."""

from datetime import datetime
from pathlib import PurePosixPath, PureWindowsPath

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.model.incidents import EntityRequest, Evidence, Incident, Notice
from cgii.model.plans import Plan
from cgii.respond.evidence_scans import enqueue_scan
from cgii.respond.stages import is_of_centre
from cgii.respond.timeline import enter
from cgii.store.act import Act
from cgii.store.files import Stored


def attach(
    act: Act,
    stored: Stored,
    file_name: str,
    *,
    incident: Incident | None = None,
    notice: Notice | None = None,
    request: EntityRequest | None = None,
    plan: Plan | None = None,
    control: str = "",
    note: str = "",
    tlp: str | None = None,
    is_shared: bool = False,
    valid_until: datetime | None = None,
) -> Evidence:
    """Tie a kept file to what it proves; what an entity's person adds is theirs and shared."""
    if request is not None:
        incident = request.incident
    if notice is not None and incident is None and notice.incident_id is not None:
        incident = act.session.get(Incident, notice.incident_id)
    if incident is None and notice is None and plan is None:
        raise Invalid("La evidencia debe pertenecer a un incidente, un reporte o un plan.")
    is_theirs = act.user is not None and act.user.entity_id is not None
    evidence = Evidence(
        entity_id=_owner(act, plan),
        incident_id=incident.id if incident else None,
        notice_id=notice.id if notice else None,
        request_id=request.id if request else None,
        plan_id=plan.id if plan else None,
        control=control,
        sha256=stored.sha256,
        size_bytes=stored.size,
        file_name=plain_name(file_name),
        note=note.strip()[: limits.SHORT_TEXT_CHARS_MAX],
        tlp=tlp or (incident.tlp if incident else "AMBER"),
        is_shared=is_shared or is_theirs,
        valid_until=valid_until,
        added_by_id=act.user_id,
        added_at=act.now,
    )
    act.session.add(evidence)
    act.session.flush()  # the timeline and the trail name it by its id
    if incident is not None:
        _enter(act, incident, evidence, f"Evidencia agregada: {evidence.file_name}")
    _record(act, "evidence.attached", evidence)
    enqueue_scan(act, evidence)
    return evidence


def withdraw(act: Act, evidence: Evidence, *, reason: str) -> None:
    """Mark evidence as withdrawn; the file and its hash stay, for the chain of custody."""
    if evidence.withdrawn_at is not None:
        raise Conflict("La evidencia ya fue retirada.")
    if not reason.strip():
        raise Invalid("Indique por qué se retira.", field="reason")
    evidence.withdrawn_at = act.now
    incident = act.session.get(Incident, evidence.incident_id) if evidence.incident_id else None
    if incident is not None:
        text = f"Evidencia retirada: {evidence.file_name}. Motivo: {reason.strip()}"
        _enter(act, incident, evidence, text)
    _record(act, "evidence.withdrawn", evidence)


def share(act: Act, evidence: Evidence) -> None:
    """Let the entity see a file from now on; the timeline keeps who decided it."""
    if evidence.withdrawn_at is not None:
        raise Conflict("La evidencia fue retirada.")
    if evidence.is_shared:
        return
    evidence.is_shared = True
    incident = act.session.get(Incident, evidence.incident_id) if evidence.incident_id else None
    if incident is not None:
        text = f"Evidencia compartida con la entidad: {evidence.file_name}"
        _enter(act, incident, evidence, text)
    _record(act, "evidence.shared", evidence)


def plain_name(file_name: str) -> str:
    """The last part of whatever path a browser sent, without control characters."""
    name = PureWindowsPath(PurePosixPath(file_name).name).name
    name = "".join(sign for sign in name if sign.isprintable()).strip()
    return name[-limits.NAME_CHARS_MAX :] or "archivo"


def _owner(act: Act, plan: Plan | None) -> int | None:
    if plan is not None:
        return plan.entity_id
    return None if is_of_centre(act) or act.user is None else act.user.entity_id


def _enter(act: Act, incident: Incident, evidence: Evidence, text: str) -> None:
    enter(
        act,
        incident,
        "evidence",
        f"{text} (SHA-256 {evidence.sha256[:12]}…).",
        data={"evidence": evidence.id, "sha256": evidence.sha256},
        is_shared=evidence.is_shared,
    )


def _record(act: Act, action: str, evidence: Evidence) -> None:
    act.record(
        action,
        f"evidence:{evidence.id}",
        entity_id=evidence.entity_id,
        sha256=evidence.sha256,
        incident=evidence.incident_id,
        plan=evidence.plan_id,
    )
