"""The forms of an incident's deeds: their fields, what stands in them first, their choices."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.labels import label, load_table
from cgii.model.entities import Entity
from cgii.model.incidents import STAGES, Incident
from cgii.model.people import User
from cgii.respond.lifecycle import PAPS
from cgii.respond.severity import facts_from, type_severities
from cgii.respond.stages import FIXED
from cgii.web.forms import Filled, blank
from cgii.web.incident_lists import desk_people
from cgii.web.visible import visible

Text = Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)]
ANSWER_HOURS = 24  # an entity's usual time to answer, to be changed in the form
# Stages that the desk stamps by hand; the others are stamped by what is done.
BY_HAND = tuple(stage for stage in STAGES if stage not in FIXED)


@dataclass(frozen=True)
class AssignForm:
    """To whom, and why."""

    owner: int
    reason: Text = ""


@dataclass(frozen=True)
class WaitForm:
    """Who owes the next step, and what."""

    party: str = ""
    reason: Text = ""


@dataclass(frozen=True)
class TellForm:
    """What the entity must know."""

    text: Text = ""


@dataclass(frozen=True)
class StageForm:
    """A stage that was reached; without a moment it is now."""

    stage: str = ""
    at: datetime | None = None
    reason: Text = ""


@dataclass(frozen=True)
class ReopenForm:
    """Why a closed case is opened again."""

    reason: Text = ""


@dataclass(frozen=True)
class AskForm:
    """What is asked of the entity, and until when."""

    due_at: datetime
    question: Text = ""


@dataclass(frozen=True)
class EntityForm:
    """Whose incident it is."""

    entity: Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]
    reason: Text = ""


@dataclass(frozen=True)
class ClassifyForm:
    """Class, facts and secrecy; `severity` empty takes the computed one."""

    rsit: str = ""
    affected_count: Annotated[int, Field(ge=0, le=1_000_000_000)] | None = None
    service_impact: str = "unknown"
    personal_data: str = "unknown"
    is_ongoing: bool = False
    severity: str = ""
    severity_reason: Text = ""
    tlp: str = "AMBER"
    pap: str = "AMBER"
    kind: str = "incidente"
    title: Annotated[str, Field(max_length=limits.SHORT_TEXT_CHARS_MAX)] = ""
    version: int | None = None


@dataclass(frozen=True)
class EndForm:
    """How the case ended."""

    reason: str = ""
    note: Text = ""
    root_cause: Text = ""
    failed_controls: tuple[str, ...] = ()
    lessons: Text = ""
    version: int | None = None


@dataclass(frozen=True)
class Deed:
    """A deed with a form: its words, who may, and what its form holds."""

    title: str
    lead: str
    send: str
    form: type[Any]
    right: str = "incident.work"
    needs_open: bool = True


DEEDS = {
    "asignar": Deed("Asignar", "Quién atiende el caso desde ahora.", "Asignar", AssignForm,
                    "incident.assign"),
    "clasificar": Deed("Clasificar", "Qué es, cuánto pesa y quién puede saberlo.",
                       "Guardar la clasificación", ClassifyForm),
    "esperar": Deed("Poner en espera", "Los plazos propios del centro se detienen; los legales no.",
                    "Poner en espera", WaitForm),
    "notificar": Deed("Avisar a la entidad", "Lo verá en su portal y le llegará por correo.",
                      "Avisar", TellForm),
    "etapa": Deed("Registrar una etapa", "Cuándo se alcanzó; sin fecha vale ahora.",
                  "Registrar", StageForm),
    "pedir": Deed("Pedir algo a la entidad", "Lo responde en su portal; tiene su propio plazo.",
                  "Enviar el pedido", AskForm),
    "entidad": Deed("Entidad afectada", "De quién es el incidente.", "Guardar", EntityForm),
    "cerrar": Deed("Cerrar el incidente", "Con el motivo y lo que se aprendió.",
                   "Cerrar el incidente", EndForm),
    "reabrir": Deed("Reabrir el incidente", "El primer cierre queda en la cronología.",
                    "Reabrir", ReopenForm, needs_open=False),
}  # fmt: skip


def first_values(
    name: str, incident: Incident, wanted: dict[str, str], now: datetime
) -> Filled[Any]:
    """The form as it is first shown; `wanted` are values that the address proposes."""
    values: dict[str, Any] = {}
    if name == "clasificar":
        facts = facts_from(incident.severity_facts)
        values = {
            "rsit": ".".join(part for part in (incident.rsit_class, incident.rsit_type) if part),
            "affected_count": facts.affected_count,
            "service_impact": facts.service_impact,
            "personal_data": facts.personal_data,
            "is_ongoing": facts.is_ongoing,
            "severity": incident.severity if incident.severity_reason else "",
            "severity_reason": incident.severity_reason,
            "tlp": incident.tlp,
            "pap": incident.pap,
            "kind": incident.kind,
            "title": incident.title,
            "version": incident.version,
        }
    elif name == "cerrar":
        values = {
            "note": incident.close_note,
            "root_cause": incident.root_cause,
            "lessons": incident.lessons,
            "failed_controls": incident.failed_controls,
            "version": incident.version,
        }
    elif name == "pedir":
        values = {"due_at": now + timedelta(hours=ANSWER_HOURS)}
    elif name == "entidad":
        values = {"entity": incident.entity.code if incident.entity else ""}
    elif name == "asignar":
        values = {"owner": incident.owner_id}
    known = DEEDS[name].form.__dataclass_fields__
    return blank(**(values | {key: text for key, text in wanted.items() if key in known}))


def choices_for(name: str, session: Session, user: User) -> dict[str, Any]:
    """What the form's choice fields offer."""
    if name == "asignar":
        return {"people": desk_people(session)}
    if name == "clasificar":
        return {"rsit": rsit_choices(), "paps": [(code, f"PAP:{code}") for code in PAPS]}
    if name == "cerrar":
        return {"controls": control_choices()}
    if name == "etapa":
        return {"stages": [(stage, label("incidents.stages", stage)) for stage in BY_HAND]}
    if name == "entidad":
        return {"entities": entity_choices(session, user)}
    return {}


def read_rsit(text: str) -> tuple[str, str]:
    """Class and type from the one field that asks for both. Raises Invalid."""
    rsit_class, _, rsit_type = text.partition(".")
    types = type_severities().get(rsit_class)
    if types is None or (rsit_type and rsit_type not in types):
        raise Invalid("Elija la clase del incidente.", field="rsit")
    return rsit_class, rsit_type


def rsit_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Classes with their types, for one choice field in groups: value "class.type"."""
    return [
        (
            row["label"],
            [(row["code"], f"{row['label']} (sin tipo todavía)")]
            + [(f"{row['code']}.{kind['code']}", kind["label"]) for kind in row["types"]],
        )
        for row in load_table("taxonomy")["classes"]
    ]


def control_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """The controls that an incident may name as failed, by section."""
    return [
        (
            f"{section['code']}. {section['title']}",
            [(row["code"], f"{row['code']} {row['title']}") for row in section["controls"]],
        )
        for section in load_table("controls")["sections"]
    ]


def control_titles() -> dict[str, str]:
    """Code → title of every control."""
    return {
        row["code"]: row["title"]
        for section in load_table("controls")["sections"]
        for row in section["controls"]
    }


def entity_choices(session: Session, user: User) -> list[tuple[str, str]]:
    """Entities in use as (code, name) for a field that suggests them."""
    query = visible(user, Entity).where(Entity.is_active).order_by(Entity.name)
    rows = session.execute(query.with_only_columns(Entity.code, Entity.acronym, Entity.name))
    return [(code, f"{name} ({acronym})") for code, acronym, name in rows]
