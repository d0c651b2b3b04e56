"""`cgii user` and `cgii entity`: what must be possible before anybody can sign in."""

import secrets
from typing import Annotated

import typer
from sqlalchemy import select

from cgii import centre as centres
from cgii.base.errors import NotFound
from cgii.base.settings import load
from cgii.model.entities import Entity
from cgii.model.people import Role, User
from cgii.store.accounts import UserForm, create_user
from cgii.store.act import Act
from cgii.store.entities import EntityForm, register_entity
from cgii.web.passwords import hash_password

users = typer.Typer(no_args_is_help=True, help="Cuentas de personas.")
entities = typer.Typer(no_args_is_help=True, help="Entidades públicas.")


@users.command("add")
def add_user(
    email: str,
    name: str,
    role: Annotated[Role, typer.Option(help="Qué puede hacer.")],
    entity: Annotated[str, typer.Option(help="Sigla de su entidad, si es de una.")] = "",
) -> None:
    """Crea una cuenta y muestra su contraseña inicial una sola vez."""
    centre = centres.build(load())
    password = secrets.token_urlsafe(15)
    with centre.database.transaction() as session:
        act = centre.act(session, via="cli")
        code = find_entity(act, entity).code if entity else ""
        user = create_user(act, UserForm(email, name, role, code), hash_password(password))
        typer.echo(f"{user.email}  {password}")
    centre.close()


@users.command("list")
def list_users() -> None:
    """Muestra las cuentas."""
    centre = centres.build(load())
    with centre.database.reading() as session:
        for user in session.scalars(select(User).order_by(User.email)):
            home = user.entity.acronym if user.entity else "CGII"
            state = "" if user.is_active else "  (inactiva)"
            typer.echo(f"{user.email:<40} {user.role:<14} {home:<12} {user.name}{state}")
    centre.close()


@entities.command("add")
def add_entity(
    code: str,
    acronym: str,
    name: str,
    kind: Annotated[str, typer.Option(help="Clase, según reference/entities.yml.")],
    level: Annotated[str, typer.Option(help="Nivel: central, control, territorial, university.")],
    network: Annotated[
        list[str] | None, typer.Option(help="Red en notación CIDR; repetible.")
    ] = None,
    domain: Annotated[list[str] | None, typer.Option(help="Dominio propio; repetible.")] = None,
) -> None:
    """Registra una entidad."""
    centre = centres.build(load())
    with centre.database.transaction() as session:
        form = EntityForm(
            name=name,
            acronym=acronym,
            kind=kind,
            level=level,
            networks="\n".join(network or ()),
            domains="\n".join(domain or ()),
        )
        register_entity(centre.act(session, via="cli"), code, form)
    typer.echo(f"Entidad {acronym} registrada.")
    centre.close()


@entities.command("list")
def list_entities() -> None:
    """Muestra las entidades activas."""
    centre = centres.build(load())
    with centre.database.reading() as session:
        active = select(Entity).where(Entity.is_active).order_by(Entity.acronym)
        for entity in session.scalars(active):
            typer.echo(f"{entity.code:<8} {entity.acronym:<14} {entity.level:<12} {entity.name}")
    centre.close()


def find_entity(act: Act, acronym: str) -> Entity:
    """The entity with this acronym. Raises NotFound."""
    found = act.session.scalar(select(Entity).where(Entity.acronym == acronym))
    if found is None:
        raise NotFound("No hay una entidad con la sigla {acronym}.", acronym=acronym)
    return found
