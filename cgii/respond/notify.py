"""Writes mails from playbooks/messages/ into the outbox, never more than the TLP allows."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.clock import show
from cgii.base.content import find
from cgii.base.errors import ContentError, NotFound
from cgii.model.entities import Contact, Entity
from cgii.model.incidents import Incident
from cgii.model.people import ENTITY_ROLES, Role, User
from cgii.model.plans import Plan
from cgii.model.records import Message
from cgii.respond.timeline import enter
from cgii.store.act import Act
from cgii.store.queue import enqueue

FOLDER = "messages"
SUFFIX = ".txt.j2"
RESTRICTED = "restricted"  # the message that says nothing but where to look
OPEN_TLPS = ("CLEAR", "GREEN", "AMBER")  # may be mailed whole to whom we address

Facts = Mapping[str, Any]  # plain data: texts, numbers, moments, lists and mappings of them


def compose(
    act: Act,
    template: str,
    recipient: str,
    facts: Facts,
    *,
    dedupe_key: str,
    tlp: str,
    incident: Incident | None = None,
    plan: Plan | None = None,
    entity: Entity | None = None,
) -> Message | None:
    """Write one mail and the job that sends it; once per `dedupe_key`. None without recipient.

    TLP:RED leaves only as a pointer to the portal, AMBER+STRICT only to the entity's own people
    and to ours; what may not leave is kept as `withheld`, with the reason.
    """
    recipient = recipient.strip()
    if "@" not in recipient:
        return None
    known = act.session.scalar(select(Message).where(Message.dedupe_key == dedupe_key))
    if known is not None:
        return known
    withheld = _why_withheld(act.session, recipient, tlp, entity)
    code = incident.code if incident else str(facts.get("code", ""))
    told = facts if tlp in (*OPEN_TLPS, "AMBER+STRICT") else {"code": code}
    name = template if told is facts else RESTRICTED
    subject, body = render(name, {"public_url": act.public_url, **told}, act.site)
    message = Message(
        dedupe_key=dedupe_key,
        incident_id=incident.id if incident else None,
        plan_id=plan.id if plan else None,
        entity_id=entity.id if entity else None,
        template=template,
        recipient=recipient,
        subject=subject[: limits.SHORT_TEXT_CHARS_MAX],
        body=body[: limits.MESSAGE_BODY_CHARS_MAX],
        tlp=tlp,
        state="withheld" if withheld else "waiting",
        detail=withheld,
        created_at=act.now,
    )
    act.session.add(message)
    act.session.flush()  # the job names the message by its id
    if not withheld:
        enqueue(act.session, "send_message", now=act.now, message_id=message.id)
    if incident is not None:
        what = f"Correo retenido: {withheld}" if withheld else "Correo en cola"
        enter(act, incident, "mail", f"{what}. {subject}", data={"message": message.id})
    return message


def render(template: str, facts: Facts, site: Path | None = None) -> tuple[str, str]:
    """Subject and body of a message. Raises NotFound, or ContentError when it cannot be filled."""
    for found in find("playbooks", f"{FOLDER}/{template}{SUFFIX}", site):
        try:
            compiled = _compiled(found.path, found.path.stat().st_mtime_ns)
            text = compiled.render(_plain(dict(facts)))
        except TemplateError as error:
            line = getattr(error, "lineno", None)
            raise ContentError(found.path, f"la plantilla falla: {error}", line) from error
        subject, _, body = text.partition("\n")
        return " ".join(subject.split()), body.strip() + "\n"
    raise NotFound("No existe la plantilla de correo «{template}».", template=template)


def entity_recipients(session: Session, entity_id: int | None, *, now: datetime) -> list[str]:
    """Where an entity is written to: its reporters, and the RSI in office."""
    if entity_id is None:
        return []
    people = session.scalars(
        select(User.email).where(
            User.entity_id == entity_id, User.role == Role.REPORTER, User.is_active
        )
    )
    return _distinct([*people, *_contacts(session, entity_id, now, duty="rsi")])


def coordinators(session: Session) -> list[str]:
    """Addresses of the centre's coordinators."""
    query = select(User.email).where(User.role == Role.COORDINATOR, User.is_active)
    return list(session.scalars(query.order_by(User.id)))


def about(incident: Incident) -> dict[str, Any]:
    """The facts of an incident that any message about it may use."""
    return {
        "code": incident.code,
        "title": incident.title,
        "entity": incident.entity.name if incident.entity else "",
        "received_at": incident.received_at,
    }


def message_names(site: Path | None = None) -> list[str]:
    """The templates there are."""
    return [
        Path(found.name).name.removesuffix(SUFFIX)
        for found in find("playbooks", f"{FOLDER}/*{SUFFIX}", site)
    ]


def check_messages(site: Path | None = None) -> list[ContentError]:
    """Templates that cannot be read."""
    faults = []
    for found in find("playbooks", f"{FOLDER}/*{SUFFIX}", site):
        try:
            _compiled(found.path, found.path.stat().st_mtime_ns)
        except TemplateSyntaxError as error:
            reason = f"la plantilla no se puede leer: {error.message}"
            faults.append(ContentError(found.path, reason, error.lineno))
    return faults


def _why_withheld(session: Session, recipient: str, tlp: str, entity: Entity | None) -> str:
    if tlp in OPEN_TLPS or _is_insider(session, recipient, entity):
        return ""
    return f"TLP:{tlp} no permite escribir a {recipient}"


def _is_insider(session: Session, recipient: str, entity: Entity | None) -> bool:
    address = recipient.casefold()
    ours = User.role.not_in(ENTITY_ROLES)
    belongs = or_(ours, User.entity_id == entity.id) if entity is not None else ours
    user = session.scalar(select(User.id).where(User.email == address, User.is_active, belongs))
    if user is not None or entity is None:
        return user is not None
    contact = select(Contact.id).where(
        Contact.entity_id == entity.id,
        func.lower(Contact.email) == address,
        Contact.until.is_(None),
    )
    return session.scalar(contact.limit(1)) is not None


def _contacts(session: Session, entity_id: int, now: datetime, *, duty: str) -> list[str]:
    query = select(Contact.email).where(
        Contact.entity_id == entity_id,
        Contact.duty == duty,
        Contact.email != "",
        or_(Contact.until.is_(None), Contact.until >= now.date()),
    )
    return list(session.scalars(query.order_by(Contact.id)))


def _distinct(addresses: list[str]) -> list[str]:
    return list({address.casefold(): address for address in addresses}.values())


@lru_cache(maxsize=64)
def _compiled(path: Path, _changed: int) -> Template:
    environment = ImmutableSandboxedEnvironment(
        autoescape=False,  # plain text mails
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.from_string(path.read_text(encoding="utf-8"))


def _plain(value: Any) -> Any:  # JSON values and moments in, JSON values out
    if isinstance(value, datetime):
        return show(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    assert value is None or isinstance(value, str | int | float), "templates get plain data only"
    return value
