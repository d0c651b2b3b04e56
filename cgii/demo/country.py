"""Builds the demonstration country: entities, history, plans, and a day of logs played through."""

import os
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta

import orjson
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cgii.base import ids
from cgii.centre import Centre
from cgii.demo import quiet, scenes
from cgii.demo.history import History
from cgii.demo.lists import take_lists, tune_rules
from cgii.demo.people import HOME, STAFF, DemoAccount, build_people
from cgii.demo.places import build_entities
from cgii.demo.plans import build_plans
from cgii.demo.reports import report
from cgii.demo.sensors import MANNERS, Played, keep_sensors, last_day, send
from cgii.demo.volumes import past_volumes, spread_last_day
from cgii.model.entities import Entity
from cgii.model.people import User
from cgii.model.records import Job, Message, Sensor
from cgii.store.act import Act
from cgii.store.sensors import no_token

Tell = Callable[[str, float], None]
SEED = 2514
HOME_ACRONYM = "MINEDU"  # the entity that visitors play
SENSORS = 40  # entities with a sensor that sends


def accounts_of(centre: Centre) -> tuple[DemoAccount, ...]:
    """The accounts of a country that was built before; empty when there is none."""
    path = centre.settings.data / "demo-accounts.json"
    if not path.exists():
        return ()
    return tuple(DemoAccount(**account) for account in orjson.loads(path.read_bytes()))


def build_country(centre: Centre, hash_password: Callable[[str], str]) -> tuple[DemoAccount, ...]:
    """Build everything, with a progress bar; the accounts to sign in with.

    One transaction holds all but the day of logs: a build that is cut off leaves nothing, and
    the next one begins anew.
    """
    random_ = random.Random(SEED)
    now = centre.clock()
    password = ids.token()[:14]
    with _progress() as tell:
        with centre.database.transaction() as session:
            if session.scalar(select(func.count()).select_from(Entity)):
                return accounts_of(centre)
            tell("Entidades", 0)
            entities = build_entities(session, random_, now)
            home = next(entity for entity in entities if entity.acronym == HOME_ACRONYM)
            staff = build_people(
                session, random_, now, entities=entities, home=home,
                password_hash=hash_password(password),
            )  # fmt: skip
            tell("Dos años de incidentes", 8)
            History(random_, now, entities, [user.id for user in staff.analysts]).write(session)
            build_plans(
                lambda at, user: _act(centre, session, at, user), random_, now, entities=entities,
                staff=staff, home=home, told=lambda share: tell("Planes", 20 + 40 * share),
            )  # fmt: skip
            _forget_letters(session)
            before = _act(centre, session, now - timedelta(days=3), staff.analysts[0])
            take_lists(before)
            tune_rules(before)
            sensors = _sensors(session, random_, now, entities=entities, home=home)
            past_volumes(session, random_, now, sensors)
            quiet.announce(before, now, sensors)
        keep_sensors(centre, sensors)
        accounts = _keep_accounts(centre, home.domains[0].domain, password)
        _play(centre, random_, now, sensors, tell=tell)
        tell("Turno de hoy", 96)
        with centre.database.transaction() as session:
            scenes.work_today(centre, session, random_, staff)
        quiet.fall_silent(centre, now)
        centre.database.analyse()
        tell("Listo", 100)
    return accounts


@contextmanager
def _progress() -> Iterator[Tell]:
    bar = Progress(
        TextColumn("[bold]{task.description:<24}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
    )
    with bar:
        task = bar.add_task("Demostración", total=100)
        yield lambda what, percent: bar.update(task, description=what, completed=percent)


def _act(centre: Centre, session: Session, at: datetime, user: User | None) -> Act:
    return Act(session, at, centre.trail, user, "demo", site=centre.settings.site)


def _forget_letters(session: Session) -> None:
    # What the history would have mailed was mailed then: nothing of it goes out now.
    session.flush()  # so that the rows are there to delete
    session.execute(delete(Job))
    session.execute(delete(Message))


def _sensors(
    session: Session,
    random_: random.Random,
    now: datetime,
    *,
    entities: list[Entity],
    home: Entity,
) -> list[Played]:
    chosen = [home, *random_.sample([one for one in entities if one is not home], SENSORS - 1)]
    placed: list[Played] = []
    for number, entity in enumerate(chosen):
        sensor = Sensor(
            name=f"sensor-{entity.acronym.lower()}",
            entity_id=entity.id,
            token_hash=no_token(),  # the demonstration plays it
            created_at=now - timedelta(days=random_.randrange(30, 400)),
        )
        session.add(sensor)
        session.flush()  # the streams are named by the sensor's id
        report(session, random_, now, sensor, is_troubled=number % 7 == 3)
        network = entity.networks[0].cidr.rsplit(".", 1)[0]
        placed.append(
            Played(
                sensor_id=sensor.id,
                entity_id=entity.id,
                acronym=entity.acronym,
                domain=entity.domains[0].domain,
                network=network,
                weight=2.5 if number == 0 else random_.uniform(0.4, 1.6),
                manner=MANNERS.get(number, ""),
            )
        )
    return placed


def _keep_accounts(centre: Centre, domain: str, password: str) -> tuple[DemoAccount, ...]:
    accounts = [DemoAccount(role, f"{label}@cgii.example", password) for role, label in STAFF] + [
        DemoAccount(role, f"{label}@{domain}", password) for role, label in HOME
    ]
    path = centre.settings.data / "demo-accounts.json"
    with os.fdopen(os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "wb") as file:
        file.write(orjson.dumps([vars(account) for account in accounts]))
    return tuple(accounts)


def _play(
    centre: Centre, random_: random.Random, now: datetime, sensors: Sequence[Played],
    *, tell: Tell,
) -> None:  # fmt: skip
    for number, one in enumerate(sensors):
        tell("Un día de registros", 60 + 36 * number / len(sensors))
        lines = last_day(random_, one, now)
        send(centre, one, lines, epoch="demo")
        with centre.database.transaction() as session:
            spread_last_day(session, one, lines)
