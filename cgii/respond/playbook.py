"""A playbook as the runner sees it: steps, branches, variables. Built from a CACAO document."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cgii.respond.conditions import Condition, ConditionError, parse_condition

START, END, ACTION, IF = "start", "end", "action", "if-condition"
KINDS = (START, END, ACTION, IF)
# Our extension of a step: hours until due, the stage that it reaches, a question for the entity.
EXTENSION = "extension-definition--5b0f6a0e-3f0c-5a53-9d8c-6f1b3c2f7a10"
FOR_CLASS = "rsit:"  # a label `rsit:malicious-code` says for which class a playbook is


class StepError(ValueError):
    """A step that cannot be used; `step_id` finds its line in the file."""

    def __init__(self, step_id: str, reason: str) -> None:
        self.step_id = step_id
        super().__init__(reason)


@dataclass(frozen=True)
class Variable:
    """Something that a run knows or asks: its type, what it means, its first value."""

    name: str
    type: str
    description: str
    value: Any = None  # JSON value


@dataclass(frozen=True)
class PlaybookStep:
    """One step. Empty texts mean: not there."""

    id: str
    kind: str
    name: str
    description: str = ""
    instruction: str = ""  # of an action: what a person does
    agent: str = ""  # who does it, in words
    on_success: str = ""  # also on_completion
    on_failure: str = ""
    on_true: str = ""
    on_false: str = ""
    condition: Condition | None = None
    asks: tuple[str, ...] = ()  # variables that the person fills in
    due_hours: float | None = None
    stage: str = ""  # the incident's stage that is reached when this is done
    question: str = ""  # a text to ask the entity, ready to send


@dataclass(frozen=True)
class Playbook:
    """A playbook that can be run. `scopes`: step → the if-step whose branch it stands in, or ""."""

    id: str
    name: str
    description: str
    modified: str
    classes: tuple[str, ...]
    start: str
    steps: Mapping[str, PlaybookStep]
    variables: Mapping[str, Variable]
    document: Mapping[str, Any] = field(repr=False)  # as in the file
    scopes: Mapping[str, str] = field(default_factory=dict)

    def after(self, step: PlaybookStep) -> tuple[tuple[str, str], ...]:
        """Where a run may go from a step, as (label, step id); empty where it ends."""
        if step.kind == END:
            parent = self.scopes[step.id]
            return (("", self.steps[parent].on_success),) if parent else ()
        if step.kind == IF:
            return (("sí", step.on_true), ("no", step.on_false or step.on_success))
        ways = [("", step.on_success)]
        if step.on_failure:
            ways.append(("no se logró", step.on_failure))
        return tuple(ways)


def build_playbook(document: Mapping[str, Any]) -> Playbook:
    """Make a playbook of a document that has passed the schema. Raises StepError."""
    agents = {
        agent_id: str(agent["name"])
        for agent_id, agent in document.get("agent_definitions", {}).items()
    }
    variables = {
        name: Variable(name, data["type"], data.get("description", ""), data.get("value"))
        for name, data in document.get("playbook_variables", {}).items()
    }
    steps = {
        step_id: _step(step_id, data, agents, variables)
        for step_id, data in document["workflow"].items()
    }
    playbook = Playbook(
        id=document["id"],
        name=document["name"],
        description=document.get("description", ""),
        modified=document["modified"],
        classes=tuple(
            text.removeprefix(FOR_CLASS)
            for text in document.get("labels", [])
            if text.startswith(FOR_CLASS)
        ),
        start=document["workflow_start"],
        steps=steps,
        variables=variables,
        document=document,
        scopes=_scopes(steps, document["workflow_start"]),
    )
    _check_values(playbook)
    return playbook


def _step(
    step_id: str,
    data: Mapping[str, Any],
    agents: Mapping[str, str],
    variables: Mapping[str, Variable],
) -> PlaybookStep:
    kind = data["type"]
    if kind not in KINDS:
        raise StepError(step_id, f"los pasos «{kind}» todavía no se ejecutan aquí")
    for key in ("delay", "timeout"):
        if data.get(key):
            raise StepError(step_id, f"«{key}» todavía no se ejecuta aquí")
    if not step_id.startswith(f"{kind}--"):
        raise StepError(step_id, f"el identificador de un paso «{kind}» comienza con {kind}--")
    extension = data.get("step_extensions", {}).get(EXTENSION, {})
    step = PlaybookStep(
        id=step_id,
        kind=kind,
        name=data.get("name", ""),
        description=data.get("description", ""),
        instruction=_instruction(step_id, data) if kind == ACTION else "",
        agent=_agent(step_id, data, agents) if kind == ACTION else "",
        on_success=data.get("on_completion") or data.get("on_success", ""),
        on_failure=data.get("on_failure", ""),
        on_true=data.get("on_true", ""),
        on_false=data.get("on_false", ""),
        condition=_condition(step_id, data) if kind == IF else None,
        asks=tuple(data.get("out_args", ())),
        due_hours=extension.get("due_hours"),
        stage=extension.get("stage", ""),
        question=extension.get("question", ""),
    )
    if "on_completion" in data and ("on_success" in data or "on_failure" in data):
        raise StepError(step_id, "use on_completion, o bien on_success y on_failure, no ambos")
    if kind != END and not step.on_success:
        raise StepError(step_id, "el paso no dice a dónde se sigue")
    used = set(step.asks) | (step.condition.variables if step.condition else set())
    for name in sorted(used):
        if name not in variables:
            raise StepError(step_id, f"la variable {name} no está declarada")
    return step


def _instruction(step_id: str, data: Mapping[str, Any]) -> str:
    texts = []
    for command in data["commands"]:
        if command["type"] != "manual":
            reason = f"los comandos «{command['type']}» todavía no se ejecutan aquí"
            raise StepError(step_id, reason)
        if "command" not in command:
            raise StepError(step_id, "el comando manual no dice qué hacer")
        texts.append(command["command"])
    return "\n\n".join(texts)


def _agent(step_id: str, data: Mapping[str, Any], agents: Mapping[str, str]) -> str:
    if data["agent"] not in agents:
        raise StepError(step_id, f"el agente {data['agent']} no está definido")
    return agents[data["agent"]]


def _condition(step_id: str, data: Mapping[str, Any]) -> Condition:
    try:
        return parse_condition(data["condition"])
    except ConditionError as error:
        raise StepError(step_id, f"la condición no se puede leer: {error}") from error


def _scopes(steps: Mapping[str, PlaybookStep], start: str) -> dict[str, str]:
    """Walk the graph once: which branch each step stands in. Raises StepError where it is wrong."""
    scopes: dict[str, str] = {}
    walking: set[str] = set()

    def walk(step_id: str, scope: str, came_from: str) -> None:
        if step_id not in steps:
            raise StepError(came_from, f"sigue en {step_id}, que no existe")
        if step_id in walking:
            raise StepError(step_id, "el paso se alcanza a sí mismo: un ciclo sin while-condition")
        if step_id in scopes:
            if scopes[step_id] != scope:
                raise StepError(step_id, "el paso pertenece a dos ramas; cada rama tiene su fin")
            return
        step = steps[step_id]
        scopes[step_id] = scope
        walking.add(step_id)
        for branch in (step.on_true, step.on_false):
            if branch:
                walk(branch, step_id, step_id)
        for following in (step.on_success, step.on_failure):
            if following:
                walk(following, scope, step_id)
        walking.remove(step_id)

    if start not in steps or steps[start].kind != START:
        raise StepError(start, "workflow_start no nombra un paso de inicio")
    walk(start, "", start)
    for step_id, step in steps.items():
        if step_id not in scopes:
            raise StepError(step_id, f"no se llega nunca al paso «{step.name or step_id}»")
    return scopes


def _check_values(playbook: Playbook) -> None:
    asked = {name for step in playbook.steps.values() for name in step.asks}
    for step in playbook.steps.values():
        for name in sorted(step.condition.variables if step.condition else ()):
            if name not in asked and playbook.variables[name].value is None:
                raise StepError(step.id, f"nadie da valor a la variable {name}")
