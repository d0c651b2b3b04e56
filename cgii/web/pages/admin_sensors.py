"""Administration of sensors: enrol one with a token shown once, renew it, revoke it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.model.entities import Entity
from cgii.model.records import Sensor
from cgii.store.sensors import enrol_sensor, renew_token, revoke_sensor
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.language import gettext
from cgii.web.pages.admin_people import entities
from cgii.web.tables import Column, Listing, flag, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/administracion/sensores", include_in_schema=False)
PLACE = "/administracion/sensores"
LIST = Listing(
    columns=(
        Column("name", "Nombre", sort=Sensor.name, value=lambda row: row.name),
        Column("entity", "Entidad", value=lambda row: row.entity.name if row.entity else "CGII"),
        Column("heard_at", "Última vez", sort=Sensor.heard_at, value=lambda row: row.heard_at),
        Column("events", "Eventos", sort=Sensor.event_count, is_number=True,
               value=lambda row: row.event_count),
        Column("rejects", "Rechazos", sort=Sensor.reject_count, is_number=True,
               value=lambda row: row.reject_count),
        Column("version", "Versión", is_extra=True, value=lambda row: row.program_version),
        Column("state", "Estado", value=lambda row: "revocado" if row.revoked_at else "en uso"),
        Column("act", "Acción"),
    ),
    filters=(
        flag("active", "Estado", Sensor.revoked_at.is_(None), words=("En uso", "Revocados")),
    ),
    default_sort="name",
    search=lambda words: contains(Sensor.name, words),
    search_label="Nombre del sensor",
)  # fmt: skip


@dataclass(frozen=True)
class SensorForm:
    """A new sensor; without an entity it is the centre's own."""

    name: Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]
    entity: Annotated[str, Field(max_length=80)] = ""


@router.get("", dependencies=[require("admin.see")])
def sensor_list(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """All sensors, with what they sent."""
    query = visible(user, Sensor).options(joinedload(Sensor.entity))
    file = export(session, LIST, query, request, name="sensores")
    return file or render(request, "admin/sensors.html", list=show(session, LIST, query, request))


@router.get("/nuevo", dependencies=[require("admin.edit")])
def show_new(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """The form for a new sensor."""
    options = entities(session, user)
    return render(request, "admin/sensor.html", form=blank(), entities=options)


@router.post("/nuevo", dependencies=[require("admin.edit")])
def enrol(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Enrol it and show its token, once."""
    form = read(sent, SensorForm)
    options = entities(act.session, user)
    with redo(request, "admin/sensor.html", form=form, entities=options):
        data = form.data()
        entity = find(act.session, user, Entity, code=data.entity) if data.entity else None
        sensor, token = enrol_sensor(act, data.name, entity)
    return _shown_once(request, sensor, token)


@router.post("/{sensor_id}/renovar", dependencies=[require("admin.edit")])
def renew(request: Request, act: CurrentAct, user: CurrentUser, sensor_id: int) -> Response:
    """A new token; the old one stops at once."""
    sensor = find(act.session, user, Sensor, id=sensor_id)
    return _shown_once(request, sensor, renew_token(act, sensor))


@router.post("/{sensor_id}/revocar", dependencies=[require("admin.edit")])
def revoke(request: Request, act: CurrentAct, user: CurrentUser, sensor_id: int) -> Response:
    """Refuse it from now on."""
    revoke_sensor(act, find(act.session, user, Sensor, id=sensor_id))
    return redirect(request, PLACE, toast=Toast(gettext("El sensor ya no puede enviar.")))


def _shown_once(request: Request, sensor: Sensor, token: str) -> Response:
    return render(
        request,
        "admin/secret.html",
        heading=gettext("Token del sensor"),
        whose=sensor.name,
        secret=token,
        advice=gettext("Cópielo ahora en la configuración del sensor; no se volverá a mostrar."),
        back=PLACE,
    )
