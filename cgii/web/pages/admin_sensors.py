"""Administration of sensors: invite one, choose its inputs, revoke it; a secret is shown once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.collect.config import check_inputs
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.records import Sensor
from cgii.model.sensors import SensorKey
from cgii.store.sensor_reports import set_settings, settings_of
from cgii.store.sensors import (
    enrol_sensor,
    has_token,
    invite,
    invite_new,
    renew_token,
    revoke_sensor,
)
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.language import gettext
from cgii.web.pages.admin_people import entities
from cgii.web.sensor_health import health_by_sensor
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
        Column("queue", "En su cola", is_number=True),
        Column("lost", "Perdidos", is_number=True),
        Column("version", "Versión", is_extra=True, value=lambda row: row.program_version),
        Column("state", "Estado", value=lambda row: "revocado" if row.revoked_at else "en uso"),
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
    kind: Literal["invitation", "token"] = "invitation"


@dataclass(frozen=True)
class InputsForm:
    """The inputs that the centre wants of a sensor, as TOML; empty leaves it alone."""

    text: Annotated[str, Field(max_length=limits.SENSOR_SETTINGS_CHARS_MAX)] = ""


@router.get("", dependencies=[require("admin.see")])
def sensor_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """All sensors, with what they sent and how they are."""
    query = visible(user, Sensor).options(joinedload(Sensor.entity))
    file = export(session, LIST, query, request, name="sensores")
    if file is not None:
        return file
    shown = show(session, LIST, query, request)
    health = health_by_sensor(session, user, shown.rows, now=centre.clock())
    return render(request, "admin/sensors.html", list=shown, health=health)


@router.get("/nuevo", dependencies=[require("admin.edit")])
def show_new(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """The form for a new sensor."""
    options = entities(session, user)
    return render(request, "admin/sensor.html", form=blank(kind="invitation"), entities=options)


@router.post("/nuevo", dependencies=[require("admin.edit")])
def enrol(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Add it and show its invitation or token, once."""
    form = read(sent, SensorForm)
    options = entities(act.session, user)
    with redo(request, "admin/sensor.html", form=form, entities=options):
        data = form.data()
        entity = find(act.session, user, Entity, code=data.entity) if data.entity else None
        add = enrol_sensor if data.kind == "token" else invite_new
        sensor, secret = add(act, data.name, entity)
    return _shown_once(request, sensor, secret, is_token=data.kind == "token")


@router.get("/{sensor_id}", dependencies=[require("admin.see")])
def show_one(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, sensor_id: int
) -> Response:
    """How one sensor is, how it is known, and the inputs that the centre wants of it."""
    around = _around(session, user, sensor_id, now=centre.clock())
    wanted = settings_of(session, sensor_id)
    form = blank(text=wanted.text if wanted else "")
    return render(request, "admin/sensor_page.html", form=form, **around)


@router.post("/{sensor_id}/entradas", dependencies=[require("admin.edit")])
def choose_inputs(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    centre: TheCentre,
    sent: SentForm,
    sensor_id: int,
) -> Response:
    """Want these inputs of it from now on."""
    around = _around(act.session, user, sensor_id, now=act.now)
    form = read(sent, InputsForm)
    with redo(request, "admin/sensor_page.html", form=form, **around):
        text = form.data().text
        check_inputs(text, centre.definitions)
        set_settings(act, around["sensor"], text)
    told = Toast(gettext("Guardado. El sensor lo toma en su próximo informe."))
    return redirect(request, f"{PLACE}/{sensor_id}", toast=told)


@router.post("/{sensor_id}/invitar", dependencies=[require("admin.edit")])
def invite_again(request: Request, act: CurrentAct, user: CurrentUser, sensor_id: int) -> Response:
    """An invitation, shown once; what the sensor has ends when it is used."""
    sensor = find(act.session, user, Sensor, id=sensor_id)
    return _shown_once(request, sensor, invite(act, sensor), is_token=False)


@router.post("/{sensor_id}/renovar", dependencies=[require("admin.edit")])
def renew(request: Request, act: CurrentAct, user: CurrentUser, sensor_id: int) -> Response:
    """A token for a program that cannot sign; what it had stops at once."""
    sensor = find(act.session, user, Sensor, id=sensor_id)
    return _shown_once(request, sensor, renew_token(act, sensor), is_token=True)


@router.post("/{sensor_id}/revocar", dependencies=[require("admin.edit")])
def revoke(request: Request, act: CurrentAct, user: CurrentUser, sensor_id: int) -> Response:
    """Refuse it from now on."""
    revoke_sensor(act, find(act.session, user, Sensor, id=sensor_id))
    return redirect(request, PLACE, toast=Toast(gettext("El sensor ya no puede enviar.")))


def _around(session: Session, user: User, sensor_id: int, *, now: datetime) -> dict[str, Any]:
    sensor = find(session, user, Sensor, id=sensor_id)
    live = visible(user, SensorKey).where(
        SensorKey.sensor_id == sensor.id, SensorKey.ended_at.is_(None)
    )
    return {
        "sensor": sensor,
        "keys": session.scalars(live.order_by(SensorKey.created_at)).all(),
        "has_token": has_token(sensor),
        "health": health_by_sensor(session, user, [sensor], now=now).get(sensor.id),
        "key_days": limits.SENSOR_KEY_DAYS,
    }


def _shown_once(request: Request, sensor: Sensor, secret: str, *, is_token: bool) -> Response:
    advice = gettext("Cópielo ahora en la configuración de quien envía; no se volverá a mostrar.")
    if not is_token:
        advice = gettext(
            "Vale una vez y por %(hours)s horas. En la máquina del sensor: «cgii collect enrol "
            "--config sensor.toml»."
        ) % {"hours": limits.INVITATION_HOURS}
    return render(
        request,
        "admin/secret.html",
        heading=gettext("Token del sensor" if is_token else "Invitación del sensor"),
        whose=sensor.name,
        secret=secret,
        advice=advice,
        back=f"{PLACE}/{sensor.id}",
    )
