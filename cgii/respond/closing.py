"""Closes cases with a reason and what they taught, and opens them again."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from cgii.base.errors import Conflict, Invalid, InvalidForm
from cgii.base.labels import label, load_table
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import (
    CLOSE_REASONS,
    SEVERITIES,
    EntityRequest,
    Incident,
    IncidentControl,
)
from cgii.respond.deadlines import end_deadlines, resume
from cgii.respond.lifecycle import mail_entity
from cgii.respond.runner import stop_runs
from cgii.respond.stages import expect_open, expect_version, stamp_once, touch
from cgii.respond.timeline import enter
from cgii.store.act import Act

# Nothing happened at the entity in these, so there is nothing to learn from its controls.
WITHOUT_ANALYSIS = frozenset({"false_positive", "duplicate", "out_of_scope"})
ANALYSED_FROM = "alto"
VERDICT_OF_REASON = {"resolved": "true_positive", "false_positive": "false_positive"}


@dataclass(frozen=True)
class CloseForm:
    """How a case ended; from "alto" upward with its cause, failed controls and lessons."""

    reason: str  # of CLOSE_REASONS
    note: str = ""
    root_cause: str = ""
    failed_controls: tuple[str, ...] = ()  # codes of reference/controls.yml
    lessons: str = ""


def close(
    act: Act, incident: Incident, form: CloseForm, *, expected_version: int | None = None
) -> None:
    """End a case with a reason. Raises InvalidForm when its severity demands more than was said."""
    expect_version(incident, expected_version)
    expect_open(incident)
    _check_close(act, incident, form)
    touch(act, incident)
    if incident.waiting_for:
        resume(act, incident)
    if form.reason in ("resolved", "no_impact"):
        stamp_once(act, incident, "resolved")
    incident.closed_at = act.now
    incident.close_reason, incident.close_note = form.reason, form.note.strip()
    incident.root_cause, incident.lessons = form.root_cause.strip(), form.lessons.strip()
    incident.failed_controls = sorted(set(form.failed_controls))
    end_deadlines(act, incident)
    stop_runs(act, incident, reason="El incidente se cerró.")
    _name_controls(act, incident)
    _give_verdict(act, incident)
    reason = label("incidents.close_reasons", form.reason)
    note = f" {form.note.strip()}" if form.note.strip() else ""
    enter(
        act,
        incident,
        "closed",
        f"Cerrado: {reason}.{note}",
        data={"reason": form.reason, "failed_controls": incident.failed_controls},
    )
    _record(act, "incident.closed", incident, reason=form.reason)
    if incident.origin == "notice" or incident.entity_notified_at is not None:
        mail_entity(act, incident, "incident_closed", {"reason": reason})


def reopen(act: Act, incident: Incident, *, reason: str) -> None:
    """Open a closed case again. The first closing stays in the timeline; its clocks stay ended."""
    if incident.closed_at is None:
        raise Conflict("El incidente {code} no está cerrado.", code=incident.code)
    if not reason.strip():
        raise Invalid("Indique por qué se reabre.", field="reason")
    data = {
        "closed_at": incident.closed_at.isoformat(),
        "resolved_at": incident.resolved_at.isoformat() if incident.resolved_at else None,
        "reason": incident.close_reason,
    }
    incident.closed_at = incident.resolved_at = None
    incident.close_reason = ""
    incident.reopened_count += 1
    enter(act, incident, "reopened", f"Reabierto. Motivo: {reason.strip()}", data=data)
    _record(act, "incident.reopened", incident, reason=reason.strip())


def _check_close(act: Act, incident: Incident, form: CloseForm) -> None:
    problems: dict[str, str] = {}
    if form.reason not in CLOSE_REASONS:
        problems["reason"] = "Elija el motivo del cierre."
    if form.reason == "resolved" and not incident.rsit_class:
        problems["reason"] = "Clasifique el incidente antes de cerrarlo como resuelto."
    if needs_analysis(incident, form.reason):
        if not form.root_cause.strip():
            problems["root_cause"] = "Indique la causa raíz."
        if not form.lessons.strip():
            problems["lessons"] = "Indique qué se aprendió."
        if not form.failed_controls:
            problems["failed_controls"] = "Indique al menos un control que falló."
    known = control_codes()
    wrong = sorted(set(form.failed_controls) - known)
    if wrong:
        problems["failed_controls"] = f"No existe el control {wrong[0]}."
    waiting = act.session.scalar(
        select(EntityRequest.id)
        .where(
            EntityRequest.incident_id == incident.id,
            EntityRequest.answered_at.is_(None),
            EntityRequest.withdrawn_at.is_(None),
        )
        .limit(1)
    )
    if waiting is not None:
        problems["requests"] = "Hay pedidos a la entidad sin respuesta: retírelos antes de cerrar."
    if problems:
        raise InvalidForm(problems)


def needs_analysis(incident: Incident, reason: str) -> bool:
    """Whether closing for this reason demands root cause, failed controls and lessons."""
    return _rank(incident.severity) >= _rank(ANALYSED_FROM) and reason not in WITHOUT_ANALYSIS


def control_codes() -> set[str]:
    """The codes of the controls that an incident may name as failed."""
    return {
        control["code"]
        for section in load_table("controls")["sections"]
        for control in section["controls"]
    }


def _name_controls(act: Act, incident: Incident) -> None:
    if incident.entity_id is None:
        return
    query = select(IncidentControl).where(IncidentControl.incident_id == incident.id)
    named = {row.control: row for row in act.session.scalars(query)}
    for control in incident.failed_controls:
        if control not in named:
            act.session.add(
                IncidentControl(
                    incident_id=incident.id,
                    entity_id=incident.entity_id,
                    control=control,
                    named_at=act.now,
                )
            )
    for control, row in named.items():
        if control not in incident.failed_controls:
            act.session.delete(row)


def _give_verdict(act: Act, incident: Incident) -> None:
    # The rule learns from how its case ended.
    verdict = VERDICT_OF_REASON.get(incident.close_reason)
    if verdict is None:
        return
    query = select(AlertGroup).where(AlertGroup.incident_id == incident.id)
    for group in act.session.scalars(query):
        group.verdict = verdict
        group.verdict_reason = f"Cierre de {incident.code}"
        group.decided_at = act.now


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _record(act: Act, action: str, incident: Incident, **data: Any) -> None:  # JSON values
    act.record(action, f"incident:{incident.code}", entity_id=incident.entity_id, **data)
