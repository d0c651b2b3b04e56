"""Loads playbooks/*.json: CACAO 2.0 in, runnable playbooks out, with a sentence for what is not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cgii.base import limits
from cgii.base.content import find
from cgii.base.errors import ContentError
from cgii.model.incidents import STAGES
from cgii.respond.notify import check_messages
from cgii.respond.playbook import Playbook, StepError, build_playbook
from cgii.respond.policies import load_policies
from cgii.respond.severity import type_severities

WITHOUT_WORK = frozenset({"test"})  # classes that call for no playbook
NOT_YET = ("workflow_exception",)


@dataclass(frozen=True)
class Playbooks:
    """The playbooks in force and the files that were refused."""

    by_id: Mapping[str, Playbook]
    rejected: tuple[ContentError, ...]

    def for_class(self, rsit_class: str) -> list[Playbook]:
        """The playbooks for an RSIT class, the more special ones first."""
        fitting = [book for book in self.by_id.values() if rsit_class in book.classes]
        return sorted(fitting, key=lambda book: (len(book.classes), book.name))


def load_playbooks(site: Path | None = None) -> Playbooks:
    """Read every playbook; what is wrong is left out and listed."""
    by_id: dict[str, Playbook] = {}
    rejected: list[ContentError] = []
    for found in find("playbooks", "*.json", site):
        try:
            playbook = read_playbook(found.path)
            if playbook.id in by_id:
                raise ContentError(found.path, f"ya existe una guía con el id {playbook.id}")
            by_id[playbook.id] = playbook
        except ContentError as error:
            rejected.append(error)
    return Playbooks(by_id, tuple(rejected))


def check_playbooks(site: Path | None = None) -> list[ContentError]:
    """What is wrong with playbooks, deadlines and messages, and classes that no playbook serves."""
    playbooks = load_playbooks(site)
    faults = [*playbooks.rejected, *load_policies(site).rejected, *check_messages(site)]
    for rsit_class in type_severities():
        if rsit_class not in WITHOUT_WORK and not playbooks.for_class(rsit_class):
            faults.append(ContentError("playbooks", f"ninguna guía sirve a la clase {rsit_class}"))
    return faults


def read_playbook(path: Path) -> Playbook:
    """Read one file through all checks: JSON, schema, graph, can run. Raises ContentError."""
    data = path.read_bytes()
    if len(data) > limits.PLAYBOOK_BYTES_MAX:
        raise ContentError(path, "el archivo pesa más de lo que se admite")
    return parse_playbook(data, path)


def parse_playbook(data: bytes, path: Path | str = "playbook.json") -> Playbook:
    """As `read_playbook`, from bytes in memory."""
    try:
        text = data.decode("utf-8")
        document = json.loads(text, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise ContentError(path, f"no es JSON válido: {error.msg}", error.lineno) from error
    except RecursionError as error:
        raise ContentError(path, "el JSON está anidado en exceso") from error
    except ValueError as error:  # not UTF-8, or a key twice
        raise ContentError(path, f"no se puede leer: {error}") from error
    # Here and not above: with what it loads, it takes longer than all the rest of this file.
    from cgii.respond.cacao_schema import fault_in

    fault = fault_in(document)
    if fault is not None:
        raise ContentError(path, fault.sentence, _line_of(text, fault.keys))
    for key in NOT_YET:
        if key in document:
            reason = f"«{key}» todavía no se ejecuta aquí"
            raise ContentError(path, reason, _line(text, key))
    if len(document["workflow"]) > limits.PLAYBOOK_STEPS_MAX:
        raise ContentError(path, f"tiene más de {limits.PLAYBOOK_STEPS_MAX} pasos")
    try:
        playbook = build_playbook(document)
        _check_ours(playbook)
    except StepError as error:
        raise ContentError(path, str(error), _line(text, error.step_id)) from error
    return playbook


def _check_ours(playbook: Playbook) -> None:
    for step in playbook.steps.values():
        if step.stage and step.stage not in STAGES:
            raise StepError(step.id, f"no existe la etapa «{step.stage}»")
        if step.due_hours is not None and not 0 < step.due_hours <= limits.DEADLINE_HOURS_MAX:
            raise StepError(step.id, "«due_hours» debe ser un número de horas mayor que cero")
    known = type_severities()
    for rsit_class in playbook.classes:
        if rsit_class not in known:
            raise StepError("labels", f"no existe la clase RSIT «{rsit_class}»")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"la clave «{key}» está dos veces")
        found[key] = value
    return found


def _line_of(text: str, keys: Sequence[str]) -> int:
    # The deepest key whose line is found; below a step, that is the step's own line.
    for key in reversed(keys):
        line = _line(text, key)
        if line is not None:
            return line
    return 1


def _line(text: str, key: str) -> int | None:
    """The line on which a key stands; JSON's own reader does not tell."""
    place = text.find(f'"{key}":')
    if place < 0:
        place = text.find(f'"{key}"')
    return text.count("\n", 0, place) + 1 if place >= 0 else None
