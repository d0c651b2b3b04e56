"""The editor of rules: a new one or a change, checked while one types, tried before it is saved."""

from dataclasses import dataclass
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Conflict, ContentError, Invalid
from cgii.centre import Centre
from cgii.detect.editing import Draft as RuleDraft
from cgii.detect.editing import newest_version, save_rule
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.written import PATH, Rule, Written
from cgii.model.people import Draft
from cgii.store.act import Act
from cgii.web.access import require
from cgii.web.answers import Redo, Toast, redirect, redo, render, sentence
from cgii.web.deps import CurrentAct, CurrentSession, SentForm, TheCentre
from cgii.web.forms import Filled, blank, read
from cgii.web.language import gettext
from cgii.web.rule_meaning import meaning_of
from cgii.web.rule_page import difference, read_here, rule_of
from cgii.web.rule_trial import (
    examples_beside,
    examples_of,
    fields_of,
    hints_of,
    try_given,
    try_stored,
)

router = APIRouter(prefix="/reglas", include_in_schema=False)
RuleId = Annotated[str, Query(max_length=limits.RULE_ID_CHARS_MAX)]
SKELETON = """\
title: {title}
id: {id}
status: experimental
description: {description}
tags:
  - attack.t0000
logsource:
  product: linux
  service: sshd
detection:
  selection:
    result: accepted
    user: root
  condition: selection
falsepositives:
  - {unknown}
level: medium
"""


@dataclass(frozen=True)
class EditForm:
    """A rule's text with the records that prove it."""

    text: Annotated[str, Field(max_length=limits.RULE_TEXT_CHARS_MAX)]
    matching: Annotated[str, Field(max_length=limits.RULE_TEXT_CHARS_MAX)] = ""
    not_matching: Annotated[str, Field(max_length=limits.RULE_TEXT_CHARS_MAX)] = ""
    source: Annotated[str, Field(max_length=80)] = "auto"
    untested: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""
    reason: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""
    base: Annotated[int, Field(ge=0)] = 0


@router.get("/nueva", dependencies=[require("rules.edit")])
def new_rule(request: Request, session: CurrentSession, centre: TheCentre) -> Response:
    """An empty rule to begin with."""
    text = SKELETON.format(
        id=uuid4(),
        title=gettext("Título de la regla"),
        description=gettext("Qué reconoce y por qué importa."),
        unknown=gettext("Qué actividad legítima se le parece"),
    )
    form = blank(text=text, matching="", not_matching="", source="auto", base=0)
    around = _around(session, centre, None, form)
    return render(request, "rules/edit.html", **around)


@router.post("/nueva", dependencies=[require("rules.edit")])
def save_new(request: Request, act: CurrentAct, centre: TheCentre, sent: SentForm) -> Response:
    """Write the first version of a new rule."""
    return _save(request, act, centre, read(sent, EditForm), rule=None)


@router.get("/{rule_id}/editar", dependencies=[require("rules.edit")])
def edit_rule(
    request: Request, session: CurrentSession, centre: TheCentre, rule_id: str
) -> Response:
    """The rule's text as it holds, to be changed; a version of ours then stands above its file."""
    rule = rule_of(session, centre, rule_id)
    newest = newest_version(session, rule_id)
    if newest is not None and newest.state != "released":
        kept, text = fields_of(newest.examples), newest.text
    else:
        kept, text = fields_of(examples_beside(rule)), rule.text
    untested = newest.untested if newest else ""
    number = newest.number if newest else 0
    form = blank(text=text, **kept, untested=untested, reason="", base=number)
    return render(request, "rules/edit.html", **_around(session, centre, rule, form))


@router.post("/{rule_id}/editar", dependencies=[require("rules.edit")])
def save_change(
    request: Request, act: CurrentAct, centre: TheCentre, sent: SentForm, rule_id: str
) -> Response:
    """Write a version of the rule."""
    rule = rule_of(act.session, centre, rule_id)
    return _save(request, act, centre, read(sent, EditForm), rule=rule)


def _save(
    request: Request, act: Act, centre: Centre, form: Filled[EditForm], *, rule: Rule | None
) -> Response:
    around = _around(act.session, centre, rule, form)
    shown = {name: value for name, value in around.items() if name != "form"}
    with redo(request, "rules/edit.html", form=form, **shown):
        data = form.data()
        written = read_here(centre, data.text, rule.id if rule else "")
        draft = RuleDraft(written, data.reason, _examples(data, written), data.untested, data.base)
        failing = [one for one in try_given(centre, written, draft.examples) if not one.holds]
        if failing:
            raise Invalid(
                "{count} de los registros dados no hacen lo que deben: véalos en la comprobación.",
                field="matching",
                count=len(failing),
            )
        try:
            row = save_rule(act, draft, centre.content.rules)
        except Conflict as error:
            raise Redo(_conflict(request, act, form, error, shown=shown, rule=rule)) from error
    forget = delete(Draft).where(Draft.user_id == act.user_id, Draft.form == around["draft"])
    act.session.execute(forget)
    told = gettext("Se guardó la versión %(n)s. Entra en vigor en unos segundos.")
    url = f"/reglas/{row.rule_id}"
    return redirect(request, url, toast=Toast(told % {"n": row.number}))


def _conflict(
    request: Request,
    act: Act,
    form: Filled[EditForm],
    error: Conflict,
    *,
    shown: dict[str, Any],
    rule: Rule | None,
) -> Response:
    """The same page with what was typed, and what the other version has in its place."""
    newest = newest_version(act.session, rule.id) if rule else None
    lines: tuple[str, ...] = ()
    if newest is not None and newest.number != form.data().base:
        lines = difference(newest.text, form.data().text)
        typed = {**form.typed, "base": str(newest.number)}
        form = Filled(form.model, typed)
    again = form.with_general(sentence(error))
    context = {**shown, "theirs": lines}
    return render(request, "rules/edit.html", status=error.status, form=again, **context)


@router.post("/comprobar", dependencies=[require("rules.edit")])
def check_text(request: Request, centre: TheCentre, sent: SentForm, regla: RuleId = "") -> Response:
    """What is wrong with a text, and what the given records come to. Nothing is stored."""
    form = read(sent, EditForm)
    try:
        data = form.data()
    except Invalid as error:
        reasons = form.with_problems(error)
        told = [ContentError(PATH, reasons.problem(name)) for name in reasons.problems]
        wrong = Written("", problems=tuple(told))
        return render(request, "rules/checked.html", **_checked(centre, wrong), tried=())
    written = read_here(centre, data.text, regla)
    tried = try_given(centre, written, _examples(data, written))
    return render(request, "rules/checked.html", **_checked(centre, written), tried=tried)


@router.post("/ensayar", dependencies=[require("rules.edit")])
def try_text(request: Request, centre: TheCentre, sent: SentForm, regla: RuleId = "") -> Response:
    """The text on the newest stored events of its kind of log. Nothing is stored."""
    written = read_here(centre, read(sent, EditForm).data().text, regla)
    trial = try_stored(centre, written)
    return render(
        request,
        "rules/tried.html",
        **_checked(centre, written),
        trial=trial,
        most=limits.RULE_TRIAL_EVENTS_MAX,
    )


def _examples(data: EditForm, written: Written) -> list[dict[str, Any]]:
    as_series = isinstance(written.rule, CorrelationRule)
    return examples_of(data.matching, data.not_matching, data.source, as_series=as_series)


def _checked(centre: Centre, written: Written) -> dict[str, Any]:  # what the templates name
    rule = written.rule
    return {
        "written": written,
        "meaning": meaning_of(rule) if isinstance(rule, SingleRule) else None,
        "warnings": hints_of(centre, written),
    }


def _around(
    session: Session, centre: Centre, rule: Rule | None, form: Filled[Any]
) -> dict[str, Any]:  # what the template names
    text = form.value("text")
    own_id = rule.id if rule else ""
    written = read_here(centre, text, own_id) if isinstance(text, str) and text else Written("")
    newest = newest_version(session, own_id) if rule else None
    return {
        "rule": rule,
        "newest": newest,
        "form": form,
        # A draft over an older version must not come back over a newer one.
        "draft": f"rule:{own_id or 'new'}:{newest.number if newest else 0}",
        "theirs": (),
        "tried": (),
        "sources": [(one.name, one.title) for one in centre.definitions.by_name.values()],
        **_checked(centre, written),
    }
