"""`cgii quiet`: say when a sensor or source will be silent, so that nobody is alarmed."""

from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import select

from cgii.base import clock
from cgii.base.errors import Invalid, NotFound
from cgii.base.labels import labels
from cgii.base.weekly import HOLIDAY, WEEK, weekly_times
from cgii.centre import Centre
from cgii.cli.deeds import deed
from cgii.cli.moments import moment_in
from cgii.cli.people import find_entity
from cgii.cli.sensors import find_sensor
from cgii.model.records import Sensor
from cgii.model.silence import QuietWindow
from cgii.store.act import Act
from cgii.store.quiet import (
    EVERY,
    LOCAL,
    Whose,
    add_quiet_times,
    add_quiet_window,
    end_quiet_window,
    stands,
)
from cgii.store.words import fold

quiets = typer.Typer(no_args_is_help=True, help="Pausas anunciadas de sensores y fuentes.")

Reason = Annotated[str, typer.Option(help="Por qué; queda en la bitácora.")]
OfSensor = Annotated[str, typer.Option("--sensor", help="Nombre del sensor, o «local».")]
OfEntity = Annotated[str, typer.Option("--entity", help="Sigla de la entidad: todos sus sensores.")]
OfEvery = Annotated[bool, typer.Option("--every-sensor", help="Todos los sensores.")]
OfSource = Annotated[str, typer.Option("--source", help="Nombre de la fuente; sin esto, todas.")]
Owner = Annotated[str, typer.Option(help="Correo de quien responde por la pausa.")]


@quiets.command("add")
def add(
    reason: Reason,
    hours: Annotated[float, typer.Option(min=0.1, max=24 * 62, help="Horas que dura.")],
    start: Annotated[
        str, typer.Option("--from", help="Cuándo comienza, en hora de La Paz; sin esto, ahora.")
    ] = "",
    sensor: OfSensor = "",
    entity: OfEntity = "",
    every: OfEvery = False,
    source: OfSource = "",
    owner: Owner = "",
) -> None:
    """Anuncia una pausa: mientras dura, el silencio no da alerta."""
    _must_be_one(sensor, entity, every)
    with deed(owner) as (centre, act):
        whose = _whose(centre, act, sensor=sensor, entity=entity, source=source)
        begins = moment_in(start, "--from", day_ends=False) if start else act.now
        window = add_quiet_window(
            act, whose, start=begins, end=(until := begins + timedelta(hours=hours)), reason=reason
        )
        typer.echo(f"Pausa {window.id} hasta el {clock.show(until)}.")


@quiets.command("weekly")
def add_weekly(
    reason: Reason,
    days: Annotated[
        str, typer.Option(help="Qué días: «lunes-viernes», «sábado,domingo,feriados», «todos».")
    ],
    opens: Annotated[
        str, typer.Option("--from", help="Desde qué hora de La Paz, como 20:00.")
    ] = "",
    closes: Annotated[
        str,
        typer.Option("--to", help="Hasta cuándo, quizá del día siguiente; sin horas, todo el día."),
    ] = "",
    sensor: OfSensor = "",
    entity: OfEntity = "",
    every: OfEvery = False,
    source: OfSource = "",
    owner: Owner = "",
) -> None:
    """Anuncia una pausa de cada semana: en esas horas el silencio no da alerta."""
    _must_be_one(sensor, entity, every)
    times = weekly_times(_days(days), opens, closes)
    with deed(owner) as (centre, act):
        whose = _whose(centre, act, sensor=sensor, entity=entity, source=source)
        window = add_quiet_times(act, whose, times=times, reason=reason)
        typer.echo(f"Pausa {window.id}: {times}.")


@quiets.command("list")
def list_windows(
    every: Annotated[bool, typer.Option("--all", help="También las terminadas.")] = False,
) -> None:
    """Muestra las pausas por venir, las que duran y las de cada semana."""
    with deed() as (_, act):
        query = select(QuietWindow).order_by(QuietWindow.start_at, QuietWindow.id)
        if not every:
            query = query.where(stands(act.now))
        names = {f"sensor:{row.id}": row.name for row in act.session.scalars(select(Sensor))}
        for row in act.session.scalars(query):
            who = names.get(row.sensor_key, row.sensor_key) or "todos los sensores"
            if row.entity is not None:
                who = f"sensores de {row.entity.acronym}"
            typer.echo(
                f"{row.id:>4}  {_when(row)}  {who}, {row.source or 'todas las fuentes'}: "
                f"{row.reason}"
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


def _must_be_one(sensor: str, entity: str, every: bool) -> None:
    if bool(sensor) + bool(entity) + every != 1:
        raise Invalid(
            "Diga de quién es la pausa: de un sensor (--sensor), de los de una entidad (--entity) "
            "o de todos (--every-sensor)."
        )


def _whose(centre: Centre, act: Act, *, sensor: str, entity: str, source: str) -> Whose:
    if source:
        centre.definitions.check(source)
    if sensor not in (EVERY, LOCAL):
        sensor = f"sensor:{find_sensor(act.session, sensor).id}"
    return Whose(sensor, find_entity(act, entity).id if entity else None, source)


def _days(text: str) -> str:
    """The days that somebody wrote, by name, as DAYS has them. Raises Invalid."""
    names = {fold(name): code for code, name in labels("detection.quiet_days").items()}
    names["feriado"] = HOLIDAY
    found = ""
    for part in fold(text).split(","):
        first, to, last = (one.strip() for one in part.partition("-"))
        if first == "todos" and not to:
            found += WEEK
        elif not to and first in names:
            found += names[first]
        elif {first, last} <= names.keys() and names[first] < names[last] < HOLIDAY:
            found += WEEK[WEEK.index(names[first]) : WEEK.index(names[last]) + 1]
        else:
            raise Invalid(
                "--days «{text}» no se entiende. Escriba días separados por comas, o el primero y "
                "el último: «lunes-viernes», «sábado,domingo,feriados», «todos».",
                text=part[:40],
            )
    return found


def _when(row: QuietWindow) -> str:
    if row.end_at is None:
        return str(row.times)
    until = clock.show(row.end_at)
    if row.times is None:
        return f"{clock.show(row.start_at)} – {until}"
    return f"{row.times}, hasta el {until}"
