"""Reviewers read filings control by control, observe, decide and tell the entity."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from sqlalchemy import Select, case, exists, func
from sqlalchemy.orm import Session, aliased, contains_eager
from starlette.responses import Response

from cgii.base.errors import Invalid, NotFound
from cgii.base.labels import label, labels
from cgii.comply.review import (
    FindingForm,
    end_review,
    record_finding,
    start_review,
    take_back_findings,
)
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.plans import Decision, Finding, Plan, Review, Submission
from cgii.web.access import require
from cgii.web.answers import Toast, is_htmx, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.exports import export
from cgii.web.forms import blank, read
from cgii.web.language import gettext, ngettext
from cgii.web.plan_sheet import Line, Sheet, newest_of, sheet_of
from cgii.web.tables import Column, Filter, Listing, choice, show
from cgii.web.visible import find, visible

router = APIRouter(include_in_schema=False)
# Where a filing stands in the queue: key → words. The order is the order of the work.
TURNS = {
    "esperan": "Esperan revisión",
    "mias": "Mis revisiones",
    "en_curso": "En revisión",
    "por_decidir": "Por decidir",
    "por_notificar": "Por notificar",
}


def _is_being_read() -> Any:  # a condition
    return exists().where(Review.submission_id == Submission.id, Review.ended_at.is_(None))


def _is_mine(user: User) -> Any:  # a condition
    return exists().where(
        Review.submission_id == Submission.id,
        Review.reviewer_id == user.id,
        Review.ended_at.is_(None),
    )


def queue_list(user: User) -> Listing:
    """The filings that wait for the centre; one filter knows which are mine."""
    conditions = {
        "esperan": Plan.state.in_(("filed", "answered")),
        "mias": (Plan.state == "in_review") & _is_mine(user),
        "en_curso": (Plan.state == "in_review") & _is_being_read(),
        "por_decidir": (Plan.state == "in_review") & ~_is_being_read(),
        "por_notificar": Plan.state == "decided",
    }

    def narrow(chosen: list[str]) -> Any:  # a condition
        condition = conditions[chosen[0]]
        for key in chosen[1:]:
            condition = condition | conditions[key]
        return condition

    return Listing(
        columns=(
            Column("entity", "Entidad", sort=Entity.acronym, value=lambda r: r.plan.entity.name),
            Column("year", "Gestión", sort=Plan.year, is_number=True, value=lambda r: r.plan.year),
            Column("code", "Presentación", sort=Submission.code, value=lambda row: row.code),
            Column("number", "N.º", is_number=True, value=lambda row: row.number),
            Column("filed", "Presentado", sort=Submission.filed_at, value=lambda r: r.filed_at),
            Column(
                "state",
                "Estado",
                sort=Plan.state,
                value=lambda row: label("plans.states", row.plan.state),
            ),
            Column("level", "Nivel", value=lambda r: label("entities.levels", r.plan.entity.level)),
        ),
        filters=(
            Filter("turno", "Turno", lambda: TURNS, narrow),
            choice("level", "Nivel", Entity.level, "entities.levels"),
            choice("sector", "Sector", Entity.sector, "entities.sectors"),
        ),
        default_sort="filed",
        search=lambda words: (
            contains(Entity.name, words)
            | contains(Entity.acronym, words)
            | contains(Submission.code, words)
        ),
        search_label="Entidad o número de presentación",
    )


def _waiting(user: User) -> Select[Submission]:
    """The newest filing of every plan that the centre has to do something with."""
    newer = aliased(Submission)
    return (
        visible(user, Submission)
        .join(Submission.plan)
        .join(Plan.entity)
        .where(
            Plan.state.in_(("filed", "answered", "in_review", "decided")),
            ~exists().where(newer.plan_id == Plan.id, newer.number > Submission.number),
            ~exists().where(
                Decision.submission_id == Submission.id, Decision.notified_at.is_not(None)
            ),
        )
        .options(contains_eager(Submission.plan).contains_eager(Plan.entity))
    )


@router.get("/revisiones", dependencies=[require("plan.see")])
def queue(request: Request, session: CurrentSession, user: CurrentUser) -> Response:
    """What waits for the centre, the oldest filing first."""
    listing, query = queue_list(user), _waiting(user)
    file = export(session, listing, query, request, name="revisiones")
    if file is not None:
        return file
    shown = show(session, listing, query, request)
    readings = _readings(session, user, [row.id for row in shown.rows])
    turns = _turn_counts(session, user, query)
    return render(request, "reviews/queue.html", list=shown, readings=readings, turns=turns)


def _readings(session: Session, user: User, ids: list[int]) -> dict[int, list[Review]]:
    found: dict[int, list[Review]] = {}
    query = visible(user, Review).where(Review.submission_id.in_(ids)).order_by(Review.id)
    for review in session.scalars(query):
        found.setdefault(review.submission_id, []).append(review)
    return found


def _turn_counts(
    session: Session, user: User, query: Select[Submission]
) -> list[tuple[str, str, int]]:
    turn = queue_list(user).filters[0]
    totals = query.order_by(None).with_only_columns(
        *(func.count(case((turn.narrow([key]), 1))) for key in TURNS),
        maintain_column_froms=True,
    )
    counts = session.execute(totals).one()
    return [
        (key, gettext(words), count)
        for (key, words), count in zip(TURNS.items(), counts, strict=True)
    ]


@router.post("/planes/{plan_id}/revision", dependencies=[require("plan.review")])
def begin(request: Request, act: CurrentAct, user: CurrentUser, plan_id: int) -> Response:
    """Begin to read the plan's newest filing, or go on."""
    plan = find(act.session, user, Plan, id=plan_id)
    review = start_review(act, newest_of(act.session, user, plan))
    return redirect(request, f"/revisiones/{review.id}")


@dataclass(frozen=True)
class Row:
    """A control of the section under review, with the verdict of this review."""

    line: Line
    mine: Finding | None


SectionCode = Annotated[str, Query(max_length=10)]


@router.get("/revisiones/{review_id}", dependencies=[require("plan.see")])
def show_review(
    request: Request, session: CurrentSession, user: CurrentUser, review_id: int,
    seccion: SectionCode = "",
) -> Response:  # fmt: skip
    """The sheet of a review, one section at a time."""
    review = find(session, user, Review, id=review_id)
    context = _sheet(session, user, review, seccion)
    return render(request, "reviews/review.html", form=blank(), wrong="", **context)


def _sheet(session: Session, user: User, review: Review, code: str) -> dict[str, Any]:
    submission = find(session, user, Submission, id=review.submission_id)
    plan = submission.plan
    sheet = sheet_of(session, user, plan, submission=submission)
    mine = {finding.control: finding for finding in review.findings}
    codes = [section.code for section, _ in sheet.sections]
    here = code if code in codes else _first_unread(sheet, mine)
    rows = [
        Row(line, mine.get(line.control))
        for section, lines in sheet.sections
        if section.code == here
        for line in lines
    ]
    place = codes.index(here)
    return {
        "review": review,
        "plan": plan,
        "submission": submission,
        "sheet": sheet,
        "mine": mine,
        "rows": rows,
        "section": next(section for section, _ in sheet.sections if section.code == here),
        "after": codes[place + 1] if place + 1 < len(codes) else "",
        "unread": [row.line.control for row in rows if row.mine is None],
        "total": len(sheet.lines),
        "is_writing": review.reviewer_id == user.id
        and review.ended_at is None
        and plan.state == "in_review",
        "fields": labels("plans.fields"),
    }


def _first_unread(sheet: Sheet, mine: dict[str, Finding]) -> str:
    for section, lines in sheet.sections:
        if any(line.control not in mine for line in lines):
            return section.code
    return sheet.sections[0][0].code


@dataclass(frozen=True)
class VerdictInput:
    """A verdict on one control as typed."""

    verdict: str = ""
    verified_status: str = ""
    verified_maturity: int | None = None
    note: str = ""


@router.post("/revisiones/{review_id}/controles/{control}", dependencies=[require("plan.review")])
def judge(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm,
    review_id: int, control: str,
) -> Response:  # fmt: skip
    """Write the verdict on one control; htmx gets the row again."""
    review = find(act.session, user, Review, id=review_id)
    form = read(sent, VerdictInput)
    section = control.split(".")[0]
    before = _sheet(act.session, user, review, section)
    row = next((row for row in before["rows"] if row.line.control == control), None)
    if row is None:
        raise NotFound("Este plan no tiene el control {control}.", control=control)
    page = "reviews/row.html" if is_htmx(request) else "reviews/review.html"
    with redo(request, page, form=form, wrong=control, row=row, **before):
        data = form.data()
        if not data.verdict:
            raise Invalid("Elija un veredicto.", field="verdict")
        record_finding(
            act,
            review,
            control,
            FindingForm(data.verdict, data.verified_status, data.verified_maturity, data.note),
        )
    if not is_htmx(request):
        return redirect(request, f"/revisiones/{review.id}?seccion={section}#c-{control}")
    act.session.refresh(review, ["findings"])
    after = _sheet(act.session, user, review, section)
    row = next(row for row in after["rows"] if row.line.control == control)
    return render(request, "reviews/row.html", form=blank(), wrong="", row=row, **after)


@router.post("/revisiones/{review_id}/secciones/{code}", dependencies=[require("plan.review")])
def conform_section(
    request: Request, act: CurrentAct, user: CurrentUser, review_id: int, code: str
) -> Response:
    """Judge all controls of a section that have no verdict yet as conforming; can be undone."""
    review = find(act.session, user, Review, id=review_id)
    unread: list[str] = _sheet(act.session, user, review, code)["unread"]
    for control in unread:
        record_finding(act, review, control, FindingForm("conforms"))
    told = ngettext("%(num)s control conforme.", "%(num)s controles conformes.", len(unread)) % {
        "num": len(unread)
    }
    undo = f"/revisiones/{review.id}/deshacer?controles={','.join(unread)}" if unread else ""
    where = f"/revisiones/{review.id}?seccion={code}"
    return redirect(request, where, toast=Toast(told, undo=undo))


@router.post("/revisiones/{review_id}/deshacer", dependencies=[require("plan.review")])
def undo_verdicts(
    request: Request, act: CurrentAct, user: CurrentUser, review_id: int,
    controles: Annotated[str, Query(max_length=4_000)] = "",
) -> Response:  # fmt: skip
    """Take verdicts back."""
    review = find(act.session, user, Review, id=review_id)
    controls = controles.split(",")
    take_back_findings(act, review, controls)
    section = controls[0].split(".")[0]
    told = Toast(gettext("Se quitaron los veredictos."))
    return redirect(request, f"/revisiones/{review.id}?seccion={section}", toast=told)


@dataclass(frozen=True)
class NoteInput:
    """The reviewer's closing note."""

    note: str = ""


@router.post("/revisiones/{review_id}/terminar", dependencies=[require("plan.review")])
def end(
    request: Request, act: CurrentAct, user: CurrentUser, sent: SentForm, review_id: int
) -> Response:
    """The reading is finished; what has no verdict is "not verified"."""
    review = find(act.session, user, Review, id=review_id)
    end_review(act, review, read(sent, NoteInput).data().note)
    plan_id = find(act.session, user, Submission, id=review.submission_id).plan_id
    told = Toast(gettext("Revisión terminada. Observe el plan o decida."))
    return redirect(request, f"/planes/{plan_id}/decision", toast=told)
