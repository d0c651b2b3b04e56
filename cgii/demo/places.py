"""The demonstration's entities with networks, domains and appointed persons."""

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.orm import Session

from cgii.base.labels import load_table
from cgii.demo import names
from cgii.model.entities import Contact, Entity, EntityDomain, EntityNetwork

HERE = Path(__file__).resolve().parent
DEPARTMENTAL = frozenset({"SEDESLP", "SEDESSC", "SEDESCB"})  # services of a governorate


@dataclass(frozen=True)
class Row:
    """One line of the lists beside this file."""

    acronym: str
    name: str
    kind: str
    sector: str
    department: str


def rows() -> list[Row]:
    """All entities of the demonstration, in a stable order."""
    listed = [Row(*fields) for fields in _lines("entities.txt")]
    taken = {row.acronym for row in listed}
    for name, department in _lines("municipalities.txt"):
        words = [word for word in names.plain(name).split(".") if word not in ("de", "la", "el")]
        stem = "".join(word[:4] for word in words)[:8].upper()
        acronym = f"GAM-{stem}"
        while acronym in taken:
            acronym += "X"
        taken.add(acronym)
        title = f"Gobierno Autónomo Municipal de {name}"
        listed.append(Row(acronym, title, "municipality", "local", department))
    return listed


def _lines(name: str) -> list[list[str]]:
    text = (HERE / name).read_text()
    return [
        [part.strip() for part in line.split("|")]
        for line in text.splitlines()
        if line.strip() and not line.startswith("#")
    ]


def build_entities(session: Session, random_: random.Random, now: datetime) -> list[Entity]:
    """Add every entity; networks are private ranges of the state network's plan."""
    entities = []
    levels = load_table("entities")["level_of_kind"]
    for number, row in enumerate(rows()):
        level = "territorial" if row.acronym in DEPARTMENTAL else levels[row.kind]
        label = names.plain(row.acronym.replace("GAM-", "gam")).replace(".", "")
        domain = f"{label}.edu.bo" if row.kind == "university" else f"{label}.gob.bo"
        entity = Entity(
            code=f"{100 + number * 7:04d}",
            name=row.name,
            acronym=row.acronym,
            kind=row.kind,
            level=level,
            sector=row.sector,
            department=row.department,
            on_state_network=random_.random() < (0.72 if level == "central" else 0.3),
            created_at=now - timedelta(days=800),
        )
        entity.networks = [
            EntityNetwork(
                cidr=f"10.{number // 128 + 20}.{number % 128 * 2}.0/23", note="Red interna"
            ),
            EntityNetwork(cidr=f"172.{16 + number // 200}.{number % 200}.0/25", note="Red estatal"),
        ]
        entity.domains = [EntityDomain(domain=domain)]
        entity.contacts = list(_contacts(random_, domain, now, has_rsi=random_.random() < 0.93))
        entities.append(entity)
    session.add_all(entities)
    session.flush()  # everything after needs the ids
    return entities


def _contacts(
    random_: random.Random, domain: str, now: datetime, *, has_rsi: bool
) -> list[Contact]:
    duties = [
        ("mae", "Máxima Autoridad Ejecutiva"),
        ("tic", "Responsable de Gobierno Electrónico y TIC"),
    ]
    if has_rsi:
        duties.append(("rsi", "Responsable de Seguridad de la Información"))
    contacts = []
    for duty, position in duties:
        name = names.person(random_)
        since = (now - timedelta(days=random_.randrange(60, 700))).date()
        contacts.append(
            Contact(
                duty=duty,
                name=name,
                position=position,
                email=names.email(name, domain),
                phone=f"2-2{random_.randrange(100000, 999999)}",
                cite=f"DGE/{random_.randrange(10, 999):04d}/{since.year}",
                since=since,
            )
        )
    return contacts
