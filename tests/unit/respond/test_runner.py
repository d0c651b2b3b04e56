"""A run goes on where it was, repeats nothing, and fails rather than guess."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid, InvalidForm
from cgii.model.incidents import Entry, Incident
from cgii.model.runs import Run, Step
from cgii.respond.closing import CloseForm, close
from cgii.respond.playbook import Playbook, build_playbook
from cgii.respond.run_graph import graph, outline, rehearse
from cgii.respond.runner import StepForm, finish_step, questions, start_run, stop_run
from cgii.store.act import Act
from cgii.store.database import Database
from tests.make import NOW, make_act, make_incident, make_user
from tests.unit.respond.books import ALARM, ASK, FIX, LATE, LOOK, make_document, make_playbook
from tests.unit.respond.cases import HOUR, analyst_act, at


def begin(session: Session, playbook: Playbook | None = None) -> tuple[Act, Incident, Run]:
    act, incident = analyst_act(session), make_incident(session)
    return act, incident, start_run(act, incident, playbook or make_playbook())


def waiting(run: Run) -> Step:
    (step,) = [one for one in run.steps if one.state == "waiting"]
    return step


def answer(act: Act, run: Run, outcome: str = "", **variables: Any) -> None:
    finish_step(act, waiting(run), StepForm("done", outcome, variables))


def walked(run: Run) -> list[str]:
    return [step.name for step in run.steps if step.kind == "action"]


def test_a_run_waits_at_its_first_manual_step(session: Session) -> None:
    _, _, run = begin(session)
    step = waiting(run)
    assert (step.step_id, step.due_at) == (LOOK, NOW + 4 * HOUR)
    assert [one.name for one in questions(make_playbook(), step)] == ["__bad__"]


def test_the_answer_decides_the_branch(session: Session) -> None:
    for value, wanted in (("sí", ["Mirar", "Avisar", "Arreglar"]), ("no", ["Mirar", "Arreglar"])):
        act, incident, run = begin(session)
        answer(act, run, __bad__=value)
        if value == "sí":
            answer(act, run)
        answer(act, run)
        assert walked(run) == wanted
        assert run.state == "done"
        assert incident.contained_at == NOW


def test_a_step_that_failed_takes_its_way(session: Session) -> None:
    act, incident, run = begin(session)
    answer(act, run, __bad__=False)
    finish_step(act, waiting(run), StepForm("failed", "nadie contesta"))
    assert walked(run) == ["Mirar", "Arreglar", "Escalar"]
    assert incident.contained_at is None
    answer(act, run)
    assert run.state == "done"


def test_a_failure_without_a_way_ends_the_run(session: Session) -> None:
    act, _, run = begin(session)
    finish_step(act, waiting(run), StepForm("failed", "no hay registros"))
    assert (run.state, run.ended_at) == ("failed", NOW)
    assert "Mirar" in run.reason


def test_a_finished_step_is_never_repeated(session: Session) -> None:
    act, _, run = begin(session)
    step = waiting(run)
    form = StepForm("done", "visto", {"__bad__": "no"})
    finish_step(act, step, form)
    finish_step(act, step, form)
    assert walked(run) == ["Mirar", "Arreglar"]
    with pytest.raises(Conflict, match="ya lo terminó"):
        finish_step(act, step, replace(form, outcome="otra cosa"))


def test_of_two_persons_one_finishes_the_step(database: Database) -> None:
    with database.transaction() as session:
        people = [make_user(session, name="Rosa Mamani"), make_user(session)]
        _, _, run = begin(session)
        step_id = waiting(run).id
    with database.reading() as reading:
        stale = reading.get_one(Step, step_id)
    outcomes = []
    for number, person in enumerate(people):
        try:
            with database.transaction() as session:
                step = session.merge(stale, load=False)
                form = StepForm("done", f"dice {number}", {"__bad__": "no"})
                finish_step(make_act(session, person), step, form)
            outcomes.append("won")
        except Conflict as error:
            outcomes.append(str(error))
    assert outcomes == ["won", "Este paso ya lo terminó Rosa Mamani."]
    with database.reading() as session:
        assert len(session.scalars(select(Step).where(Step.step_id == FIX)).all()) == 1


def test_an_asked_answer_must_be_given_and_fit(session: Session) -> None:
    act, _, run = begin(session)
    for given in ({}, {"__bad__": " "}, {"__bad__": "quizás"}):
        with pytest.raises(InvalidForm) as caught:
            finish_step(act, waiting(run), StepForm("done", "", given))
        assert "__bad__" in caught.value.problems
    with pytest.raises(InvalidForm):
        finish_step(act, waiting(run), StepForm("failed", ""))


def test_numbers_are_read_as_numbers(session: Session) -> None:
    document = make_document(playbook_variables={"__bad__": {"type": "integer"}})
    document["workflow"][ASK]["condition"] = "__bad__:value >= 100"
    act, _, run = begin(session, build_playbook(document))
    with pytest.raises(InvalidForm):
        answer(act, run, __bad__="muchos")
    answer(act, run, __bad__="250")
    assert run.variables["__bad__"] == 250
    assert waiting(run).step_id == ALARM


def test_what_cannot_be_decided_fails_the_run(session: Session) -> None:
    act, _, run = begin(session)
    document = make_document()
    document["workflow"][ASK]["condition"] = "__bad__:value > 3"
    run.playbook = document
    answer(act, run, __bad__="sí")
    assert run.state == "failed"
    assert "No se puede decidir" in run.reason


def test_a_run_keeps_the_playbook_it_began_with(session: Session) -> None:
    act, _, run = begin(session)
    session.flush()
    session.expire_all()
    assert run.playbook["workflow"][LOOK]["name"] == "Mirar"
    answer(act, run, __bad__="no")
    assert waiting(run).step_id == FIX


def test_the_same_playbook_does_not_run_twice_at_once(session: Session) -> None:
    act, incident, run = begin(session)
    with pytest.raises(Conflict, match="en curso"):
        start_run(act, incident, make_playbook())
    with pytest.raises(Invalid):
        stop_run(act, run, reason=" ")
    stop_run(act, run, reason="otra guía sirve mejor")
    assert run.state == "stopped"
    start_run(act, incident, make_playbook())
    with pytest.raises(Conflict):
        stop_run(act, run, reason="otra vez")


def test_closing_the_case_stops_its_runs(session: Session) -> None:
    act, incident, run = begin(session)
    close(act, incident, CloseForm("no_impact"))
    assert run.state == "stopped"
    assert all(step.state != "waiting" for step in run.steps)


def test_every_step_is_in_the_timeline(session: Session) -> None:
    act, _, run = begin(session)
    answer(act, run, "Es una página falsa", __bad__="no")
    texts = session.scalars(select(Entry.text).where(Entry.kind == "playbook")).all()
    assert texts == ["Guía iniciada: Guía de prueba.", "Paso hecho: Mirar. Es una página falsa"]


def test_the_graph_shows_what_was_and_what_can_come(session: Session) -> None:
    act, _, run = begin(session)
    assert {node.state for node in graph(run).nodes} == {"done", "waiting", "pending"}
    answer(act, run, __bad__="no")
    drawn = graph(run)
    states = {node.id: node.state for node in drawn.nodes}
    assert (states[ALARM], states[FIX], states[LATE]) == ("skipped", "waiting", "pending")
    taken = {(edge.source, edge.label) for edge in drawn.edges if edge.is_taken}
    assert (ASK, "no") in taken
    assert (ASK, "sí") not in taken


def test_every_edge_points_downwards_and_lanes_do_not_collide(session: Session) -> None:
    drawn = outline(make_playbook())
    levels = {node.id: node.level for node in drawn.nodes}
    assert all(levels[edge.source] < levels[edge.target] for edge in drawn.edges)
    places = [(node.level, node.lane) for node in drawn.nodes]
    assert len(places) == len(set(places))


def test_a_rehearsal_walks_every_way_and_touches_nothing(session: Session) -> None:
    found = rehearse(make_playbook())
    assert found.is_complete
    assert len(found.paths) == 4
    assert session.scalars(select(Run)).all() == []
    assert {name for path in found.paths for name in path} >= {"Avisar", "Escalar", "Fin"}


def test_finishing_later_stamps_later(session: Session) -> None:
    act, _, run = begin(session)
    finish_step(at(act, NOW + HOUR), waiting(run), StepForm("done", "", {"__bad__": "no"}))
    assert run.steps[1].ended_at == NOW + HOUR
    assert waiting(run).started_at == NOW + HOUR
