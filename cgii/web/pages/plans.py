"""Plans (PISI) as they are read: the register, a plan's page, its filings; an entity's way in."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from sqlalchemy import and_, or_
from sqlalchemy.orm import Session, contains_eager
from starlette.responses import Response

from cgii.base.clock import local
from cgii.base.labels import label, labels
from cgii.comply.general import risk_matrix
from cgii.comply.plans import open_plan
from cgii.comply.states import EDITABLE
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.plans import Decision, FollowUp, Plan, ScoreSnapshot, Submission
from cgii.web.access import require
from cgii.web.answers import download, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.plan_sheet import observations_seen, reviews_of, sheet_of, submissions_of
from cgii.web.plan_steps import (
    here_of,
    is_of_entity,
    missing_of,
    next_step,
    steps_of,
)
from cgii.web.tables import Column, Filter, Listing, Span, choice, flag, show
from cgii.web.visible import find, visible

router = APIRouter(include_in_schema=False)
YEARS_SHOWN = 8  # in the filter, the newest first
EXPIRING_DAYS = 90


def _coded(table: str, name: str) -> Any:  # a function of the row
    return lambda row: label(table, getattr(row, name)) if getattr(row, name) else ""


COLUMNS = (
    Column("entity", "Entidad", sort=Entity.acronym, value=lambda row: row.entity.name),
    Column("year", "Gestión", sort=Plan.year, is_number=True, value=lambda row: row.year),
    Column("state", "Estado", sort=Plan.state, value=_coded("plans.states", "state")),
    Column("level", "Nivel", value=lambda row: label("entities.levels", row.entity.level)),
    Column(
        "sector",
        "Sector",
        is_extra=True,
        value=lambda row: label("entities.sectors", row.entity.sector),
    ),
    Column("filed", "Presentado", sort=Plan.filed_at, value=lambda row: row.filed_at),
    Column("outcome", "Decisión", sort=Plan.outcome, value=_coded("plans.outcomes", "outcome")),
    Column("valid", "Vigente hasta", sort=Plan.valid_until, value=lambda row: row.valid_until),
    Column("moved", "Último cambio", sort=Plan.updated_at, value=lambda row: row.updated_at),
)


def plan_list(now: datetime) -> Listing:
    """The register of plans; its filters know what year it is."""
    today = local(now).date()
    years = {str(year): str(year) for year in range(today.year + 1, today.year - YEARS_SHOWN, -1)}
    expiring = and_(
        Plan.state == "valid",
        Plan.valid_until.is_not(None),
        Plan.valid_until <= today + timedelta(days=EXPIRING_DAYS),
    )
    return Listing(
        columns=COLUMNS,
        filters=(
            choice("state", "Estado", Plan.state, "plans.states"),
            Filter("year", "Gestión", lambda: years, lambda c: Plan.year.in_(map(int, c))),
            choice("level", "Nivel", Entity.level, "entities.levels"),
            choice("sector", "Sector", Entity.sector, "entities.sectors"),
            flag("vence", "Vencimiento", expiring, words=("En 90 días o menos", "Los demás")),
        ),
        spans=(Span("presentado", "Presentado", Plan.filed_at),),
        default_sort="-moved",
        search=lambda words: or_(
            contains(Entity.name, words),
            contains(Entity.acronym, words),
            Entity.code == words,
            Plan.submissions.any(contains(Submission.code, words)),
        ),
        search_label="Entidad, sigla o número de presentación",
    )


@router.get("/planes", dependencies=[require("plan.see")])
def plans(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """All plans."""
    listing = plan_list(centre.clock())
    query = visible(user, Plan).join(Plan.entity).options(contains_eager(Plan.entity))
    file = export(session, listing, query, request, name="planes")
    if file is not None:
        return file
    return render(request, "plans/list.html", list=show(session, listing, query, request))


@router.get("/portal/plan", dependencies=[require("own_plan.see")])
def own_plan(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The entity's newest plan, or the way to begin one."""
    plan = session.scalar(visible(user, Plan).order_by(Plan.year.desc()).limit(1))
    if plan is not None:
        return redirect(request, f"/planes/{plan.id}")
    year = local(centre.clock()).year
    return render(request, "plans/none.html", form=blank(year=year), years=_years(year))


@dataclass(frozen=True)
class YearForm:
    """The year (gestión) of a plan to be opened."""

    year: int


@router.post("/portal/plan", dependencies=[require("own_plan.write")])
def begin_plan(request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm) -> Response:
    """Open the draft of a year; an existing one is only shown."""
    form = read(sent, YearForm)
    entity = find(act.session, user, Entity, id=user.entity_id)
    with redo(request, "plans/none.html", form=form, years=_years(local(act.now).year)):
        plan = open_plan(act, entity, form.data().year)
    return redirect(request, f"/planes/{plan.id}/alcance")


def _years(year: int) -> list[tuple[str, str]]:
    return [(str(one), str(one)) for one in (year, year + 1)]


@router.get("/planes/{plan_id}", dependencies=[require("any_plan.see")])
def show_plan(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """A plan as it is read by both sides."""
    plan = find(session, user, Plan, id=plan_id)
    context = reading(session, user, plan, centre.clock())
    return render(request, "plans/plan.html", form=blank(), **context)


def reading(session: Session, user: User, plan: Plan, now: datetime) -> dict[str, Any]:
    """All that a plan's page shows to this person."""
    submissions = submissions_of(session, user, plan)
    submission = submissions[0] if submissions else None
    missing = missing_of(session, plan, now) if plan.state in EDITABLE else ()
    own = is_of_entity(user)
    years = visible(user, Plan).where(Plan.entity_id == plan.entity_id).order_by(Plan.year.desc())
    others = session.scalars(years).all()
    sheet = sheet_of(session, user, plan, submission=submission)
    this_year = local(now).year
    return {
        "plan": plan,
        "is_own": own,
        "sheet": sheet,
        "observed": observations_seen(session, user, plan) if own else (),
        "matrix": risk_matrix(sheet.content["general"]["risks"]),
        "submissions": submissions,
        "reviews": reviews_of(session, user, submission) if submission else (),
        "decisions": session.scalars(
            visible(user, Decision).where(Decision.plan_id == plan.id).order_by(Decision.id.desc())
        ).all(),
        "follow_ups": session.scalars(
            visible(user, FollowUp).where(FollowUp.plan_id == plan.id).order_by(FollowUp.year)
        ).all(),
        "snapshots": session.scalars(
            visible(user, ScoreSnapshot)
            .where(ScoreSnapshot.plan_id == plan.id)
            .order_by(ScoreSnapshot.id)
        ).all(),
        "missing_count": len(missing),
        "steps": steps_of(user, plan, missing),
        "here": here_of(plan),
        "step": next_step(user, plan, len(missing)) if own else None,
        "others": [one for one in others if one.id != plan.id],
        "new_year": this_year if others and others[0].year < this_year else None,
        "fields": labels("plans.fields"),
    }


@router.get("/planes/{plan_id}/panel", dependencies=[require("plan.see")])
def plan_panel(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, plan_id: int
) -> Response:
    """The plan in the drawer."""
    plan = find(session, user, Plan, id=plan_id)
    context = reading(session, user, plan, centre.clock())
    return render(request, "plans/panel.html", **context)


@router.get("/planes/{plan_id}/presentaciones/{number}", dependencies=[require("any_plan.see")])
def submission_as_json(
    session: CurrentSession, user: CurrentUser, plan_id: int, number: int
) -> Response:
    """The canonical JSON of a filing, byte for byte what its hash was made of."""
    submission = find(session, user, Submission, plan_id=plan_id, number=number)
    response = download(submission.content.encode(), f"{submission.code}.json", "application/json")
    response.headers["X-Content-SHA256"] = submission.sha256
    return response
