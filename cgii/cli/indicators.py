"""`cgii indicators`: lists of addresses, names, URLs and hashes that events are held against."""

import gzip
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from cgii import centre as centres
from cgii.base import clock, limits
from cgii.base.confine import GZIP
from cgii.base.errors import Invalid, NotFound
from cgii.base.reasons import why
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.detect.indicator_files import read_lines
from cgii.detect.indicator_lists import (
    ListForm,
    Taken,
    close_list,
    look_up,
    open_list,
    retire_list,
    take_lines,
)
from cgii.detect.indicator_rows import load_table
from cgii.model.indicators import IndicatorList

indicators = typer.Typer(
    no_args_is_help=True, help="Indicadores: direcciones, nombres, URL y huellas que delatan."
)
ListName = Annotated[str, typer.Option("--list", help="Nombre corto: minúsculas y guiones.")]


@indicators.command("import")
def take_in(
    file: Annotated[Path, typer.Argument(help="Uno por línea, CSV o JSON de MISP; «-», entrada.")],
    name: ListName,
    title: Annotated[str, typer.Option(help="Cómo se la muestra.")] = "",
    origin: Annotated[str, typer.Option(help="Quién la publica y dónde.")] = "",
    level: Annotated[str, typer.Option(help="Nivel de sus alertas.")] = "medium",
    tag: Annotated[list[str] | None, typer.Option(help="Etiqueta, rsit.…; repetible.")] = None,
    days: Annotated[int, typer.Option(min=0, help="Días que valen; 0, sin fin.")] = 90,
    warning: Annotated[bool, typer.Option("--warning", help="Valores inofensivos.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Olvidar lo que la lista ya no nombra.")
    ] = False,
) -> None:
    """Toma una lista nueva o pone al día una conocida."""
    form = ListForm(name, title, origin, level, tuple(tag or ()), warning)
    taken = Taken()
    with _centre() as centre, _opened(file) as text:
        with centre.database.transaction() as session:
            act = centre.act(session, via="cli")
            started, target_id = act.now, open_list(act, form).id
            warned = load_table(session, now=act.now, is_warning=True)
        lines = read_lines(text)
        # A transaction for each part, so that what arrives meanwhile need not wait for the whole.
        while part := list(islice(lines, limits.INDICATOR_ROWS_AT_ONCE)):
            with centre.database.transaction() as session:
                target = session.get_one(IndicatorList, target_id)
                act = centre.act(session, via="cli")
                take_lines(act, target, part, taken=taken, warned=warned, days=days or None)
        with centre.database.transaction() as session:
            target = session.get_one(IndicatorList, target_id)
            since = started if replace else None
            close_list(centre.act(session, via="cli"), target, taken, unseen_since=since)
    for problem in taken.problems:
        typer.echo(f"{file}:{problem}", err=True)
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(taken.kinds.items()))
    typer.echo(
        f"{name}: {taken.added} nuevos, {taken.known} ya conocidos, {taken.removed} olvidados, "
        f"{taken.refused} rechazados, {taken.warned} inofensivos según listas de advertencia "
        f"({kinds})"
    )


@indicators.command("list")
def show_lists() -> None:
    """Muestra las listas."""
    with _centre() as centre, centre.database.reading() as session:
        for one in session.scalars(select(IndicatorList).order_by(IndicatorList.name)):
            kind = "advertencia" if one.is_warning else one.level
            state = "retirada" if one.retired_at else f"al {clock.show(one.updated_at)}"
            typer.echo(f"{one.name:<30} {one.indicator_count:>9}  {kind:<14} {state}  {one.title}")


@indicators.command("find")
def find(value: Annotated[str, typer.Argument(help="Dirección, nombre, URL o huella.")]) -> None:
    """Dice en qué listas está un valor; termina con 1 si en ninguna."""
    with _centre() as centre, centre.database.reading() as session:
        rows = look_up(session, value)
        for row in rows:
            until = f"vence {clock.show(row.expires_at)}" if row.expires_at else "sin fin"
            harmless = "  (advertencia: inofensivo)" if row.list.is_warning else ""
            typer.echo(f"{row.list.name}: {row.kind} {row.value}, {until}  {row.note}{harmless}")
    if not rows:
        typer.echo("No está en ninguna lista.", err=True)
        raise typer.Exit(1)


@indicators.command("retire")
def retire(
    name: ListName, reason: Annotated[str, typer.Option(help="Por qué; queda en la bitácora.")]
) -> None:
    """Saca de uso una lista."""
    with _centre() as centre, centre.database.transaction() as session:
        target = session.scalar(select(IndicatorList).where(IndicatorList.name == name))
        if target is None:
            raise NotFound("No hay una lista «{name}».", name=name)
        retire_list(centre.act(session, via="cli"), target, reason=reason)


@contextmanager
def _centre() -> Iterator[Centre]:
    centre = centres.build(load())
    try:
        yield centre
    finally:
        centre.close()


@contextmanager
def _opened(path: Path) -> Iterator[Iterator[str]]:
    """The lines of a file, packed or not, up to a bound."""
    if str(path) == "-":
        yield _bounded(sys.stdin)
        return
    if not path.is_file():
        raise Invalid("No existe {path}.", path=path)
    try:
        with path.open("rb") as head:
            is_packed = head.read(len(GZIP)) == GZIP
        with (gzip.open if is_packed else open)(
            path, "rt", encoding="utf-8", errors="replace"
        ) as text:
            yield _bounded(text)
    except (OSError, EOFError) as error:
        raise Invalid("No se puede leer {path}: {reason}.", path=path, reason=why(error)) from error


def _bounded(lines: Iterator[str]) -> Iterator[str]:
    size = 0
    for line in lines:
        size += len(line)
        if size > limits.INDICATOR_FILE_BYTES_MAX:
            raise Invalid(
                "La lista pesa más de {most} bytes.", most=limits.INDICATOR_FILE_BYTES_MAX
            )
        yield line
