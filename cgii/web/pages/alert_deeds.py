"""What becomes of groups of alerts: taken, promoted, joined, dismissed, and brought back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid
from cgii.centre import Centre
from cgii.model.alerts import AlertGroup
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.respond.groups import (
    dismiss,
    join,
    promote,
    release_group,
    take_group,
    undo_dismiss,
)
from cgii.store.act import Act
from cgii.web.access import require
from cgii.web.answers import Toast, back_to, is_htmx, nothing, redirect, redo
from cgii.web.deps import CurrentAct, CurrentUser, SentForm, TheCentre
from cgii.web.forms import Filled, read, read_id
from cgii.web.language import gettext, ngettext
from cgii.web.pages.alerts import FALSE_POSITIVE, USUAL_REASON, around
from cgii.web.visible import find, visible

router = APIRouter(prefix="/alertas", include_in_schema=False)
Ids = Annotated[str, Query(max_length=2_000)]


@dataclass(frozen=True)
class DismissForm:
    """Why a group is set aside."""

    verdict: str
    reason: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""


@dataclass(frozen=True)
class JoinForm:
    """The incident that a group joins, by its number."""

    incident: Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]


# --- one group ------------------------------------------------------------------------------------
@router.post("/{group_id}/tomar", dependencies=[require("alert.work")])
def take_one(request: Request, act: CurrentAct, user: CurrentUser, group_id: int) -> Response:
    """Make it mine."""
    group = find(act.session, user, AlertGroup, id=group_id)
    take_group(act, group)
    told = Toast(gettext("La alerta es suya."), undo=f"/alertas/devolver?ids={group.id}")
    return _answer(request, group, told)


@router.post("/{group_id}/promover", dependencies=[require("alert.work")])
def promote_one(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, group_id: int
) -> Response:
    """Open an incident from it and go there."""
    group = find(act.session, user, AlertGroup, id=group_id)
    title = sent.get("title")
    incident = promote(act, group, title=title if isinstance(title, str) else None)
    told = Toast(gettext("Se abrió el incidente %(code)s.") % {"code": incident.code})
    return redirect(request, f"/incidentes/{incident.code}", toast=told)


@router.post("/{group_id}/unir", dependencies=[require("alert.work")])
def join_one(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    group_id: int,
) -> Response:
    """Add it to an open incident."""
    group = find(act.session, user, AlertGroup, id=group_id)
    form = read(sent, JoinForm)
    with _again(request, act, centre, group, form=form):
        code = form.data().incident.strip().upper()
        incident = act.session.scalar(visible(user, Incident).where(Incident.code == code))
        if incident is None:
            raise Invalid("No existe el incidente {code}.", field="incident", code=code)
        join(act, [group], incident)
    told = Toast(gettext("La alerta se unió a %(code)s.") % {"code": code})
    return _answer(request, group, told)


@router.post("/{group_id}/descartar", dependencies=[require("alert.work")])
def dismiss_one(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    sent: SentForm,
    centre: TheCentre,
    group_id: int,
) -> Response:
    """Set it aside with a verdict and a reason."""
    group = find(act.session, user, AlertGroup, id=group_id)
    form = read(sent, DismissForm)
    with _again(request, act, centre, group, form=form):
        data = form.data()
        dismiss(act, [group], verdict=data.verdict, reason=data.reason)
    return _answer(request, group, _dismissed([group]))


@router.post("/{group_id}/falso-positivo", dependencies=[require("alert.work")])
def dismiss_quickly(
    request: Request, act: CurrentAct, user: CurrentUser, group_id: int
) -> Response:
    """Set it aside as a false positive, by one key; the toast takes it back."""
    group = find(act.session, user, AlertGroup, id=group_id)
    dismiss(act, [group], verdict=FALSE_POSITIVE, reason=USUAL_REASON)
    return _answer(request, group, _dismissed([group]))


@router.post("/{group_id}/deshacer", dependencies=[require("alert.work")])
def restore_one(request: Request, act: CurrentAct, user: CurrentUser, group_id: int) -> Response:
    """Bring a dismissed group back."""
    group = find(act.session, user, AlertGroup, id=group_id)
    undo_dismiss(act, [group])
    return _answer(request, group, Toast(gettext("La alerta volvió a la mesa.")))


@router.post("/{group_id}/devolver", dependencies=[require("alert.work")])
def release_one(request: Request, act: CurrentAct, user: CurrentUser, group_id: int) -> Response:
    """Give a taken group back to everybody."""
    group = find(act.session, user, AlertGroup, id=group_id)
    release_group(act, group)
    return _answer(request, group, Toast(gettext("La alerta quedó sin responsable.")))


# --- the ticked ones ------------------------------------------------------------------------------
@router.post("/tomar", dependencies=[require("alert.work")])
def take_many(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Make the ticked groups mine; what somebody else has stays with them."""
    chosen = _chosen(act, user, sent.getlist("row"))
    taken = []
    for group in chosen:
        try:
            take_group(act, group)
            taken.append(group)
        except Conflict:
            continue  # counted below
    text = ngettext("Tomó %(count)s alerta.", "Tomó %(count)s alertas.", len(taken))
    text = text % {"count": len(taken)}
    left = len(chosen) - len(taken)
    if left:
        text += " " + gettext("%(count)s ya no estaban libres.") % {"count": left}
    undo = f"/alertas/devolver?ids={_ids(taken)}" if taken else ""
    told = Toast(text, "warning" if left else "success", undo=undo)
    return redirect(request, back_to(request, "/alertas", "/mesa"), toast=told)


@router.post("/descartar", dependencies=[require("alert.work")])
def dismiss_many(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Set the ticked groups aside as false positives."""
    chosen = _chosen(act, user, sent.getlist("row"))
    free = [group for group in chosen if group.state in ("new", "taken")]
    if not free:
        raise Conflict("Ninguna de las alertas marcadas está pendiente de decidir.")
    dismiss(act, free, verdict=FALSE_POSITIVE, reason=USUAL_REASON)
    told = _dismissed(free)
    return redirect(request, back_to(request, "/alertas", "/mesa"), toast=told)


@router.post("/devolver", dependencies=[require("alert.work")])
def release_many(request: Request, act: CurrentAct, user: CurrentUser, ids: Ids = "") -> Response:
    """Undo a take, of those that are still mine."""
    for group in _chosen(act, user, ids.split(",")):
        if group.state == "taken" and group.owner_id == user.id:
            release_group(act, group)
    return nothing(Toast(gettext("Quedaron sin responsable.")))


@router.post("/deshacer", dependencies=[require("alert.work")])
def restore_many(request: Request, act: CurrentAct, user: CurrentUser, ids: Ids = "") -> Response:
    """Undo a dismissal."""
    undo_dismiss(act, _chosen(act, user, ids.split(",")))
    return nothing(Toast(gettext("Las alertas volvieron a la mesa.")))


def _dismissed(groups: Sequence[AlertGroup]) -> Toast:
    text = ngettext("Se descartó %(count)s alerta.", "Se descartaron %(count)s alertas.",
                    len(groups))  # fmt: skip
    undo = f"/alertas/deshacer?ids={_ids(groups)}"
    return Toast(text % {"count": len(groups)}, undo=undo)


def _ids(groups: Sequence[AlertGroup]) -> str:
    return ",".join(str(group.id) for group in groups)


def _chosen(act: Act, user: User, sent: Sequence[object]) -> list[AlertGroup]:
    ids = [found for value in sent if (found := read_id(value))]
    if not ids:
        raise Invalid("Marque al menos una fila.")
    query = visible(user, AlertGroup).where(AlertGroup.id.in_(ids)).order_by(AlertGroup.id)
    return list(act.session.scalars(query))


def _answer(request: Request, group: AlertGroup, told: Toast) -> Response:
    """A key in a list only wants to be told; a button leads back to where it was pressed."""
    if is_htmx(request):
        return nothing(told)
    return redirect(
        request, back_to(request, f"/alertas/{group.id}", "/mesa", "/alertas"), toast=told
    )


@contextmanager
def _again(
    request: Request, act: Act, centre: Centre, group: AlertGroup, *, form: Filled[Any]
) -> Iterator[None]:  # of any of the forms above
    """What is wrong with a form comes back on the group's own page."""
    user = act.user
    assert user is not None, "a page has a visitor"
    context = around(act.session, user, centre, group)
    with redo(request, "alerts/alert.html", form=form, **context):
        yield
