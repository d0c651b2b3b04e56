"""How long the desk, lists and boards take: 20,000 incidents and 50,000 alert groups."""

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch
from uuid import NAMESPACE_OID, uuid5

from sqlalchemy import insert, select

from cgii.base.ids import digest
from cgii.centre import Centre
from cgii.demo import country, history
from cgii.model.alerts import AlertGroup
from cgii.model.entities import Entity
from cgii.model.people import Role, User
from cgii.store.events import EventQuery
from tests.benchmarks.figures import Figure, milliseconds, percentile
from tests.make_web import make_centre, make_pages

INCIDENTS, GROUPS = 20_000, 50_000
VISITS = 15
IMPORTED = 3_500  # rules beside ours, as many as the public set has
PAGES = ("/mesa", "/alertas", "/incidentes", "/incidentes?q=portal")
PAGES += ("/reglas", "/reglas?q=orden", "/reglas/attack", "/reglas/ruidosas")
RULES = (
    ("Fuerza bruta contra SSH", "high", "alto"),
    ("Barrido de un sitio web", "medium", "medio"),
    ("Registro de seguridad de Windows borrado", "high", "alto"),
    ("Intento de inyección SQL", "medium", "medio"),
    ("Orden que vuelca credenciales", "critical", "critico"),
)


@contextmanager
def big_country() -> Iterator[Centre]:
    """The demonstration's country with many more cases and alerts, and less traffic."""
    with tempfile.TemporaryDirectory() as folder:
        _import_rules(Path(folder) / "site" / "rules" / "imported" / "bench" / "rules")
        centre = make_centre(Path(folder))
        with (
            patch.object(history, "INCIDENTS", INCIDENTS),
            patch.object(country, "SENSORS", 6),
        ):
            country.build_country(centre, lambda password: "")
        _add_groups(centre)
        centre.database.analyse()
        yield centre
        centre.close()


def _import_rules(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(IMPORTED):
        (folder / f"{number}.yml").write_text(
            f"title: Orden sospechosa {number}\nid: {uuid5(NAMESPACE_OID, str(number))}\n"
            f"tags: [attack.execution, attack.t{1003 + number % 400}]\nlevel: medium\n"
            "logsource: {product: windows, category: process_creation}\n"
            f"detection: {{s: {{CommandLine|contains: 'orden{number}x'}}, condition: s}}\n"
        )


def _add_groups(centre: Centre) -> None:
    """Groups of two years; the last weeks' are new, the rest was decided."""
    chance, now = random.Random(5), centre.clock()
    with centre.database.transaction() as session:
        entities = list(session.scalars(select(Entity.id)))
        rows = []
        for number in range(GROUPS):
            title, level, severity = chance.choice(RULES)
            at = now - timedelta(days=730 * chance.random() ** 2)
            address = f"203.0.{number // 250}.{number % 250}"
            is_new = now - at < timedelta(days=14)
            rows.append(
                {
                    "rule_id": digest(title)[:32], "rule_title": title, "rule_kind": "sigma",
                    "level": level, "severity": severity, "key_hash": digest(address),
                    "key": [["source.ip", address]], "key_text": f"source.ip={address}",
                    "entity_id": chance.choice([*entities, None]), "attribution": "network",
                    "source": "web_access", "summary": f"{title} para source.ip={address}",
                    "tags": [], "observables": [["ip", address]], "first_at": at, "last_at": at,
                    "created_at": at, "alert_count": chance.randrange(1, 40),
                    "event_count": chance.randrange(1, 400),
                    "state": "new" if is_new else chance.choice(("dismissed", "joined")),
                    "verdict": "" if is_new else "false_positive", "verdict_reason": "",
                    "decided_at": None if is_new else at + timedelta(hours=3), "version": 1,
                }
            )  # fmt: skip
        session.execute(insert(AlertGroup), rows)


def bench() -> list[Figure]:
    """p50 and p95 of each page, signed in, through the whole application."""
    figures = []
    with big_country() as centre:
        pages = make_pages(centre)
        with centre.database.reading() as session:
            coordinator = session.scalar(select(User).where(User.role == Role.COORDINATOR))
            reviewer = session.scalar(select(User).where(User.role == Role.REVIEWER))
        assert coordinator is not None
        assert reviewer is not None
        visits = [(path, coordinator) for path in PAGES]
        visits += [(f"/tableros/{board}", coordinator) for board in sorted(centre.content.boards)]
        visits += [("/planes", reviewer), ("/entidades", coordinator)]
        for path, person in visits:
            browser = pages.visit(person)
            answer = browser.get(path)  # templates and plans are made now
            if answer.status_code != 200:
                figures.append(Figure(path, answer.status_code, "status", "not there"))
                continue
            taken = milliseconds(lambda b=browser, p=path: b.get(p), VISITS)
            figures.append(
                Figure(path, percentile(taken, 0.5), "ms",
                       f"p95 {percentile(taken, 0.95):.0f} ms, {len(answer.content) // 1024} KB")
            )  # fmt: skip
        found = milliseconds(lambda: centre.events.search(EventQuery("failed password")), VISITS)
        figures.append(Figure("search of the day's events", percentile(found, 0.5), "ms"))
    return figures
