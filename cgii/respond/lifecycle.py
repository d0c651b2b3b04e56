"""An incident's way: acknowledge, classify, assign, wait, tell; and its derived state."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import update

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid, InvalidForm
from cgii.base.labels import label, labels, load_table
from cgii.model.entities import Entity
from cgii.model.incidents import (
    SEVERITIES,
    TLPS,
    Incident,
)
from cgii.model.people import ENTITY_ROLES, User
from cgii.respond.deadlines import pause, recompute, resume, start_deadlines
from cgii.respond.notify import about, compose, entity_recipients
from cgii.respond.severity import SeverityFacts, compute_severity, type_severities
from cgii.respond.stages import expect_open, expect_version, stamp_once, touch
from cgii.respond.timeline import enter
from cgii.store.act import Act

PAPS = ("CLEAR", "GREEN", "AMBER", "RED")
WAITING = ("entity", "third_party")


@dataclass(frozen=True)
class TriageForm:
    """A classification. `severity` None takes the computed one; another needs a reason."""

    rsit_class: str
    rsit_type: str = ""
    facts: SeverityFacts = field(default_factory=SeverityFacts)
    severity: str | None = None
    severity_reason: str = ""
    tlp: str = "AMBER"
    pap: str = "AMBER"
    kind: str = "incidente"
    title: str | None = None


def status(incident: Incident) -> str:
    """The state people see, derived from the stamps: a code of incidents.statuses."""
    if incident.merged_into_id is not None:
        return "merged"
    if incident.closed_at is not None:
        return "closed"
    if incident.waiting_for in WAITING:
        return f"waiting_{incident.waiting_for}"
    for stage in ("resolved", "recovered", "eradicated", "contained"):
        if getattr(incident, f"{stage}_at") is not None:
            return stage
    if incident.triaged_at is not None:
        return "in_progress" if incident.owner_id is not None else "triaged"
    return "acknowledged" if incident.acknowledged_at is not None else "new"


def status_label(incident: Incident) -> str:
    """The state in words."""
    return label("incidents.statuses", status(incident))


def acknowledge(act: Act, incident: Incident) -> None:
    """Say that a person of the centre has seen it; the first time only."""
    expect_open(incident)
    touch(act, incident)


def triage(
    act: Act, incident: Incident, form: TriageForm, *, expected_version: int | None = None
) -> None:
    """Classify a case; doing it again corrects it, and the timeline keeps both."""
    expect_version(incident, expected_version)
    expect_open(incident)
    facts = SeverityFacts(
        **{**form.facts.as_data(), "rsit_class": form.rsit_class, "rsit_type": form.rsit_type}
    )
    computed = compute_severity(facts)
    severity = form.severity or computed.severity
    _check_triage(form, overridden=severity != computed.severity)
    # Before anything changes: the clocks that end with this stage are those of the old severity.
    stamp_once(act, incident, "triaged")
    before = _classification(incident)
    old_severity = incident.severity
    incident.rsit_class, incident.rsit_type = form.rsit_class, form.rsit_type
    incident.taxonomy_version = int(load_table("taxonomy")["version"])
    incident.tlp, incident.pap, incident.kind = form.tlp, form.pap, form.kind
    incident.severity, incident.severity_facts = severity, facts.as_data()
    incident.severity_reason = form.severity_reason.strip() if form.severity else ""
    if form.title and form.title.strip():
        incident.title = form.title.strip()[: limits.SHORT_TEXT_CHARS_MAX]
    after = _classification(incident)
    if before != after:
        _enter_triage(act, incident, before, after, reasons=computed.reasons)
    if severity != old_severity:
        recompute(act, incident, raised=_rank(severity) > _rank(old_severity))


def take(act: Act, incident: Incident) -> None:
    """Make an incident mine. Of two persons at once one gets it, the other a Conflict."""
    assert act.user is not None, "only a person takes an incident"
    expect_open(incident)
    if incident.owner_id == act.user_id:
        return
    act.session.flush()  # a pending change must not be lost by the refresh below
    won = act.session.execute(
        update(Incident)
        .where(Incident.id == incident.id, Incident.owner_id.is_(None))
        .values(owner_id=act.user_id, version=Incident.version + 1)
        .returning(Incident.id)
        .execution_options(synchronize_session=False)
    ).first()
    act.session.refresh(incident)
    if won is None:
        holder = act.session.get(User, incident.owner_id) if incident.owner_id else None
        raise Conflict(
            "El incidente {code} ya lo tomó {name}.",
            code=incident.code,
            name=holder.name if holder else "otra persona",
        )
    _enter_owner(act, incident, f"{act.user.name} tomó el incidente.")


def assign(act: Act, incident: Incident, user: User, *, reason: str = "") -> None:
    """Give an incident to a person of the centre, also from one to another."""
    expect_open(incident)
    if user.role in ENTITY_ROLES or not user.is_active:
        raise Invalid("{name} no puede atender incidentes.", field="owner", name=user.name)
    if incident.owner_id == user.id:
        return
    incident.owner_id = user.id
    why = f" Motivo: {reason.strip()}" if reason.strip() else ""
    _enter_owner(act, incident, f"Asignado a {user.name}.{why}")


def release(act: Act, incident: Incident) -> None:
    """Give an incident back to the desk."""
    expect_open(incident)
    if incident.owner_id is None:
        return
    incident.owner_id = None
    enter(act, incident, "owner", "Devuelto a la mesa, sin responsable.")
    _record(act, "incident.released", incident)


def set_entity(act: Act, incident: Incident, entity: Entity, *, reason: str) -> None:
    """Say whose incident it is, or correct it; its evidence and requests stay where they were."""
    expect_open(incident)
    if incident.entity_id == entity.id:
        return
    if not reason.strip():
        raise Invalid("Indique cómo se sabe de qué entidad es.", field="reason")
    before = incident.entity.name if incident.entity else "ninguna"
    touch(act, incident)
    incident.entity_id, incident.entity = entity.id, entity
    text = f"Entidad: {entity.name} (antes: {before}). {reason.strip()}"
    enter(act, incident, "classified", text, data={"entity": entity.id})
    _record(act, "incident.attributed", incident, reason=reason.strip(), before=before)
    start_deadlines(act, incident)  # some hold for kinds of entities only


def wait_for(act: Act, incident: Incident, party: str, *, reason: str) -> None:
    """Another party owes the next step: the centre's own clocks stand still until `go_on`."""
    expect_open(incident)
    if party not in WAITING:
        raise Invalid("Elija a quién se espera.", field="party")
    if not reason.strip():
        raise Invalid("Indique qué se espera.", field="reason")
    touch(act, incident)
    pause(act, incident, waiting_for=party)
    text = f"{label('incidents.waiting_for', party)}. {reason.strip()}"
    enter(act, incident, "waiting", text, data={"waiting_for": party})
    _record(act, "incident.waiting", incident, waiting_for=party, reason=reason.strip())


def go_on(act: Act, incident: Incident) -> None:
    """It is the centre's turn again."""
    if not incident.waiting_for:
        return
    resume(act, incident)
    enter(act, incident, "waiting", "Terminó la espera: los plazos del centro siguen.")
    _record(act, "incident.went_on", incident)


def notify_entity(act: Act, incident: Incident, text: str) -> None:
    """Tell the entity of a case that began here, in words written for it; mails its people."""
    expect_open(incident)
    if incident.entity is None:
        raise Invalid("El incidente no tiene entidad: asígnela antes de notificar.")
    if not text.strip():
        raise Invalid("Escriba qué debe saber la entidad.", field="text")
    stamp_once(act, incident, "entity_notified")
    enter(act, incident, "comment", text.strip(), is_shared=True)
    _record(act, "incident.entity_notified", incident)
    mail_entity(act, incident, "incident_opened_for_entity", {"text": text.strip()})


def _check_triage(form: TriageForm, *, overridden: bool) -> None:
    problems: dict[str, str] = {}
    types = type_severities()
    if form.rsit_class not in types:
        problems["rsit_class"] = "Elija la clase del incidente."
    elif form.rsit_type and form.rsit_type not in types[form.rsit_class]:
        problems["rsit_type"] = "Ese tipo no es de la clase elegida."
    if form.severity is not None and form.severity not in SEVERITIES:
        problems["severity"] = "Elija una severidad de la lista."
    elif overridden and not form.severity_reason.strip():
        problems["severity_reason"] = "Indique por qué cambia la severidad calculada."
    if form.tlp not in TLPS:
        problems["tlp"] = "Elija un TLP de la lista."
    if form.pap not in PAPS:
        problems["pap"] = "Elija un PAP de la lista."
    if form.kind not in labels("incidents.kinds"):
        problems["kind"] = "Elija una clase de caso de la lista."
    if problems:
        raise InvalidForm(problems)


def mail_entity(act: Act, incident: Incident, template: str, more: dict[str, str]) -> None:
    """Write to the entity's people about its case, once per template and reopening."""
    for recipient in entity_recipients(act.session, incident.entity_id, now=act.now):
        compose(
            act,
            template,
            recipient,
            {**about(incident), **more},
            dedupe_key=f"{template}:{incident.id}:{incident.reopened_count}:{recipient}",
            tlp=incident.tlp,
            incident=incident,
            entity=incident.entity,
        )


def _enter_owner(act: Act, incident: Incident, text: str) -> None:
    enter(act, incident, "owner", text, data={"owner": incident.owner_id})
    _record(act, "incident.assigned", incident, owner=incident.owner_id)
    touch(act, incident)
    stamp_once(act, incident, "assigned")


def _enter_triage(
    act: Act,
    incident: Incident,
    before: dict[str, str],
    after: dict[str, str],
    *,
    reasons: tuple[str, ...],
) -> None:
    kind = label("taxonomy.classes", incident.rsit_class)
    severity = label("incidents.severities", incident.severity)
    why = incident.severity_reason or "; ".join(reasons)
    text = f"Clasificado: {kind}. Severidad {severity.lower()} ({why}). TLP:{incident.tlp}."
    enter(act, incident, "classified", text, data={"before": before, "after": after})
    _record(act, "incident.classified", incident, before=before, after=after)


def _classification(incident: Incident) -> dict[str, str]:
    names = ("rsit_class", "rsit_type", "severity", "severity_reason", "tlp", "pap", "kind")
    return {name: getattr(incident, name) or "" for name in names}


def _rank(severity: str) -> int:
    return SEVERITIES.index(severity)


def _record(act: Act, action: str, incident: Incident, **data: Any) -> None:  # JSON values
    act.record(action, f"incident:{incident.code}", entity_id=incident.entity_id, **data)
