"""Administration: how the centre is, its settings, its jobs, its audit trail."""

from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base.errors import Conflict
from cgii.base.settings import Settings
from cgii.centre import Centre
from cgii.model.people import User, WebSession
from cgii.model.records import AuditEntry, Job, Sensor
from cgii.store.queue import put_back
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, TheCentre
from cgii.web.exports import export
from cgii.web.health import problems
from cgii.web.language import gettext
from cgii.web.tables import Column, Listing, choice, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/administracion", include_in_schema=False)
FAULTS_SHOWN = 20


def _attempts(row: Job) -> int:
    return row.attempts


JOBS = Listing(
    columns=(
        Column("name", "Trabajo", sort=Job.name, value=lambda row: row.name),
        Column("state", "Estado", sort=Job.state, value=lambda row: row.state),
        Column("run_at", "Le toca", sort=Job.run_at, value=lambda row: row.run_at),
        Column(
            "attempts", "Intentos", sort=Job.attempts, is_number=True, value=lambda r: r.attempts
        ),
        Column("ended_at", "Terminó", sort=Job.ended_at, value=lambda row: row.ended_at),
        Column("last_error", "Último error", value=lambda row: row.last_error),
        Column("act", "Acción"),
    ),
    filters=(choice("state", "Estado", Job.state, "words.job_states"),),
    default_sort="-run_at",
    search=lambda words: contains(Job.name, words),
    search_label="Nombre del trabajo",
)
AUDIT = Listing(
    columns=(
        Column("id", "N.º", sort=AuditEntry.id, is_number=True, value=lambda row: row.id),
        Column("at", "Cuándo", sort=AuditEntry.at, value=lambda row: row.at),
        Column("actor", "Quién", sort=AuditEntry.actor, value=lambda row: row.actor),
        Column("action", "Hizo", sort=AuditEntry.action, value=lambda row: row.action),
        Column("target", "Sobre qué", sort=AuditEntry.target, value=lambda row: row.target),
        Column("data", "Detalle", value=lambda row: row.data),
        Column("digest", "Sello", is_extra=True, value=lambda row: row.digest),
    ),
    default_sort="-id",
    search=lambda words: (
        AuditEntry.action.startswith(words, autoescape=True)
        | contains(AuditEntry.target, words)
        | (AuditEntry.actor == words)
    ),
    search_label="Acción, objeto o «user:12»",
)


@dataclass(frozen=True)
class ShownSetting:
    """A setting for reading: secrets are only said to be set or not."""

    name: str
    value: str
    is_default: bool
    meaning: str


@router.get("", dependencies=[require("admin.see")])
def overview(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """How the centre is, at a glance."""
    return render(
        request,
        "admin/overview.html",
        troubles=problems(centre),
        rejected=centre.content.rejected,
        counts=_counts(session),
        settings=shown_settings(centre.settings),
    )


def _counts(session: Session) -> dict[str, int]:
    queries = {
        "people": select(func.count()).where(User.is_active),
        "sessions": select(func.count(WebSession.id)),
        "sensors": select(func.count()).where(Sensor.revoked_at.is_(None)),
        "waiting": select(func.count()).where(Job.state == "waiting"),
        "parked": select(func.count()).where(Job.state == "parked"),
        "audit": select(func.count(AuditEntry.id)),
    }
    return {name: session.scalar(query) or 0 for name, query in queries.items()}


def shown_settings(settings: Settings) -> list[ShownSetting]:
    """Every setting with its value and meaning, without secrets or passwords in addresses."""
    found = []
    for name, field in type(settings).model_fields.items():
        value: Any = getattr(settings, name)
        if isinstance(value, SecretStr):
            text = gettext("definido") if value.get_secret_value() else gettext("sin definir")
        else:
            text = "" if value in (None, ()) else _without_password(str(value))
        is_default = value == field.get_default(call_default_factory=True)
        found.append(ShownSetting(name, text, is_default, field.description or ""))
    return found


def _without_password(text: str) -> str:
    scheme, mark, rest = text.partition("://")
    if mark and "@" in rest:
        return f"{scheme}://•••@{rest.rpartition('@')[2]}"
    return text


@router.get("/trabajos", dependencies=[require("admin.see")])
def job_list(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """Background jobs; parked ones wait here for somebody."""
    query = visible(user, Job)
    file = export(session, JOBS, query, request, name="trabajos")
    return file or render(request, "admin/jobs.html", list=show(session, JOBS, query, request))


@router.post("/trabajos/{job_id}/reintentar", dependencies=[require("admin.edit")])
def retry(request: Request, act: CurrentAct, user: CurrentUser, job_id: int) -> Response:
    """Give a parked job its tries again."""
    job = find(act.session, user, Job, id=job_id)
    if not put_back(act.session, job.id, now=act.now):
        raise Conflict("Este trabajo no está detenido.")
    act.record("job.put_back", f"job:{job.id}", name=job.name)
    return redirect(
        request,
        "/administracion/trabajos?state=parked",
        toast=Toast(gettext("El trabajo volverá a intentarse.")),
    )


@router.get("/auditoria", dependencies=[require("admin.see")])
def audit_list(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """Who did what, in a chain that shows any change."""
    query = visible(user, AuditEntry)
    file = export(session, AUDIT, query, request, name="auditoria")
    if file is not None:
        return file
    shown = show(session, AUDIT, query, request)
    return render(request, "admin/audit.html", list=shown, names=_names(session, shown.rows))


def _names(session: Session, rows: Any) -> dict[str, str]:
    """Actor → the person's name, for the rows on the page."""
    ids = {int(row.actor[5:]) for row in rows if row.actor.startswith("user:")}
    people = session.execute(select(User.id, User.name).where(User.id.in_(ids)))
    return {f"user:{number}": name for number, name in people}


@router.get("/auditoria/verificar", dependencies=[require("admin.see")])
def verify(request: Request, session: CurrentSession, centre: TheCentre) -> Response:
    """Walk the whole chain and say whether it holds."""
    faults, more = _faults(centre, session)
    count = session.scalar(select(func.count(AuditEntry.id))) or 0
    return render(request, "admin/verified.html", faults=faults, more=more, count=count)


def _faults(centre: Centre, session: Session) -> tuple[list[Any], bool]:
    found: list[Any] = []
    for fault in centre.trail.verify(session):
        if len(found) == FAULTS_SHOWN:
            return found, True
        found.append(fault)
    return found, False
