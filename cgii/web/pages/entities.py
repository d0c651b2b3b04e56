"""Public entities: the list, the drawer, the page, and their forms. The example for other pages."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session, selectinload
from starlette.responses import Response

from cgii.base.clock import local
from cgii.base.labels import label
from cgii.model.entities import Contact, Entity, EntityDomain
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.model.plans import Plan
from cgii.model.records import Sensor
from cgii.store.entities import (
    ContactForm,
    EntityForm,
    change_entity,
    close_entity,
    end_contact,
    name_contact,
    register_entity,
    reopen_entity,
)
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.exports import export
from cgii.web.forms import Filled, blank, read
from cgii.web.language import gettext
from cgii.web.tables import Column, Listing, choice, flag, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/entidades", include_in_schema=False)


def _kind(row: Entity) -> str:
    return label("entities.kinds", row.kind)


LIST = Listing(
    columns=(
        Column("acronym", "Sigla", sort=Entity.acronym, value=lambda row: row.acronym),
        Column("name", "Nombre", sort=Entity.name, value=lambda row: row.name),
        Column("kind", "Tipo", sort=Entity.kind, value=_kind),
        Column("level", "Nivel", sort=Entity.level, is_extra=True, value=lambda row: row.level),
        Column("sector", "Sector", sort=Entity.sector, value=lambda row: row.sector),
        Column("department", "Departamento", sort=Entity.department, value=lambda r: r.department),
        Column("code", "Código", sort=Entity.code, value=lambda row: row.code),
        Column("network", "Red estatal", value=lambda row: "sí" if row.on_state_network else "no"),
        Column("state", "Estado", value=lambda row: "activa" if row.is_active else "cerrada"),
    ),
    filters=(
        choice("kind", "Tipo", Entity.kind, "entities.kinds"),
        choice("level", "Nivel", Entity.level, "entities.levels"),
        choice("sector", "Sector", Entity.sector, "entities.sectors"),
        choice("department", "Departamento", Entity.department, "entities.departments"),
        flag("active", "Estado", Entity.is_active, words=("Activas", "Cerradas")),
    ),
    default_sort="name",
    search=lambda words: or_(
        contains(Entity.name, words),
        contains(Entity.acronym, words),
        Entity.code == words,
        Entity.domains.any(contains(EntityDomain.domain, words)),
    ),
    search_label="Nombre, sigla, código o dominio",
)


@dataclass(frozen=True)
class SeenForm:
    """Which version of an entity the person had before them."""

    version: int


@dataclass(frozen=True)
class NewForm(EntityForm):
    """A new entity has its code too."""

    code: Annotated[str, Field(max_length=20)] = ""


@router.get("", dependencies=[require("entities.see")])
def entity_list(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """The register of entities."""
    query = visible(user, Entity)
    file = export(session, LIST, query, request, name="entidades")
    if file is not None:
        return file
    return render(request, "entities/list.html", list=show(session, LIST, query, request))


@router.get("/nueva", dependencies=[require("entities.edit")])
def show_new(request: Request) -> Response:
    """The form for a new entity."""
    return render(request, "entities/new.html", form=blank())


@router.post("/nueva", dependencies=[require("entities.edit")])
def register(request: Request, act: CurrentAct, sent: SentForm) -> Response:
    """Add an entity to the register."""
    form = read(sent, NewForm)
    with redo(request, "entities/new.html", form=form):
        data = form.data()
        entity = register_entity(act, data.code, data)
    return redirect(
        request, f"/entidades/{entity.code}", toast=Toast(gettext("Entidad registrada."))
    )


@router.get("/{code}", dependencies=[require("entities.see")])
def show_entity(
    request: Request, session: CurrentSession, user: CurrentUser, code: str
) -> Response:
    """Everything about one entity."""
    entity = find(session, user, Entity, code=code)
    around = _around(session, user, entity)
    return render(request, "entities/entity.html", entity=entity, form=blank(), **around)


@router.get("/{code}/panel", dependencies=[require("entities.see")])
def show_panel(request: Request, session: CurrentSession, user: CurrentUser, code: str) -> Response:
    """The entity in the drawer."""
    entity = find(session, user, Entity, code=code)
    return render(request, "entities/panel.html", entity=entity, **_around(session, user, entity))


def _around(session: Session, user: User, entity: Entity) -> dict[str, Any]:
    """What belongs to an entity elsewhere, for its page and its drawer."""
    incidents = visible(user, Incident).where(Incident.entity_id == entity.id)
    open_count = session.scalar(
        select(func.count()).select_from(
            incidents.where(Incident.closed_at.is_(None)).order_by(None).subquery()
        )
    )
    latest = incidents.options(selectinload(Incident.owner)).order_by(Incident.received_at.desc())
    plans = visible(user, Plan).where(Plan.entity_id == entity.id).order_by(Plan.year.desc())
    sensors = visible(user, Sensor).where(Sensor.entity_id == entity.id).order_by(Sensor.name)
    return {
        "open_count": open_count or 0,
        "incidents": session.scalars(latest.limit(8)).all(),
        "plan": session.scalar(plans.limit(1)),
        "sensors": session.scalars(sensors).all(),
    }


@router.get("/{code}/editar", dependencies=[require("entities.edit")])
def show_edit(request: Request, session: CurrentSession, user: CurrentUser, code: str) -> Response:
    """The form with what is known now."""
    entity = find(session, user, Entity, code=code)
    return render(request, "entities/edit.html", entity=entity, form=_filled(entity))


def _filled(entity: Entity) -> Filled[EntityForm]:
    names = ("name", "acronym", "kind", "level", "sector", "department", "on_state_network", "note")
    return blank(
        **{name: getattr(entity, name) for name in names},
        networks="\n".join(f"{row.cidr} {row.note}".strip() for row in entity.networks),
        domains="\n".join(row.domain for row in entity.domains),
    )


@router.post("/{code}/editar", dependencies=[require("entities.edit")])
def change(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, code: str
) -> Response:
    """Save what was changed, unless somebody else was quicker."""
    entity = find(act.session, user, Entity, code=code)
    form = read(sent, EntityForm)
    with redo(request, "entities/edit.html", form=form, entity=entity):
        change_entity(act, entity, form.data(), version=read(sent, SeenForm).data().version)
    return redirect(request, f"/entidades/{code}", toast=Toast(gettext("Cambios guardados.")))


@router.post("/{code}/cerrar", dependencies=[require("entities.edit")])
def close(request: Request, act: CurrentAct, user: CurrentUser, code: str) -> Response:
    """Take it out of use; taken back by the toast."""
    close_entity(act, find(act.session, user, Entity, code=code))
    told = Toast(gettext("Entidad cerrada."), undo=f"/entidades/{code}/reabrir")
    return redirect(request, f"/entidades/{code}", toast=told)


@router.post("/{code}/reabrir", dependencies=[require("entities.edit")])
def reopen(request: Request, act: CurrentAct, user: CurrentUser, code: str) -> Response:
    """Take it into use again."""
    reopen_entity(act, find(act.session, user, Entity, code=code))
    return redirect(request, f"/entidades/{code}", toast=Toast(gettext("Entidad reabierta.")))


@router.post("/{code}/contactos", dependencies=[require("entities.edit")])
def add_contact(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, code: str
) -> Response:
    """Name somebody to a duty."""
    entity = find(act.session, user, Entity, code=code)
    form = read(sent, ContactForm)
    around = _around(act.session, user, entity)
    with redo(request, "entities/entity.html", form=form, entity=entity, **around):
        name_contact(act, entity, form.data())
    return redirect(request, f"/entidades/{code}", toast=Toast(gettext("Contacto registrado.")))


@router.post("/{code}/contactos/{contact_id}/terminar", dependencies=[require("entities.edit")])
def leave_contact(
    request: Request, act: CurrentAct, user: CurrentUser, code: str, contact_id: int
) -> Response:
    """Somebody leaves their duty today."""
    entity = find(act.session, user, Entity, code=code)
    contact = find(act.session, user, Contact, id=contact_id, entity_id=entity.id)
    end_contact(act, contact, local(act.now).date())
    return redirect(request, f"/entidades/{code}", toast=Toast(gettext("Se registró el cese.")))
