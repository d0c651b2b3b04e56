"""Questions to an entity: asked with a due date, answered in the portal, withdrawn when moot."""

from datetime import datetime

from sqlalchemy import select

from cgii.base import limits
from cgii.base.clock import show
from cgii.base.errors import Conflict, Invalid, NotFound
from cgii.model.incidents import EntityRequest, Incident
from cgii.respond.deadlines import end_request_clock, pause, resume, start_request_clock
from cgii.respond.notify import about, compose, entity_recipients
from cgii.respond.stages import expect_open, stamp_once
from cgii.respond.timeline import enter
from cgii.store.act import Act


def ask(act: Act, incident: Incident, question: str, due_at: datetime) -> EntityRequest:
    """Ask the incident's entity for something: their turn, with a clock of theirs."""
    expect_open(incident)
    if incident.entity_id is None:
        raise Invalid("El incidente no tiene entidad: asígnela antes de pedir algo.")
    question = _text(question, "question", "Escriba qué se pide a la entidad.")
    if due_at <= act.now:
        raise Invalid("El plazo debe estar en el futuro.", field="due_at")
    stamp_once(act, incident, "entity_notified")
    request = EntityRequest(
        incident_id=incident.id,
        incident=incident,
        entity_id=incident.entity_id,
        question=question,
        answer="",
        asked_by_id=act.user_id,
        asked_at=act.now,
        due_at=due_at,
    )
    act.session.add(request)
    act.session.flush()  # its clock and its mails carry its id
    start_request_clock(act, incident, request)
    if incident.waiting_for != "entity":
        pause(act, incident, waiting_for="entity")
    enter(
        act,
        incident,
        "request",
        f"Pedido a la entidad, con plazo hasta el {show(due_at)}: {question}",
        data={"request": request.id},
        is_shared=True,
    )
    _record(act, "request.asked", request)
    for recipient in entity_recipients(act.session, incident.entity_id, now=act.now):
        compose(
            act,
            "request_asked",
            recipient,
            {**about(incident), "question": question, "due_at": due_at},
            dedupe_key=f"request:{request.id}:asked:{recipient}",
            tlp=incident.tlp,
            incident=incident,
            entity=incident.entity,
        )
    return request


def answer(act: Act, request: EntityRequest, text: str) -> None:
    """Answer a request. When nothing else is owed by the entity, the centre's clocks go on."""
    if act.user is not None and act.user.entity_id not in (None, request.entity_id):
        raise NotFound("No existe el pedido.")
    _expect_waiting(request)
    request.answer = _text(text, "answer", "Escriba la respuesta.")
    request.answered_at = act.now
    request.answered_by_id = act.user_id
    incident = request.incident
    enter(
        act,
        incident,
        "answer",
        f"Respuesta de la entidad: {request.answer}",
        data={"request": request.id, "late": act.now > request.due_at},
        is_shared=True,
    )
    _record(act, "request.answered", request)
    end_request_clock(act, request)
    stamp_once(act, incident, "entity_answered")
    _go_on_if_last(act, incident)


def withdraw(act: Act, request: EntityRequest, *, reason: str = "") -> None:
    """Take a request back: it is no longer owed."""
    _expect_waiting(request)
    request.withdrawn_at = act.now
    why = f" Motivo: {reason.strip()}" if reason.strip() else ""
    enter(
        act,
        request.incident,
        "request",
        f"Pedido retirado.{why}",
        data={"request": request.id},
        is_shared=True,
    )
    _record(act, "request.withdrawn", request)
    end_request_clock(act, request)
    _go_on_if_last(act, request.incident)


def _go_on_if_last(act: Act, incident: Incident) -> None:
    owed = act.session.scalar(
        select(EntityRequest.id)
        .where(
            EntityRequest.incident_id == incident.id,
            EntityRequest.answered_at.is_(None),
            EntityRequest.withdrawn_at.is_(None),
        )
        .limit(1)
    )
    if owed is None and incident.waiting_for == "entity":
        resume(act, incident)


def _expect_waiting(request: EntityRequest) -> None:
    if request.answered_at is not None:
        raise Conflict("El pedido ya fue respondido el {at}.", at=show(request.answered_at))
    if request.withdrawn_at is not None:
        raise Conflict("El pedido fue retirado el {at}.", at=show(request.withdrawn_at))


def _text(text: str, field: str, sentence: str) -> str:
    text = text.strip()
    if not text:
        raise Invalid(sentence, field=field)
    if len(text) > limits.TEXT_CHARS_MAX:
        raise Invalid(
            "El texto es demasiado largo: se admiten {most} caracteres.",
            field=field,
            most=limits.TEXT_CHARS_MAX,
        )
    return text


def _record(act: Act, action: str, request: EntityRequest) -> None:
    act.record(
        action,
        f"incident:{request.incident.code}",
        entity_id=request.entity_id,
        request=request.id,
    )
