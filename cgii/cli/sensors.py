"""`cgii sensor`: invite sensors, see how they are, choose their inputs, revoke them."""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii import centre as centres
from cgii.base.errors import Invalid, NotFound
from cgii.base.settings import load
from cgii.base.text import one_line
from cgii.cli.people import find_entity
from cgii.collect.config import check_inputs, text_of
from cgii.model.records import Sensor
from cgii.model.sensors import SensorReport
from cgii.store import sensors as store
from cgii.store.sensor_reports import set_settings, settings_of

sensors = typer.Typer(no_args_is_help=True, help="Sensores: invitarlos, verlos, revocarlos.")


@sensors.command("add")
def add_sensor(
    name: str,
    entity: Annotated[str, typer.Option(help="Sigla de la entidad donde está.")] = "",
    token: Annotated[
        bool, typer.Option("--token", help="Dar un token, para un programa que no sabe firmar.")
    ] = False,
) -> None:
    """Registra un sensor y muestra su invitación (o su token) una sola vez."""
    centre = centres.build(load())
    with centre.database.transaction() as session:
        act = centre.act(session, via="cli")
        home = find_entity(act, entity) if entity else None
        add = store.enrol_sensor if token else store.invite_new
        _, secret = add(act, name, home)
    typer.echo(secret)
    centre.close()


@sensors.command("invite")
def invite_sensor(name: str) -> None:
    """Muestra una invitación nueva; cuando se use, lo que el sensor tenía deja de valer."""
    centre = centres.build(load())
    with centre.database.transaction() as session:
        secret = store.invite(centre.act(session, via="cli"), find_sensor(session, name))
    typer.echo(secret)
    centre.close()


@sensors.command("list")
def list_sensors() -> None:
    """Muestra los sensores: cuándo se oyó a cada uno, cuánto envió y cómo está."""
    centre = centres.build(load())
    now = centre.clock()
    with centre.database.reading() as session:
        reports = {row.sensor_id: row for row in session.scalars(select(SensorReport))}
        for sensor in session.scalars(select(Sensor).order_by(Sensor.name)):
            typer.echo(line(sensor, reports.get(sensor.id), now))
    centre.close()


def line(sensor: Sensor, report: SensorReport | None, now: datetime) -> str:
    """What the list says of one sensor: name, home, when it last sent, and how it is."""
    heard = sensor.heard_at.isoformat(timespec="seconds") if sensor.heard_at else "nunca"
    state = "revocado" if sensor.revoked_at else heard
    home = sensor.entity.acronym if sensor.entity else "-"
    facts = [f"{sensor.event_count} eventos", f"{sensor.reject_count} rechazos"]
    if report is not None:
        waiting = now - report.waiting_since if report.waiting_since else timedelta(0)
        reported = report.received_at.isoformat(timespec="seconds")
        facts += [
            f"informó {reported}",
            f"cola {report.spool_records} ({max(waiting, timedelta(0)) // timedelta(seconds=1)} s)",
            f"perdidos {report.lost_count}",
            f"reloj {report.skew_seconds:+d} s",
        ]
        if report.settings_problem:
            facts.append(f"entradas sin usar: {report.settings_problem}")
    if sensor.program_version:
        facts.append(f"versión {sensor.program_version}")
    # Names and reports are others' words.
    return one_line(f"{sensor.name:<30} {home:<12} {state:<28} {', '.join(facts)}")


@sensors.command("configure")
def configure_sensor(
    name: str,
    file: Annotated[
        Path | None, typer.Option(help="Entradas en TOML; sin él se muestran las que tiene.")
    ] = None,
    clear: Annotated[
        bool, typer.Option("--clear", help="Que valgan las del archivo de su máquina.")
    ] = False,
) -> None:
    """Elige las entradas de un sensor, que las toma en su próximo informe."""
    if file is not None and clear:
        raise Invalid("Use --file o --clear, no los dos.")
    text = "" if file is None else text_of(file)
    centre = centres.build(load())
    check_inputs(text, centre.definitions)
    with centre.database.transaction() as session:
        sensor = find_sensor(session, name)
        if file is None and not clear:
            wanted = settings_of(session, sensor.id)
            typer.echo(wanted.text if wanted else "")
        else:
            set_settings(centre.act(session, via="cli"), sensor, text)
            typer.echo(f"El sensor {name} lo toma en su próximo informe.")
    centre.close()


@sensors.command("revoke")
def revoke_sensor(name: str) -> None:
    """Deja sin efecto las llaves, el token y las invitaciones de un sensor."""
    centre = centres.build(load())
    with centre.database.transaction() as session:
        store.revoke_sensor(centre.act(session, via="cli"), find_sensor(session, name))
    typer.echo(f"El sensor {name} ya no puede enviar.")
    centre.close()


def find_sensor(session: Session, name: str) -> Sensor:
    """The sensor with this name. Raises NotFound."""
    sensor = session.scalar(select(Sensor).where(Sensor.name == name))
    if sensor is None:
        raise NotFound("No hay un sensor con ese nombre.")
    return sensor
