"""Accepts notices from an entity's own programs, with what one of its sensors is known by."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Request
from pydantic import Field, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from cgii.base import limits
from cgii.base.errors import Invalid, InvalidForm, NotAllowed
from cgii.centre import Centre
from cgii.respond.notices import NoticeForm, file_notice
from cgii.web.access import token_only
from cgii.web.answers import JsonResponse, sentence
from cgii.web.forms import Problems
from cgii.web.senders import Sender, known_sender

router = APIRouter(prefix="/api/v1", tags=["notices"])
Pair = tuple[str, str]


@dataclass(frozen=True)
class NoticeBody:
    """The fields of respond.notices.NoticeForm that a program sends; moments in ISO 8601."""

    title: str
    description: str
    noticed_at: datetime
    affected: str
    contact_name: str
    contact_email: str = ""
    contact_phone: str = ""
    contact_position: str = ""
    occurred_at: datetime | None = None
    rsit_class: str = ""
    rsit_type: str = ""
    affected_count: int | None = None
    service_impact: str = "unknown"
    personal_data: str = "unknown"
    is_ongoing: bool = False
    actions_taken: str = ""
    help_needed: str = ""
    complaint: str = ""
    cite: str = ""
    observables: Annotated[tuple[Pair, ...], Field(max_length=limits.NOTICE_OBSERVABLES_MAX)] = ()
    tlp: str = "AMBER"
    is_exercise: bool = False


_body: TypeAdapter[NoticeBody] = TypeAdapter(NoticeBody)


@router.post("/notices", status_code=201, dependencies=[token_only("notices")])
async def file_by_program(request: Request) -> JsonResponse:
    """File a notice and answer its receipt: code, hash, case.

    Headers `Authorization: Bearer <token>` and `Idempotency-Key: <up to 100 characters>`; the
    same key with the same content answers the same receipt, with other content 409. The body is
    the JSON of a notice: title, description, noticed_at, affected, contact_name and one of
    contact_email and contact_phone must be there.
    """
    centre: Centre = request.app.state.centre
    body = await request.body()  # bounded by the guard in front of every route
    sender = await known_sender(request, centre)
    key = request.headers.get("idempotency-key", "").strip()
    answer = await run_in_threadpool(_file, centre, sender, key, body)
    return JsonResponse(answer, status_code=201)


def _file(centre: Centre, sender: Sender, key: str, body: bytes) -> dict[str, Any]:
    with centre.database.transaction() as session:
        sender.enter(session)
        if sender.entity_id is None:
            raise NotAllowed("Este sensor no es de una entidad, por eso no puede reportar.")
        if not 1 <= len(key) <= 100:
            raise Invalid(
                "Falta la cabecera «Idempotency-Key», de 1 a 100 caracteres: con ella un envío "
                "repetido no crea dos reportes."
            )
        form = _read(body, sender.entity_id)
        act = centre.act(session, via=f"sensor:{sender.id}")
        notice = file_notice(act, form, request_key=f"api:{key}")
        return {
            "code": notice.code,
            "content_sha256": notice.content_sha256,
            "received_at": notice.received_at.isoformat(),
            "url": f"{centre.settings.public_url.rstrip('/')}/portal/constancias/{notice.code}",
        }


def _read(body: bytes, entity_id: int) -> NoticeForm:
    try:
        sent = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid("El reporte no es JSON válido: {reason}.", reason=str(error)) from error
    if b"\\u0000" in body:
        raise Invalid("El texto contiene caracteres que no se pueden guardar.")
    if not isinstance(sent, dict):
        raise Invalid("El reporte debe ser un objeto JSON con title, description y los demás.")
    known = NoticeBody.__dataclass_fields__
    unknown = sorted(set(map(str, sent)) - known.keys())
    if unknown:
        raise InvalidForm(dict.fromkeys(unknown, "No se conoce este campo."))
    try:
        values = vars(_body.validate_python(sent))
    except ValidationError as error:
        found = Problems.of(error)
        raise InvalidForm(
            {
                name: sentence(Invalid(text, **found.facts_by_field.get(name, {})))
                for name, text in found.problems.items()
            }
        ) from error
    for name in ("noticed_at", "occurred_at"):
        if values[name] is not None and values[name].tzinfo is None:
            values[name] = values[name].replace(tzinfo=UTC)
    return NoticeForm(entity_id=entity_id, channel="api", **values)
