"""Takes an entity's notice: a numbered receipt, a hash of what was filed, an open incident."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from cgii.base import limits
from cgii.base.clock import local
from cgii.base.errors import Conflict, InvalidForm, NotFound
from cgii.base.ids import notice_code
from cgii.base.labels import labels
from cgii.model.entities import Entity
from cgii.model.incidents import TLPS, Incident, Notice
from cgii.model.sealed import seal
from cgii.respond.notify import about, compose, entity_recipients
from cgii.respond.opening import NewIncident, open_incident
from cgii.respond.severity import (
    PERSONAL_DATA,
    SERVICE_IMPACTS,
    SeverityFacts,
    compute_severity,
    is_critical,
    type_severities,
)
from cgii.respond.timeline import enter
from cgii.store.act import Act
from cgii.store.numbering import next_number

CHANNELS = ("portal", "api", "mail", "phone")
seal(Notice, once=("incident_id",))  # what was filed stands on a receipt


@dataclass(frozen=True)
class NoticeForm:
    """What an entity reports. Only what, when noticed, what is affected and a contact must be."""

    entity_id: int
    title: str
    description: str
    noticed_at: datetime
    affected: str  # systems, services, sites, in the reporter's words
    contact_name: str
    contact_email: str = ""
    contact_phone: str = ""
    contact_position: str = ""
    occurred_at: datetime | None = None
    rsit_class: str = ""
    rsit_type: str = ""
    affected_count: int | None = None
    service_impact: str = "unknown"
    personal_data: str = "unknown"
    is_ongoing: bool = False
    actions_taken: str = ""
    help_needed: str = ""
    complaint: str = ""  # police or prosecutor's case number
    cite: str = ""  # of the formal letter
    observables: Sequence[tuple[str, str]] = ()
    tlp: str = "AMBER"
    channel: str = "portal"
    is_exercise: bool = False


def file_notice(act: Act, form: NoticeForm, *, request_key: str | None = None) -> Notice:
    """File a notice: receipt number, hash, an open incident, running clocks, a mail as receipt.

    The same `request_key` from the same entity gives the notice that was filed first; with other
    content it is a Conflict. Raises InvalidForm with a sentence per field.
    """
    entity = act.session.get(Entity, form.entity_id)
    if entity is None:
        raise NotFound("No existe la entidad.")
    _check(form, act.now)
    key = f"{form.entity_id}:{request_key}" if request_key else None
    earlier = act.session.scalar(select(Notice).where(Notice.request_key == key)) if key else None
    if earlier is not None:
        if earlier.content["form"] != _as_content(form):
            raise Conflict("Esta clave de envío ya se usó con otro contenido.")
        return earlier
    notice = _write(act, form, entity, key=key)
    incident = _open(act, form, entity)
    notice.incident_id = incident.id
    enter(
        act,
        incident,
        "opened",
        f"Reporte {notice.code} recibido de {entity.name}.",
        data={"notice": notice.id, "sha256": notice.content_sha256},
        is_shared=True,
    )
    act.record(
        "notice.filed",
        f"notice:{notice.code}",
        entity_id=entity.id,
        sha256=notice.content_sha256,
        incident=incident.code,
    )
    _send_receipt(act, notice, incident, form)
    return notice


def content_hash(content: dict[str, Any]) -> str:  # JSON
    """SHA-256 of the canonical JSON: sorted keys, no spaces, UTF-8."""
    return sha256(orjson.dumps(content, option=orjson.OPT_SORT_KEYS)).hexdigest()


def report_notice_hash(notice: Notice) -> str:
    """The hash of the notice as it is stored now; equal to the receipt's unless it was changed."""
    return content_hash(notice.content)


def _write(act: Act, form: NoticeForm, entity: Entity, *, key: str | None) -> Notice:
    """The notice with its number and hash; a second one with the same key is a Conflict."""
    year = local(act.now).year
    code = notice_code(year, next_number(act.session, "notice", year))
    content = {
        "code": code,
        "entity": {"code": entity.code, "name": entity.name},
        "received_at": act.now.isoformat(),
        "form": _as_content(form),
    }
    notice = Notice(
        code=code,
        entity_id=entity.id,
        entity=entity,
        reporter_id=act.user_id,
        channel=form.channel,
        title=form.title.strip(),
        content=content,
        content_sha256=content_hash(content),
        tlp=form.tlp,
        occurred_at=form.occurred_at,
        noticed_at=form.noticed_at,
        received_at=act.now,
        request_key=key,
    )
    act.session.add(notice)
    try:
        act.session.flush()  # a second filing with the same key stops here
    except IntegrityError as error:
        raise Conflict(
            "Este mismo reporte se está registrando en este momento. Vuelva a enviarlo."
        ) from error
    return notice


def _open(act: Act, form: NoticeForm, entity: Entity) -> Incident:
    facts = SeverityFacts(
        rsit_class=form.rsit_class,
        rsit_type=form.rsit_type,
        affected_count=form.affected_count,
        service_impact=form.service_impact,
        personal_data=form.personal_data,
        is_ongoing=form.is_ongoing,
        is_critical_entity=is_critical(entity),
    )
    return open_incident(
        act,
        NewIncident(
            title=form.title,
            summary=form.description,
            origin="notice",
            entity_id=entity.id,
            severity=compute_severity(facts).severity,
            severity_facts=facts.as_data(),
            rsit_class=form.rsit_class,
            rsit_type=form.rsit_type,
            tlp=form.tlp,
            occurred_at=form.occurred_at,
            detected_at=form.noticed_at,
            aware_at=form.noticed_at,
            observables=form.observables,
            is_exercise=form.is_exercise,
        ),
    )


def _send_receipt(act: Act, notice: Notice, incident: Incident, form: NoticeForm) -> None:
    facts = {
        **about(incident),
        "receipt": notice.code,
        "sha256": notice.content_sha256,
        "contact": form.contact_name,
    }
    recipients = [
        form.contact_email,
        *entity_recipients(act.session, notice.entity_id, now=act.now),
    ]
    for recipient in {one.strip().casefold(): one for one in recipients if one.strip()}.values():
        compose(
            act,
            "notice_received",
            recipient,
            facts,
            dedupe_key=f"notice:{notice.code}:{recipient}",
            tlp=notice.tlp,
            incident=incident,
            entity=notice.entity,
        )


def _as_content(form: NoticeForm) -> dict[str, Any]:
    """The form as JSON values: moments as ISO 8601, pairs as lists."""
    content: dict[str, Any] = orjson.loads(orjson.dumps(asdict(form)))
    return content


def _check(form: NoticeForm, now: datetime) -> None:
    problems: dict[str, str] = {}
    for name, sentence in (
        ("title", "Diga en una línea qué ocurrió."),
        ("description", "Describa lo ocurrido con lo que sepa."),
        ("affected", "Indique qué sistemas o servicios están afectados."),
        ("contact_name", "Indique a quién podemos contactar."),
    ):
        if not getattr(form, name).strip():
            problems[name] = sentence
    if not form.contact_email.strip() and not form.contact_phone.strip():
        problems["contact_email"] = "Indique un correo o un teléfono de contacto."
    elif form.contact_email.strip() and "@" not in form.contact_email:
        problems["contact_email"] = "El correo no es válido. Ejemplo: nombre@entidad.gob.bo"
    if form.noticed_at > now:
        problems["noticed_at"] = "La fecha en que se notó no puede estar en el futuro."
    if form.occurred_at is not None and form.occurred_at > form.noticed_at:
        problems["occurred_at"] = "No puede haber ocurrido después de que se notó."
    if form.affected_count is not None and form.affected_count < 0:
        problems["affected_count"] = "Escriba un número de cero en adelante."
    problems.update(_wrong_choices(form))
    for name, size in _sizes():
        if len(getattr(form, name)) > size:
            problems[name] = f"El texto es demasiado largo: se admiten {size} caracteres."
    if len(form.observables) > limits.NOTICE_OBSERVABLES_MAX:
        problems["observables"] = (
            f"Se admiten {limits.NOTICE_OBSERVABLES_MAX} datos técnicos; adjunte un archivo."
        )
    if problems:
        raise InvalidForm(problems)


def _wrong_choices(form: NoticeForm) -> dict[str, str]:
    problems: dict[str, str] = {}
    for name, known in (
        ("tlp", TLPS),
        ("channel", CHANNELS),
        ("service_impact", SERVICE_IMPACTS),
        ("personal_data", PERSONAL_DATA),
        ("rsit_class", ("", *type_severities())),
        ("rsit_type", ("", *type_severities().get(form.rsit_class, {}))),
    ):
        if getattr(form, name) not in known:
            problems[name] = "Elija un valor de la lista."
    kinds = labels("incidents.observable_kinds")
    if any(kind not in kinds for kind, _ in form.observables):
        problems["observables"] = "Hay un dato técnico de un tipo desconocido."
    return problems


def _sizes() -> list[tuple[str, int]]:
    long = ("description", "affected", "actions_taken", "help_needed")
    short = ("title", "contact_email", "contact_phone", "contact_position", "complaint", "cite")
    return [
        ("contact_name", limits.NAME_CHARS_MAX),
        *((name, limits.TEXT_CHARS_MAX) for name in long),
        *((name, limits.SHORT_TEXT_CHARS_MAX) for name in short),
    ]
