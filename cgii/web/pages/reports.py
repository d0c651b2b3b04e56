"""Reports: what can be produced, for which period or case, and the documents made so far."""

from collections.abc import Mapping
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from sqlalchemy.orm import Session
from starlette.responses import Response, StreamingResponse

from cgii.base import limits
from cgii.base.errors import NotFound
from cgii.measure.filters import Filters
from cgii.measure.period import last_month, parse_period
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.model.records import Document
from cgii.report.definition import Report
from cgii.report.produce import produce
from cgii.store.files import open_stored
from cgii.store.queue import enqueue
from cgii.web.access import require
from cgii.web.answers import attached, download, redirect, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.figures import month_choices, narrowings, period_choices
from cgii.web.pages.evidence import pieces
from cgii.web.tables import Column, Filter, Listing, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/informes", include_in_schema=False)
# A document carries its own style, and does nothing else.
DOCUMENT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; sandbox"
)
TYPES = {"html": "text/html; charset=utf-8", "pdf": "application/pdf"}
Format = Literal["html", "pdf"]


def documents(session: Session, user: User, reports: dict[str, str]) -> Listing:
    """The documents made so far; `reports` are the titles by id."""
    people = {row.id: row.name for row in session.scalars(visible(user, User))}
    return Listing(
        columns=(
            Column("title", "Documento", sort=Document.title, value=lambda row: row.title),
            Column("made_at", "Producido", sort=Document.made_at, value=lambda row: row.made_at),
            Column("made_by", "Por", value=lambda row: people.get(row.made_by_id, "")),
            Column("format", "Formato", value=lambda row: row.format),
            Column("size", "Tamaño", sort=Document.size_bytes, is_number=True,
                   value=lambda row: row.size_bytes),
            Column("sha256", "SHA-256", value=lambda row: row.sha256),
            Column("act", "Acción"),
        ),
        filters=(Filter("report", "Informe", lambda: reports, Document.report.in_),),
        default_sort="-made_at",
        search=lambda words: contains(Document.title, words),
        search_label="Título del documento",
    )  # fmt: skip


@router.get("", dependencies=[require("report.see")])
def report_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """What can be produced, and what was."""
    reports = centre.content.reports
    listing = documents(session, user, {one.id: one.title for one in reports.values()})
    query = visible(user, Document)
    file = export(session, listing, query, request, name="documentos")
    if file is not None:
        return file
    people = {row.id: row for row in session.scalars(visible(user, User))}
    now = centre.clock()
    return render(
        request,
        "reports/list.html",
        reports=sorted(reports.values(), key=lambda one: (one.subject != "period", one.title)),
        list=show(session, listing, query, request),
        people=people,
        months=month_choices(now, 24),
        periods=[one for one in period_choices(now) if len(one[0]) <= len("2026-T4")],
        narrowings=narrowings()[:2],
        default=last_month(now),
    )


@router.get("/{report_id}/ver", dependencies=[require("report.see")])
def view_report(
    session: CurrentSession,
    request: Request,
    centre: TheCentre,
    report_id: str,
    periodo: Annotated[str, Query(max_length=40)] = "",
) -> Response:
    """The report of a period as a page of its own, made now and not kept."""
    report = _report(centre.content.reports, report_id, "period")
    now = centre.clock()
    period = parse_period(periodo or last_month(now), now=now)
    filters = Filters.from_query(request.query_params)
    return _shown(produce(session, report, period, "html", now=now, filters=filters))


@router.post("/{report_id}/producir", dependencies=[require("report.make")])
def make(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    centre: TheCentre,
    sent: SentForm,
    report_id: str,
) -> Response:
    """Have the PDF made in the background and kept with its hash; then look how far it is."""
    report = _report(centre.content.reports, report_id, "period")
    given = {name: value for name, value in sent.items() if isinstance(value, str)}
    period = parse_period(given.get("periodo", "") or last_month(act.now), now=act.now)
    filters = Filters.from_query(given).to_query()
    key = f"report:{report.id}:{period.code}:{sorted(filters.items())}:{user.id}"
    job = enqueue(
        act.session,
        "make_report",
        now=act.now,
        unique_key=key[: limits.NAME_CHARS_MAX],
        created_by_id=user.id,
        report=report.id,
        subject=period.code,
        format="pdf",
        filters=filters,
    )
    act.session.flush()  # the next page is addressed by the job's id
    return redirect(request, f"/trabajos/{job.id}")


@router.get("/documentos/{document_id}", dependencies=[require("report.see")])
def download_document(
    session: CurrentSession, user: CurrentUser, centre: TheCentre, document_id: int
) -> Response:
    """A document that was kept, as it was made."""
    document = find(session, user, Document, id=document_id)
    file = open_stored(centre.documents_folder, document.sha256)
    response = StreamingResponse(pieces(file), media_type="application/octet-stream")
    response.headers["Content-Length"] = str(document.size_bytes)
    name = f"{document.report}-{document.period}.{document.format}"
    response.headers["Content-Disposition"] = attached(name)
    response.headers["X-Content-SHA256"] = document.sha256
    return response


@router.get("/incidente/{code}", dependencies=[require("report.see")])
def incident_sheet(
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    code: str,
    formato: Format = "html",
) -> Response:
    """An incident as it may be handed to its entity; never one that is TLP:RED."""
    incident = find(session, user, Incident, code=code)
    report = _report(centre.content.reports, "incident", "incident")
    made = produce(session, report, incident.code, formato, now=centre.clock())
    if formato == "pdf":
        return download(made, f"{incident.code}.pdf", TYPES["pdf"])
    return _shown(made)


def _report(reports: Mapping[str, Report], report_id: str, subject: str) -> Report:
    report = reports.get(report_id)
    if report is None or report.subject != subject:
        raise NotFound("No existe ese informe.")
    return report


def _shown(made: bytes) -> Response:
    response = Response(made, media_type=TYPES["html"])
    response.headers["Content-Security-Policy"] = DOCUMENT_POLICY
    return response
