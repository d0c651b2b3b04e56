"""What a route may ask for: its session, the person, the deed, the form.

    @router.post("/cosas/{code}", dependencies=[require("incident.work")])
    def save(request: Request, act: CurrentAct, user: CurrentUser, form: SentForm) -> Response: ...

`scope="function"` ends the transaction before the answer leaves, so that a failing commit is
answered as a failure; without it FastAPI answers first.
"""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.datastructures import FormData

from cgii.base.errors import NotSignedIn
from cgii.centre import Centre
from cgii.model.people import Draft, User
from cgii.store.act import Act
from cgii.web.csrf import SAFE_METHODS
from cgii.web.sent import read_sent
from cgii.web.visitor import Visitor, load_visitor


def centre_of(request: Request) -> Centre:
    """The centre that this process serves."""
    centre: Centre = request.app.state.centre
    return centre


def open_session(request: Request) -> Iterator[Session]:
    """One transaction per request: GET reads, every other method writes and commits."""
    database = centre_of(request).database
    unit = database.reading() if request.method in SAFE_METHODS else database.transaction()
    with unit as session:
        yield session


TheCentre = Annotated[Centre, Depends(centre_of)]
CurrentSession = Annotated[Session, Depends(open_session, scope="function")]


def current_visitor(request: Request) -> Visitor:
    """The signed-in person as plain data; the guard has let them in."""
    visitor = load_visitor(request)
    if visitor is None:
        raise NotSignedIn("Ingrese para continuar.")
    return visitor


CurrentVisitor = Annotated[Visitor, Depends(current_visitor)]


def current_user(visitor: CurrentVisitor, session: CurrentSession) -> User:
    """The signed-in person's row, in this request's session."""
    user = session.get(User, visitor.user_id)
    if user is None or not user.is_active:
        raise NotSignedIn("Su cuenta ya no está activa.")
    return user


CurrentUser = Annotated[User, Depends(current_user)]


def current_act(request: Request, session: CurrentSession, user: CurrentUser) -> Iterator[Act]:
    """The deed under way, for every verb that changes something.

    What was typed is kept once it is done: the draft that the form names goes with it.
    """
    via = "api" if request.url.path.startswith("/api/") else "web"
    yield centre_of(request).act(session, user, via=via)
    sent = getattr(request.state, "sent", None)
    name = sent.get("draft") if isinstance(sent, FormData) else None
    if isinstance(name, str) and name:
        session.execute(delete(Draft).where(Draft.user_id == user.id, Draft.form == name))


CurrentAct = Annotated[Act, Depends(current_act, scope="function")]


async def sent_form(request: Request) -> FormData:
    """The form as it was sent, within its limits."""
    return await read_sent(request)


SentForm = Annotated[FormData, Depends(sent_form)]


def address_of(request: Request) -> str:
    """The network address that the request comes from."""
    return request.client.host if request.client else ""
