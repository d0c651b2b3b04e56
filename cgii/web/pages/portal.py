"""The portal of an entity's people: what needs doing, their cases, their sensors."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import case, or_
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.deadlines import Deadline
from cgii.model.incidents import EntityRequest, Entry, Evidence, Incident, Notice
from cgii.model.people import User
from cgii.model.plans import Plan
from cgii.model.records import Sensor, SourceVolume
from cgii.model.silence import SourceSilence
from cgii.report.produce import produce
from cgii.respond.evidence import attach
from cgii.respond.lifecycle import status, status_label
from cgii.respond.requests import answer
from cgii.respond.timeline import comment
from cgii.store.act import Act
from cgii.store.files import save
from cgii.web.access import require
from cgii.web.answers import Toast, download, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.file_scans import newest_scans
from cgii.web.forms import Filled, blank, files_of, read
from cgii.web.incident_lists import STATUS
from cgii.web.language import gettext
from cgii.web.plan_steps import missing_of, next_step
from cgii.web.sensor_health import health_by_sensor
from cgii.web.tables import Column, Filter, Listing, Span, flag, show
from cgii.web.visible import find, visible
from cgii.web.volumes import silences_of

router = APIRouter(prefix="/portal", include_in_schema=False)
HOME_ROWS = 6  # cases on the first screen
SILENCE = timedelta(hours=limits.SILENCE_HOURS)


CASES = Listing(
    columns=(
        Column("code", "Número", sort=Incident.code, value=lambda row: row.code),
        Column("title", "Asunto", value=lambda row: row.title),
        Column("state", "Estado", value=status_label),
        Column("severity", "Severidad", value=lambda row: row.severity),
        Column("received", "Recibido", sort=Incident.received_at, value=lambda r: r.received_at),
        Column("closed", "Cerrado", sort=Incident.closed_at, value=lambda row: row.closed_at),
    ),
    filters=(
        flag("open", "Situación", Incident.closed_at.is_(None), words=("Abiertos", "Cerrados")),
        Filter(
            "turn",
            "Le toca responder",
            lambda: {"si": "Esperan su respuesta"},
            lambda _: STATUS == "waiting_entity",
        ),
    ),
    spans=(Span("recibido", "Recibido", Incident.received_at),),
    default_sort="-received",
    search=lambda words: or_(
        contains(Incident.code, words),
        contains(Incident.title, words),
    ),
    search_label="Número o asunto",
)


@dataclass(frozen=True)
class AnswerForm:
    """The answer to a request of the centre."""

    answer: str = ""


@dataclass(frozen=True)
class AddForm:
    """Something that the entity adds to its case by itself."""

    text: str = ""


@router.get("", dependencies=[require("portal.see")])
def home(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """What needs doing now."""
    cases = visible(user, Incident).where(Incident.closed_at.is_(None))
    plans = visible(user, Plan).order_by(Plan.year.desc()).limit(1)
    plan = session.scalar(plans)
    return render(
        request,
        "portal/home.html",
        requests=open_requests(session, user),
        deadlines=_owed(session, user),
        cases=session.scalars(cases.order_by(Incident.received_at.desc()).limit(HOME_ROWS)).all(),
        status_of=status,
        plan=plan,
        step=next_step(user, plan, _lacks(session, plan, centre.clock())),
        sensors=session.scalars(visible(user, Sensor).order_by(Sensor.name)).all(),
    )


def _lacks(session: Session, plan: Plan | None, now: datetime) -> int | None:
    is_draft = plan is not None and plan.state == "draft"
    return len(missing_of(session, plan, now)) if plan is not None and is_draft else None


def open_requests(session: Session, user: User) -> Sequence[EntityRequest]:
    """What the centre asked of this person's entity and still waits for, the most urgent first."""
    query = visible(user, EntityRequest).where(
        EntityRequest.answered_at.is_(None), EntityRequest.withdrawn_at.is_(None)
    )
    return session.scalars(
        query.order_by(EntityRequest.due_at).options(joinedload(EntityRequest.incident))
    ).all()


def _owed(session: Session, user: User) -> Sequence[Deadline]:
    """Running clocks of the entity's cases; those of requests are shown with the requests."""
    query = visible(user, Deadline).where(Deadline.ended_at.is_(None), Deadline.regime != "request")
    return session.scalars(
        query.order_by(Deadline.due_at).options(joinedload(Deadline.incident)).limit(HOME_ROWS)
    ).all()


@router.get("/casos", dependencies=[require("portal.see")])
def case_list(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """All cases of the entity that it reported or was told of."""
    query = visible(user, Incident)
    file = export(session, CASES, query, request, name="casos")
    if file is not None:
        return file
    shown = show(session, CASES, query, request)
    return render(request, "portal/cases.html", list=shown, status_of=status)


@router.get("/casos/{code}", dependencies=[require("portal.see")])
def show_case(request: Request, session: CurrentSession, user: CurrentUser, code: str) -> Response:
    """One case as the entity sees it."""
    incident = find(session, user, Incident, code=code)
    return render(
        request,
        "portal/case.html",
        form=blank(),
        wrong_request=None,
        **_around(session, user, incident),
    )


def _around(session: Session, user: User, incident: Incident) -> dict[str, Any]:
    """Everything of a case that this person may see."""
    entries = visible(user, Entry).where(Entry.incident_id == incident.id)
    requests = visible(user, EntityRequest).where(EntityRequest.incident_id == incident.id)
    files = visible(user, Evidence).where(
        Evidence.incident_id == incident.id, Evidence.withdrawn_at.is_(None)
    )
    notices = visible(user, Notice).where(Notice.incident_id == incident.id)
    clocks = visible(user, Deadline).where(Deadline.incident_id == incident.id)
    evidence = session.scalars(files.order_by(Evidence.id)).all()
    waits_first = case((EntityRequest.answered_at.is_(None), 0), else_=1)
    return {
        "incident": incident,
        "state_code": status(incident),
        "blank_form": blank(),
        "entries": session.scalars(
            entries.order_by(Entry.at.desc(), Entry.id.desc()).options(joinedload(Entry.author))
        ).all(),
        "requests": session.scalars(requests.order_by(waits_first, EntityRequest.due_at)).all(),
        "evidence": evidence,
        "scans": newest_scans(session, user, evidence),
        "notices": session.scalars(notices.order_by(Notice.id)).all(),
        "clocks": session.scalars(clocks.order_by(Deadline.due_at)).all(),
    }


@router.post(
    "/casos/{code}/pedidos/{request_id}",
    dependencies=[require("case.answer", body_bytes=limits.UPLOAD_BYTES_MAX)],
)
def answer_request(
    request: Request, act: CurrentAct, user: CurrentUser, centre: TheCentre, sent: SentForm,
    code: str, request_id: int,
) -> Response:  # fmt: skip
    """Answer what the centre asked, with files if there are."""
    incident = find(act.session, user, Incident, code=code)
    asked = find(act.session, user, EntityRequest, id=request_id, incident_id=incident.id)
    form = read(sent, AnswerForm)
    with _again(request, act, incident, form=form, wrong_request=asked.id):
        for upload in files_of(sent, "file"):
            stored = save(upload.file, centre.files_folder)
            attach(act, stored, upload.filename or "", request=asked)
        answer(act, asked, form.data().answer)
    return redirect(
        request, f"/portal/casos/{code}", toast=Toast(gettext("Respuesta enviada al centro."))
    )


@router.post(
    "/casos/{code}/aportes",
    dependencies=[require("case.answer", body_bytes=limits.UPLOAD_BYTES_MAX)],
)
def add_to_case(
    request: Request, act: CurrentAct, user: CurrentUser, centre: TheCentre, sent: SentForm,
    code: str,
) -> Response:  # fmt: skip
    """Tell the centre something more, or hand in files."""
    incident = find(act.session, user, Incident, code=code)
    form = read(sent, AddForm)
    with _again(request, act, incident, form=form, wrong_request=0):
        uploads, text = files_of(sent, "file"), form.data().text
        if not uploads and not text:
            raise Invalid("Escriba algo o elija un archivo.", field="text")
        for upload in uploads:
            stored = save(upload.file, centre.files_folder)
            attach(act, stored, upload.filename or "", incident=incident)
        if text:
            comment(act, incident, text, shared=True)
    return redirect(request, f"/portal/casos/{code}", toast=Toast(gettext("Se agregó al caso.")))


def _again(
    request: Request, act: Act, incident: Incident, *, form: Filled[Any], wrong_request: int
) -> Any:  # a context manager
    assert act.user is not None, "the guard let a person in"
    around = _around(act.session, act.user, incident)
    return redo(request, "portal/case.html", form=form, wrong_request=wrong_request, **around)


@router.get("/casos/{code}/ficha", dependencies=[require("portal.see")])
def case_as_pdf(
    session: CurrentSession, user: CurrentUser, centre: TheCentre, code: str
) -> Response:
    """The case as a document: its card and what was shared."""
    incident = find(session, user, Incident, code=code)
    report = centre.content.reports["incident"]
    made = produce(session, report, incident.code, "pdf", now=centre.clock())
    return download(made, f"{incident.code}.pdf", "application/pdf")


@dataclass(frozen=True)
class SensorLine:
    """A sensor with what it sent in the last day."""

    sensor: Sensor
    events: int
    rejects: int
    is_silent: bool
    silences: tuple[SourceSilence, ...]


@router.get("/sensores", dependencies=[require("portal.see")])
def sensor_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The entity's sensors: last heard, volume, rejects, silence."""
    sensors = session.scalars(visible(user, Sensor).order_by(Sensor.name)).all()
    now = centre.clock()
    lines = _lines(session, user, sensors, now)
    health = health_by_sensor(session, user, sensors, now=now)
    return render(request, "portal/sensors.html", lines=lines, health=health)


def _lines(
    session: Session, user: User, sensors: Sequence[Sensor], now: datetime
) -> list[SensorLine]:
    since = now - SILENCE
    keys = {f"sensor:{sensor.id}": sensor for sensor in sensors}
    counts: dict[str, tuple[int, int]] = {}
    rows = session.scalars(
        visible(user, SourceVolume).where(
            SourceVolume.sensor_key.in_(keys), SourceVolume.hour >= since
        )
    )
    for row in rows:
        events, rejects = counts.get(row.sensor_key, (0, 0))
        counts[row.sensor_key] = events + row.event_count, rejects + row.reject_count
    silences = silences_of(session, user, SourceSilence.sensor_key.in_(keys))
    return [
        SensorLine(
            sensor,
            *counts.get(key, (0, 0)),
            is_silent=sensor.heard_at is None or sensor.heard_at < since,
            silences=tuple(one for one in silences if one.sensor_key == key),
        )
        for key, sensor in keys.items()
    ]
