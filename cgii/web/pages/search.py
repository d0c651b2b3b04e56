"""The search of the top bar: one box over incidents, notices, alerts, entities and plans."""

from dataclasses import dataclass
from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request
from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base import limits
from cgii.base.labels import label
from cgii.model.alerts import AlertGroup
from cgii.model.entities import Entity, EntityDomain
from cgii.model.incidents import Incident, Notice, Observable
from cgii.model.people import User
from cgii.model.plans import Plan
from cgii.web.access import require, rights_of
from cgii.web.answers import redirect, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentSession, CurrentUser, CurrentVisitor
from cgii.web.language import gettext
from cgii.web.visible import visible

Row = TypeVar("Row")
router = APIRouter(prefix="/buscar", include_in_schema=False)


@dataclass(frozen=True)
class Hit:
    """One thing found: where it is, its name, a word beside it."""

    url: str
    code: str
    title: str
    beside: str = ""


@dataclass(frozen=True)
class Kind:
    """The hits of one kind of thing."""

    title: str
    icon: str
    hits: list[Hit]


@router.get("", dependencies=[require("account")])
def search(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    visitor: CurrentVisitor,
    q: Annotated[str, Query(max_length=limits.NAME_CHARS_MAX)] = "",
) -> Response:
    """What fits, by kind; a full number goes straight to its page."""
    words = q.replace("\0", "").strip()
    rights = rights_of(visitor.role)
    kinds: list[Kind] = []
    if words:
        exact = _exact(session, user, words, is_centre="incident.see" in rights)
        if exact is not None:
            return redirect(request, exact)
        if visitor.is_of_entity:
            kinds = [_cases(session, user, words)]
        else:
            kinds = [
                _incidents(session, user, words),
                _alerts(session, user, words),
                _notices(session, user, words),
                _entities(session, user, words),
                _plans(session, user, words),
            ]
    return render(
        request, "search/search.html", words=words, kinds=[kind for kind in kinds if kind.hits]
    )


def _exact(session: Session, user: User, words: str, *, is_centre: bool) -> str | None:
    incident = session.scalar(visible(user, Incident).where(Incident.code == words.upper()))
    if incident is None:
        return None
    return f"/incidentes/{incident.code}" if is_centre else f"/portal/casos/{incident.code}"


def _first(session: Session, query: Select[Row]) -> list[Row]:
    return list(session.scalars(query.limit(limits.SEARCH_HITS_MAX)))


def _incidents(session: Session, user: User, words: str) -> Kind:
    known = select(Observable.incident_id).where(Observable.value == words)
    query = visible(user, Incident).where(
        or_(
            contains(Incident.code, words),
            contains(Incident.title, words),
            Incident.id.in_(known),
        )
    )
    rows = session.scalars(
        query.order_by(Incident.received_at.desc()).limit(limits.SEARCH_HITS_MAX)
    )
    hits = [
        Hit(
            f"/incidentes/{row.code}",
            row.code,
            row.title,
            label("incidents.severities", row.severity),
        )
        for row in rows
    ]
    return Kind(gettext("Incidentes"), "shield-exclamation", hits)


def _cases(session: Session, user: User, words: str) -> Kind:
    query = visible(user, Incident).where(contains(Incident.title, words))
    rows = session.scalars(
        query.order_by(Incident.received_at.desc()).limit(limits.SEARCH_HITS_MAX)
    )
    return Kind(
        gettext("Mis casos"),
        "folder2-open",
        [Hit(f"/portal/casos/{row.code}", row.code, row.title) for row in rows],
    )


def _alerts(session: Session, user: User, words: str) -> Kind:
    query = visible(user, AlertGroup).where(
        or_(
            contains(AlertGroup.rule_title, words),
            contains(AlertGroup.key_text, words),
        )
    )
    rows = _first(session, query.order_by(AlertGroup.last_at.desc()))
    hits = [
        Hit(f"/alertas/{row.id}", f"×{row.alert_count}", row.rule_title, row.key_text)
        for row in rows
    ]
    return Kind(gettext("Alertas"), "lightning-charge", hits)


def _notices(session: Session, user: User, words: str) -> Kind:
    query = visible(user, Notice).where(
        or_(
            contains(Notice.code, words),
            contains(Notice.title, words),
        )
    )
    rows = _first(session, query.order_by(Notice.received_at.desc()))
    hits = [Hit(f"/portal/constancias/{row.code}", row.code, row.title) for row in rows]
    return Kind(gettext("Reportes de entidades"), "megaphone", hits)


def _entities(session: Session, user: User, words: str) -> Kind:
    query = visible(user, Entity).where(
        or_(
            contains(Entity.name, words),
            contains(Entity.acronym, words),
            Entity.domains.any(EntityDomain.domain == words.casefold()),
        )
    )
    rows = _first(session, query.order_by(Entity.name))
    hits = [Hit(f"/entidades/{row.code}", row.acronym, row.name) for row in rows]
    return Kind(gettext("Entidades"), "buildings", hits)


def _plans(session: Session, user: User, words: str) -> Kind:
    query = (
        visible(user, Plan)
        .join(Plan.entity)
        .where(
            or_(
                contains(Entity.name, words),
                contains(Entity.acronym, words),
            )
        )
    )
    rows = _first(session, query.order_by(Plan.year.desc()))
    hits = [
        Hit(f"/planes/{row.id}", str(row.year), row.entity.name, label("plans.states", row.state))
        for row in rows
    ]
    return Kind(gettext("Planes"), "clipboard-check", hits)
