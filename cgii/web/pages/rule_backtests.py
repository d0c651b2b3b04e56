"""A rule tried on stored events: the period asked for, the job that works, what it found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii import backtest as backtests
from cgii.base import limits
from cgii.base.clock import LA_PAZ, MONTHS, local
from cgii.base.errors import Invalid, NotFound
from cgii.centre import Centre
from cgii.model.records import Job
from cgii.store.act import Act
from cgii.store.queue import enqueue
from cgii.web.access import require
from cgii.web.answers import redirect, redo, render
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.forms import Filled, blank, read
from cgii.web.language import gettext
from cgii.web.rule_catalogue import Rule
from cgii.web.rule_page import rule_of
from cgii.web.visible import find

router = APIRouter(prefix="/reglas", include_in_schema=False)
RuleId = Annotated[str, Query(max_length=limits.RULE_ID_CHARS_MAX)]
USUAL_DAYS = 7
JOB = "backtest"


@dataclass(frozen=True)
class PeriodForm:
    """From one day to another in La Paz, both included."""

    first: date | None = None
    last: date | None = None


@dataclass(frozen=True)
class TextForm:
    """A rule that is not saved yet."""

    text: Annotated[str, Field(min_length=1, max_length=limits.RULE_TEXT_CHARS_MAX)]


@router.get("/{rule_id}/historico", dependencies=[require("rules.try")])
def ask_backtest(
    request: Request, session: CurrentSession, centre: TheCentre, rule_id: str
) -> Response:
    """The period over which the rule is to be tried."""
    rule = _in_force(session, centre, rule_id)
    today = local(centre.clock()).date()
    form = blank(first=today - timedelta(days=USUAL_DAYS - 1), last=today)
    return render(request, "rules/backtest_form.html", form=form, **_around(centre, rule))


@router.post("/{rule_id}/historico", dependencies=[require("rules.try")])
def start_backtest(
    request: Request, act: CurrentAct, centre: TheCentre, sent: SentForm, rule_id: str
) -> Response:
    """Have the rule tried in the background."""
    rule = _in_force(act.session, centre, rule_id)
    form = read(sent, PeriodForm)
    with redo(request, "rules/backtest_form.html", form=form, **_around(centre, rule)):
        start, end = _period(form, act.now)
        job = _enqueue(act, start, end, title=rule.title, rule_id=rule.id)
    return redirect(request, f"/reglas/historico/{job.id}")


@router.post("/historico", dependencies=[require("rules.edit")])
def start_text(request: Request, act: CurrentAct, centre: TheCentre, sent: SentForm) -> Response:
    """Have a text that is not saved tried over the last days."""
    text = read(sent, TextForm).data().text
    rules, rule_id = backtests.rules_in_text(centre, text)
    title = rules.by_id[rule_id].title
    start = act.now - timedelta(days=USUAL_DAYS)
    job = _enqueue(act, start, act.now, title=title, text=text)
    return redirect(request, f"/reglas/historico/{job.id}")


def _enqueue(act: Act, start: datetime, end: datetime, *, title: str, **what: Any) -> Job:
    job = enqueue(
        act.session,
        JOB,
        now=act.now,
        created_by_id=act.user_id,
        start=start.isoformat(),
        end=end.isoformat(),
        **what,
    )
    act.session.flush()  # the trail and the answer name it by its id
    act.record("rule.backtest", f"job:{job.id}", title=title, rule=what.get("rule_id", ""))
    return job


@router.get("/historico/{job_id}", dependencies=[require("rules.try")])
def show_backtest(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, job_id: int
) -> Response:
    """How far it is, and then what the rule would have found."""
    job = find(session, user, Job, id=job_id, name=JOB)
    found: Mapping[str, Any] | None = job.result.get("backtest") if job.state == "done" else None
    rule_id = str(job.arguments.get("rule_id", ""))
    known = centre.content.rules.by_id.get(rule_id)
    return render(
        request,
        "rules/backtest.html",
        job=job,
        found=found,
        rule_id=rule_id if known else "",
        title=known.title if known else (found or {}).get("title") or gettext("Regla sin guardar"),
        start=datetime.fromisoformat(job.arguments["start"]),
        end=datetime.fromisoformat(job.arguments["end"]),
        spec=_days_spec(found) if found else {},
        groups=[_group(one) for one in found["groups"]] if found else [],
        samples=[_sample(one) for one in found["samples"]] if found else [],
        until=datetime.fromisoformat(found["until"]) if found else None,
    )


def _in_force(session: Session, centre: Centre, rule_id: str) -> Rule:
    rule = rule_of(session, centre, rule_id)
    if rule_id not in centre.content.rules.by_id:
        centre.reload_rules()  # it may be saved, and even tell already in another process
    if rule_id not in centre.content.rules.by_id:
        raise NotFound("La regla no está en vigor: póngala en vigor para probarla.")
    return rule


def _around(centre: Centre, rule: Rule) -> dict[str, Any]:  # what the template names
    stored = centre.events.stats()
    return {"rule": rule, "oldest": stored.oldest, "newest": stored.newest}


def _period(form: Filled[PeriodForm], now: datetime) -> tuple[datetime, datetime]:
    data = form.data()
    start = _midnight(data.first, "first")
    end = _midnight(data.last, "last") + timedelta(days=1)
    if end <= start:
        raise Invalid("El último día no puede ser anterior al primero.", field="last")
    if start > now:
        raise Invalid("El período todavía no empezó.", field="first")
    return start, end


def _midnight(day: date | None, field: str) -> datetime:
    if day is None or not 1970 <= day.year < 2200:
        raise Invalid("Escriba una fecha, por ejemplo 2026-11-22.", field=field)
    return datetime.combine(day, time(), LA_PAZ).astimezone(UTC)


# --- what it found, as the template shows it ------------------------------------------------------
def _group(one: Mapping[str, Any]) -> backtests.KeyCount:
    first, last = (datetime.fromisoformat(one[name]) for name in ("first", "last"))
    return backtests.KeyCount(tuple(one["key"].items()), one["count"], first, last)


def _sample(one: Mapping[str, Any]) -> backtests.Sample:
    at = datetime.fromisoformat(one["at"])
    return backtests.Sample(one["event_id"], at, tuple(one["key"].items()), one["summary"])


def _days_spec(found: Mapping[str, Any]) -> dict[str, Any]:  # data of a chart
    days = [(date.fromisoformat(one["day"]), one["alerts"]) for one in found["days"]]
    if not any(count for _, count in days):
        return {"categories": []}
    return {
        "kind": "column",
        "unit": "count",
        "categories": [f"{day.day} {MONTHS[day.month - 1]}" for day, _ in days],
        "series": [
            {
                "name": gettext("Alertas"),
                "color": "--chart-main",
                "values": [count for _, count in days],
            }
        ],
    }
