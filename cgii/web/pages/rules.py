"""Rules: those in force, the noisy, by ATT&CK, those refused; one rule whole, and its trial."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from sqlalchemy import func
from sqlalchemy.orm import Session
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import ContentError
from cgii.centre import Centre
from cgii.detect.explain import Explanation, explain
from cgii.detect.indicators import LIST_RULES
from cgii.detect.rules import SingleRule
from cgii.detect.silence import RULE_ID
from cgii.model.detection import RuleTuning
from cgii.model.people import User
from cgii.respond.file_alerts import RULE_IDS
from cgii.web.access import require
from cgii.web.answers import redirect, redo, render
from cgii.web.deps import CurrentSession, CurrentUser, SentForm, TheCentre
from cgii.web.exports import as_file
from cgii.web.forms import blank, read
from cgii.web.pasted import Outcome, PasteForm, try_records
from cgii.web.rule_catalogue import Rule, catalogue_of, origin_of, place_of
from cgii.web.rule_lists import DAYS, matrix_of, rule_lines, rule_listing
from cgii.web.rule_page import around_rule, rule_of
from cgii.web.tables import cells, show_rows
from cgii.web.visible import visible

router = APIRouter(prefix="/reglas", include_in_schema=False)


@dataclass(frozen=True)
class Counts:
    """What stands beside the names of the views."""

    in_force: int
    refused: int
    tuning: int


@router.get("", dependencies=[require("rules.see")])
def rule_list(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Every rule in force with what it found lately."""
    return _list(request, session, user, centre)


@router.get("/ruidosas", dependencies=[require("rules.see")])
def noisy_rules(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The rules that gave alerts or were made silent, the loudest first."""
    return _list(request, session, user, centre)


def _list(request: Request, session: Session, user: User, centre: Centre) -> Response:
    catalogue = catalogue_of(centre.content.rules, centre.settings.site)
    lines = rule_lines(session, user, catalogue, now=centre.clock())
    is_noisy = request.url.path.endswith("/ruidosas")
    if is_noisy:
        lines = [line for line in lines if line.findings.alerts or line.held.hidden]
    technique = request.query_params.get("tecnica", "")[:20]
    listing = rule_listing(lines, is_noisy=is_noisy, technique=technique)
    kind = request.query_params.get("formato")
    if kind in ("csv", "xlsx"):
        shown = show_rows(listing, lines, request, rows_max=limits.EXPORT_ROWS_MAX)
        return as_file(kind, "reglas-ruidosas" if is_noisy else "reglas", *cells(shown))
    return render(
        request,
        "rules/list.html",
        list=show_rows(listing, lines, request),
        view="/reglas/ruidosas" if is_noisy else "/reglas",
        counts=counts_of(session, user, centre),
        silent=catalogue.silent,
        days=DAYS,
    )


def counts_of(session: Session, user: User, centre: Centre) -> Counts:
    """How many rules there are in each view that has a number."""
    open_rows = visible(user, RuleTuning).where(
        RuleTuning.ended_at.is_(None),
        RuleTuning.until.is_(None) | (RuleTuning.until > centre.clock()),
    )
    tuning = session.scalar(open_rows.with_only_columns(func.count()))
    rules = centre.content.rules
    in_force = len(rules.single) + len(rules.correlations)
    return Counts(in_force, len(rules.rejected), tuning or 0)


@router.get("/attack", dependencies=[require("rules.see")])
def attack_matrix(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """Tactics and techniques with how many rules look for them and what these found."""
    catalogue = catalogue_of(centre.content.rules, centre.settings.site)
    lines = rule_lines(session, user, catalogue, now=centre.clock())
    return render(
        request,
        "rules/matrix.html",
        tactics=matrix_of(lines),
        untagged=sum(not (line.facts.tactics or line.facts.techniques) for line in lines),
        counts=counts_of(session, user, centre),
        days=DAYS,
    )


@dataclass(frozen=True)
class Refusal:
    """A file that could not be used: where, why, and whose it is."""

    place: str
    reason: str
    origin: str


@router.get("/rechazadas", dependencies=[require("rules.see")])
def refused_rules(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre
) -> Response:
    """The files and texts that could not be used, each with its line and the reason."""
    everything = [_refusal(error, centre) for error in centre.content.rules.rejected]
    q = request.query_params.get("q", "").strip()[: limits.NAME_CHARS_MAX]
    words = q.casefold().split()
    errors = [
        one
        for one in everything
        if all(word in f"{one.place} {one.reason}".casefold() for word in words)
    ]
    return render(
        request,
        "rules/failing.html",
        errors=errors,
        total=len(everything),
        most=limits.PAGE_ROWS_MAX,
        q=q,
        counts=counts_of(session, user, centre),
    )


def _refusal(error: ContentError, centre: Centre) -> Refusal:
    place = place_of(error.path) + (f":{error.line}" if error.line else "")
    return Refusal(place, error.reason, origin_of(error.path, centre.settings.site))


@router.get("/{rule_id}", dependencies=[require("rules.see")])
def show_rule(
    request: Request, session: CurrentSession, user: CurrentUser, centre: TheCentre, rule_id: str
) -> Response:
    """One rule, whole. What is none but has alerts (silence, lists, files) leads on."""
    if rule_id == RULE_ID:
        return redirect(request, "/fuentes")
    if rule_id.startswith(RULE_IDS):
        return redirect(request, "/reglas/yara")
    if rule_id.startswith(LIST_RULES):
        return redirect(request, f"/indicadores/{quote(rule_id.removeprefix(LIST_RULES))}")
    around = around_rule(session, user, centre, rule_of(session, centre, rule_id))
    form = blank(record="", source="auto")
    return render(request, "rules/rule.html", form=form, pasted=None, **around)


@router.post("/{rule_id}/probar", dependencies=[require("rules.try")])
def try_rule(
    request: Request,
    session: CurrentSession,
    user: CurrentUser,
    centre: TheCentre,
    sent: SentForm,
    rule_id: str,
) -> Response:
    """Whether the rule matches pasted records, and why or why not. Nothing is stored."""
    rule = rule_of(session, centre, rule_id)
    form = read(sent, PasteForm)
    around: dict[str, Any] = around_rule(session, user, centre, rule)
    with redo(request, "rules/rule.html", form=form, pasted=None, **around):
        pasted = try_records(form.data(), centre.definitions, now=centre.clock())
    verdicts = [_verdicts(centre, rule, one) for one in pasted.outcomes]
    return render(request, "rules/rule.html", form=form, pasted=pasted, verdicts=verdicts, **around)


@dataclass(frozen=True)
class Verdict:
    """One rule's answer to a pasted record."""

    rule: SingleRule
    explanation: Explanation


def _verdicts(centre: Centre, rule: Rule, outcome: Outcome) -> list[Verdict]:
    """The rule's answer; of a correlation, the answers of the rules that it counts."""
    if outcome.event is None:
        return []
    rules = centre.content.rules
    asked = [rule] if isinstance(rule, SingleRule) else [rules.by_id.get(i) for i in rule.rule_ids]
    return [
        Verdict(one, explain(one, outcome.event, rules.logsources))
        for one in asked
        if isinstance(one, SingleRule)
    ]
