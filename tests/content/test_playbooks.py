"""Every playbook, deadline and message that we ship is whole and of use."""

import json

import pytest
from sqlalchemy.orm import Session

from cgii.base.content import shipped
from cgii.respond.cacao import WITHOUT_WORK, check_playbooks, load_playbooks
from cgii.respond.notify import message_names, render
from cgii.respond.playbook import ACTION, IF, Playbook
from cgii.respond.run_graph import outline, rehearse
from cgii.respond.runner import StepForm, finish_step, start_run
from cgii.respond.severity import type_severities
from tests.make import make_act, make_incident, make_user

PLAYBOOKS = load_playbooks()
each = pytest.mark.parametrize("playbook", PLAYBOOKS.by_id.values(), ids=lambda one: one.name)
FACTS = {
    "code": "CGII-2026-000001",
    "title": "Título",
    "entity": "Entidad",
    "received_at": "22 nov 2026, 14:05",
    "receipt": "REP-2026-000001",
    "sha256": "ab",
    "contact": "Ana",
    "question": "¿?",
    "due_at": "23 nov 2026, 14:05",
    "text": "Texto",
    "reason": "Resuelto",
    "percent": "50",
    "label": "Plazo",
    "party": "Centro",
    "severity": "Alto",
    "public_url": "https://cgii.example",
}
OURS = ("notice_", "request_", "incident_", "deadline_", "restricted")


def test_nothing_shipped_is_refused() -> None:
    assert [str(fault) for fault in check_playbooks()] == []


@pytest.mark.parametrize("rsit_class", sorted(set(type_severities()) - WITHOUT_WORK))
def test_every_class_that_calls_for_work_has_a_playbook(rsit_class: str) -> None:
    assert PLAYBOOKS.for_class(rsit_class)


@each
def test_a_playbook_has_work_decisions_and_a_moment_of_containment(playbook: Playbook) -> None:
    actions = [step for step in playbook.steps.values() if step.kind == ACTION]
    assert 8 <= len(actions) <= 16
    assert any(step.kind == IF for step in playbook.steps.values())
    assert any(step.stage == "contained" for step in actions)
    assert any(step.question for step in actions), "something is asked of the entity"
    assert len({step.agent for step in actions}) > 1, "it says who does what"


@each
def test_every_step_says_what_to_do_and_until_when(playbook: Playbook) -> None:
    for step in playbook.steps.values():
        if step.kind == ACTION:
            assert len(step.instruction) > 80, step.name
            assert step.due_hours, step.name
    asked = {name for step in playbook.steps.values() for name in step.asks}
    assert asked == set(playbook.variables), "nothing is declared that nobody asks"
    assert all(one.description for one in playbook.variables.values())


@each
def test_every_way_ends(playbook: Playbook) -> None:
    found = rehearse(playbook)
    assert found.is_complete
    reached = {name for path in found.paths for name in path}
    assert {step.name for step in playbook.steps.values() if step.kind == ACTION} <= reached
    assert len(outline(playbook).nodes) == len(playbook.steps)


@each
@pytest.mark.parametrize("yes", [True, False])
@pytest.mark.parametrize("result", ["done", "failed"])
def test_a_run_comes_to_its_end(
    session: Session, playbook: Playbook, yes: bool, result: str
) -> None:
    act, incident = make_act(session, make_user(session)), make_incident(session)
    run = start_run(act, incident, playbook)
    for _ in range(len(playbook.steps)):
        waiting = [step for step in run.steps if step.state == "waiting"]
        if not waiting:
            break
        step = playbook.steps[waiting[0].step_id]
        answers = dict.fromkeys(step.asks, "1" if yes else "0")
        # Fail wherever the playbook knows a way on.
        outcome = "failed" if result == "failed" and step.on_failure else "done"
        finish_step(act, waiting[0], StepForm(outcome, "anotado", answers))
    assert run.state == "done"


def test_playbooks_are_files_that_people_can_compare() -> None:
    for path in shipped("playbooks").glob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert text == json.dumps(json.loads(text), ensure_ascii=False, indent=2) + "\n", path.name


@pytest.mark.parametrize("name", [one for one in message_names() if one.startswith(OURS)])
def test_every_message_of_the_response_can_be_filled(name: str) -> None:
    subject, body = render(name, FACTS)
    assert 10 < len(subject) < 200
    assert "https://cgii.example" in body
