"""What people have typed and not sent yet: kept by form name, for them alone."""

import orjson
from fastapi import APIRouter, Request
from sqlalchemy import delete, func, select
from starlette.responses import JSONResponse, Response

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.model.people import Draft
from cgii.web.access import require
from cgii.web.answers import nothing
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.visible import visible

router = APIRouter(prefix="/borradores", include_in_schema=False)


@router.get("/{form}", dependencies=[require("account")])
def read_draft(session: CurrentSession, user: CurrentUser, form: str) -> JSONResponse:
    """What was typed into this form; empty when nothing is kept."""
    draft = session.scalar(visible(user, Draft).where(Draft.form == form))
    if draft is None:
        return JSONResponse({"values": {}, "saved_at": None})
    return JSONResponse({"values": draft.values, "saved_at": draft.saved_at.isoformat()})


@router.post("/{form}", dependencies=[require("account")])
def save_draft(act: CurrentAct, user: CurrentUser, sent: SentForm, form: str) -> Response:
    """Keep it; the oldest of too many goes."""
    values = _values(str(sent.get("values", "")))
    session = act.session
    draft = session.scalar(visible(user, Draft).where(Draft.form == form))
    if draft is None:
        if len(form) > limits.NAME_CHARS_MAX:
            raise Invalid("El nombre del formulario no es válido.")
        draft = Draft(user_id=user.id, form=form)
        session.add(draft)
    draft.values, draft.saved_at = values, act.now
    session.flush()  # so that the new one counts
    count = session.scalar(select(func.count()).where(Draft.user_id == user.id)) or 0
    if count > limits.DRAFTS_MAX:
        oldest = visible(user, Draft).order_by(Draft.saved_at).limit(count - limits.DRAFTS_MAX)
        for old in session.scalars(oldest):
            session.delete(old)
    return nothing()


@router.post("/{form}/descartar", dependencies=[require("account")])
def drop_draft(request: Request, act: CurrentAct, user: CurrentUser, form: str) -> Response:
    """Forget it."""
    act.session.execute(delete(Draft).where(Draft.user_id == user.id, Draft.form == form))
    return nothing()


def _values(text: str) -> dict[str, object]:
    if len(text) > limits.DRAFT_BYTES_MAX:
        raise Invalid("El borrador es demasiado grande para guardarlo.")
    try:
        values = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid("El borrador no se pudo leer.") from error
    if not isinstance(values, dict):
        raise Invalid("El borrador no se pudo leer.")
    return values
