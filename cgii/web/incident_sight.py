"""What an incident's page shows, section by section, so that only what is seen is read."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ScalarSelect, Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from cgii.base import limits
from cgii.centre import Centre
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import EntityRequest, Entry, Evidence, Incident, Notice, Observable
from cgii.model.people import User
from cgii.model.runs import Run, Step
from cgii.respond.evidence_scans import waiting_scans
from cgii.respond.run_graph import graph
from cgii.respond.runner import playbook_of, questions
from cgii.respond.views import clocks, order_faults, similar
from cgii.web.file_scans import newest_scans
from cgii.web.row_marks import times_known
from cgii.web.visible import visible

ALL = "todo"
SECTIONS = {
    "cronologia": "Cronología",
    "guia": "Guía",
    "alertas": "Alertas",
    "observables": "Observables",
    "pedidos": "Pedidos",
    "evidencias": "Evidencias",
    "plazos": "Plazos",
    "relacionados": "Relacionados",
}
# What the timeline can be narrowed to: word in the URL → (label, kinds of entries).
ENTRY_FILTERS: dict[str, tuple[str, frozenset[str]]] = {
    "comentarios": ("Comentarios", frozenset({"comment"})),
    "etapas": (
        "Etapas y plazos",
        frozenset({"opened", "stage", "waiting", "deadline", "closed", "reopened"}),
    ),
    "pedidos": ("Pedidos y respuestas", frozenset({"request", "answer", "mail", "shared"})),
    "guia": ("Guía", frozenset({"playbook"})),
    "datos": (
        "Alertas y datos",
        frozenset({"alerts", "observable", "evidence", "classified", "severity", "owner"}),
    ),
}


@dataclass(frozen=True)
class Walk:
    """A run with its waiting steps, what they ask, and its picture."""

    run: Run
    waiting: tuple[tuple[Step, Any, tuple[Any, ...]], ...]  # step, PlaybookStep, Variables
    picture: Any  # run_graph.Graph


def counts_of(session: Session, user: User, incident: Incident) -> dict[str, int]:
    """How much each section has, in one query."""
    open_requests = _of(user, EntityRequest, incident).where(
        EntityRequest.answered_at.is_(None), EntityRequest.withdrawn_at.is_(None)
    )
    asked: dict[str, ScalarSelect[int]] = {
        "cronologia": _count(_of(user, Entry, incident)),
        "guia": _count(_of(user, Run, incident)),
        "alertas": _count(_of(user, AlertGroup, incident)),
        "observables": _count(_of(user, Observable, incident)),
        "pedidos": _count(open_requests),
        "evidencias": _count(_of(user, Evidence, incident)),
    }
    row = session.execute(select(*asked.values())).one()
    return dict(zip(asked, row, strict=True))


def section_of(
    session: Session, user: User, centre: Centre, incident: Incident, *, name: str, kind: str = ""
) -> dict[str, Any]:  # what the templates name
    """The rows of one section, or of all of them for printing. `kind` narrows the timeline."""
    found: dict[str, Any] = {}
    names = SECTIONS if name == ALL else (name,)
    for one in names:
        found.update(_section(session, user, centre, incident, name=one, kind=kind))
    return found


def _section(
    session: Session, user: User, centre: Centre, incident: Incident, *, name: str, kind: str
) -> dict[str, Any]:
    if name == "cronologia":
        return {"entries": entries_of(session, user, incident, kind=kind)}
    if name == "guia":
        return guide_of(session, user, centre, incident)
    if name == "alertas":
        query = _of(user, AlertGroup, incident).order_by(AlertGroup.last_at.desc())
        return {"groups": session.scalars(query.options(joinedload(AlertGroup.owner))).all()}
    if name == "observables":
        rows = session.scalars(_of(user, Observable, incident).order_by(Observable.id)).all()
        known = times_known(session, [row.value for row in rows])
        return {"observables": [(row, known.get((row.kind, row.value), 1) - 1) for row in rows]}
    if name == "pedidos":
        query_ = _of(user, EntityRequest, incident).order_by(EntityRequest.asked_at.desc())
        return {"requests": session.scalars(query_).all()} | _people(session, user)
    if name == "evidencias":
        rows_ = _of(user, Evidence, incident).order_by(Evidence.added_at.desc(), Evidence.id.desc())
        evidence = session.scalars(rows_).all()
        scans = {
            "scans": newest_scans(session, user, evidence),
            "waiting_scans": waiting_scans(session, [row.id for row in evidence]),
        }
        return {"evidence": evidence} | scans | _people(session, user)
    if name == "plazos":
        return {"all_clocks": clocks(session, incident), "faults": order_faults(incident)}
    notices = _of(user, Notice, incident).options(joinedload(Notice.reporter))
    return {"similar": similar(session, incident), "notices": session.scalars(notices).all()}


def entries_of(session: Session, user: User, incident: Incident, *, kind: str) -> list[Entry]:
    """The timeline, newest first, up to limits.TIMELINE_ROWS_SHOWN."""
    query = _of(user, Entry, incident).order_by(Entry.at.desc(), Entry.id.desc())
    if kind in ENTRY_FILTERS:
        query = query.where(Entry.kind.in_(ENTRY_FILTERS[kind][1]))
    query = query.options(joinedload(Entry.author)).limit(limits.TIMELINE_ROWS_SHOWN)
    return list(session.scalars(query))


def guide_of(
    session: Session, user: User, centre: Centre, incident: Incident
) -> dict[str, Any]:  # what the templates name
    """The runs of an incident and the playbooks that fit it."""
    query = _of(user, Run, incident).order_by(Run.id.desc()).options(selectinload(Run.steps))
    runs = session.scalars(query).all()
    books = centre.content.playbooks
    fitting = books.for_class(incident.rsit_class)
    others = sorted(
        (book for book in books.by_id.values() if book not in fitting), key=lambda book: book.name
    )
    return {
        "walks": [_walk(run) for run in runs],
        "fitting": fitting,
        "other_books": others,
    } | _people(session, user)


def _walk(run: Run) -> Walk:
    book = playbook_of(run)
    waiting = tuple(
        (step, book.steps[step.step_id], tuple(questions(book, step)))
        for step in run.steps
        if step.state == "waiting"
    )
    return Walk(run, waiting, graph(run))


def _people(session: Session, user: User) -> dict[str, Any]:
    """Names by id, for rows that keep only the id; the centre has few people."""
    rows = session.execute(
        visible(user, User).where(User.entity_id.is_(None)).with_only_columns(User.id, User.name)
    )
    return {"names": dict(rows.all())}


def _of(user: User, table: Any, incident: Incident) -> Select[Any]:  # a table with incident_id
    return visible(user, table).where(table.incident_id == incident.id)


def _count(query: Select[Any]) -> ScalarSelect[int]:
    return query.with_only_columns(func.count(), maintain_column_froms=True).scalar_subquery()
