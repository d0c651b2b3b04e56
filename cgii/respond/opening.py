"""Opens incidents: a number, the first stamps, the first clocks, observables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cgii.base import limits
from cgii.base.clock import local
from cgii.base.errors import InvalidForm
from cgii.base.ids import incident_code
from cgii.base.labels import label, labels, load_table
from cgii.model.entities import Entity
from cgii.model.incidents import SEVERITIES, TLPS, Incident
from cgii.respond.deadlines import start_deadlines
from cgii.respond.observables import add_observables
from cgii.respond.stages import is_of_centre, stamp
from cgii.respond.timeline import enter
from cgii.store.act import Act
from cgii.store.numbering import next_number


@dataclass(frozen=True)
class NewIncident:
    """What is known when a case is opened. `received_at` None means now."""

    title: str
    origin: str  # alert notice manual
    entity_id: int | None
    severity: str = "medio"
    summary: str = ""
    severity_facts: dict[str, Any] = field(default_factory=dict)
    rsit_class: str = ""
    rsit_type: str = ""
    tlp: str = "AMBER"
    kind: str = "incidente"
    occurred_at: datetime | None = None
    detected_at: datetime | None = None
    aware_at: datetime | None = None
    received_at: datetime | None = None
    observables: Sequence[tuple[str, str]] = ()
    is_exercise: bool = False


def open_incident(act: Act, new: NewIncident) -> Incident:
    """Open a case with the next number of the year; its clocks start.

    When a person of the centre opens it, that is its first response and they own it.
    """
    _check(new)
    year = local(act.now).year  # the year that people in La Paz write
    number = next_number(act.session, "incident", year)
    incident = Incident(
        code=incident_code(year, number),
        year=year,
        number=number,
        title=new.title.strip()[: limits.SHORT_TEXT_CHARS_MAX],
        summary=new.summary,
        entity_id=new.entity_id,
        entity=act.session.get(Entity, new.entity_id) if new.entity_id else None,
        origin=new.origin,
        kind=new.kind,
        rsit_class=new.rsit_class,
        rsit_type=new.rsit_type,
        taxonomy_version=int(load_table("taxonomy")["version"]),
        severity=new.severity,
        severity_facts=new.severity_facts,
        tlp=new.tlp,
        waiting_for="",
        is_exercise=new.is_exercise,
        reopened_count=0,
        failed_controls=[],
        occurred_at=new.occurred_at,
        detected_at=new.detected_at,
        aware_at=new.aware_at,
        received_at=new.received_at or act.now,
        created_at=act.now,
        updated_at=act.now,
    )
    act.session.add(incident)
    act.session.flush()  # everything else names the incident by its id
    origin = label("incidents.origins", new.origin)
    enter(act, incident, "opened", f"Incidente {incident.code} abierto. Origen: {origin}.")
    act.record(
        "incident.opened",
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        origin=new.origin,
        severity=new.severity,
    )
    add_observables(act, incident, new.observables)
    start_deadlines(act, incident)
    if is_of_centre(act):
        incident.owner_id = act.user_id
        stamp(act, incident, "acknowledged")
        stamp(act, incident, "assigned")
    return incident


def _check(new: NewIncident) -> None:
    problems: dict[str, str] = {}
    if not new.title.strip():
        problems["title"] = "Escriba un título."
    if new.severity not in SEVERITIES:
        problems["severity"] = "Elija una severidad de la lista."
    if new.tlp not in TLPS:
        problems["tlp"] = "Elija un TLP de la lista."
    if new.kind not in labels("incidents.kinds"):
        problems["kind"] = "Elija una clase de caso de la lista."
    if len(new.summary) > limits.TEXT_CHARS_MAX:
        problems["summary"] = "La descripción es demasiado larga."
    if problems:
        raise InvalidForm(problems)
