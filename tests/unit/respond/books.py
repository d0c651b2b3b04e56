"""A small playbook as a document, to be run or broken in tests."""

from typing import Any
from uuid import UUID

from cgii.respond.playbook import EXTENSION, Playbook, build_playbook

WHEN = "2026-11-22T12:00:00.000Z"


def sid(kind: str, number: int) -> str:
    """A step's id."""
    return f"{kind}--{UUID(int=number)}"


START, LOOK, ASK, ALARM, YES_END, FIX, LATE, END = (
    sid("start", 1),
    sid("action", 2),
    sid("if-condition", 3),
    sid("action", 4),
    sid("end", 5),
    sid("action", 6),
    sid("action", 7),
    sid("end", 8),
)
AGENT = "individual--00000000-0000-0000-0000-000000000009"


def action(name: str, **given: Any) -> dict[str, Any]:
    """A manual step."""
    return {
        "type": "action",
        "name": name,
        "agent": AGENT,
        "commands": [{"type": "manual", "command": f"Haga: {name}"}],
        **given,
    }


def make_document(**given: Any) -> dict[str, Any]:
    """look → if bad: alarm → fix (or, if that fails, later) → end."""
    return {
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": f"playbook--{UUID(int=100)}",
        "name": "Guía de prueba",
        "created_by": f"identity--{UUID(int=101)}",
        "created": WHEN,
        "modified": WHEN,
        "labels": ["rsit:fraud"],
        "playbook_variables": {"__bad__": {"type": "bool", "description": "¿Es malo?"}},
        "agent_definitions": {AGENT: {"type": "individual", "name": "Analista"}},
        "workflow_start": START,
        "workflow": {
            START: {"type": "start", "on_completion": LOOK},
            LOOK: action(
                "Mirar",
                out_args=["__bad__"],
                on_completion=ASK,
                step_extensions={EXTENSION: {"due_hours": 4}},
            ),
            ASK: {
                "type": "if-condition",
                "name": "¿Es malo?",
                "condition": "__bad__:value = true",
                "on_true": ALARM,
                "on_completion": FIX,
            },
            ALARM: action("Avisar", on_completion=YES_END),
            YES_END: {"type": "end"},
            FIX: action(
                "Arreglar",
                on_success=END,
                on_failure=LATE,
                step_extensions={EXTENSION: {"stage": "contained"}},
            ),
            LATE: action("Escalar", on_completion=END),
            END: {"type": "end", "name": "Fin"},
        },
        **given,
    }


def make_playbook() -> Playbook:
    """The document, built."""
    return build_playbook(make_document())
