"""Lists of indicators: what is in force, whether a value is known, a list pasted or uploaded."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import Field
from sqlalchemy.orm import contains_eager
from starlette.datastructures import FormData
from starlette.responses import Response

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.detect.indicator_files import Line, read_lines
from cgii.detect.indicator_lists import ListForm, Taken, look_up, retire_list, take_list
from cgii.detect.indicators import rule_id_of
from cgii.detect.tuning_targets import target_of_list
from cgii.model.indicators import Indicator, IndicatorList
from cgii.web.access import require
from cgii.web.answers import Toast, redirect, redo, render
from cgii.web.contains import contains
from cgii.web.deps import CurrentAct, CurrentSession, CurrentUser, SentForm
from cgii.web.exports import export
from cgii.web.formats import number
from cgii.web.forms import blank, files_of, read
from cgii.web.language import gettext
from cgii.web.rule_page import tunings_of
from cgii.web.tables import Column, Listing, choice, flag, show
from cgii.web.visible import find, visible

router = APIRouter(prefix="/indicadores", include_in_schema=False)
PLACE = "/indicadores"
LIST = Listing(
    columns=(
        Column("title", "Lista", sort=IndicatorList.title, value=lambda row: row.title),
        Column("level", "Nivel", sort=IndicatorList.level, value=lambda row: row.level),
        Column("count", "Indicadores", sort=IndicatorList.indicator_count, is_number=True,
               value=lambda row: row.indicator_count),
        Column("updated_at", "Al día", sort=IndicatorList.updated_at,
               value=lambda row: row.updated_at),
        Column("origin", "Origen", value=lambda row: row.origin),
        Column("name", "Nombre corto", sort=IndicatorList.name, value=lambda row: row.name),
    ),
    filters=(
        flag("active", "Estado", IndicatorList.retired_at.is_(None), words=("En uso", "Retiradas")),
        flag("harmless", "Clase", IndicatorList.is_warning, words=("De advertencia", "De alerta")),
    ),
    default_sort="title",
    search=lambda words: contains(IndicatorList.title, words),
    search_label="Título de la lista",
)  # fmt: skip
VALUES = Listing(
    columns=(
        Column("value", "Valor", sort=Indicator.value, value=lambda row: row.value),
        Column("kind", "Clase", sort=Indicator.kind, value=lambda row: row.kind),
        Column("note", "Nota", value=lambda row: row.note),
        Column("expires_at", "Vence", sort=Indicator.expires_at, value=lambda row: row.expires_at),
        Column("hits", "Hallazgos", sort=Indicator.hit_count, is_number=True,
               value=lambda row: row.hit_count),
        Column("last_hit_at", "Último", sort=Indicator.last_hit_at,
               value=lambda row: row.last_hit_at),
    ),
    filters=(
        choice("kind", "Clase", Indicator.kind, "detection.indicator_kinds"),
        flag("found", "Hallazgos", Indicator.hit_count > 0, words=("Con hallazgos", "Sin ellos")),
    ),
    default_sort="-hits",
    search=lambda words: Indicator.value.startswith(words.strip().lower(), autoescape=True),
    search_label="Valor, por su principio",
)  # fmt: skip


@dataclass(frozen=True)
class NewList:
    """A list as it is sent: pasted, uploaded or both."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,59}$")]
    title: Annotated[str, Field(min_length=1, max_length=limits.NAME_CHARS_MAX)]
    level: Annotated[str, Field(max_length=20)]
    origin: Annotated[str, Field(max_length=1_000)] = ""
    tags: Annotated[str, Field(max_length=400)] = ""
    days: Annotated[int | None, Field(ge=1, le=3_650)] = None
    is_warning: bool = False
    values: Annotated[str, Field(max_length=limits.FORM_FIELD_BYTES_MAX)] = ""


@dataclass(frozen=True)
class RetireForm:
    """Why a list is taken out of use."""

    reason: Annotated[str, Field(min_length=1, max_length=1_000)]


@router.get("", dependencies=[require("rules.see")])
def list_of_lists(
    request: Request, session: CurrentSession, user: CurrentUser, valor: str = ""
) -> Response:
    """All lists, and the answer about one value."""
    query = visible(user, IndicatorList)
    file = export(session, LIST, query, request, name="indicadores")
    found, problem = None, ""
    if valor.strip():
        try:
            found = look_up(session, valor[: limits.INDICATOR_CHARS_MAX + 1])
        except Invalid as error:
            problem = gettext(error.message).format(**error.facts)
    return file or render(
        request,
        "indicators/list.html",
        list=show(session, LIST, query, request),
        asked=valor.strip(),
        found=found,
        problem=problem,
    )


@router.get("/nueva", dependencies=[require("rules.edit")])
def show_new(request: Request) -> Response:
    """The form for a list."""
    return render(request, "indicators/new.html", form=blank(days="90", level="medium"))


@router.post("/nueva", dependencies=[require("rules.edit")])
def take_in(request: Request, act: CurrentAct, sent: SentForm) -> Response:
    """Take the list in, or bring the one of that name up to date."""
    form = read(sent, NewList)
    with redo(request, "indicators/new.html", form=form):
        data = form.data()
        tags = tuple(data.tags.replace(",", " ").split())
        about = ListForm(data.name, data.title, data.origin, data.level, tags, data.is_warning)
        taken = take_list(act, about, _lines(sent, data.values), days=data.days)
    return redirect(request, f"{PLACE}/{data.name}", toast=Toast(_outcome(taken)))


def _lines(sent: FormData, pasted: str) -> list[Line]:
    """What was pasted and what was uploaded, so far as a form takes it."""
    lines = list(islice(read_lines(pasted.splitlines(keepends=True)), _MOST + 1))
    for file in files_of(sent, "file"):
        text = io.TextIOWrapper(file.file, encoding="utf-8", errors="replace")
        lines += islice(read_lines(_some(text)), _MOST + 1)
    if len(lines) > _MOST:
        raise Invalid(
            "Por aquí entran hasta {most} indicadores; para más, use «cgii indicators import».",
            field="file",
            most=_MOST,
        )
    return lines


_MOST = limits.INDICATOR_FORM_VALUES_MAX


def _some(text: io.TextIOWrapper) -> Iterator[str]:
    """The lines of a file; a line without an end is cut."""
    size = 0
    while line := text.readline(limits.LINE_BYTES_MAX):
        size += len(line)
        if size > limits.JSON_FILE_BYTES_MAX:
            raise Invalid("El archivo es demasiado grande.", field="file")
        yield line


def _outcome(taken: Taken) -> str:
    told = gettext("{added} nuevos, {known} ya conocidos, {refused} que no se reconocen.").format(
        added=number(taken.added), known=number(taken.known), refused=number(taken.refused)
    )
    if taken.warned:
        told += " " + gettext("{count} están en listas de advertencia y no darán alerta.").format(
            count=number(taken.warned)
        )
    return told


@router.get("/{name}", dependencies=[require("rules.see")])
def one_list(request: Request, session: CurrentSession, user: CurrentUser, name: str) -> Response:
    """One list with its values."""
    about = find(session, user, IndicatorList, name=name)
    query = (
        visible(user, Indicator)
        .join(IndicatorList)
        .options(contains_eager(Indicator.list))
        .where(Indicator.list_id == about.id)
    )
    file = export(session, VALUES, query, request, name=f"indicadores-{about.name}")
    return file or render(
        request,
        "indicators/one.html",
        about=about,
        rule=target_of_list(about),
        tunings=tunings_of(session, user, rule_id_of(about.name)),
        list=show(session, VALUES, query, request),
    )


@router.post("/{name}/retirar", dependencies=[require("rules.edit")])
def retire(
    request: Request, act: CurrentAct, user: CurrentUser, *, name: str, sent: SentForm
) -> Response:
    """Take a list out of use."""
    about = find(act.session, user, IndicatorList, name=name)
    retire_list(act, about, reason=read(sent, RetireForm).data().reason)
    return redirect(request, PLACE, toast=Toast(gettext("La lista ya no da alertas.")))
