"""Administration of silence: sources that fell silent, and when silence is expected."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.model.people import User
from cgii.model.records import Sensor
from cgii.model.silence import QuietWindow, SourceSilence
from cgii.store.quiet import LOCAL, add_quiet_window, end_quiet_window
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.language import gettext
from cgii.web.tables import Column, Listing, choice, flag, show
from cgii.web.visible import find, visible

PLACE = "/administracion/silencios"
EVERY = "*"  # in the form, where nothing chosen is a mistake
router = APIRouter(prefix=PLACE, include_in_schema=False)


@dataclass(frozen=True)
class QuietForm:
    """An announced pause."""

    sensor: Annotated[str, Field(min_length=1, max_length=80)]
    start: datetime
    end: datetime
    reason: Annotated[str, Field(min_length=1, max_length=limits.SHORT_TEXT_CHARS_MAX)]
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
    names = _names(session, user)
    listing, query = _listing(names), visible(user, SourceSilence)
    file = export(session, listing, query, request, name="silencios")
    if file is not None:
        return file
    shown = show(session, listing, query, request)
    windows = _windows(session, user, centre.clock())
    return render(request, "admin/silences.html", list=shown, names=names, windows=windows)


def _windows(session: Session, user: User, now: datetime) -> Sequence[QuietWindow]:
    standing = (
        visible(user, QuietWindow)
        .where(QuietWindow.end_at > now)
        .options(joinedload(QuietWindow.owner))
        .order_by(QuietWindow.start_at, QuietWindow.id)
        .limit(limits.PAGE_ROWS_MAX)
    )
    return session.scalars(standing).all()


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
        if data.source:
            centre.definitions.check(data.source)
        add_quiet_window(
            act,
            sensor_key="" if data.sensor == EVERY else data.sensor,
            source=data.source,
            start=data.start,
            end=data.end,
            reason=data.reason,
        )
    return redirect(request, PLACE, toast=Toast(gettext("La pausa quedó anunciada.")))


@router.post("/{window_id}/terminar", dependencies=[require("admin.edit")])
def end(request: Request, act: CurrentAct, user: CurrentUser, window_id: int) -> Response:
    """Expect its sources again from now on."""
    end_quiet_window(act, find(act.session, user, QuietWindow, id=window_id))
    return redirect(request, PLACE, toast=Toast(gettext("La pausa terminó.")))


def _names(session: Session, user: User) -> dict[str, str]:
    names = {f"sensor:{row.id}": row.name for row in session.scalars(visible(user, Sensor))}
    return names | {LOCAL: gettext("El propio centro"), "": gettext("Todos los sensores")}


def _around(session: Session, user: User, sources: Mapping[str, object]) -> dict[str, Any]:
    in_use = visible(user, Sensor).where(Sensor.revoked_at.is_(None)).order_by(Sensor.name)
    rows = session.scalars(in_use.limit(limits.MENU_ROWS_MAX))
    fixed = [(EVERY, gettext("Todos los sensores")), (LOCAL, gettext("El propio centro"))]
    return {
        "sensors": [*fixed, *((f"sensor:{row.id}", row.name) for row in rows)],
        "sources": [(name, name) for name in sorted(sources)],
    }
