"""`cgii move-events`: the events of SQLite files into the Elasticsearch that the settings name."""

from typing import Annotated

import typer

from cgii import centre as centres
from cgii.base.errors import Invalid
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.cli.steps import Told, shown_steps
from cgii.store.events_move import Comparison, Marks, Move

FILE_NAME = "move-events.json"


def move_events(
    delete: Annotated[
        bool, typer.Option("--delete", help="Borra cada mes que quedó comprobado en el destino.")
    ] = False,
) -> None:
    """Copia los eventos de los archivos SQLite a Elasticsearch y comprueba que llegaron todos."""
    settings = load()
    if not settings.events.startswith(("https://", "http://")):
        raise Invalid(
            "CGII_EVENTS no nombra un Elasticsearch; escriba ahí el destino, reinicie el centro "
            "para que lo nuevo ya vaya a él, y repita la orden."
        )
    folder = settings.data / "events"
    if not folder.is_dir():
        typer.echo(f"No hay archivos de eventos en {folder}.")
        return
    centre = centres.build(settings)
    marks = Marks(settings.data / FILE_NAME, settings.events)
    if marks.is_damaged:
        typer.echo(f"{FILE_NAME} está dañado: se copia todo otra vez, sin repetir nada.", err=True)
    move = Move(folder, centre.events, marks)
    try:
        with shown_steps() as told:
            compared = [_move(move, month, count, told) for month, count in move.months().items()]
        is_whole = _tell(compared)
        deleted = [one.month for one in compared if delete and move.delete(one)]
        _record(centre, compared, deleted)
    finally:
        move.close()
        centre.close()
    _tell_rest(move, compared, deleted if delete else None)
    if not is_whole:
        raise typer.Exit(1)
    marks.drop()


def _move(move: Move, month: str, count: int, told: Told) -> Comparison:
    compared = Comparison(month)
    told(f"{month}: se copian", move.copy(month), count)
    told(f"{month}: se comprueban", move.compare(month, compared), count)
    return compared


def _tell(compared: list[Comparison]) -> bool:
    """One line for each month, and what differs; whether nothing does."""
    for one in compared:
        typer.echo(f"{one.month}: {one.events} eventos, {one.found} en el destino")
        if one.again:
            typer.echo(f"  {one.again} ya habían llegado otra vez al destino por su sensor")
        if one.refused:
            typer.echo(
                f"  {one.refused} rechazados por el índice, que ninguna búsqueda encuentra; este "
                "mes no se borra (`cgii doctor` dice cómo devolverlos)"
            )
        if one.unreadable:
            typer.echo(
                f"  {one.unreadable} están dañados y no se pudieron copiar; este mes no se borra"
            )
        if not one.is_whole:
            typer.echo(f"  faltan {one.missing}, distintos {one.different}: {', '.join(one.ids)}")
    is_whole = all(one.is_whole for one in compared)
    if not is_whole:
        typer.echo("El destino NO tiene todo; repita la orden. No se borró nada de esos meses.")
    return is_whole


def _tell_rest(move: Move, compared: list[Comparison], deleted: list[str] | None) -> None:
    damaged = move.damaged()
    if damaged:
        typer.echo(f"No se movió lo de los archivos dañados: {', '.join(damaged)}")
    if deleted is None:
        return
    for one in compared:
        if one.month in deleted:
            typer.echo(f"{one.month}: borrado de los archivos")
        elif one.is_whole and not one.refused and not one.unreadable:
            typer.echo(
                f"{one.month}: no se borró, porque recibió eventos mientras tanto o está abierto; "
                "detenga lo que todavía usa los archivos y repita la orden"
            )


def _record(centre: Centre, compared: list[Comparison], deleted: list[str]) -> None:
    with centre.database.transaction() as session:
        centre.act(session, via="cli").record(
            "events.moved",
            "events",
            months={one.month: one.events for one in compared},
            differing=[one.month for one in compared if not one.is_whole],
            deleted=deleted,
        )
