"""Builds the demonstration country: entities, history, plans, and a day of logs played through."""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import groupby

import orjson
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from cgii.base import ids, limits
from cgii.centre import Centre
from cgii.demo import scenes
from cgii.demo.history import History
from cgii.demo.lists import take_lists, tune_rules
from cgii.demo.people import HOME, STAFF, DemoAccount, build_people
from cgii.demo.places import build_entities
from cgii.demo.plans import build_plans
from cgii.demo.reports import report
from cgii.demo.traffic import Line, Place, day
from cgii.model.entities import Entity
from cgii.model.event import Origin, Raw
from cgii.model.people import User
from cgii.model.records import Job, Message, Sensor, SourceVolume
from cgii.pipeline import take
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
            _past_volumes(session, random_, now)
            before = _act(centre, session, now - timedelta(days=3), staff.analysts[0])
            take_lists(before)
            tune_rules(before)
            sensors = _sensors(session, random_, now, entities=entities, home=home)
        accounts = _keep_accounts(centre, home.domains[0].domain, password)
        _play(centre, random_, now, sensors, tell=tell)
        tell("Turno de hoy", 96)
        with centre.database.transaction() as session:
            scenes.work_today(centre, session, random_, staff)
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


def _past_volumes(session: Session, random_: random.Random, now: datetime) -> None:
    hour = now.replace(minute=0, second=0, microsecond=0)
    usual = {"linux_auth": 5_200, "web_access": 21_000, "windows_events": 16_000,
             "suricata_eve": 9_500}  # fmt: skip
    for back in range(25, 24 * 45):
        at = hour - timedelta(hours=back)
        share = 1.0 if 12 <= at.hour <= 22 and at.weekday() < 5 else 0.35
        for source, count in usual.items():
            events = int(count * share * random_.uniform(0.8, 1.2))
            session.add(
                SourceVolume(
                    hour=at, source=source, sensor_key="local", event_count=events,
                    reject_count=int(events * random_.uniform(0, 0.002)),
                )
            )  # fmt: skip


def _sensors(
    session: Session,
    random_: random.Random,
    now: datetime,
    *,
    entities: list[Entity],
    home: Entity,
) -> list[tuple[int, int, Place]]:
    chosen = [home, *random_.sample([one for one in entities if one is not home], SENSORS - 1)]
    placed: list[tuple[int, int, Place]] = []
    for entity in chosen:
        sensor = Sensor(
            name=f"sensor-{entity.acronym.lower()}",
            entity_id=entity.id,
            token_hash=no_token(),  # the demonstration plays it
            created_at=now - timedelta(days=random_.randrange(30, 400)),
        )
        session.add(sensor)
        session.flush()  # the streams are named by the sensor's id
        report(session, random_, now, sensor, is_troubled=len(placed) % 7 == 3)
        network = entity.networks[0].cidr.rsplit(".", 1)[0]
        placed.append(
            (sensor.id, entity.id, Place(entity.acronym, entity.domains[0].domain, network))
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
    centre: Centre, random_: random.Random, now: datetime, sensors: list[tuple[int, int, Place]],
    *, tell: Tell,
) -> None:  # fmt: skip
    for number, (sensor_id, entity_id, place) in enumerate(sensors):
        tell("Un día de registros", 60 + 36 * number / len(sensors))
        weight = 2.5 if number == 0 else random_.uniform(0.4, 1.6)
        lines = sorted(day(random_, place, now, weight=weight), key=lambda line: line.source)
        for source, group in groupby(lines, key=lambda line: line.source):
            stream = f"sensor:{sensor_id}/{source}"
            _send(centre, Origin(source, stream, "demo", sensor_id, entity_id), list(group))


def _send(centre: Centre, origin: Origin, lines: list[Line]) -> None:
    for start in range(0, len(lines), limits.LISTEN_BATCH_RECORDS):
        part = lines[start : start + limits.LISTEN_BATCH_RECORDS]
        take(centre, origin, [Raw(start + place, line.data) for place, line in enumerate(part)])
