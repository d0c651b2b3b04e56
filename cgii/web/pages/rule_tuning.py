"""How rules are held back here: all of it in one list, and the forms that set, enforce and end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy import ColumnElement, and_, case, or_, select
from sqlalchemy.orm import Session, joinedload
from starlette.responses import Response

from cgii.base import limits
from cgii.base.clock import LA_PAZ, local
from cgii.base.clock import show as show_moment
from cgii.base.errors import Conflict, Invalid, NotFound
from cgii.base.labels import label, labels
from cgii.centre import Centre
from cgii.detect import tuning
from cgii.detect.indicators import LIST_RULES
from cgii.detect.ruleset import read_placeholders
from cgii.detect.silence import RULE_ID
from cgii.detect.tuning_preview import DAYS, Proposal, would_have_hidden
from cgii.detect.tuning_targets import target_of, target_of_rule, titles_of
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.detection import RuleTuning
from cgii.model.people import User
from cgii.store.act import Act
from cgii.web.access import require
from cgii.web.answers import Toast, back_to, redirect, redo, render, sentence
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.incident_lists import once
from cgii.web.language import gettext
from cgii.web.pages.rules import counts_of
from cgii.web.rule_catalogue import LEVELS
from cgii.web.rule_page import rule_of
from cgii.web.tables import Column, Filter, Listing, choice, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/reglas", include_in_schema=False)
KINDS = {"suprimir": "suppress", "excluir": "exclude", "nivel": "level", "apagar": "off"}
SOON = timedelta(days=7)
USUAL_DAYS = 30  # until a new suppression ends, unless somebody says otherwise
GroupId = Annotated[int, Query(ge=0, lt=2**63)]


@dataclass(frozen=True)
class TuningForm:
    """How a rule is to be held back; which fields count depends on the kind."""

    key: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""
    condition: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""
    level: Annotated[str, Field(max_length=80)] = ""
    reason: Annotated[str, Field(max_length=limits.TEXT_CHARS_MAX)] = ""
    until: date | None = None
    watching: bool = False


# --- the list -------------------------------------------------------------------------------------
def tuning_list(session: Session, centre: Centre, now: datetime) -> Listing:
    """Every row of tuning, those in force first."""
    titles = titles_of(session, centre.content.rules)
    stages = _stages(now)
    owners = select(User.id, User.name).where(User.id.in_(select(RuleTuning.owner_id).distinct()))

    def owner_names() -> Mapping[str, str]:
        return {str(one): name for one, name in session.execute(owners.order_by(User.name))}

    def of_stage(chosen: list[str]) -> ColumnElement[bool]:
        return or_(*(stages[code] for code in chosen))

    def of_owner(chosen: list[str]) -> ColumnElement[bool]:
        return RuleTuning.owner_id.in_([int(one) for one in chosen])

    rank = case((stages["in_force"], 0), (stages["watching"], 1), else_=2)
    return Listing(
        columns=(
            Column("state", "Estado", sort=rank, value=lambda row: stage_of(row, now)),
            Column("rule", "Regla", sort=RuleTuning.rule_id,
                   value=lambda row: titles.get(row.rule_id, row.rule_id)),
            Column("kind", "Ajuste", sort=RuleTuning.kind,
                   value=lambda row: label("detection.tuning_kinds", row.kind)),
            Column("what", "Qué", value=_says),
            Column("reason", "Motivo", value=lambda row: row.reason),
            Column("owner", "Responsable", value=lambda row: row.owner.name if row.owner else ""),
            Column("until", "Hasta", sort=RuleTuning.until,
                   value=lambda row: show_moment(row.until) if row.until else ""),
            Column("hidden", "Ocultas", sort=RuleTuning.hidden_count, is_number=True,
                   value=lambda row: row.hidden_count),
            Column("last", "Última vez", sort=RuleTuning.last_hidden_at, is_extra=True,
                   value=lambda row: show_moment(row.last_hidden_at) if row.last_hidden_at else ""),
            Column("created", "Desde", sort=RuleTuning.created_at, is_extra=True,
                   value=lambda row: show_moment(row.created_at)),
            Column("deeds", ""),
        ),
        filters=(
            Filter("estado", "Estado", lambda: labels("detection.tuning_states"), of_stage),
            choice("tipo", "Ajuste", RuleTuning.kind, "detection.tuning_kinds"),
            Filter("responsable", "Responsable", once(owner_names), of_owner),
        ),
        default_sort="state",
        search=lambda words: or_(
            contains(RuleTuning.reason, words),
            RuleTuning.rule_id.in_(_titled(titles, words)),
        ),
        search_label="Motivo o regla",
    )  # fmt: skip


def _titled(titles: Mapping[str, str], words: str) -> list[str]:
    """The ids of rules whose title or id has these words."""
    wanted = words.casefold()
    found = [one for one, title in titles.items() if wanted in f"{title} {one}".casefold()]
    return found[: limits.QUERY_VALUES_MAX]


def _stages(now: datetime) -> dict[str, ColumnElement[bool]]:
    holds = and_(
        RuleTuning.ended_at.is_(None), or_(RuleTuning.until.is_(None), RuleTuning.until > now)
    )
    return {
        "in_force": and_(holds, RuleTuning.is_watching.is_(False)),
        "watching": and_(holds, RuleTuning.is_watching.is_(True)),
        "ending": and_(holds, RuleTuning.until <= now + SOON),
        "ended": ~holds,
    }


def stage_of(row: RuleTuning, now: datetime) -> str:
    """The state of a row, in words."""
    if row.ended_at is not None or (row.until is not None and row.until <= now):
        return label("detection.tuning_states", "ended")
    return label("detection.tuning_states", "watching" if row.is_watching else "in_force")


def _says(row: RuleTuning) -> str:
    if row.kind == "suppress":
        return ", ".join(f"{name}={value}" for name, value in row.key)
    return row.condition.strip() if row.kind == "exclude" else label("detection.levels", row.level)


@router.get("/ajustes", dependencies=[require("rules.see")])
def all_tuning(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Suppressions, exclusions, changed levels and rules that are off, with what they hid."""
    listing = tuning_list(session, centre, centre.clock())
    query = visible(user, RuleTuning).options(joinedload(RuleTuning.owner))
    file = export(session, listing, query, request, name="ajustes")
    if file is not None:
        return file
    return render(
        request,
        "rules/tuning.html",
        list=show(session, listing, query, request),
        titles=titles_of(session, centre.content.rules),
        counts=counts_of(session, user, centre),
    )


@router.post("/ajustes/{tuning_id}/aplicar", dependencies=[require("rules.edit")])
def enforce(request: Request, act: CurrentAct, user: CurrentUser, tuning_id: int) -> Response:
    """Let what only watched take effect."""
    row = find(act.session, user, RuleTuning, id=tuning_id)
    tuning.enforce(act, row)
    told = Toast(gettext("El ajuste rige desde ahora."))
    return redirect(request, back_to(request, "/reglas"), toast=told)


@router.post("/ajustes/{tuning_id}/terminar", dependencies=[require("rules.edit")])
def end(request: Request, act: CurrentAct, user: CurrentUser, tuning_id: int) -> Response:
    """Stop holding back."""
    row = find(act.session, user, RuleTuning, id=tuning_id)
    tuning.end_tuning(act, row)
    told = Toast(gettext("El ajuste terminó; la regla vuelve a dar esas alertas."))
    return redirect(request, back_to(request, "/reglas"), toast=told)


# --- one rule -------------------------------------------------------------------------------------
@router.get("/{rule_id}/ajustar/{kind}", dependencies=[require("rules.edit")])
def ask_tuning(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    rule_id: str,
    kind: str,
    alerta: GroupId = 0,
) -> Response:
    """The form of one kind; the key of a group of alerts is filled in when one leads here."""
    around = _around(session, centre, rule_id, kind)
    key = ""
    if alerta:
        group = find(session, user, AlertGroup, id=alerta, rule_id=rule_id)
        key = "\n".join(f"{name}={value}" for name, value in group.key)
    until = local(centre.clock()).date() + timedelta(days=USUAL_DAYS)
    level = around["rule"].level
    form = blank(key=key, condition="", level=level, reason="", until=until, watching=True)
    return render(request, "rules/tune.html", form=form, **around)


@router.post("/{rule_id}/ajustar/{kind}", dependencies=[require("rules.edit")])
def set_tuning(
    request: Request,
    act: CurrentAct,
    centre: TheCentre,
    sent: SentForm,
    rule_id: str,
    kind: str,
) -> Response:
    """Hold the rule back, or watch what that would do."""
    around = _around(act.session, centre, rule_id, kind)
    form = read(sent, TuningForm)
    with redo(request, "rules/tune.html", form=form, **around):
        data = form.data()
        try:
            _set(act, centre, rule_id, kind=KINDS[kind], data=data)
        except Conflict as error:  # what was typed stays, with what is in the way
            raise Invalid(sentence(error)) from error
    told = gettext("Se observa qué ocultaría.") if data.watching else gettext("El ajuste rige.")
    return redirect(request, f"/reglas/{rule_id}#tuning", toast=Toast(told))


def _set(act: Act, centre: Centre, rule_id: str, *, kind: str, data: TuningForm) -> None:
    common: dict[str, Any] = {
        "reason": data.reason,
        "until": _end_of(data.until),
        "is_watching": data.watching,
    }
    if kind == "suppress":
        tuning.suppress(act, rule_id, key=pairs_of(data.key), **common)
    elif kind == "exclude":
        known = read_placeholders(centre.settings.site)
        tuning.exclude(act, rule_id, condition=data.condition, placeholders=known, **common)
    elif kind == "level":
        tuning.override_level(act, rule_id, level=data.level, **common)
    else:
        tuning.switch_off(act, rule_id, **common)


@router.post("/{rule_id}/ajustar/{kind}/previa", dependencies=[require("rules.edit")])
def preview_tuning(
    request: Request,
    act: CurrentAct,
    user: CurrentUser,
    centre: TheCentre,
    sent: SentForm,
    rule_id: str,
    kind: str,
) -> Response:
    """How many of the stored alerts it would have hidden. Nothing is changed."""
    around = _around(act.session, centre, rule_id, kind)
    data = read(sent, TuningForm).data()
    problem, preview = "", None
    try:
        key = pairs_of(data.key) if kind == "suprimir" else ()
        if kind == "suprimir" and not key:
            raise Invalid("Diga qué clave se suprime, por ejemplo source.ip=10.1.2.3.")
        preview = would_have_hidden(
            act.session,
            Proposal(rule_id, KINDS[kind], key, data.condition, data.level),
            events=centre.events,
            rules=centre.content.rules,
            now=act.now,
            placeholders=read_placeholders(centre.settings.site),
        )
    except Invalid as error:
        problem = str(error)
    samples = _samples(act.session, user, preview.alert_ids) if preview else []
    return render(
        request,
        "rules/preview.html",
        problem=problem,
        preview=preview,
        samples=samples,
        **around,
    )


def _samples(session: Session, user: User, ids: tuple[str, ...]) -> list[Any]:  # rows
    query = (
        visible(user, AlertRow)
        .join(AlertGroup, AlertGroup.id == AlertRow.group_id)
        .where(AlertRow.id.in_(ids))
        .order_by(AlertRow.at.desc())
        .with_only_columns(AlertRow.at, AlertGroup.id, AlertGroup.key_text)
    )
    return list(session.execute(query).all())


def pairs_of(text: str) -> list[tuple[str, str]]:
    """Lines of `field=value` as pairs. Raises Invalid for a line that is none."""
    found = []
    for line in text.splitlines():
        if not line.strip():
            continue
        name, sign, value = line.partition("=")
        if not sign or not name.strip():
            raise Invalid("Escriba campo=valor en cada línea: «{line}».", field="key", line=line)
        found.append((name.strip(), value.strip()))
    return found


def _end_of(day: date | None) -> datetime | None:
    """The first moment after a day in La Paz."""
    if day is None:
        return None
    if not 1970 <= day.year < 2200:
        raise Invalid("Escriba una fecha, por ejemplo 2026-11-22.", field="until")
    return datetime.combine(day, time(), LA_PAZ) + timedelta(days=1)


def _around(
    session: Session, centre: Centre, rule_id: str, kind: str
) -> dict[str, Any]:  # what the templates name
    if kind not in KINDS:
        raise NotFound("No existe ese ajuste.")
    if rule_id.startswith(LIST_RULES) or rule_id == RULE_ID:
        rule = target_of(session, centre.content.rules, rule_id)
    else:
        rule = target_of_rule(rule_of(session, centre, rule_id))
    if rule is None:
        raise NotFound("No existe esa lista de indicadores, o no da alertas.")
    return {
        "rule": rule,
        "kind": kind,
        "can_exclude": rule.is_single,
        "levels": [(code, gettext(labels("detection.levels")[code])) for code in LEVELS],
        "days": DAYS,
    }
