"""A playbook walked from the incident's page: start, answers, branches, failure, stop."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from cgii.model.incidents import Incident
from cgii.model.runs import Run, Step
from cgii.respond.playbook import Playbook
from cgii.respond.runner import playbook_of, questions
from tests.make import make_incident
from tests.make_desk import enter
from tests.make_web import Pages, make_centre, make_pages


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    centre = make_centre(tmp_path_factory.mktemp("runs"))
    yield make_pages(centre)
    centre.close()


@pytest.fixture
def analyst(pages: Pages) -> TestClient:
    return enter(pages)[0]


@pytest.fixture
def case(pages: Pages) -> Incident:
    with pages.centre.database.transaction() as session:
        return make_incident(session, severity="alto", rsit_class="malicious-code")


@pytest.fixture
def book(pages: Pages) -> Playbook:
    return pages.centre.content.playbooks.for_class("malicious-code")[0]


def guide(case: Incident) -> str:
    return f"/incidentes/{case.code}/guia"


def start(analyst: TestClient, case: Incident, book: Playbook) -> None:
    assert analyst.post(guide(case), data={"playbook": book.id}).is_redirect


def waiting(pages: Pages, case: Incident) -> tuple[Run, Step, dict[str, str]]:
    """The run, its waiting step, and an answer to each of its questions."""
    with pages.centre.database.reading() as session:
        run = session.scalars(
            select(Run).where(Run.incident_id == case.id).order_by(Run.id.desc())
        ).first()
        assert run is not None
        step = next(one for one in run.steps if one.state == "waiting")
        answers = {
            one.name: "no" if one.type == "bool" else "3"
            for one in questions(playbook_of(run), step)
        }
        return run, step, answers


def state_of(pages: Pages, run: Run) -> str:
    with pages.centre.database.reading() as session:
        return session.get_one(Run, run.id).state


def test_the_playbook_of_the_class_is_proposed_first(
    case: Incident, book: Playbook, analyst: TestClient
) -> None:
    text = analyst.get(f"/incidentes/{case.code}?ver=guia").text
    assert book.name in text
    assert "Para esta clase" in text


def test_a_playbook_that_nobody_has_is_refused(case: Incident, analyst: TestClient) -> None:
    for sent in ("", "playbook--nada"):
        answer = analyst.post(guide(case), data={"playbook": sent})
        assert answer.status_code == 422
        assert "Elija una guía de la lista." in answer.text


def test_the_walk_shows_where_one_is_and_goes_on_to_the_end(
    pages: Pages, case: Incident, book: Playbook, analyst: TestClient
) -> None:
    start(analyst, case, book)
    seen = []
    for _ in range(len(book.steps) + 1):
        run, step, answers = waiting(pages, case)
        page = analyst.get(f"/incidentes/{case.code}?ver=guia").text
        assert "Paso actual" in page
        assert step.name in page
        seen.append(step.name)
        sent = {"result": "hecho", "outcome": f"hecho {len(seen)}", **answers}
        assert analyst.post(f"{guide(case)}/{run.id}/pasos/{step.id}", data=sent).is_redirect
        if state_of(pages, run) != "running":
            break
    assert state_of(pages, run) == "done"
    page = analyst.get(f"/incidentes/{case.code}?ver=guia").text
    assert "Terminada" in page
    assert f"hecho {len(seen)}" in page
    assert len(seen) == len(set(seen))


def test_a_step_wants_its_answers_and_keeps_what_was_typed(
    pages: Pages, case: Incident, book: Playbook, analyst: TestClient
) -> None:
    start(analyst, case, book)
    for _ in range(len(book.steps)):
        run, step, answers = waiting(pages, case)
        url = f"{guide(case)}/{run.id}/pasos/{step.id}"
        if answers:
            break
        analyst.post(url, data={"result": "hecho"})
    silent = analyst.post(url, data={"result": "hecho", "outcome": "Lo que vi"})
    assert silent.status_code == 422
    assert "Falta la respuesta." in silent.text
    assert "Lo que vi</textarea>" in silent.text

    partly = dict(list(answers.items())[:1]) | {"outcome": "Lo que vi"}
    unsaid = analyst.post(url, data=partly)
    assert unsaid.status_code == 422
    assert "Diga si el paso se logró." in unsaid.text
    name, value = next(iter(answers.items()))
    given = re.search(rf'name="{re.escape(name)}"[^>]*value="{value}"', unsaid.text)
    assert given is not None, "the answer that was given comes back"


def test_a_failed_step_says_why(
    pages: Pages, case: Incident, book: Playbook, analyst: TestClient
) -> None:
    start(analyst, case, book)
    run, step, _ = waiting(pages, case)
    url = f"{guide(case)}/{run.id}/pasos/{step.id}"
    silent = analyst.post(url, data={"result": "no-logrado"})
    assert silent.status_code == 422
    assert "Indique por qué no se logró." in silent.text
    assert analyst.post(url, data={"result": "no-logrado", "outcome": "No contestan"}).is_redirect
    assert "No contestan" in analyst.get(f"/incidentes/{case.code}?ver=guia").text


def test_the_second_of_two_is_told_who_finished_the_step(
    pages: Pages, case: Incident, book: Playbook, analyst: TestClient
) -> None:
    start(analyst, case, book)
    run, step, answers = waiting(pages, case)
    url = f"{guide(case)}/{run.id}/pasos/{step.id}"
    analyst.post(url, data={"result": "hecho", "outcome": "uno", **answers})
    late = enter(pages)[0].post(url, data={"result": "hecho", "outcome": "otro", **answers})

    assert late.status_code == 409
    assert "Este paso ya lo terminó" in late.text
    assert "otro" in late.text  # what they typed is not lost


def test_a_run_stops_only_with_a_reason_and_then_another_may_begin(
    pages: Pages, case: Incident, book: Playbook, analyst: TestClient
) -> None:
    start(analyst, case, book)
    twice = analyst.post(guide(case), data={"playbook": book.id})
    assert twice.status_code == 409
    run, _, _ = waiting(pages, case)
    assert analyst.post(f"{guide(case)}/{run.id}/detener").status_code == 422
    analyst.post(f"{guide(case)}/{run.id}/detener", data={"reason": "Era otra clase"})
    assert state_of(pages, run) == "stopped"
    assert "Iniciar otra guía" in analyst.get(f"/incidentes/{case.code}?ver=guia").text


def test_a_step_is_not_reached_through_another_incident(
    pages: Pages, case: Incident, book: Playbook, analyst: TestClient
) -> None:
    start(analyst, case, book)
    run, step, _ = waiting(pages, case)
    with pages.centre.database.transaction() as session:
        other = make_incident(session)
    url = f"/incidentes/{other.code}/guia/{run.id}/pasos/{step.id}"
    assert analyst.post(url, data={"result": "hecho"}).status_code == 404
    assert analyst.post(f"/incidentes/{other.code}/guia/{run.id}/detener").status_code == 404
