"""Proof of a plan's controls: files that an officer adds and takes back."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base import limits
from cgii.base.clock import LA_PAZ
from cgii.base.errors import Invalid
from cgii.comply.evidence import attach_evidence, withdraw_evidence
from cgii.model.incidents import Evidence
from cgii.model.people import User
from cgii.model.plans import Plan
from cgii.respond.evidence import plain_name
from cgii.store.files import save
from cgii.web.access import require
from cgii.web.answers import Toast, is_htmx, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentUser, SentForm, TheCentre
from cgii.web.forms import Filled, blank, files_of, read
from cgii.web.language import gettext
from cgii.web.plan_sheet import evidence_seen
from cgii.web.visible import find

router = APIRouter(prefix="/planes/{plan_id}", include_in_schema=False)
BLOCK = "plans/proofs.html"


@dataclass(frozen=True)
class ProofInput:
    """What is said of a file."""

    valid_until: date | None = None
    note: str = ""


@router.post(
    "/controles/{control}/evidencias",
    dependencies=[require("own_plan.write", body_bytes=limits.UPLOAD_BYTES_MAX)],
)
def add_proof(
    request: Request, act: CurrentAct, user: CurrentUser, centre: TheCentre, sent: SentForm,
    plan_id: int, control: str,
) -> Response:  # fmt: skip
    """Attach files to a control; htmx gets the block again, so that typed text stays."""
    plan = find(act.session, user, Plan, id=plan_id)
    form = read(sent, ProofInput)
    block = _block(act.session, user, plan, control)
    with _again(request, form, block):
        data, uploads = form.data(), files_of(sent, "file")
        if not uploads:
            raise Invalid("Elija un archivo.", field="file")
        for upload in uploads:
            attach_evidence(
                act,
                plan,
                control,
                save(upload.file, centre.files_folder),
                file_name=plain_name(upload.filename or ""),
                valid_until=_end_of(data.valid_until),
                note=data.note,
            )
    return _answer(
        request, act.session, user, plan, control=control, text=gettext("Evidencia agregada.")
    )


@router.post("/evidencias/{evidence_id}/retirar", dependencies=[require("own_plan.write")])
def take_back_proof(
    request: Request, act: CurrentAct, user: CurrentUser, plan_id: int, evidence_id: int
) -> Response:
    """Withdraw a file; the row and the file stay."""
    plan = find(act.session, user, Plan, id=plan_id)
    evidence = find(act.session, user, Evidence, id=evidence_id, plan_id=plan.id)
    withdraw_evidence(act, plan, evidence)
    act.session.flush()  # the block is read again below
    text = gettext("Evidencia retirada.")
    return _answer(request, act.session, user, plan, control=evidence.control, text=text)


def _end_of(day: date | None) -> datetime | None:
    """The last moment of a day in La Paz."""
    return datetime.combine(day, time(23, 59, 59), LA_PAZ) if day else None


def _block(session: Session, user: User, plan: Plan, control: str) -> dict[str, Any]:
    proofs = evidence_seen(session, user, plan).get(control, [])
    return {"plan": plan, "code": control, "evidence": proofs}


def _again(
    request: Request, form: Filled[ProofInput], block: dict[str, Any]
) -> AbstractContextManager[None]:
    """The block with what is wrong, for htmx; without it the page of failures says it."""
    return redo(request, BLOCK, form=form, **block) if is_htmx(request) else nullcontext()


def _answer(
    request: Request, session: Session, user: User, plan: Plan, *, control: str, text: str
) -> Response:
    if not is_htmx(request):
        return redirect(request, f"/planes/{plan.id}/controles/{control}", toast=Toast(text))
    block = _block(session, user, plan, control)
    return render(request, BLOCK, toast=Toast(text), form=blank(), **block)
