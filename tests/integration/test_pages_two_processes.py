"""Two processes over one record: what one has saved, the other one's pages know at once."""

import itertools
from collections.abc import Iterator
from datetime import timedelta

import pytest

from cgii.base import limits
from cgii.model.people import Role, User
from tests.integration.test_pages_rules_edit import NEW, RULE, filled
from tests.make import NOW, make_user
from tests.make_web import Pages, make_centre, make_pages

BEFORE_ITS_LOOK = timedelta(seconds=limits.RULES_LOOK_SECONDS / 2)
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pages, Pages]]:
    """Two that have rules in force; the second will not look for changed ones by itself."""
    data = tmp_path_factory.mktemp("two")
    first, second = make_centre(data), make_centre(data)
    for centre, now in ((first, NOW), (second, NOW + BEFORE_ITS_LOOK)):
        assert centre.content.rules.all
        centre.clock = lambda now=now: now
    yield make_pages(first), make_pages(second)
    second.close()
    first.close()


@pytest.fixture
def saved(processes: tuple[Pages, Pages]) -> tuple[User, str]:
    """Who has just saved a rule in the first process, and its id; the second never heard of it."""
    first, second = processes
    number = next(NUMBERS)
    rule_id, title = f"{NEW[:-4]}{number:04}", f"Entrada de soporte {number}"
    text = RULE.replace(NEW, rule_id).replace("Entrada de la cuenta de soporte", title)
    text = text.replace("soporte_de_prueba", f"soporte_{number}")
    with first.centre.database.transaction() as session:
        user = make_user(session, Role.COORDINATOR)
    answer = first.visit(user).post("/reglas/nueva", data=filled(text=text))
    assert answer.status_code == 303
    assert rule_id not in second.centre.content.rules.by_id
    return user, rule_id


@pytest.mark.parametrize(
    "page", ["", "/editar", "/retirar", "/historico", "/ajustar/suprimir", "/ajustar/excluir"]
)
def test_every_page_of_a_rule_that_another_process_saved_opens_at_once(
    processes: tuple[Pages, Pages], saved: tuple[User, str], page: str
) -> None:
    user, rule_id = saved
    answer = processes[1].visit(user).get(f"/reglas/{rule_id}{page}")

    assert answer.status_code == 200
    assert "Entrada de soporte" in answer.text


def test_a_rule_that_another_process_saved_is_tried_on_stored_events_at_once(
    processes: tuple[Pages, Pages], saved: tuple[User, str]
) -> None:
    user, rule_id = saved
    period = {"first": "2026-11-19", "last": "2026-11-20"}
    answer = processes[1].visit(user).post(f"/reglas/{rule_id}/historico", data=period)

    assert answer.status_code == 303
