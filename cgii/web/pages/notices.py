"""An entity reports an incident on one page and gets a receipt that it can print and check."""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import APIRouter, Request
from sqlalchemy import delete, select
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Conflict
from cgii.base.ids import token
from cgii.base.labels import load_table
from cgii.centre import Centre
from cgii.comply.content import verify
from cgii.comply.filing import previous_submission
from cgii.model.incidents import Evidence, Incident, Notice
from cgii.model.people import Draft, User
from cgii.model.plans import Submission
from cgii.report.produce import produce
from cgii.respond.evidence import attach
from cgii.respond.notices import file_notice, report_notice_hash
from cgii.store.act import Act
from cgii.store.files import save
from cgii.web.access import require
from cgii.web.answers import Redo, download, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.forms import blank, files_of, read
from cgii.web.language import gettext
from cgii.web.notice_fields import NoticeInput
from cgii.web.visible import find, visible

router = APIRouter(prefix="/portal", include_in_schema=False)
PAGE = "notices/report.html"
DRAFT = "notice:new"


def classes() -> list[tuple[str, str]]:
    """The classes of incidents with their labels, for the choice field."""
    return [(row["code"], gettext(row["label"])) for row in load_table("taxonomy")["classes"]]


@router.get("/reportar", dependencies=[require("notice.file")])
def show_report(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """The form, with the person's own contact filled in."""
    form = blank(
        contact_name=user.name,
        contact_email=user.email,
        tlp="AMBER",
        service_impact="unknown",
        personal_data="unknown",
        request_key=token(),
    )
    return render(request, PAGE, form=form, class_choices=classes())


@router.post("/reportar", dependencies=[require("notice.file", body_bytes=limits.UPLOAD_BYTES_MAX)])
def report(
    request: Request, act: CurrentAct, user: CurrentUser, centre: TheCentre, sent: SentForm
) -> Response:
    """File the notice once, however often the button was pressed."""
    form = read(sent, NoticeInput)
    with redo(request, PAGE, form=form, class_choices=classes()):
        data = form.data()
        assert user.entity_id is not None, "people of entities have one"
        notice_form = data.as_form(user.entity_id)
        try:
            notice = file_notice(act, notice_form, request_key=data.request_key or token())
        except Conflict as error:  # the page of a notice that was filed already, changed
            fresh = read(sent, NoticeInput)
            fresh.typed["request_key"] = token()
            told = fresh.with_general(
                "Este reporte ya fue presentado y desde entonces usted cambió el texto. "
                "Si quiere presentarlo como un reporte nuevo, envíelo otra vez."
            )
            page = render(request, PAGE, status=409, form=told, class_choices=classes())
            raise Redo(page) from error
        for upload in files_of(sent, "file"):
            _attach_once(act, centre, notice, upload)
    act.session.execute(delete(Draft).where(Draft.user_id == user.id, Draft.form == DRAFT))
    return redirect(request, f"/portal/constancias/{notice.code}")


def _attach_once(act: Act, centre: Centre, notice: Notice, upload: Any) -> None:  # an UploadFile
    stored = save(upload.file, centre.files_folder)
    known = select(Evidence.id).where(
        Evidence.notice_id == notice.id, Evidence.sha256 == stored.sha256
    )
    if act.session.scalar(known) is None:  # a second press sends the same files again
        attach(act, stored, upload.filename or "", notice=notice)


@dataclass(frozen=True)
class Receipt:
    """What a receipt says, of a notice or of a filed plan."""

    code: str
    kind: str  # notice submission
    about: str
    entity: str
    at: Any  # datetime
    sha256: str
    is_unchanged: bool
    previous_sha256: str
    number: int
    next_url: str
    next_label: str


@router.get("/constancias/{code}", dependencies=[require("receipt.see")])
def show_receipt(
    request: Request, session: CurrentSession, user: CurrentUser, code: str
) -> Response:
    """The receipt of a notice (REP-…) or of a filed plan (PISI-…)."""
    notice = session.scalar(visible(user, Notice).where(Notice.code == code))
    if notice is None:
        submission = find(session, user, Submission, code=code)
        return render(
            request, "notices/receipt.html", receipt=_of_submission(session, submission), files=[]
        )
    files = visible(user, Evidence).where(Evidence.notice_id == notice.id).order_by(Evidence.id)
    return render(
        request,
        "notices/receipt.html",
        receipt=_of_notice(session, user, notice),
        files=session.scalars(files).all(),
    )


def _of_notice(session: Session, user: User, notice: Notice) -> Receipt:
    case = session.scalar(visible(user, Incident).where(Incident.id == notice.incident_id))
    base = "/portal/casos" if user.entity_id is not None else "/incidentes"
    return Receipt(
        code=notice.code,
        kind="notice",
        about=notice.title,
        entity=notice.entity.name,
        at=notice.received_at,
        sha256=notice.content_sha256,
        is_unchanged=report_notice_hash(notice) == notice.content_sha256,
        previous_sha256="",
        number=0,
        next_url=f"{base}/{case.code}" if case else "",
        next_label=case.code if case else "",
    )


def _of_submission(session: Session, submission: Submission) -> Receipt:
    plan = submission.plan
    return Receipt(
        code=submission.code,
        kind="submission",
        about=f"PISI {plan.year}",
        entity=plan.entity.name,
        at=submission.filed_at,
        sha256=submission.sha256,
        is_unchanged=verify(submission, previous_submission(session, submission)),
        previous_sha256=submission.previous_sha256,
        number=submission.number,
        next_url=f"/planes/{plan.id}",
        next_label=f"PISI {plan.year}",
    )


@router.get("/constancias/{code}/pdf", dependencies=[require("receipt.see")])
def receipt_as_pdf(
    session: CurrentSession, user: CurrentUser, centre: TheCentre, code: str
) -> Response:
    """The receipt as a document."""
    if session.scalar(visible(user, Notice).where(Notice.code == code)) is None:
        find(session, user, Submission, code=code)
    report_ = centre.content.reports["receipt"]
    made = produce(session, report_, code, "pdf", now=centre.clock())
    return download(made, f"{code}.pdf", "application/pdf")


@router.get("/constancias/{code}/contenido", dependencies=[require("receipt.see")])
def filed_content(session: CurrentSession, user: CurrentUser, code: str) -> Response:
    """What was filed as canonical JSON: its SHA-256 is the one on the receipt."""
    notice = session.scalar(visible(user, Notice).where(Notice.code == code))
    if notice is not None:
        content = orjson.dumps(notice.content, option=orjson.OPT_SORT_KEYS)
    else:
        content = find(session, user, Submission, code=code).content.encode()
    response = download(content, f"{code}.json", "application/json")
    response.headers["X-Content-SHA256"] = hashlib.sha256(content).hexdigest()
    return response
