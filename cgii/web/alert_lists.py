"""Columns and filters of lists of alert groups, for the desk and for the page of alerts."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import ColumnElement, case, or_, select
from sqlalchemy.orm import Session

from cgii.base.clock import show as show_moment
from cgii.base.labels import label
from cgii.model.alerts import AlertGroup
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.web.contains import contains
from cgii.web.incident_lists import CLASSES, NOBODY, RANKS, desk_people, once
from cgii.web.tables import Column, Filter, Listing, Span, choice

UNDECIDED = ("new", "taken")
RANK = case(RANKS, value=AlertGroup.severity, else_=-1)
OWNER_NAME = select(User.name).where(User.id == AlertGroup.owner_id).scalar_subquery()
ENTITY_NAME = select(Entity.acronym).where(Entity.id == AlertGroup.entity_id).scalar_subquery()
UNKNOWN = "desconocida"
GROUP_STATES = "incidents.group_states"

COLUMNS = (
    Column(
        "severity",
        "Severidad",
        sort=RANK,
        value=lambda row: label("incidents.severities", row.severity),
    ),
    Column("title", "Alerta", sort=AlertGroup.rule_title, value=lambda row: row.rule_title),
    Column("alerts", "Veces", sort=AlertGroup.alert_count, is_number=True,
           value=lambda row: row.alert_count),
    Column("key", "Agrupada por", sort=AlertGroup.key_text, is_extra=True,
           value=lambda row: row.key_text),
    Column("entity", "Entidad", sort=ENTITY_NAME,
           value=lambda row: row.entity.name if row.entity else ""),
    Column("class", "Clase", sort=AlertGroup.rsit_class,
           value=lambda row: label("taxonomy.classes", row.rsit_type or row.rsit_class)),
    Column("observables", "Observables",
           value=lambda row: " ".join(value for _, value in row.observables)),
    Column("state", "Estado", sort=AlertGroup.state,
           value=lambda row: label("incidents.group_states", row.state)),
    Column("owner", "Responsable", sort=OWNER_NAME,
           value=lambda row: row.owner.name if row.owner else ""),
    Column("source", "Fuente", sort=AlertGroup.source, is_extra=True,
           value=lambda row: row.source),
    Column("first", "Primera", sort=AlertGroup.first_at, is_extra=True,
           value=lambda row: show_moment(row.first_at)),
    Column("last", "Última", sort=AlertGroup.last_at,
           value=lambda row: show_moment(row.last_at)),
)  # fmt: skip


def alert_list(session: Session, *, is_desk: bool = False) -> Listing:
    """Groups of alerts, the newest first; on the desk those that nobody has decided."""
    columns = [replace(one, is_extra=True) if one.key == "state" else one for one in COLUMNS]
    states = () if is_desk else (choice("state", "Estado", AlertGroup.state, GROUP_STATES),)
    return Listing(
        columns=tuple(columns) if is_desk else COLUMNS,
        filters=(
            choice("severity", "Severidad", AlertGroup.severity, "incidents.severities"),
            Filter("class", "Clase", lambda: CLASSES, AlertGroup.rsit_class.in_),
            *states,
            _entity_filter(session),
            _owner_filter(session),
        ),
        spans=() if is_desk else (Span("last", "Última vez", AlertGroup.last_at),),
        default_sort="-last",
        search=_search,
        search_label="Regla, dirección, equipo o cuenta",
    )


def _entity_filter(session: Session) -> Filter:
    def options() -> Mapping[str, str]:
        # Only entities with something undecided: three hundred names are no menu.
        ids = select(AlertGroup.entity_id).where(AlertGroup.state.in_(UNDECIDED)).distinct()
        rows = session.execute(
            select(Entity.code, Entity.acronym).where(Entity.id.in_(ids)).order_by(Entity.acronym)
        )
        return {UNKNOWN: "Sin entidad"} | dict(rows.all())

    def narrow(chosen: list[str]) -> ColumnElement[bool]:
        ids = select(Entity.id).where(Entity.code.in_(chosen))
        found = AlertGroup.entity_id.in_(ids)
        return or_(found, AlertGroup.entity_id.is_(None)) if UNKNOWN in chosen else found

    return Filter("entity", "Entidad", once(options), narrow)


def _owner_filter(session: Session) -> Filter:
    def options() -> Mapping[str, str]:
        return {NOBODY: "Sin responsable"} | dict(desk_people(session))

    def narrow(chosen: list[str]) -> ColumnElement[bool]:
        found = AlertGroup.owner_id.in_([int(value) for value in chosen if value != NOBODY])
        return or_(found, AlertGroup.owner_id.is_(None)) if NOBODY in chosen else found

    return Filter("owner", "Responsable", once(options), narrow)


def _search(words: str) -> ColumnElement[bool]:
    return or_(
        contains(AlertGroup.rule_title, words),
        contains(AlertGroup.key_text, words),
        contains(AlertGroup.summary, words),
        AlertGroup.rule_id == words,
    )
