"""Reads what a rule or a filter looks for: named selections and the condition that joins them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from cgii.base import limits
from cgii.detect.conditions import parse_condition
from cgii.detect.modifiers import Budget, compile_line
from cgii.detect.nodes import KEYWORD, Node, Selection, all_of, one_of
from cgii.detect.rule_files import Marked, RuleError


@dataclass(frozen=True)
class Detection:
    """The tree of a detection, and the selections that its condition leaves out."""

    node: Node
    unused: tuple[str, ...] = ()


def read_detection(
    data: Marked, budget: Budget, *, apart: Collection[str] = (), prefix: str = ""
) -> Detection:
    """The detection in a mapping; its keys `condition` and those `apart` are no selections.

    `prefix` stands before the names of selections in explanations, so that those of a filter are
    not taken for the rule's own.
    """
    selections = {
        name: Selection(prefix + name, _selection(data, name, budget))
        for name in data
        if name != "condition" and name not in apart
    }
    node = _condition(data, selections)
    named = _names_in(node)
    unused = tuple(name for name, one in selections.items() if one.name not in named)
    return Detection(node, unused)


def _condition(data: Marked, selections: Mapping[str, Selection]) -> Node:
    written = data.get("condition")
    listed = written if isinstance(written, list) else [written]
    conditions = [one for one in listed if isinstance(one, str) and one.strip()]
    if not conditions or len(conditions) < len(listed):
        raise at_key(data, "condition", "falta la condición (condition)")
    try:
        return one_of([parse_condition(one, selections) for one in conditions])
    except RuleError as error:
        raise at_key(data, "condition", error.reason) from error


def at_key(data: Marked, key: str, reason: str) -> RuleError:
    """The error, on the line of the key where the mapping has it."""
    return RuleError(reason, data.lines.get(key))


def _names_in(node: Node) -> set[str]:
    if isinstance(node, Selection):
        return {node.name}
    if hasattr(node, "parts"):
        return set().union(*(_names_in(part) for part in node.parts))
    return _names_in(node.part) if hasattr(node, "part") else set()


def _selection(data: Marked, name: str, budget: Budget) -> Node:
    line = data.lines.get(name)
    try:
        return _part(data[name], budget, 0)
    except RuleError as error:
        raise RuleError(f"{name}: {error.reason}", error.line or line) from error


def _part(value: object, budget: Budget, depth: int) -> Node:
    if depth > limits.RULE_DEPTH_MAX:
        raise RuleError(f"tiene más de {limits.RULE_DEPTH_MAX} niveles")
    if isinstance(value, Marked):
        if not value:
            raise RuleError("la selección está vacía")
        return all_of([_line(value, key, budget) for key in value])
    if isinstance(value, list):
        if not value:
            raise RuleError("la selección está vacía")
        return one_of([_part(one, budget, depth + 1) for one in value])
    if value is None:
        raise RuleError("la selección está vacía")
    return compile_line(KEYWORD, value, budget)


def _line(data: Marked, key: str, budget: Budget) -> Node:
    try:
        return compile_line(key, data[key], budget)
    except RuleError as error:
        raise RuleError(error.reason, error.line or data.lines.get(key)) from error
