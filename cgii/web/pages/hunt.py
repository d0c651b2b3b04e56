"""The search over raw events: query, time, histogram, table, values, export, saved searches."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.datastructures import QueryParams
from starlette.responses import Response, StreamingResponse

from cgii.base import limits
from cgii.base.clock import local
from cgii.base.errors import Invalid, NotFound, Unavailable
from cgii.centre import Centre
from cgii.model.entities import Entity
from cgii.model.event import Event
from cgii.model.people import ENTITY_ROLES, User
from cgii.model.records import SavedView, Sensor
from cgii.report.event_lines import FORMATS
from cgii.report.tables import Value, csv_lines, to_csv
from cgii.store.event_shapes import Bucket, EventQuery, Page, TopValue
from cgii.store.events import EventStore
from cgii.store.views import ViewForm, drop_view, save_view
from cgii.web.access import require
from cgii.web.answers import Toast, attached, redirect, render, sentence
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import CSV_TYPE
from cgii.web.forms import read
from cgii.web.hunting import (
    EVENT_ID,
    PLACE,
    STEPS,
    TOP_FIELDS,
    Hunt,
    facts_of,
    histogram_spec,
    line_of,
    range_choices,
    read_hunt,
    warnings,
)
from cgii.web.language import gettext
from cgii.web.visible import find, visible

router = APIRouter(prefix=PLACE, include_in_schema=False)
HEADS = (
    "Fecha y hora",
    "Recibido",
    "Fuente",
    "Entidad",
    "Equipo",
    "Usuario",
    "Dirección de origen",
    "Dirección de destino",
    "Acción",
    "Resultado",
    "Mensaje",
    "Registro original",
)
NDJSON_TYPE = "application/x-ndjson"
# One document per line; what the file is called after.
JSON_ENDINGS = {"jsonl": "jsonl", "ecs": "ecs.jsonl", "ocsf": "ocsf.jsonl"}
NOTHING_FOUND = Page(())


@router.get("", dependencies=[require("search.see")])
def hunt_page(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The first page of what was asked, newest first, and how it is spread over time."""
    if found_id := EVENT_ID.fullmatch(request.query_params.get("q", "").strip()):
        return redirect(request, f"{PLACE}/{found_id[1]}")
    hunt = read_hunt(request.query_params, now=centre.clock())
    page, buckets, total, is_more = NOTHING_FOUND, tuple[Bucket, ...](), 0, False
    told: list[str] = []
    problem, status = "", 200
    try:
        query = hunt.query(user)
        page = centre.events.search(query)
        buckets, total, is_more = _spread(centre.events, query, hunt)
        told = warnings(centre.events.gaps(query), page.unreadable)
    except (Invalid, Unavailable) as error:
        problem, status = sentence(error), error.status
    lines = [line_of(event, centre.clock()) for event in page.events]
    return render(
        request,
        "hunt/hunt.html",
        status=status,
        hunt=hunt,
        problem=problem,
        warnings=told,
        lines=lines,
        after=page.after,
        total=total,
        is_more=is_more,
        spec=histogram_spec(hunt, buckets),
        has_histogram=bool(buckets),
        ranges=range_choices(),
        fields=_fields(request),
        known_fields=_names(page.events),
        entities=_entities(session, user, page.events),
        views=session.scalars(
            visible(user, SavedView).where(SavedView.page == PLACE).order_by(SavedView.name)
        ).all(),
        export_max=limits.EXPORT_ROWS_MAX,
    )


def _spread(
    events: EventStore, query: EventQuery, hunt: Hunt
) -> tuple[tuple[Bucket, ...], int, bool]:
    """The histogram and the count; when it takes too long, a count that stops early."""
    try:
        buckets = events.histogram(query, STEPS.get(hunt.range, limits.HISTOGRAM_BUCKETS))
        return buckets, sum(bucket.count for bucket in buckets), False
    except Unavailable:
        most = limits.COUNT_ROWS_MAX
        count = events.count(query, up_to=most + 1)
        return (), min(count, most), count > most


@router.get("/valores", dependencies=[require("search.see")])
def top_values(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The most frequent values of one field among what was found: a fragment of the page."""
    hunt = read_hunt(request.query_params, now=centre.clock())
    field = request.query_params.get("campo", "").strip()[: limits.NAME_CHARS_MAX]
    values, problem = tuple[TopValue, ...](), ""
    try:
        values = centre.events.top_values(hunt.query(user), field) if field else ()
    except (Invalid, Unavailable) as error:
        problem = sentence(error)
    return render(
        request,
        "hunt/values.html",
        hunt=hunt,
        field=field,
        values=values,
        most=max((one.count for one in values), default=1),
        problem=problem,
        words=_words(session, user, field, values),
    )


@router.get("/exportar", dependencies=[require("search.see")])
def export_events(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Everything that was found, up to a limit, as CSV or as one document per line."""
    hunt = read_hunt(request.query_params, now=centre.clock())
    query = hunt.query(user, limits.PAGE_ROWS_MAX)
    first = centre.events.search(query)  # what is wrong is told before the file begins
    pages = _pages(centre, query, first)
    name = f"eventos-{local(centre.clock()):%Y%m%d-%H%M}"
    asked = request.query_params.get("formato", "csv")
    form = asked if asked in JSON_ENDINGS else "csv"
    _record_export(centre, user, query, form)
    if form in JSON_ENDINGS:
        events = (event for page in pages for event in page)
        media_type, ending, made = NDJSON_TYPE, JSON_ENDINGS[form], FORMATS[form](events)
    else:
        names = {row.id: row.acronym for row in session.scalars(visible(user, Entity))}
        media_type, ending, made = CSV_TYPE, "csv", _as_csv(pages, names)
    response = StreamingResponse(made, media_type=media_type)
    response.headers["Content-Disposition"] = attached(f"{name}.{ending}")
    return response


def _record_export(centre: Centre, user: User, query: EventQuery, form: str) -> None:
    """Tell the audit trail, as `cgii export` does, before a line leaves; a GET's session reads."""
    with centre.database.transaction() as session:
        centre.act(session, user, via="web").record(
            "events.exported",
            "events",
            query=query.text,
            start=query.start.isoformat() if query.start else "",
            end=query.end.isoformat() if query.end else "",
            format=form,
            rows_max=limits.EXPORT_ROWS_MAX,
        )


@router.post("/vistas", dependencies=[require("account")])
def keep_view(request: Request, act: CurrentAct, sent: SentForm) -> Response:
    """Keep the present search under a name, for oneself."""
    form = read(sent, ViewForm).data()
    save_view(act, PLACE, form)
    toast = Toast(gettext("Búsqueda guardada."))
    return redirect(request, f"{PLACE}?{form.query}", toast=toast)


@router.post("/vistas/{view_id}/borrar", dependencies=[require("account")])
def forget_view(request: Request, act: CurrentAct, user: CurrentUser, view_id: int) -> Response:
    """Forget a kept search."""
    view = find(act.session, user, SavedView, id=view_id, page=PLACE)
    drop_view(act, view)
    return redirect(request, PLACE, toast=Toast(gettext("Se borró la búsqueda guardada.")))


@router.get("/{event_id}", dependencies=[require("search.see")])
def event_page(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, event_id: str
) -> Response:
    """One event, whole."""
    event = _find(centre, user, event_id)
    return render(request, "hunt/event.html", **_shown(request, session, user, centre, event=event))


@router.get("/{event_id}/panel", dependencies=[require("search.see")])
def event_panel(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, event_id: str
) -> Response:
    """One event in the drawer; its links widen or narrow the search that is on the screen."""
    event = _find(centre, user, event_id)
    return render(request, "hunt/panel.html", **_shown(request, session, user, centre, event=event))


def _shown(
    request: Request, session: Session, user: User, centre: Centre, *, event: Event
) -> dict[str, Any]:
    """What the page and the drawer of an event have in common."""
    return {
        "event": event,
        "line": line_of(event, centre.clock()),
        "facts": facts_of(event),
        "hunt": _hunt_on_screen(request),
        "entity": _entities(session, user, (event,)).get(event.entity_id or 0),
        "sensor": session.scalar(visible(user, Sensor).where(Sensor.id == event.sensor_id)),
    }


def _hunt_on_screen(request: Request) -> Hunt:
    """The search of the page from which htmx asks, else an empty one over everything."""
    address, _, query = request.headers.get("hx-current-url", "").partition("?")
    centre: Centre = request.app.state.centre
    params = QueryParams(query if address.endswith(PLACE) else "rango=todo")
    return read_hunt(params, now=centre.clock())


def _find(centre: Centre, user: User, event_id: str) -> Event:
    event = centre.events.get(event_id)
    is_own = event is not None and event.entity_id == user.entity_id
    if event is None or (user.role in ENTITY_ROLES and not is_own):
        raise NotFound("No existe ese registro, o ya pasó el tiempo por el que se guarda.")
    return event


def _fields(request: Request) -> list[str]:
    chosen = [one.strip() for one in request.query_params.getlist("campo") if one.strip()]
    return list(dict.fromkeys([*chosen, *TOP_FIELDS]))[:12]


def _names(events: tuple[Event, ...]) -> list[str]:
    """Fields that the events at hand have, for the box where one is typed."""
    names = {name for event in events for name in (*event.ecs, *event.fields)}
    return sorted(names, key=str.casefold)[: limits.MENU_ROWS_MAX]


def _entities(session: Session, user: User, events: tuple[Event, ...]) -> dict[int, Entity]:
    ids = {event.entity_id for event in events if event.entity_id}
    rows = session.scalars(visible(user, Entity).where(Entity.id.in_(ids)))
    return {row.id: row for row in rows}


def _words(
    session: Session, user: User, field: str, values: tuple[TopValue, ...]
) -> dict[str, str]:
    """What numbers stand for, where a value is the number of an entity or a sensor."""
    ids = [int(one.value) for one in values if one.value.isdecimal()]
    if field in ("entity_id", "entidad"):
        rows = session.scalars(visible(user, Entity).where(Entity.id.in_(ids)))
        return {str(row.id): row.acronym for row in rows}
    if field in ("sensor_id", "sensor"):
        sensors = session.scalars(visible(user, Sensor).where(Sensor.id.in_(ids)))
        return {str(row.id): row.name for row in sensors}
    return {}


def _pages(centre: Centre, query: EventQuery, page: Page) -> Iterator[tuple[Event, ...]]:
    left = limits.EXPORT_ROWS_MAX
    while True:
        yield page.events[:left]
        left -= len(page.events)
        if not page.after or left <= 0:
            return
        page = centre.events.search(replace(query, after=page.after))


def _as_csv(pages: Iterator[tuple[Event, ...]], names: Mapping[int, str]) -> Iterator[bytes]:
    yield to_csv([gettext(head) for head in HEADS], ())
    for events in pages:
        yield csv_lines(_row(event, names.get(event.entity_id or 0, "")) for event in events)


def _row(event: Event, entity: str) -> tuple[Value, ...]:
    line = line_of(event, event.received_at)
    names = ("event.action", "event.outcome")
    return (
        event.at,
        event.received_at,
        event.source,
        entity,
        line.host,
        line.user,
        line.source_ip,
        line.destination_ip,
        *(str(event.ecs.get(name) or "") for name in names),
        line.message,
        event.original,
    )
