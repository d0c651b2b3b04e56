"""Columns and filters of incident lists, one vocabulary for the desk and the archive."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.clock import show as show_moment
from cgii.base.labels import label, labels, load_table
from cgii.model.deadlines import Deadline
from cgii.model.entities import Entity
from cgii.model.incidents import SEVERITIES, Incident, Observable
from cgii.model.people import Role, User
from cgii.model.table import UTCDateTime
from cgii.respond.lifecycle import status_label
from cgii.web.contains import contains
from cgii.web.tables import Column, Filter, Listing, Span, choice
from cgii.web.visible import visible

NOBODY = "nadie"
DESK_ROLES = (Role.ANALYST, Role.COORDINATOR)
NEVER = datetime(9000, 1, 1, tzinfo=UTC)  # where what has no due time stands in the order
Options = Callable[[], Mapping[str, str]]

# As respond.lifecycle.status says it of one row; a test holds the two together.
STATUS = case(
    (Incident.merged_into_id.is_not(None), "merged"),
    (Incident.closed_at.is_not(None), "closed"),
    (Incident.waiting_for == "entity", "waiting_entity"),
    (Incident.waiting_for == "third_party", "waiting_third_party"),
    (Incident.resolved_at.is_not(None), "resolved"),
    (Incident.recovered_at.is_not(None), "recovered"),
    (Incident.eradicated_at.is_not(None), "eradicated"),
    (Incident.contained_at.is_not(None), "contained"),
    (and_(Incident.triaged_at.is_not(None), Incident.owner_id.is_not(None)), "in_progress"),
    (Incident.triaged_at.is_not(None), "triaged"),
    (Incident.acknowledged_at.is_not(None), "acknowledged"),
    else_="new",
)
RANKS: dict[str, int] = {code: place for place, code in enumerate(SEVERITIES)}
RANK = case(RANKS, value=Incident.severity, else_=-1)
DUE = func.coalesce(Incident.next_due_at, literal(NEVER, UTCDateTime()))
OWNER_NAME = select(User.name).where(User.id == Incident.owner_id).scalar_subquery()
ENTITY_NAME = select(Entity.acronym).where(Entity.id == Incident.entity_id).scalar_subquery()
CLASSES = {row["code"]: row["label"] for row in load_table("taxonomy")["classes"]}
ATTENDED = {"a_tiempo": "A tiempo", "fuera": "Fuera de plazo", "abierto": "Plazo en curso"}

COLUMNS = (
    Column("severity", "Severidad", sort=RANK, value=lambda r: label(SEVERITY_WORDS, r.severity)),
    Column("due", "Plazo", sort=DUE, value=lambda r: _moment(r.next_due_at)),
    Column("code", "Número", sort=Incident.code, is_extra=True, value=lambda r: r.code),
    Column("title", "Incidente", sort=Incident.title, value=lambda r: r.title),
    Column("state", "Estado", sort=STATUS, value=status_label),
    Column(
        "entity", "Entidad", sort=ENTITY_NAME, value=lambda r: r.entity.name if r.entity else ""
    ),
    Column("class", "Clase", sort=Incident.rsit_class, value=lambda r: kind_label(r)),
    Column("alerts", "Alertas", is_number=True),
    Column("observables", "Observables"),
    Column(
        "owner", "Responsable", sort=OWNER_NAME, value=lambda r: r.owner.name if r.owner else ""
    ),
    Column("received", "Edad", sort=Incident.received_at, value=lambda r: _moment(r.received_at)),
)
SEVERITY_WORDS = "incidents.severities"
SHORT_FILTERS = (
    choice("severity", "Severidad", Incident.severity, SEVERITY_WORDS),
    Filter("class", "Clase", lambda: CLASSES, Incident.rsit_class.in_),
    Filter("state", "Estado", lambda: labels("incidents.statuses"), STATUS.in_),
)


def desk_list(
    session: Session, user: User, *, has_owner: bool, entities: Sequence[str] = ()
) -> Listing:
    """The desk's list: what is due first comes first. `has_owner` offers the filter by owner."""
    filters = (*SHORT_FILTERS, entity_filter(session, user, entities))
    # What stands in the tab or shows in the bar is asked for by whoever wants it.
    hidden = ("code", "state", "alerts", *(() if has_owner else ("owner",)))
    columns = [replace(one, is_extra=one.key in hidden) for one in COLUMNS]
    return Listing(
        columns=tuple(columns),
        filters=(*filters, owner_filter(session)) if has_owner else filters,
        default_sort="due",
        search=search,
        search_label="Número, título, entidad u observable",
    )


def archive_list(session: Session, user: User, *, entities: Sequence[str] = ()) -> Listing:
    """All incidents, the newest first, open or closed. `entities`: codes that the URL names."""
    gone = ("due", "alerts", "observables")
    more = (
        Column(
            "closed",
            "Cierre",
            sort=Incident.closed_at,
            is_extra=True,
            value=lambda r: _moment(r.closed_at),
        ),
        Column("origin", "Origen", sort=Incident.origin, is_extra=True, value=_origin),
        Column("tlp", "TLP", sort=Incident.tlp, is_extra=True, value=lambda r: r.tlp),
    )
    columns = [column for column in COLUMNS if column.key not in gone and column.key != "code"]
    first = Column("code", "Número", sort=Incident.code, value=lambda r: r.code)
    received = Column(
        "received", "Recibido", sort=Incident.received_at, value=lambda r: _moment(r.received_at)
    )
    kept = [column for column in columns if column.key != "received"]
    attended = Filter("attended", "Atención", lambda: ATTENDED, _attended)
    return Listing(
        columns=(first, *kept, received, *more),
        filters=(
            *SHORT_FILTERS,
            attended,
            entity_filter(session, user, entities),
            owner_filter(session),
        ),
        spans=(Span("received", "Recibido", Incident.received_at),),
        default_sort="-received",
        search=search,
        search_label="Número, título, entidad u observable",
    )


def entity_filter(session: Session, user: User, chosen: Sequence[str]) -> Filter:
    """A filter by entity; it offers those that have cases open, and those that are chosen."""
    busy = visible(user, Incident).where(Incident.closed_at.is_(None))
    ids = busy.with_only_columns(Incident.entity_id).distinct()
    codes = list(chosen)[: limits.MENU_ROWS_MAX]

    def options() -> Mapping[str, str]:
        rows = session.execute(
            select(Entity.code, Entity.acronym)
            .where(or_(Entity.id.in_(ids), Entity.code.in_(codes)))
            .order_by(Entity.acronym)
            .limit(limits.MENU_ROWS_MAX)
        )
        return dict(rows.all())

    def narrow(chosen: list[str]) -> ColumnElement[bool]:
        return Incident.entity_id.in_(select(Entity.id).where(Entity.code.in_(chosen)))

    return Filter("entity", "Entidad", once(options), narrow)


def owner_filter(session: Session) -> Filter:
    """A filter by the person in charge, or by nobody being it."""

    def options() -> Mapping[str, str]:
        return {NOBODY: "Sin responsable"} | dict(desk_people(session))

    def narrow(chosen: list[str]) -> ColumnElement[bool]:
        ids = [int(value) for value in chosen if value != NOBODY]
        found = Incident.owner_id.in_(ids)
        return or_(found, Incident.owner_id.is_(None)) if NOBODY in chosen else found

    return Filter("owner", "Responsable", once(options), narrow)


def desk_people(session: Session) -> list[tuple[str, str]]:
    """Who may own an incident, as (id, name) for choice fields."""
    rows = session.execute(
        select(User.id, User.name)
        .where(User.role.in_(DESK_ROLES), User.is_active)
        .order_by(User.name)
        .limit(limits.MENU_ROWS_MAX)
    )
    return [(str(user_id), name) for user_id, name in rows]


def search(words: str) -> ColumnElement[bool]:
    """Number, title, entity, or exactly an observable."""
    entity = select(Entity.id).where(
        or_(
            contains(Entity.name, words),
            contains(Entity.acronym, words),
        )
    )
    return or_(
        contains(Incident.code, words),
        contains(Incident.title, words),
        Incident.entity_id.in_(entity),
        Incident.id.in_(select(Observable.incident_id).where(Observable.value == words)),
    )


def kind_label(incident: Incident) -> str:
    """Class, or the type where it is known, in words."""
    return label("taxonomy.classes", incident.rsit_type or incident.rsit_class)


def _attended(chosen: list[str]) -> ColumnElement[bool]:
    clock = and_(
        Deadline.incident_id == Incident.id,
        Deadline.stage == "acknowledged",
        Deadline.party == "centre",
    )
    late = exists().where(clock, Deadline.missed_at.is_not(None))
    met = exists().where(clock, Deadline.met_at.is_not(None), Deadline.missed_at.is_(None))
    running = exists().where(clock, Deadline.ended_at.is_(None), Deadline.missed_at.is_(None))
    said = {"a_tiempo": and_(met, ~late), "fuera": late, "abierto": and_(running, ~late)}
    return or_(*(said[value] for value in chosen))


def once(options: Options) -> Options:
    """The same options asked once per request: a list draws them several times."""
    kept: list[Mapping[str, str]] = []

    def remembered() -> Mapping[str, str]:
        if not kept:
            kept.append(options())
        return kept[0]

    return remembered


def _moment(value: datetime | None) -> str:
    return show_moment(value) if value else ""


def _origin(incident: Incident) -> str:
    return label("incidents.origins", incident.origin)
