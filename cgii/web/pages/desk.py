"""The desk: what is due next, whose it is, and what waits; the first screen of the shift."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Select, func
from sqlalchemy.orm import Session, defer, joinedload
from starlette.responses import Response

from cgii.base.errors import Conflict, Invalid, NotFound
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.respond.lifecycle import assign, release, status, take
from cgii.store.act import Act
from cgii.web.access import require
from cgii.web.alert_lists import UNDECIDED, alert_list
from cgii.web.answers import Toast, back_to, nothing, redirect, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.forms import read_id
from cgii.web.incident_lists import desk_list, desk_people
from cgii.web.language import gettext, ngettext
from cgii.web.row_marks import group_marks, incident_marks
from cgii.web.tables import Listing, count_shown, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/mesa", include_in_schema=False)
NEW = "nuevos"


@dataclass(frozen=True)
class Tab:
    """One tab of the desk with how many rows it has."""

    key: str
    label: str
    count: int

    @property
    def url(self) -> str:
        """Its address."""
        return f"/mesa/{self.key}" if self.key != MINE else "/mesa"


MINE = "mios"
TABS = {
    MINE: "Míos",
    "sin-responsable": "Sin responsable",
    "en-espera": "En espera",
    NEW: "Nuevos",
    "todos": "Todos",
}


@router.get("", dependencies=[require("desk.see")])
def my_desk(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """The desk opened at what is mine."""
    return _desk(request, session, user, MINE)


@router.get("/{tab}", dependencies=[require("desk.see")])
def desk(request: Request, session: CurrentSession, user: CurrentUser, tab: str) -> Response:
    """One tab of the desk."""
    return _desk(request, session, user, tab)


@router.get("/{tab}/llegados", dependencies=[require("desk.see")])
def arrivals(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    tab: str,
    desde: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """How many rows came since the page was drawn: they wait until they are asked for."""
    if tab == NEW:
        groups = _groups(user).where(AlertGroup.id > desde)
        count = count_shown(session, alert_list(session, is_desk=True), groups, request)
    else:
        incidents = _incidents(user, tab).where(Incident.id > desde)
        count = count_shown(session, _listing(request, session, user, tab), incidents, request)
    return render(request, "desk/arrivals.html", count=count)


def _desk(request: Request, session: Session, user: User, tab: str) -> Response:
    if tab not in TABS:
        raise NotFound("La página no existe, o su cuenta no puede verla.")
    context: dict[str, Any] = {"tab": tab, "tabs": _tabs(session, user), "status_of": status}
    if tab == NEW:
        query = _groups(user).options(joinedload(AlertGroup.entity), joinedload(AlertGroup.owner))
        groups = show(session, alert_list(session, is_desk=True), query, request)
        marks = group_marks(session, groups.rows)
        newest = session.scalar(
            visible(user, AlertGroup).with_only_columns(func.max(AlertGroup.id))
        )
        return render(
            request, "desk/alerts.html", list=groups, marks=marks, newest=newest or 0, **context
        )
    query_ = _incidents(user, tab).options(
        joinedload(Incident.entity), joinedload(Incident.owner), defer(Incident.summary)
    )
    rows = show(session, _listing(request, session, user, tab), query_, request)
    newest = session.scalar(visible(user, Incident).with_only_columns(func.max(Incident.id)))
    return render(
        request,
        "desk/incidents.html",
        list=rows,
        marks=incident_marks(session, rows.rows),
        newest=newest or 0,
        people=desk_people(session),
        taken=_taken(session, user) if tab == MINE else 0,
        **context,
    )


def _listing(request: Request, session: Session, user: User, tab: str) -> Listing:
    named = request.query_params.getlist("entity")
    has_owner = tab in ("en-espera", "todos")
    return desk_list(session, user, has_owner=has_owner, entities=named)


def _incidents(user: User, tab: str) -> Select[Incident]:
    query = visible(user, Incident).where(Incident.closed_at.is_(None))
    if tab == MINE:
        return query.where(Incident.owner_id == user.id)
    if tab == "sin-responsable":
        return query.where(Incident.owner_id.is_(None))
    if tab == "en-espera":
        return query.where(Incident.waiting_for != "")
    return query


def _groups(user: User) -> Select[AlertGroup]:
    return visible(user, AlertGroup).where(AlertGroup.state.in_(UNDECIDED))


def _tabs(session: Session, user: User) -> list[Tab]:
    """All tabs with their counts, by one pass over the open incidents and one count of groups."""
    mine, unowned, waiting, whole = session.execute(
        _incidents(user, "todos").with_only_columns(
            func.count().filter(Incident.owner_id == user.id),
            func.count().filter(Incident.owner_id.is_(None)),
            func.count().filter(Incident.waiting_for != ""),
            func.count(),
        )
    ).one()
    new = session.scalar(_groups(user).with_only_columns(func.count()))
    counts = (mine, unowned, waiting, new or 0, whole)
    return [
        Tab(key, label, count) for (key, label), count in zip(TABS.items(), counts, strict=True)
    ]


def _taken(session: Session, user: User) -> int:
    """Alerts that this person has taken and not decided: they are theirs too."""
    query = _groups(user).where(AlertGroup.owner_id == user.id)
    return session.scalar(query.with_only_columns(func.count())) or 0


@router.post("/tomar", dependencies=[require("incident.work")])
def take_many(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Make the ticked incidents mine; what somebody else has stays with them."""
    taken = []
    chosen = _chosen(act, user, sent.getlist("row"))
    for incident in chosen:
        try:
            take(act, incident)
            taken.append(incident.code)
        except Conflict:
            continue  # counted below
    text = ngettext("Tomó %(count)s incidente.", "Tomó %(count)s incidentes.", len(taken))
    text = text % {"count": len(taken)}
    left = len(chosen) - len(taken)
    if left:
        more = gettext("%(count)s ya tenían responsable o están cerrados.") % {"count": left}
        text = f"{text} {more}"
    undo = f"/mesa/devolver?row={','.join(taken)}" if taken else ""
    told = Toast(text, "warning" if left else "success", undo=undo)
    return redirect(request, back_to(request, "/mesa"), toast=told)


@router.post("/devolver", dependencies=[require("incident.work")])
def give_back(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    row: Annotated[str, Query(max_length=2_000)] = "",
) -> Response:
    """Undo a take: back to the desk, if they are still mine."""
    for incident in _chosen(act, user, row.split(",")):
        if incident.owner_id == user.id:
            release(act, incident)
    return nothing(Toast(gettext("Devueltos a la mesa.")))


@router.post("/asignar", dependencies=[require("incident.assign")])
def assign_many(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Give the ticked incidents to one person."""
    owner = _person(act, user, sent.get("owner"))
    before = []
    for incident in _chosen(act, user, sent.getlist("row")):
        before.append(f"{incident.code}:{incident.owner_id or ''}")
        assign(act, incident, owner)
    count = len(before)
    text = ngettext("Se asignó %(count)s incidente a %(name)s.",
                    "Se asignaron %(count)s incidentes a %(name)s.", count)  # fmt: skip
    told = Toast(
        text % {"count": count, "name": owner.name},
        undo=f"/mesa/reasignar?antes={','.join(before)}&de={owner.id}",
    )
    return redirect(request, back_to(request, "/mesa"), toast=told)


@router.post("/reasignar", dependencies=[require("incident.assign")])
def assign_back(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    antes: Annotated[str, Query(max_length=3_000)] = "",
    de: int = 0,
) -> Response:
    """Undo an assignment: each to whom it was, if nobody has moved it since."""
    owners = dict(pair.split(":", 1) for pair in antes.split(",") if ":" in pair)
    for incident in _chosen(act, user, list(owners)):
        if incident.owner_id != de:
            continue
        if owners[incident.code]:
            assign(act, incident, _person(act, user, owners[incident.code]))
        else:
            release(act, incident)
    return nothing(Toast(gettext("Se deshizo la asignación.")))


def _person(act: Act, user: User, sent: object) -> User:
    found = read_id(sent)
    if found is None:
        raise Invalid("Elija a quién se asigna.", field="owner")
    return find(act.session, user, User, id=found)


def _chosen(act: Act, user: User, sent: Sequence[object]) -> Sequence[Incident]:
    codes = [value for value in sent if isinstance(value, str) and value]
    if not codes:
        raise Invalid("Marque al menos una fila.")
    query = visible(user, Incident).where(Incident.code.in_(codes)).order_by(Incident.id)
    return act.session.scalars(query).all()
