"""Walks playbooks for incidents: durable step by step, a finished step is never repeated."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from sqlalchemy import func, select, update

from cgii.base import limits
from cgii.base.errors import Conflict, Invalid, InvalidForm
from cgii.model.incidents import Incident
from cgii.model.people import User
from cgii.model.runs import Run, Step
from cgii.respond.conditions import ConditionError, evaluate
from cgii.respond.playbook import ACTION, END, IF, Playbook, PlaybookStep, Variable, build_playbook
from cgii.respond.stages import expect_open, stamp_once, touch
from cgii.respond.timeline import enter
from cgii.store.act import Act

YES = frozenset({"true", "sí", "si", "yes", "1", "on"})
NO = frozenset({"false", "no", "0", "off"})


@dataclass(frozen=True)
class StepForm:
    """How a step ended, in words, with the answers that it asked for by variable."""

    result: Literal["done", "failed"] = "done"
    outcome: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)  # texts from a form, or JSON values


@dataclass(frozen=True)
class _Walk:
    """What every step of a run needs."""

    act: Act
    run: Run
    incident: Incident
    playbook: Playbook


def start_run(act: Act, incident: Incident, playbook: Playbook) -> Run:
    """Begin a playbook for an incident and go to its first manual step."""
    expect_open(incident)
    running = act.session.scalar(
        select(Run.id).where(
            Run.incident_id == incident.id,
            Run.playbook_id == playbook.id,
            Run.state == "running",
        )
    )
    if running is not None:
        raise Conflict("La guía «{name}» ya está en curso en este caso.", name=playbook.name)
    touch(act, incident)
    run = Run(
        incident_id=incident.id,
        playbook_id=playbook.id,
        playbook_name=playbook.name,
        playbook=dict(playbook.document),
        state="running",
        variables={one.name: one.value for one in playbook.variables.values()},
        reason="",
        started_by_id=act.user_id,
        started_at=act.now,
    )
    act.session.add(run)
    act.session.flush()  # the timeline and the steps name the run by its id
    enter(act, incident, "playbook", f"Guía iniciada: {playbook.name}.", data={"run": run.id})
    _record(act, "run.started", run, incident)
    _advance(_Walk(act, run, incident, playbook), playbook.start)
    return run


def finish_step(act: Act, step: Step, form: StepForm) -> Run:
    """Finish a waiting step and go on to the next one. The same answer twice changes nothing.

    Raises InvalidForm when an asked answer is missing, Conflict when somebody else finished it.
    """
    run = step.run
    incident = act.session.get_one(Incident, run.incident_id)
    playbook = playbook_of(run)
    definition = playbook.steps[step.step_id]
    if step.state != "waiting":
        return _same_or_conflict(act, step, form)
    expect_open(incident)
    if run.state != "running":
        raise Conflict("La guía ya no está en curso.")
    outcome = form.outcome.strip()
    answers = _answers(playbook, definition, form)
    won = act.session.execute(
        update(Step)
        .where(Step.id == step.id, Step.state == "waiting")
        .values(state=form.result, outcome=outcome, ended_at=act.now, ended_by_id=act.user_id)
        .returning(Step.id)
        .execution_options(synchronize_session=False)
    ).first()
    act.session.refresh(step)
    if won is None:
        return _same_or_conflict(act, step, form)
    touch(act, incident)
    run.variables = {**run.variables, **answers}
    walk = _Walk(act, run, incident, playbook)
    _enter_step(walk, step, definition, answers)
    if form.result == "done":
        if definition.stage:
            stamp_once(act, incident, definition.stage)
        _advance(walk, definition.on_success)
    elif definition.on_failure:
        _advance(walk, definition.on_failure)
    else:
        _end(walk, "failed", f"No se logró el paso «{definition.name}».")
    return run


def stop_run(act: Act, run: Run, *, reason: str) -> None:
    """Stop a running playbook; what was done stays."""
    if run.state != "running":
        raise Conflict("La guía ya no está en curso.")
    if not reason.strip():
        raise Invalid("Indique por qué se detiene.", field="reason")
    incident = act.session.get_one(Incident, run.incident_id)
    _end(_Walk(act, run, incident, playbook_of(run)), "stopped", reason.strip())


def stop_runs(act: Act, incident: Incident, *, reason: str) -> None:
    """Stop whatever runs for an incident, as when it is closed."""
    query = select(Run).where(Run.incident_id == incident.id, Run.state == "running")
    for run in act.session.scalars(query):
        _end(_Walk(act, run, incident, playbook_of(run)), "stopped", reason)


def playbook_of(run: Run) -> Playbook:
    """The playbook as it stood when the run began."""
    return build_playbook(run.playbook)


def questions(playbook: Playbook, step: Step) -> list[Variable]:
    """What a waiting step asks its person to fill in."""
    return [playbook.variables[name] for name in playbook.steps[step.step_id].asks]


def _advance(walk: _Walk, next_id: str) -> None:
    """Walk from a step to the next manual one, or to the end."""
    act, run, playbook = walk.act, walk.run, walk.playbook
    while True:
        step = playbook.steps[next_id]
        if _reached(act, run) >= limits.RUN_STEPS_MAX:
            _end(walk, "failed", "La guía recorrió demasiados pasos.")
            return
        if step.kind == ACTION:
            _add(act, run, step, state="waiting")
            return
        if step.kind == IF:
            assert step.condition is not None, "an if-step without a condition passed the checks"
            try:
                is_true = evaluate(step.condition, run.variables)
            except ConditionError as error:
                _add(act, run, step, state="failed", outcome=str(error))
                reason = f"No se puede decidir «{step.name}»: {error}."
                _end(walk, "failed", reason)
                return
            _add(act, run, step, state="done", outcome="sí" if is_true else "no")
            next_id = step.on_true if is_true else step.on_false or step.on_success
            continue
        _add(act, run, step, state="done")
        following = playbook.after(step)
        if step.kind == END and not following:
            _end(walk, "done", "")
            return
        next_id = following[0][1]


def _add(act: Act, run: Run, step: PlaybookStep, *, state: str, outcome: str = "") -> None:
    hours = step.due_hours
    act.session.add(
        Step(
            run=run,
            step_id=step.id,
            visit=1,
            kind=step.kind,
            name=step.name,
            instruction=step.instruction,
            state=state,
            outcome=outcome,
            started_at=act.now,
            due_at=act.now + timedelta(hours=hours) if hours and state == "waiting" else None,
            ended_at=None if state == "waiting" else act.now,
        )
    )
    act.session.flush()  # steps are shown in the order in which they were reached


def _end(walk: _Walk, state: str, reason: str) -> None:
    act, run, incident = walk.act, walk.run, walk.incident
    run.state, run.reason, run.ended_at = state, reason, act.now
    for step in run.steps:
        if step.state == "waiting":
            step.state, step.outcome, step.ended_at = "failed", "Guía detenida.", act.now
    words = {"done": "terminada", "failed": "fallida", "stopped": "detenida"}
    text = f"Guía {words[state]}: {run.playbook_name}. {reason}".strip()
    enter(act, incident, "playbook", text, data={"run": run.id, "state": state})
    _record(act, f"run.{state}", run, incident)


def _answers(playbook: Playbook, step: PlaybookStep, form: StepForm) -> dict[str, Any]:
    if form.result == "failed":
        if not form.outcome.strip():
            raise InvalidForm({"outcome": "Indique por qué no se logró."})
        return {}
    answers: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name in step.asks:
        try:
            answers[name] = _read(playbook.variables[name].type, form.variables.get(name))
        except ValueError as error:
            problems[name] = str(error)
    if len(form.outcome) > limits.TEXT_CHARS_MAX:
        problems["outcome"] = "El texto es demasiado largo."
    if problems:
        raise InvalidForm(problems)
    return answers


def _read(kind: str, value: Any) -> str | int | float | bool:  # what a form or JSON gives
    text = str(value).strip() if value is not None else ""
    if not text:
        raise ValueError("Falta la respuesta.")
    if kind == "bool":
        if text.lower() in YES | NO:
            return text.lower() in YES
        raise ValueError("Responda sí o no.")
    if kind in ("integer", "long", "float"):
        try:
            return float(text.replace(",", ".")) if kind == "float" else int(text)
        except ValueError as error:
            raise ValueError("Escriba un número.") from error
    if len(text) > limits.TEXT_CHARS_MAX:
        raise ValueError("El texto es demasiado largo.")
    return text


def _same_or_conflict(act: Act, step: Step, form: StepForm) -> Run:
    if step.state == form.result and step.outcome == form.outcome.strip():
        return step.run
    who = act.session.get(User, step.ended_by_id) if step.ended_by_id else None
    raise Conflict("Este paso ya lo terminó {name}.", name=who.name if who else "el sistema")


def _enter_step(walk: _Walk, step: Step, definition: PlaybookStep, answers: dict[str, Any]) -> None:
    act, incident = walk.act, walk.incident
    done = "hecho" if step.state == "done" else "no logrado"
    said = f" {step.outcome}" if step.outcome else ""
    enter(
        act,
        incident,
        "playbook",
        f"Paso {done}: {definition.name}.{said}",
        data={"run": step.run_id, "step": step.step_id, "answers": answers},
    )
    act.record(
        "step.finished",
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        run=step.run_id,
        step=step.step_id,
        state=step.state,
    )


def _reached(act: Act, run: Run) -> int:
    query = select(func.count()).select_from(Step).where(Step.run_id == run.id)
    return act.session.scalar(query) or 0


def _record(act: Act, action: str, run: Run, incident: Incident) -> None:
    act.record(
        action,
        f"incident:{incident.code}",
        entity_id=incident.entity_id,
        run=run.id,
        playbook=run.playbook_id,
    )
