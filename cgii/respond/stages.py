"""Stamps the stages of an incident: once each, corrected only with a reason that stays."""

from datetime import datetime

from cgii.base.clock import show
from cgii.base.errors import Conflict, Invalid
from cgii.base.labels import label
from cgii.model.incidents import STAGES, Incident
from cgii.model.people import ENTITY_ROLES
from cgii.respond.deadlines import meet, start_deadlines
from cgii.respond.timeline import enter
from cgii.store.act import Act

FIXED = ("received", "closed")  # the system's own stamps: nobody sets or corrects them


def stamp(
    act: Act, incident: Incident, stage: str, *, at: datetime | None = None, reason: str = ""
) -> None:
    """Say when a stage was reached; without `at` it is now. A second stamp needs a reason.

    What a person of the centre does first is also the incident's first response.
    """
    if stage not in STAGES:
        raise Invalid("No existe la etapa «{stage}».", field="stage", stage=stage)
    name = label("incidents.stages", stage)
    if stage in FIXED:
        raise Conflict("La fecha de «{stage}» la pone el sistema y no se corrige.", stage=name)
    moment = at or act.now
    if moment > act.now:
        raise Invalid("La fecha de una etapa no puede estar en el futuro.", field="at")
    if stage != "acknowledged":
        touch(act, incident)
    before: datetime | None = getattr(incident, f"{stage}_at")
    if before == moment:
        return
    reason = reason.strip()
    if before is not None and not reason:
        raise Invalid(
            "«{stage}» ya tiene fecha: {at}. Para corregirla indique el motivo.",
            field="reason",
            stage=name,
            at=show(before),
        )
    setattr(incident, f"{stage}_at", moment)
    text = f"{name}: {show(moment)}."
    if before is not None:
        text = f"{name}: corregido de {show(before)} a {show(moment)}. Motivo: {reason}"
    enter(
        act,
        incident,
        "stage",
        text,
        data={
            "stage": stage,
            "at": moment.isoformat(),
            "before": before.isoformat() if before else None,
            "reason": reason,
        },
    )
    act.record(
        "incident.stage_corrected" if before else "incident.stage",
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        stage=stage,
        at=moment.isoformat(),
        before=before.isoformat() if before else None,
        reason=reason,
    )
    if before is None:
        meet(act, incident, stage, moment)
        start_deadlines(act, incident)  # those that count from this stage


def stamp_once(act: Act, incident: Incident, stage: str) -> None:
    """Stamp a stage now unless it has a date already."""
    if getattr(incident, f"{stage}_at") is None:
        stamp(act, incident, stage)


def touch(act: Act, incident: Incident) -> None:
    """Count this as the first response if it is the first thing that a person of ours does."""
    if incident.acknowledged_at is None and is_of_centre(act):
        stamp(act, incident, "acknowledged")


def is_of_centre(act: Act) -> bool:
    """Whether a person of the centre acts, not an entity's person and not the system."""
    return act.user is not None and act.user.role not in ENTITY_ROLES


def expect_version(incident: Incident, expected: int | None) -> None:
    """Raise Conflict when the form was filled in over an older state than the present one."""
    if expected is not None and expected != incident.version:
        raise Conflict(
            "Otra persona cambió el incidente {code} mientras usted lo editaba. "
            "Revise la versión actual y vuelva a intentar.",
            code=incident.code,
        )


def expect_open(incident: Incident) -> None:
    """Raise Conflict when the case is closed."""
    if incident.closed_at is not None:
        raise Conflict(
            "El incidente {code} está cerrado. Reábralo para seguir trabajando en él.",
            code=incident.code,
        )
