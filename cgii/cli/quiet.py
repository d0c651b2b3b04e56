"""`cgii quiet`: say when a sensor or source will be silent, so that nobody is alarmed."""

from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import select

from cgii.base import clock
from cgii.base.errors import Invalid, NotFound
from cgii.cli.deeds import deed
from cgii.cli.moments import moment_in
from cgii.cli.sensors import find_sensor
from cgii.model.records import Sensor
from cgii.model.silence import QuietWindow
from cgii.store.act import Act
from cgii.store.quiet import EVERY, LOCAL, add_quiet_window, end_quiet_window

quiets = typer.Typer(no_args_is_help=True, help="Pausas anunciadas de sensores y fuentes.")


@quiets.command("add")
def add(
    reason: Annotated[str, typer.Option(help="Por qué; queda en la bitácora.")],
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 62, help="Horas que dura.")],
    start: Annotated[
        str, typer.Option("--from", help="Cuándo comienza, en hora de La Paz; sin esto, ahora.")
    ] = "",
    sensor: Annotated[str, typer.Option(help="Nombre del sensor, o «local».")] = "",
    source: Annotated[str, typer.Option(help="Nombre de la fuente; sin esto, todas.")] = "",
    every: Annotated[bool, typer.Option("--every-sensor", help="Todos los sensores.")] = False,
    owner: Annotated[str, typer.Option(help="Correo de quien responde por la pausa.")] = "",
) -> None:
    """Anuncia una pausa: mientras dura, el silencio no da alerta."""
    if bool(sensor) == every:
        raise Invalid("Diga de qué sensor es la pausa (--sensor), o que es de todos.")
    with deed(owner) as (centre, act):
        if source:
            centre.definitions.check(source)
        begins = moment_in(start, "--from", day_ends=False) if start else act.now
        window = add_quiet_window(
            act,
            sensor_key=_key(act, sensor),
            source=source,
            start=begins,
            end=begins + timedelta(hours=hours),
            reason=reason,
        )
        typer.echo(f"Pausa {window.id} hasta el {clock.show(window.end_at)}.")


@quiets.command("list")
def list_windows(
    every: Annotated[bool, typer.Option("--all", help="También las terminadas.")] = False,
) -> None:
    """Muestra las pausas por venir y las que duran."""
    with deed() as (_, act):
        query = select(QuietWindow).order_by(QuietWindow.start_at, QuietWindow.id)
        if not every:
            query = query.where(QuietWindow.end_at > act.now)
        names = {f"sensor:{row.id}": row.name for row in act.session.scalars(select(Sensor))}
        for row in act.session.scalars(query):
            who = names.get(row.sensor_key, row.sensor_key) or "todos los sensores"
            typer.echo(
                f"{row.id:>4}  {clock.show(row.start_at)} – {clock.show(row.end_at)}  {who}, "
                f"{row.source or 'todas las fuentes'}: {row.reason}"
            )


@quiets.command("end")
def end(number: Annotated[int, typer.Argument(help="Número de la pausa, según «list».")]) -> None:
    """Termina una pausa ahora."""
    with deed() as (_, act):
        row = act.session.get(QuietWindow, number, with_for_update=True)
        if row is None:
            raise NotFound("No hay una pausa {number}.", number=number)
        end_quiet_window(act, row)
        typer.echo(f"La pausa {number} terminó.")


def _key(act: Act, sensor: str) -> str:
    if sensor in (EVERY, LOCAL):
        return sensor
    return f"sensor:{find_sensor(act.session, sensor).id}"
