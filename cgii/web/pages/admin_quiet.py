"""Administration of silence: sources that fell silent, and when silence is expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.base.calendar import WorkingCalendar
from cgii.base.errors import Invalid
from cgii.base.labels import labels
from cgii.base.weekly import weekly_times
from cgii.centre import Centre
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.records import Sensor
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.respond.policies import load_policies
from cgii.store.quiet import (
    LOCAL,
    Whose,
    add_quiet_times,
    add_quiet_window,
    end_quiet_window,
    stands,
)
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank, read, read_id
from cgii.web.language import gettext
from cgii.web.tables import Column, Listing, choice, flag, show
from cgii.web.visible import find, visible

PLACE = "/administracion/silencios"
EVERY = "*"  # in the form, where nothing chosen is a mistake
OF_ENTITY = "entity:"  # in the form, before its id
router = APIRouter(prefix=PLACE, include_in_schema=False)


@dataclass(frozen=True)
class QuietForm:
    """An announced pause. `sensor` is EVERY, a sensor's key, or OF_ENTITY and an id."""

    sensor: Annotated[str, Field(min_length=1, max_length=80)]
    start: datetime
    end: datetime
    reason: Annotated[str, Field(min_length=1, max_length=limits.SHORT_TEXT_CHARS_MAX)]
    source: Annotated[str, Field(max_length=80)] = ""


@dataclass(frozen=True)
class WeeklyForm:
    """A pause that comes again every week; `sensor` as in QuietForm, no times for whole days."""

    sensor: Annotated[str, Field(min_length=1, max_length=80)]
    reason: Annotated[str, Field(min_length=1, max_length=limits.SHORT_TEXT_CHARS_MAX)]
    days: Annotated[list[str], Field(min_length=1)]
    opens: str = ""
    closes: str = ""
    source: Annotated[str, Field(max_length=80)] = ""


def _listing(names: Mapping[str, str]) -> Listing:
    return Listing(
        columns=(
            Column("source", "Fuente", sort=SourceSilence.source, value=lambda row: row.source),
            Column("sensor", "Sensor", sort=SourceSilence.sensor_key,
                   value=lambda row: names.get(row.sensor_key, row.sensor_key)),
            Column("state", "Estado", sort=SourceSilence.state, value=lambda row: row.state),
            Column("since", "Desde", sort=SourceSilence.since, value=lambda row: row.since),
            Column("seen", "Llegaron", is_number=True, value=lambda row: row.seen_count),
            Column("usual", "Lo habitual", is_number=True, value=lambda row: row.usual_count),
            Column("ended", "Terminó", sort=SourceSilence.ended_at,
                   value=lambda row: row.ended_at),
            Column("outcome", "Cómo", value=lambda row: row.outcome),
        ),
        filters=(
            flag("dura", "Señal", SourceSilence.ended_at.is_(None), words=("Dura", "Terminado")),
            choice("estado", "Estado", SourceSilence.state, "detection.silence_states"),
        ),
        default_sort="-since",
        search=lambda words: contains(SourceSilence.source, words),
        search_label="Nombre de la fuente",
    )  # fmt: skip


@router.get("", dependencies=[require("admin.see")])
def silence_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Silences, those that last and those that ended, and the pauses that are announced."""
    sensors = _sensors(session, user)
    names = {key: row.name for key, row in sensors.items()}
    names |= {LOCAL: gettext("El propio centro"), "": gettext("Todos los sensores")}
    listing, query = _listing(names), visible(user, SourceSilence)
    file = export(session, listing, query, request, name="silencios")
    if file is not None:
        return file
    shown = show(session, listing, query, request)
    now, calendar = centre.clock(), load_policies(centre.settings.site).calendar
    windows, lasting, whose = _windows(session, user, now), set(), {}
    for row in windows:
        sensor = sensors.get(row.sensor_key)
        entity = row.entity or (sensor.entity if sensor else None)
        if _lasts(row, now, calendar.of(entity.department if entity else "")):
            lasting.add(row.id)
        own = _of_entity(row.entity) if row.entity else names.get(row.sensor_key)
        whose[row.id] = own or row.sensor_key
    return render(
        request, "admin/silences.html",
        list=shown, names=names, windows=windows, whose=whose, lasting=lasting,
    )  # fmt: skip


def _windows(session: Session, user: User, now: datetime) -> Sequence[QuietWindow]:
    """Those that stand, by when they begin; those of every week are after the others."""
    standing = (
        visible(user, QuietWindow)
        .where(stands(now))
        .options(joinedload(QuietWindow.owner), joinedload(QuietWindow.entity))
        .order_by(QuietWindow.days != "", QuietWindow.start_at, QuietWindow.id)
        .limit(limits.QUIET_WINDOWS_MAX)
    )
    return session.scalars(standing).all()


def _lasts(row: QuietWindow, now: datetime, calendar: WorkingCalendar) -> bool:
    """Whether silence is expected at this moment."""
    if row.start_at > now:
        return False
    return row.times is None or row.times.touches(now, now + timedelta(seconds=1), calendar)


def _sensors(session: Session, user: User) -> dict[str, Sensor]:
    """All of them, by key."""
    rows = session.scalars(visible(user, Sensor).options(joinedload(Sensor.entity)))
    return {f"sensor:{row.id}": row for row in rows}


@router.get("/nueva", dependencies=[require("admin.edit")])
def show_new(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The form for a new pause."""
    around = _around(session, user, centre.definitions.by_name)
    return render(request, "admin/quiet.html", form=blank(start=centre.clock()), **around)


@router.post("/nueva", dependencies=[require("admin.edit")])
def announce(
    request: Request, act: CurrentAct, user: CurrentUser, centre: TheCentre, sent: SentForm
) -> Response:
    """Announce it."""
    form = read(sent, QuietForm)
    around = _around(act.session, user, centre.definitions.by_name)
    with redo(request, "admin/quiet.html", form=form, **around):
        data = form.data()
        whose = _whose(centre, data.sensor, data.source)
        add_quiet_window(act, whose, start=data.start, end=data.end, reason=data.reason)
    return redirect(request, PLACE, toast=Toast(gettext("La pausa quedó anunciada.")))


@router.get("/semanal", dependencies=[require("admin.edit")])
def show_weekly(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The form for a new pause that comes again every week."""
    around = _around(session, user, centre.definitions.by_name)
    return render(request, "admin/quiet_weekly.html", form=blank(), **around)


@router.post("/semanal", dependencies=[require("admin.edit")])
def announce_weekly(
    request: Request, act: CurrentAct, user: CurrentUser, centre: TheCentre, sent: SentForm
) -> Response:
    """Announce it, from now on."""
    form = read(sent, WeeklyForm)
    around = _around(act.session, user, centre.definitions.by_name)
    with redo(request, "admin/quiet_weekly.html", form=form, **around):
        data = form.data()
        whose = _whose(centre, data.sensor, data.source)
        times = weekly_times(data.days, data.opens, data.closes)
        add_quiet_times(act, whose, times=times, reason=data.reason)
    return redirect(request, PLACE, toast=Toast(gettext("La pausa vale cada semana desde ahora.")))


@router.post("/{window_id}/terminar", dependencies=[require("admin.edit")])
def end(request: Request, act: CurrentAct, user: CurrentUser, window_id: int) -> Response:
    """Expect its sources again from now on."""
    end_quiet_window(act, find(act.session, user, QuietWindow, id=window_id))
    return redirect(request, PLACE, toast=Toast(gettext("La pausa terminó.")))


def _whose(centre: Centre, chosen: str, source: str) -> Whose:
    """Of the sensor or entity, and the source, that the form has. Raises Invalid."""
    if source:
        centre.definitions.check(source)
    if not chosen.startswith(OF_ENTITY):
        return Whose("" if chosen == EVERY else chosen, source=source)
    entity_id = read_id(chosen.removeprefix(OF_ENTITY))
    if entity_id is None:
        raise Invalid("No existe esa entidad.", field="sensor")
    return Whose(entity_id=entity_id, source=source)


def _around(session: Session, user: User, sources: Mapping[str, object]) -> dict[str, Any]:
    in_use = visible(user, Sensor).where(Sensor.revoked_at.is_(None)).order_by(Sensor.name)
    rows = session.scalars(in_use.limit(limits.MENU_ROWS_MAX))
    having = in_use.with_only_columns(Sensor.entity_id).order_by(None)
    entities = session.scalars(
        visible(user, Entity)
        .where(Entity.id.in_(having))
        .order_by(Entity.acronym, Entity.id)
        .limit(limits.MENU_ROWS_MAX)
    )
    return {
        "sensors": [
            (EVERY, gettext("Todos los sensores")),
            (LOCAL, gettext("El propio centro")),
            *((f"{OF_ENTITY}{row.id}", _of_entity(row)) for row in entities),
            *((f"sensor:{row.id}", row.name) for row in rows),
        ],
        "sources": [(name, name) for name in sorted(sources)],
        "days": [
            (code, name.capitalize()) for code, name in labels("detection.quiet_days").items()
        ],
    }


def _of_entity(entity: Entity) -> str:
    """How all sensors of an entity are called."""
    return gettext("Los sensores de {name}").format(name=entity.acronym or entity.name)
