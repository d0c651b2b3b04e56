"""A rule taken out of use, brought back, or given back to its file; each with a reason."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base import limits
from cgii.centre import Centre
from cgii.detect.editing import newest_version, release_rule, restore_rule, retire_rule
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, SentForm, TheCentre
from cgii.web.forms import blank, read
from cgii.web.language import gettext
from cgii.web.rule_catalogue import catalogue_of
from cgii.web.rule_page import difference, rule_of

router = APIRouter(prefix="/reglas", include_in_schema=False)


@dataclass(frozen=True)
class ReasonForm:
    """Why it is done."""

    reason: Annotated[str, Field(min_length=1, max_length=limits.TEXT_CHARS_MAX)]


@dataclass(frozen=True)
class RestoreForm:
    """Which version comes back, and why."""

    number: Annotated[int, Field(ge=1)]
    reason: Annotated[str, Field(min_length=1, max_length=limits.TEXT_CHARS_MAX)]


@router.get("/{rule_id}/retirar", dependencies=[require("rules.edit")])
def ask_retire(
    request: Request, session: CurrentSession, centre: TheCentre, rule_id: str
) -> Response:
    """What it means to take the rule out of use."""
    around = _around(session, centre, rule_id, "retirar")
    return render(request, "rules/deed.html", form=blank(reason=""), **around)


@router.post("/{rule_id}/retirar", dependencies=[require("rules.edit")])
def retire(
    request: Request, act: CurrentAct, centre: TheCentre, sent: SentForm, rule_id: str
) -> Response:
    """Take the rule out of use."""
    form = read(sent, ReasonForm)
    around = _around(act.session, centre, rule_id, "retirar")
    with redo(request, "rules/deed.html", form=form, **around):
        retire_rule(act, around["rule"], centre.content.rules, reason=form.data().reason)
    told = gettext("La regla quedó retirada; deja de examinar en unos segundos.")
    return redirect(request, f"/reglas/{rule_id}", toast=Toast(told))


@router.get("/{rule_id}/soltar", dependencies=[require("rules.edit")])
def ask_release(
    request: Request, session: CurrentSession, centre: TheCentre, rule_id: str
) -> Response:
    """What it means to give the rule back to its file."""
    around = _around(session, centre, rule_id, "soltar")
    return render(request, "rules/deed.html", form=blank(reason=""), **around)


@router.post("/{rule_id}/soltar", dependencies=[require("rules.edit")])
def release(
    request: Request, act: CurrentAct, centre: TheCentre, sent: SentForm, rule_id: str
) -> Response:
    """Let the file's rule hold again."""
    form = read(sent, ReasonForm)
    around = _around(act.session, centre, rule_id, "soltar")
    with redo(request, "rules/deed.html", form=form, **around):
        release_rule(act, rule_id, reason=form.data().reason)
    told = gettext("Vuelve a regir la regla del archivo.")
    return redirect(request, f"/reglas/{rule_id}", toast=Toast(told))


@router.post("/{rule_id}/restaurar", dependencies=[require("rules.edit")])
def restore(request: Request, act: CurrentAct, sent: SentForm, rule_id: str) -> Response:
    """Bring an earlier version into force."""
    data = read(sent, RestoreForm).data()
    row = restore_rule(act, rule_id, number=data.number, reason=data.reason)
    told = gettext("Rige la versión %(n)s, con el texto de la %(old)s.")
    words = told % {"n": row.number, "old": data.number}
    return redirect(request, f"/reglas/{rule_id}", toast=Toast(words))


def _around(
    session: Session, centre: Centre, rule_id: str, deed: str
) -> dict[str, Any]:  # what the template names
    rule = rule_of(session, centre, rule_id)
    newest = newest_version(session, rule_id)
    catalogue = catalogue_of(centre.content.rules, centre.settings.site)
    return {
        "rule": rule,
        "deed": deed,
        "counted_by": catalogue.counted_by.get(rule_id, ()),
        "lines": difference(newest.text, newest.over) if newest and deed == "soltar" else (),
    }
