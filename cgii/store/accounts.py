"""Accounts are made, changed and closed here. Passwords come hashed: hashing is the web's."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field
from sqlalchemy import delete, select

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.entities import Entity
from cgii.model.people import ENTITY_ROLES, Attempts, Role, User, WebSession
from cgii.store.act import Act

EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")


@dataclass(frozen=True)
class UserForm:
    """An account. `entity` is the code of the entity that an entity's person belongs to."""

    email: Annotated[str, Field(min_length=3, max_length=limits.NAME_CHARS_MAX)]
    name: Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]
    role: Role
    entity: Annotated[str, Field(max_length=80)] = ""


def canonical_email(email: str) -> str:
    """One spelling per mailbox: stripped, composed, case-folded."""
    return unicodedata.normalize("NFKC", email.strip()).casefold()


def create_user(act: Act, form: UserForm, password_hash: str) -> User:
    """Add an account whose first password must be changed. Raises Invalid at the field at fault."""
    email = canonical_email(form.email)
    if not EMAIL.fullmatch(email):
        raise Invalid("Escriba un correo, por ejemplo ana.quispe@entidad.gob.bo.", field="email")
    if act.session.scalar(select(User.id).where(User.email == email)):
        raise Invalid("Ya hay una cuenta con ese correo.", field="email")
    entity = _entity(act, form)
    user = User(
        email=email,
        name=form.name,
        role=form.role,
        entity_id=entity.id if entity else None,
        password_hash=password_hash,
        must_change_password=True,
        created_at=act.now,
    )
    act.session.add(user)
    act.session.flush()  # the audit trail names it by its id
    act.record("account.created", f"user:{user.id}", entity_id=user.entity_id, role=form.role)
    return user


def change_user(act: Act, user: User, form: UserForm) -> None:
    """Change name, role or entity; the address stays. A change of role signs the person out."""
    entity = _entity(act, form)
    entity_id = entity.id if entity else None
    if (user.role, user.entity_id) != (form.role, entity_id):
        _sign_out(act, user)
    user.name, user.role, user.entity_id = form.name, form.role, entity_id
    act.record("account.changed", f"user:{user.id}", entity_id=entity_id, role=form.role)


def reset_password(act: Act, user: User, password_hash: str) -> None:
    """Give a temporary password, take the second factor away, sign out everywhere."""
    user.password_hash = password_hash
    user.must_change_password = True
    user.totp_secret = ""
    _sign_out(act, user)
    act.session.execute(delete(Attempts).where(Attempts.subject == f"sign-in:account:{user.email}"))
    act.record("account.password_reset", f"user:{user.id}", entity_id=user.entity_id)


def close_user(act: Act, user: User) -> None:
    """Take an account out of use and sign it out; what it did stays its own."""
    if act.user is not None and act.user.id == user.id:
        raise Invalid("No puede cerrar su propia cuenta.")
    user.is_active = False
    _sign_out(act, user)
    act.record("account.closed", f"user:{user.id}", entity_id=user.entity_id)


def reopen_user(act: Act, user: User) -> None:
    """Take an account into use again."""
    user.is_active = True
    act.record("account.reopened", f"user:{user.id}", entity_id=user.entity_id)


def _sign_out(act: Act, user: User) -> None:
    act.session.execute(delete(WebSession).where(WebSession.user_id == user.id))


def _entity(act: Act, form: UserForm) -> Entity | None:
    if form.role not in ENTITY_ROLES:
        if form.entity:
            raise Invalid("Esta función es del centro: no lleva entidad.", field="entity")
        return None
    found = act.session.scalar(select(Entity).where(Entity.code == form.entity))
    if found is None:
        raise Invalid("Elija la entidad a la que pertenece.", field="entity")
    return found
