"""Public entities are registered and changed here: names, networks, domains, people."""

import ipaddress
import re
from dataclasses import dataclass
from datetime import date
from typing import Annotated

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.base.labels import labels
from cgii.model.entities import Contact, Entity, EntityDomain, EntityNetwork
from cgii.store.act import Act

NameText = Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]
CodeText = Annotated[str, Field(min_length=1, max_length=80)]
LongText = Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)]
DOMAIN = re.compile(r"(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


@dataclass(frozen=True)
class EntityForm:
    """What is known of an entity. `networks`, `domains`: one per line, a note after a space."""

    name: NameText
    acronym: CodeText
    kind: CodeText
    level: CodeText
    sector: Annotated[str, Field(max_length=80)] = ""
    department: Annotated[str, Field(max_length=80)] = ""
    on_state_network: bool = False
    networks: LongText = ""
    domains: LongText = ""
    note: LongText = ""


@dataclass(frozen=True)
class ContactForm:
    """A person named to a duty by an official letter."""

    duty: CodeText
    name: NameText
    since: date
    position: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    email: Annotated[str, Field(max_length=limits.NAME_CHARS_MAX)] = ""
    phone: Annotated[str, Field(max_length=80)] = ""
    cite: Annotated[str, Field(max_length=80)] = ""


def register_entity(act: Act, code: str, form: EntityForm) -> Entity:
    """Add an entity. Raises Conflict when its code is taken, Invalid at the field at fault."""
    code = code.strip()
    if not re.fullmatch(r"[A-Za-z0-9-]{1,20}", code):
        raise Invalid("Use de 1 a 20 letras, cifras o guiones.", field="code")
    if act.session.scalar(select(Entity.id).where(Entity.code == code)):
        raise Invalid("Ya hay una entidad con ese código.", field="code")
    entity = Entity(code=code, created_at=act.now, name="", acronym="", kind="", level="")
    act.session.add(entity)
    _fill(act.session, entity, form)
    act.record("entity.registered", f"entity:{code}", name=form.name)
    return entity


def change_entity(act: Act, entity: Entity, form: EntityForm, *, version: int) -> None:
    """Change an entity that the person saw as `version`. Raises Conflict when it is newer."""
    if entity.version != version:
        raise Conflict("Otra persona cambió esta entidad mientras usted la editaba. Compare abajo.")
    before = {name: getattr(entity, name) for name in ("name", "acronym", "kind", "level")}
    _fill(act.session, entity, form)
    changed = {name: value for name, value in before.items() if getattr(entity, name) != value}
    act.record("entity.changed", f"entity:{entity.code}", entity_id=entity.id, before=changed)


def close_entity(act: Act, entity: Entity) -> None:
    """Take an entity out of use; its past stays."""
    entity.is_active = False
    act.record("entity.closed", f"entity:{entity.code}", entity_id=entity.id)


def reopen_entity(act: Act, entity: Entity) -> None:
    """Take an entity into use again."""
    entity.is_active = True
    act.record("entity.reopened", f"entity:{entity.code}", entity_id=entity.id)


def name_contact(act: Act, entity: Entity, form: ContactForm) -> Contact:
    """Name somebody to a duty; who had it before ends on that day."""
    _check_code(form.duty, "entities.duties", "duty")
    for earlier in entity.contacts:
        if earlier.duty == form.duty and earlier.until is None:
            earlier.until = form.since
    contact = Contact(
        entity_id=entity.id,
        duty=form.duty,
        name=form.name,
        position=form.position,
        email=form.email.strip().casefold(),
        phone=form.phone,
        cite=form.cite,
        since=form.since,
    )
    entity.contacts.append(contact)
    act.record("entity.contact_named", f"entity:{entity.code}", entity_id=entity.id, duty=form.duty)
    return contact


def end_contact(act: Act, contact: Contact, on: date) -> None:
    """Somebody leaves their duty."""
    contact.until = on
    code = contact.entity.code
    act.record(
        "entity.contact_ended", f"entity:{code}", entity_id=contact.entity_id, duty=contact.duty
    )


def _fill(session: Session, entity: Entity, form: EntityForm) -> None:
    for field, table in (("kind", "kinds"), ("level", "levels")):
        _check_code(getattr(form, field), f"entities.{table}", field)
    for field, table in (("sector", "sectors"), ("department", "departments")):
        if getattr(form, field):
            _check_code(getattr(form, field), f"entities.{table}", field)
    networks = _networks(form.networks)
    domains = _domains(form.domains)
    with session.no_autoflush:  # a new entity is not complete until the end of this function
        _check_free(session, entity, domains)
        for name in ("name", "acronym", "kind", "level", "sector", "department", "note"):
            setattr(entity, name, getattr(form, name))
        entity.on_state_network = form.on_state_network
        kept = {row.cidr: row for row in entity.networks}
        entity.networks = [
            _noted(kept.get(cidr) or EntityNetwork(cidr=cidr), note)
            for cidr, note in networks.items()
        ]
        known = {row.domain: row for row in entity.domains}
        entity.domains = [known.get(name) or EntityDomain(domain=name) for name in domains]


def _noted(row: EntityNetwork, note: str) -> EntityNetwork:
    row.note = note
    return row


def _check_code(code: str, table: str, field: str) -> None:
    if code not in labels(table):
        raise Invalid("Elija una de las opciones.", field=field)


def _networks(text: str) -> dict[str, str]:
    """CIDR → note, in their order."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        written, _, note = line.strip().partition(" ")
        if not written:
            continue
        try:
            network = ipaddress.ip_network(written, strict=False)
        except ValueError as error:
            raise Invalid(
                "«{network}» no es una red. Escriba por ejemplo 200.87.10.0/24.",
                field="networks",
                network=written[:60],
            ) from error
        found[str(network)] = note.strip()[: limits.NAME_CHARS_MAX]
    return found


def _domains(text: str) -> list[str]:
    found = []
    for line in text.split():
        domain = line.strip().rstrip(".").casefold()
        if not DOMAIN.fullmatch(domain):
            raise Invalid(
                "«{domain}» no es un dominio. Escriba por ejemplo ministerio.gob.bo.",
                field="domains",
                domain=line[:60],
            )
        if domain not in found:
            found.append(domain)
    return found


def _check_free(session: Session, entity: Entity, domains: list[str]) -> None:
    taken = session.scalar(
        select(EntityDomain).where(
            EntityDomain.domain.in_(domains), EntityDomain.entity_id != (entity.id or 0)
        )
    )
    if taken is not None:
        raise Invalid(
            "El dominio {domain} ya es de {owner}.",
            field="domains",
            domain=taken.domain,
            owner=taken.entity.name,
        )
