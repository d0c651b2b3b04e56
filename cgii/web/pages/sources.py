"""Sources and sensors: what is understood, who sends, how much, and what was refused and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy import or_
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Invalid, NotFound, Unavailable
from cgii.centre import Centre
from cgii.collect.definition import Definition
from cgii.collect.rejects import REASONS
from cgii.collect.trial import examples_path
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.records import Sensor, SourceVolume
from cgii.model.silence import SourceSilence
from cgii.store.queue import enqueue
from cgii.store.quiet import LOCAL
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.hunting import Hunt, facts_of
from cgii.web.language import gettext
from cgii.web.pasted import PasteForm, try_records
from cgii.web.sensor_health import health_by_sensor
from cgii.web.tables import Column, Listing, flag, show
from cgii.web.visible import find, visible
from cgii.web.volumes import (
    Volume,
    lag_of,
    refusals_of,
    silences_of,
    volume_spec,
    volumes_by_sensor,
    volumes_by_source,
)

router = APIRouter(include_in_schema=False)
SILENCE = timedelta(hours=limits.SILENCE_HOURS)
EVERYTHING = Hunt("", "todo", None, None)


@dataclass(frozen=True)
class SourceLine:
    """A source as a row; without a definition nobody reads what it sends."""

    name: str
    definition: Definition | None
    volume: Volume
    is_silent: bool


@router.get("/fuentes", dependencies=[require("rules.see")])
def source_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Every kind of log that is understood, or that arrives without being so."""
    now = centre.clock()
    volumes = volumes_by_source(session, user, now=now)
    known = centre.definitions.by_name
    lines = [
        _source_line(name, known.get(name), volumes.get(name, Volume()), now)
        for name in sorted({*known, *volumes})
    ]
    lines.sort(key=lambda line: (-line.volume.events - line.volume.rejects, line.name))
    return render(
        request, "sources/sources.html", lines=lines, rejected=centre.definitions.rejected
    )


def _source_line(
    name: str, definition: Definition | None, volume: Volume, now: datetime
) -> SourceLine:
    is_silent = volume.last_hour is not None and volume.last_hour < now - SILENCE
    return SourceLine(name, definition, volume, is_silent)


@router.get("/fuentes/{name}", dependencies=[require("rules.see")])
def show_source(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, name: str
) -> Response:
    """One source: its volume, what it refused, its definition, and a trial."""
    around = _around(session, user, centre, name)
    return render(request, "sources/source.html", form=blank(record=""), pasted=None, **around)


@router.post("/fuentes/{name}/probar", dependencies=[require("rules.try")])
def try_source(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    sent: SentForm,
    name: str,
) -> Response:
    """The events that pasted records become, or why they are refused. Nothing is stored."""
    around = _around(session, user, centre, name)
    form = read(sent, PasteForm)
    with redo(request, "sources/source.html", form=form, pasted=None, **around):
        wanted = PasteForm(form.data().record, name)
    pasted = try_records(wanted, centre.definitions, now=centre.clock())
    facts = [facts_of(one.event) if one.event else None for one in pasted.outcomes]
    return render(
        request,
        "sources/source.html",
        form=form,
        pasted=pasted,
        facts=facts,
        hunt=EVERYTHING,
        **around,
    )


@dataclass(frozen=True)
class ReplayForm:
    """Which of a source's rejects are read again; without a reason all of them."""

    reason: Annotated[str, Field(max_length=80)] = ""


@router.post("/fuentes/{name}/releer", dependencies=[require("rules.edit")])
def replay(
    request: Request, act: CurrentAct, user: CurrentUser, centre: TheCentre, sent: SentForm,
    name: str,
) -> Response:  # fmt: skip
    """Have its rejects read again in the background, by its definition as it is now."""
    around = _around(act.session, user, centre, name)
    form = read(sent, ReplayForm)
    with redo(request, "sources/source.html", form=form, pasted=None, **around):
        reason = form.data().reason
        if reason and reason not in REASONS:
            raise Invalid("Los registros no se rechazan por ese motivo.")
    # One at a time of each source: a second one would find the same rows, and wait for the first.
    job = enqueue(
        act.session, "replay_rejects", now=act.now, unique_key=f"replay_rejects:{name}",
        created_by_id=act.user_id, source=name, reason=reason,
    )  # fmt: skip
    act.session.flush()  # the answer names it by its id
    if job.created_by_id != act.user_id:
        toast = Toast(gettext("Otra persona ya los está leyendo de nuevo."))
        return redirect(request, f"/fuentes/{quote(name)}", toast=toast)
    if job.arguments["reason"] != reason:
        toast = Toast(gettext("Ya se leen los de otro motivo. Pida estos cuando termine."))
        return redirect(request, f"/trabajos/{job.id}", toast=toast)
    act.record("rejects.replay_asked", f"source:{name}", reason=reason, job=job.id)
    return redirect(request, f"/trabajos/{job.id}")


def _around(session: Session, user: User, centre: Centre, name: str) -> dict[str, Any]:
    now = centre.clock()
    volumes = volumes_by_source(session, user, now=now)
    definition = centre.definitions.by_name.get(name)
    refusals = refusals_of(session, user, name)
    if definition is None and name not in volumes and not refusals:
        raise NotFound("No existe esa fuente.")
    return {
        "line": _source_line(name, definition, volumes.get(name, Volume()), now),
        "spec": volume_spec(session, user, SourceVolume.source == name, now=now),
        "refusals": refusals,
        "silences": silences_of(session, user, SourceSilence.source == name),
        "sensor_names": _sensor_names(session, user),
        "text": definition.path.read_text(encoding="utf-8") if definition else "",
        "examples": _example_count(definition),
    }


def _sensor_names(session: Session, user: User) -> dict[str, str]:
    names = {f"sensor:{row.id}": row.name for row in session.scalars(visible(user, Sensor))}
    return names | {LOCAL: gettext("El propio centro")}


def _example_count(definition: Definition | None) -> int:
    path = examples_path(definition) if definition else None
    if path is None or not path.is_file():
        return 0
    return sum(1 for line in path.read_text(encoding="utf-8").splitlines() if line.strip())


def sensors(now: datetime, volumes: Mapping[int, Volume]) -> Listing:
    """The list of sensors; `volumes` by sensor for its file."""
    silent = or_(Sensor.heard_at.is_(None), Sensor.heard_at < now - SILENCE)
    return Listing(
        columns=(
            Column("name", "Sensor", sort=Sensor.name, value=lambda row: row.name),
            Column("entity", "Entidad", sort=Entity.acronym,
                   value=lambda row: row.entity.name if row.entity else "CGII"),
            Column("state", "Estado", value=lambda row: gettext(_state(row, now))),
            Column("heard", "Última vez", sort=Sensor.heard_at, value=lambda row: row.heard_at),
            Column("events", "Eventos, 24 h", is_number=True,
                   value=lambda row: volumes.get(row.id, Volume()).events),
            Column("rejects", "Rechazos, 24 h", is_number=True,
                   value=lambda row: volumes.get(row.id, Volume()).rejects),
            Column("lag", "Demora", is_number=True),
            Column("queue", "Espera en su cola", is_number=True),
            Column("lost", "Perdidos", is_number=True),
            Column("all", "Eventos en total", sort=Sensor.event_count, is_number=True,
                   is_extra=True, value=lambda row: row.event_count),
            Column("version", "Versión", is_extra=True, value=lambda row: row.program_version),
        ),
        filters=(
            flag("callado", "Señal", silent, words=("En silencio", "Se lo oye")),
            flag("activo", "Permiso", Sensor.revoked_at.is_(None), words=("En uso", "Revocado")),
        ),
        default_sort="heard",
        search=lambda words: or_(
            Sensor.name.icontains(words, autoescape=True),
            Entity.name.icontains(words, autoescape=True),
            Entity.acronym.icontains(words, autoescape=True),
        ),
        search_label="Nombre o entidad",
    )  # fmt: skip


def _state(sensor: Sensor, now: datetime) -> str:
    if sensor.revoked_at is not None:
        return "Revocado"
    if sensor.heard_at is None:
        return "Nunca se lo oyó"
    return "En silencio" if sensor.heard_at < now - SILENCE else "Se lo oye"


def _is_missed(sensor: Sensor, now: datetime) -> bool:
    """Whether it has been silent for long: one that was enrolled just now has its day."""
    since = sensor.heard_at or sensor.created_at
    return sensor.revoked_at is None and since < now - SILENCE


@router.get("/sensores", dependencies=[require("sensors.see")])
def sensor_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Who sends, when they were last heard, and how much came of it in a day."""
    now = centre.clock()
    everyone = session.scalars(visible(user, Sensor)).all()
    volumes = volumes_by_sensor(session, user, everyone, now=now)
    listing = sensors(now, volumes)
    query = visible(user, Sensor).outerjoin(Sensor.entity).options(joinedload(Sensor.entity))
    file = export(session, listing, query, request, name="sensores")
    if file is not None:
        return file
    shown = show(session, listing, query, request)
    return render(
        request,
        "sources/sensors.html",
        list=shown,
        volumes=volumes,
        health=health_by_sensor(session, user, shown.rows, now=now),
        lags={row.id: _lag(centre, row) for row in shown.rows},
        states={row.id: _state(row, now) for row in shown.rows},
        nothing=Volume(),
        silent=sum(_is_missed(row, now) for row in everyone),
    )


@router.get("/sensores/{sensor_id}", dependencies=[require("sensors.see")])
def show_sensor(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, sensor_id: int
) -> Response:
    """One sensor."""
    around = _around_sensor(session, user, centre, sensor_id)
    return render(request, "sources/sensor.html", **around)


@router.get("/sensores/{sensor_id}/panel", dependencies=[require("sensors.see")])
def sensor_panel(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, sensor_id: int
) -> Response:
    """The sensor in the drawer."""
    around = _around_sensor(session, user, centre, sensor_id)
    return render(request, "sources/sensor_panel.html", **around)


def _around_sensor(session: Session, user: User, centre: Centre, sensor_id: int) -> dict[str, Any]:
    now = centre.clock()
    sensor = find(session, user, Sensor, id=sensor_id)
    key = f"sensor:{sensor.id}"
    since = now - timedelta(days=limits.SILENCE_LOOKBACK_DAYS)
    own = visible(user, SourceVolume).where(
        SourceVolume.sensor_key == key, SourceVolume.hour >= since
    )
    names = own.with_only_columns(SourceVolume.source).distinct().order_by(SourceVolume.source)
    return {
        "sensor": sensor,
        "volume": volumes_by_sensor(session, user, [sensor], now=now).get(sensor.id, Volume()),
        "spec": volume_spec(session, user, SourceVolume.sensor_key == key, now=now),
        "state": _state(sensor, now),
        "health": health_by_sensor(session, user, [sensor], now=now).get(sensor.id),
        "lag": _lag(centre, sensor),
        "silences": silences_of(session, user, SourceSilence.sensor_key == key),
        "sources": session.scalars(names).all(),
    }


def _lag(centre: Centre, sensor: Sensor) -> timedelta | None:
    try:
        return lag_of(centre.events, sensor)
    except Unavailable:
        return None  # the store is busy: the list is worth more without it than not at all
