"""An officer fills the plan: scope and duties, assets and risks, control by control, evidence."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import delete
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base.errors import Conflict
from cgii.base.labels import label, labels
from cgii.comply.controls import load_framework
from cgii.comply.failures import must_answer
from cgii.comply.general import Asset, Duty, GeneralForm, Risk, risk_matrix, save_general
from cgii.comply.plans import plan_before
from cgii.comply.statements import StatementForm, form_of, save_statement
from cgii.comply.states import EDITABLE
from cgii.model.people import Draft, User
from cgii.model.plans import ControlStatement, Finding, Plan
from cgii.store.act import Act
from cgii.web.access import require
from cgii.web.answers import Redo, Toast, redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.forms import Filled, blank, read
from cgii.web.language import gettext
from cgii.web.plan_rows import read_rows, row_count, shown_rows, to_assets, to_risks
from cgii.web.plan_sheet import evidence_seen, findings_seen, named_titles, submissions_of
from cgii.web.plan_steps import missing_of, progress, steps_of
from cgii.web.visible import find, visible

router = APIRouter(prefix="/planes/{plan_id}", include_in_schema=False)
DUTIES = ("mae", "rsi", "csi")
DUTY_FIELDS = ("name", "position", "cite")
NEW_ROWS = {"activos": "assets", "riesgos": "risks"}


@dataclass(frozen=True)
class ScopeInput:
    """Scope and method as typed; the duties are read by `_duties`."""

    scope: str = ""
    risk_method: str = ""
    version: int = 0


@dataclass(frozen=True)
class SeenInput:
    """Which version of the plan the person had before them."""

    version: int = 0


@dataclass(frozen=True)
class ControlInput:
    """A control's statement as typed."""

    applies: str = ""  # si, no, or nothing yet
    reason: str = ""
    status: str = ""
    maturity: int | None = None
    target: int | None = None
    statement: str = ""
    responsible: str = ""
    due_on: date | None = None
    incident_answer: str = ""
    version: int = 0

    def as_form(self) -> StatementForm:
        """As the plan keeps it. What does not apply has no state."""
        values = {name: value for name, value in asdict(self).items() if name != "version"}
        values["applies"] = {"si": True, "no": False}.get(self.applies)
        if values["applies"] is False:
            values |= {"status": "", "maturity": None, "target": None, "due_on": None}
        return StatementForm(**values)


def editable(session: Session, user: User, plan_id: int) -> Plan | None:
    """The plan if its content may be changed now; None sends the person to its page."""
    plan = find(session, user, Plan, id=plan_id)
    return plan if plan.state in EDITABLE else None


def around(session: Session, user: User, plan: Plan, now: datetime) -> dict[str, Any]:
    """What every page of the form shows: the stepper and the progress by section."""
    missing = missing_of(session, plan, now)
    return {
        "plan": plan,
        "missing": missing,
        "steps": steps_of(user, plan, missing),
        "sections": progress(plan, missing),
        "has_before": plan_before(session, plan) is not None,
    }


@router.get("/alcance", dependencies=[require("own_plan.write")])
def show_scope(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """Scope, duties and method."""
    plan = editable(session, user, plan_id)
    if plan is None:
        return redirect(request, f"/planes/{plan_id}")
    typed: dict[str, Any] = {"scope": plan.scope, "risk_method": plan.risk_method}
    for duty in DUTIES:
        for name in DUTY_FIELDS:
            typed[f"roles.{duty}.{name}"] = plan.roles.get(duty, {}).get(name, "")
    context = around(session, user, plan, centre.clock())
    return render(
        request, "plans/scope.html", form=blank(**typed), conflict=None, duties=DUTIES, **context
    )


@router.post("/alcance", dependencies=[require("own_plan.write")])
def save_scope(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """Save scope, duties and method."""
    plan = find(act.session, user, Plan, id=plan_id)
    form = read(sent, ScopeInput)
    roles = {
        duty: Duty(*(str(sent.get(f"roles.{duty}.{name}", "")) for name in DUTY_FIELDS))
        for duty in DUTIES
    }
    for duty, values in roles.items():
        form.typed.update({f"roles.{duty}.{n}": text for n, text in asdict(values).items()})
    context = around(act.session, user, plan, act.now) | {"duties": DUTIES}
    saved = {"scope": plan.scope, "risk_method": label("plans.risk_methods", plan.risk_method)}
    with (
        redo(request, "plans/scope.html", form=form, conflict=None, **context),
        _conflict(request, "plans/scope.html", form, plan, saved=saved, context=context),
    ):
        data = form.data()
        general = replace(
            _general(plan), scope=data.scope, risk_method=data.risk_method, roles=roles
        )
        save_general(act, plan, general, expected_version=data.version)
    _forget(act, f"plan:{plan.id}:alcance")
    return redirect(
        request, f"/planes/{plan.id}/riesgos", toast=Toast(gettext("Alcance y roles guardados."))
    )


def _general(plan: Plan) -> GeneralForm:
    """The general part as it is saved now."""
    return GeneralForm(
        scope=plan.scope,
        roles={duty: Duty(**values) for duty, values in plan.roles.items()},
        risk_method=plan.risk_method,
        assets=tuple(Asset(**row) for row in plan.assets),
        risks=tuple(Risk(**row | {"controls": tuple(row["controls"])}) for row in plan.risks),
    )


@router.get("/riesgos", dependencies=[require("own_plan.write")])
def show_risks(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """Assets, and the risks to them."""
    plan = editable(session, user, plan_id)
    if plan is None:
        return redirect(request, f"/planes/{plan_id}")
    form = shown_rows(plan.assets, plan.risks)
    draft = session.scalar(visible(user, Draft).where(Draft.form == f"plan:{plan_id}:riesgos"))
    kept = tuple(draft.values) if draft is not None else ()
    context = around(session, user, plan, centre.clock()) | _risk_words(plan, form, kept)
    return render(request, "plans/risks.html", form=form, conflict=None, **context)


def _risk_words(plan: Plan, form: Filled[Any], kept: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the rows are drawn with; `kept` are fields of a draft, which need rows too."""
    names = (*form.typed, *kept)
    return {
        "asset_count": row_count("assets", names),
        "risk_count": row_count("risks", names),
        "matrix": risk_matrix(plan.risks),
        "asset_names": [(row["name"], row["name"]) for row in plan.assets],
    }


@router.get("/riesgos/{kind}/{number}", dependencies=[require("own_plan.write")])
def new_row(
    request: Request, session: CurrentSession, user: CurrentUser, plan_id: int,
    kind: str, number: int,
) -> Response:  # fmt: skip
    """One more row of assets or risks, with the button that asks for the next."""
    plan = find(session, user, Plan, id=plan_id)
    return render(
        request,
        "plans/row.html",
        kind=NEW_ROWS.get(kind, "assets"),
        number=number,
        plan=plan,
        form=blank(),
        **_risk_words(plan, blank()),
    )


@router.post("/riesgos", dependencies=[require("own_plan.write")])
def save_risks(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, plan_id: int
) -> Response:
    """Save the assets and risks that were sent; a row that was not sent is gone."""
    plan = find(act.session, user, Plan, id=plan_id)
    assets, risks = read_rows(sent)
    form = shown_rows(assets, risks)
    context = around(act.session, user, plan, act.now) | _risk_words(plan, form)
    context["asset_names"] = [(name, name) for row in assets if (name := row.get("name"))]
    saved = {
        "assets": ", ".join(row["name"] for row in plan.assets),
        "risks": ", ".join(row["threat"] for row in plan.risks),
    }
    with (
        redo(request, "plans/risks.html", form=form, conflict=None, **context),
        _conflict(request, "plans/risks.html", form, plan, saved=saved, context=context),
    ):
        general = replace(_general(plan), assets=to_assets(assets), risks=to_risks(risks))
        seen = read(sent, SeenInput).data()
        save_general(act, plan, general, expected_version=seen.version)
    _forget(act, f"plan:{plan.id}:riesgos")
    return redirect(
        request, f"/planes/{plan.id}/riesgos", toast=Toast(gettext("Activos y riesgos guardados."))
    )


@contextmanager
def _conflict(
    request: Request, template: str, form: Filled[Any], plan: Plan, *,
    saved: dict[str, str], context: dict[str, Any],
) -> Iterator[None]:  # fmt: skip
    """Somebody else was quicker: both versions are shown, and what was typed is kept."""
    version = plan.version
    try:
        yield
    except Conflict as error:
        if plan.state not in EDITABLE:
            raise
        words = labels("plans.fields")
        typed = {name: form.value(name) for name in saved if name in form.typed}
        rows = [(words[name], text, typed.get(name, "…")) for name, text in saved.items()]
        told = render(
            request,
            template,
            status=error.status,
            form=form.with_general(error.message),
            conflict=rows,
            **context,
        )
        assert version, "a saved plan has a version"
        raise Redo(told) from error


def _forget(act: Act, form: str) -> None:
    """What was typed is saved now: its draft goes."""
    assert act.user is not None, "the guard let a person in"
    act.session.execute(delete(Draft).where(Draft.user_id == act.user.id, Draft.form == form))


@router.get("/controles", dependencies=[require("own_plan.write")])
def first_control(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """Go on with the first control that lacks something."""
    plan = editable(session, user, plan_id)
    if plan is None:
        return redirect(request, f"/planes/{plan_id}")
    missing = missing_of(session, plan, centre.clock())
    waiting = next((item.control for item in missing if item.control), "")
    first = waiting or next(iter(load_framework(plan.framework).controls))
    return redirect(request, f"/planes/{plan_id}/controles/{first}")


@router.get("/controles/{control}", dependencies=[require("own_plan.write")])
def show_control(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre,
    plan_id: int, control: str,
) -> Response:  # fmt: skip
    """One control: what is asked, what the entity declares, with what proof."""
    plan = editable(session, user, plan_id)
    if plan is None:
        return redirect(request, f"/planes/{plan_id}")
    statement = find(session, user, ControlStatement, plan_id=plan.id, control=control)
    context = control_context(session, user, plan, statement, now=centre.clock())
    form = _filled(statement)
    return render(request, "plans/control.html", form=form, conflict=None, **context)


def _filled(statement: ControlStatement) -> Filled[Any]:
    values = asdict(form_of(statement))
    values["applies"] = {True: "si", False: "no"}.get(values["applies"], "")
    return blank(**values)


def control_context(
    session: Session, user: User, plan: Plan, statement: ControlStatement, *, now: datetime
) -> dict[str, Any]:
    """What a control's page shows beside its form."""
    framework = load_framework(plan.framework)
    codes = list(framework.controls)
    place = codes.index(statement.control)
    facts = must_answer(session, plan).get(statement.control, ())
    submissions = submissions_of(session, user, plan)
    findings = findings_seen(session, user, submissions[0]) if submissions else []
    return around(session, user, plan, now) | {
        "statement": statement,
        "control": framework.control(statement.control),
        "before": codes[place - 1] if place else "",
        "after": codes[place + 1] if place + 1 < len(codes) else "",
        "facts": facts,
        "told": named_titles(session, user, facts),
        "evidence": evidence_seen(session, user, plan).get(statement.control, []),
        "finding": _open_finding(findings, statement.control),
        "proof_form": blank(),
    }


def _open_finding(findings: list[Finding], control: str) -> Finding | None:
    found = [row for row in findings if row.control == control and row.verdict == "observed"]
    return next((row for row in reversed(found) if row.closed_at is None), None)


@router.post("/controles/{control}", dependencies=[require("own_plan.write")])
def save_control(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm,
    plan_id: int, control: str,
) -> Response:  # fmt: skip
    """Save one control, and go to the next if asked."""
    plan = find(act.session, user, Plan, id=plan_id)
    statement = find(act.session, user, ControlStatement, plan_id=plan.id, control=control)
    form = read(sent, ControlInput)
    saved = _filled(statement)
    context = control_context(act.session, user, plan, statement, now=act.now)
    with redo(request, "plans/control.html", form=form, conflict=None, **context):
        data = form.data()
        try:
            save_statement(act, plan, control, data.as_form(), expected_version=data.version)
        except Conflict as error:
            if plan.state not in EDITABLE:
                raise
            both = _both(saved, form)
            told = form.with_general(str(error))
            page = render(
                request, "plans/control.html", status=409, form=told, conflict=both, **context
            )
            raise Redo(page) from error
    _forget(act, f"plan:{plan.id}:{control}")
    goes_on = sent.get("then") == "next" and context["after"]
    where = context["after"] if goes_on else control
    toast = Toast(gettext("Control {code} guardado.").format(code=control))
    return redirect(request, f"/planes/{plan.id}/controles/{where}", toast=toast)


def _both(saved: Filled[Any], typed: Filled[Any]) -> list[tuple[str, str, str]]:
    """Field by field: what somebody else saved, what this person typed."""
    words = labels("plans.fields")
    names = [name for name in typed.typed if name in words]
    return [(words[name], _said(name, saved), _said(name, typed)) for name in names]


def _said(name: str, form: Filled[Any]) -> str:
    value = str(form.value(name))
    if name == "applies":
        return {"si": gettext("Se aplica"), "no": gettext("No se aplica")}.get(value, "")
    return label("plans.statuses", value) if name == "status" and value else value


@router.get("/fila", dependencies=[require("own_plan.write")])
def no_row(session: CurrentSession, user: CurrentUser, plan_id: int) -> Response:
    """Nothing: htmx puts it in the place of a row that is taken out."""
    find(session, user, Plan, id=plan_id)
    return Response("", media_type="text/html; charset=utf-8")
