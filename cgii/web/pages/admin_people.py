"""Administration of accounts: list, create, change, close, give a temporary password."""

import secrets

from fastapi import APIRouter, Request
from sqlalchemy import or_
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.store.accounts import (
    UserForm,
    change_user,
    close_user,
    create_user,
    reopen_user,
    reset_password,
)
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.language import gettext
from cgii.web.passwords import hash_password
from cgii.web.tables import Column, Listing, choice, flag, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/administracion/personas", include_in_schema=False)
PLACE = "/administracion/personas"
LIST = Listing(
    columns=(
        Column("name", "Nombre", sort=User.name, value=lambda row: row.name),
        Column("email", "Correo", sort=User.email, value=lambda row: row.email),
        Column("role", "Función", sort=User.role, value=lambda row: row.role),
        Column("entity", "Entidad", value=lambda row: row.entity.name if row.entity else "CGII"),
        Column("factor", "Segundo factor", value=lambda row: "sí" if row.totp_secret else "no"),
        Column("seen", "Último ingreso", sort=User.last_sign_in_at,
               value=lambda row: row.last_sign_in_at),
        Column("state", "Estado", value=lambda row: "activa" if row.is_active else "cerrada"),
    ),
    filters=(
        choice("role", "Función", User.role, "words.roles"),
        flag("active", "Estado", User.is_active, words=("Activas", "Cerradas")),
        flag("factor", "Segundo factor", User.totp_secret != "", words=("Con", "Sin")),
    ),
    default_sort="name",
    search=lambda words: or_(
        contains(User.name, words),
        contains(User.email, words),
        User.entity.has(contains(Entity.acronym, words)),
    ),
    search_label="Nombre, correo o sigla",
)  # fmt: skip


@router.get("", dependencies=[require("admin.see")])
def user_list(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """All accounts."""
    query = visible(user, User).options(joinedload(User.entity))
    file = export(session, LIST, query, request, name="personas")
    return file or render(request, "admin/people.html", list=show(session, LIST, query, request))


@router.get("/nueva", dependencies=[require("admin.edit")])
def show_new(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """The form for a new account."""
    return render(
        request, "admin/person.html", form=blank(), person=None, entities=entities(session, user)
    )


@router.post("/nueva", dependencies=[require("admin.edit")])
def create(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Create it and show its temporary password, once."""
    form = read(sent, UserForm)
    options = entities(act.session, user)
    password = temporary_password()
    with redo(request, "admin/person.html", form=form, person=None, entities=options):
        person = create_user(act, form.data(), hash_password(password))
    return _shown_once(request, person, password)


@router.get("/{user_id}", dependencies=[require("admin.see")])
def show_person(
    request: Request, session: CurrentSession, user: CurrentUser, user_id: int
) -> Response:
    """One account."""
    person = find(session, user, User, id=user_id)
    form = blank(
        email=person.email,
        name=person.name,
        role=person.role,
        entity=person.entity.code if person.entity else "",
    )
    return render(
        request, "admin/person.html", form=form, person=person, entities=entities(session, user)
    )


@router.post("/{user_id}", dependencies=[require("admin.edit")])
def change(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, user_id: int
) -> Response:
    """Change name, function or entity."""
    person = find(act.session, user, User, id=user_id)
    form = read(sent, UserForm)
    options = entities(act.session, user)
    with redo(request, "admin/person.html", form=form, person=person, entities=options):
        change_user(act, person, form.data())
    return redirect(request, f"{PLACE}/{user_id}", toast=Toast(gettext("Cambios guardados.")))


@router.post("/{user_id}/clave", dependencies=[require("admin.edit")])
def give_password(request: Request, act: CurrentAct, user: CurrentUser, user_id: int) -> Response:
    """A temporary password, shown once; the second factor goes, sessions end."""
    person = find(act.session, user, User, id=user_id)
    password = temporary_password()
    reset_password(act, person, hash_password(password))
    return _shown_once(request, person, password)


@router.post("/{user_id}/cerrar", dependencies=[require("admin.edit")])
def close(request: Request, act: CurrentAct, user: CurrentUser, user_id: int) -> Response:
    """Close it; taken back by the toast."""
    close_user(act, find(act.session, user, User, id=user_id))
    told = Toast(gettext("Cuenta cerrada."), undo=f"{PLACE}/{user_id}/reabrir")
    return redirect(request, f"{PLACE}/{user_id}", toast=told)


@router.post("/{user_id}/reabrir", dependencies=[require("admin.edit")])
def reopen(request: Request, act: CurrentAct, user: CurrentUser, user_id: int) -> Response:
    """Open it again."""
    reopen_user(act, find(act.session, user, User, id=user_id))
    return redirect(request, f"{PLACE}/{user_id}", toast=Toast(gettext("Cuenta reabierta.")))


def entities(session: Session, user: User) -> list[tuple[str, str]]:
    """(code, name) of active entities, for choice fields."""
    query = visible(user, Entity).where(Entity.is_active).order_by(Entity.name)
    rows = session.scalars(query.limit(limits.MENU_ROWS_MAX))
    return [(row.code, f"{row.name} ({row.acronym})") for row in rows]


def temporary_password() -> str:
    """Four groups that can be read out on the telephone."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))
    return "-".join(groups)


def _shown_once(request: Request, person: User, password: str) -> Response:
    return render(
        request,
        "admin/secret.html",
        heading=gettext("Contraseña provisional"),
        whose=f"{person.name} · {person.email}",
        secret=password,
        advice=gettext("Entréguela por un canal seguro. Al ingresar tendrá que cambiarla."),
        back=f"{PLACE}/{person.id}",
    )
