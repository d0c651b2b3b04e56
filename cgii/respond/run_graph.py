"""Draws a playbook: nodes in levels with their state in a run; and rehearses all its ways."""

from collections.abc import Mapping
from dataclasses import dataclass

from cgii.base import limits
from cgii.model.runs import Run, Step
from cgii.respond.playbook import Playbook
from cgii.respond.runner import playbook_of


@dataclass(frozen=True)
class Node:
    """A step on the page: `level` counts from the start downwards, `lane` from left to right."""

    id: str
    kind: str
    name: str
    agent: str
    level: int
    lane: int
    state: str  # pending waiting done failed skipped
    outcome: str = ""


@dataclass(frozen=True)
class Edge:
    """A way from one step to another; `label` is "", "sí", "no" or "no se logró"."""

    source: str
    target: str
    label: str
    is_taken: bool


@dataclass(frozen=True)
class Graph:
    """A playbook as a picture."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


@dataclass(frozen=True)
class Rehearsal:
    """Every way through a playbook, as names of steps; `is_complete` False when cut at a limit."""

    paths: tuple[tuple[str, ...], ...]
    is_complete: bool


def graph(run: Run) -> Graph:
    """The run's playbook with where it is and what can still come."""
    playbook = playbook_of(run)
    reached = {step.step_id: step for step in run.steps}
    possible: set[str] = set()
    if run.state == "running":
        for step in run.steps:
            if step.state == "waiting":
                possible |= _from(playbook, step.step_id)
    return _draw(playbook, reached, possible)


def outline(playbook: Playbook) -> Graph:
    """A playbook before any run."""
    return _draw(playbook, {}, set(playbook.steps))


def rehearse(playbook: Playbook) -> Rehearsal:
    """Walk every branch, touching nothing: what would be done, in which order."""
    paths: list[tuple[str, ...]] = []
    stack: list[tuple[str, tuple[str, ...]]] = [(playbook.start, ())]
    while stack:
        step_id, before = stack.pop()
        step = playbook.steps[step_id]
        path = (*before, step.name or step.kind)
        following = playbook.after(step)
        if not following:
            if len(paths) == limits.REHEARSAL_PATHS_MAX:
                return Rehearsal(tuple(paths), is_complete=False)
            paths.append(path)
        for _, next_id in reversed(following):
            stack.append((next_id, path))
    return Rehearsal(tuple(paths), is_complete=True)


def _draw(playbook: Playbook, reached: Mapping[str, Step], possible: set[str]) -> Graph:
    levels = _levels(playbook)
    lanes: dict[int, int] = {}
    nodes = []
    for step_id in sorted(levels, key=lambda one: levels[one]):
        step, row = playbook.steps[step_id], reached.get(step_id)
        level = levels[step_id]
        lane = lanes.get(level, 0)
        lanes[level] = lane + 1
        state = row.state if row else "pending" if step_id in possible else "skipped"
        outcome = row.outcome if row else ""
        nodes.append(Node(step_id, step.kind, step.name, step.agent, level, lane, state, outcome))
    edges = []
    for step_id in levels:
        row = reached.get(step_id)
        for label, target in playbook.after(playbook.steps[step_id]):
            is_taken = row is not None and target in reached and _was_way(row, label)
            edges.append(Edge(step_id, target, label, is_taken))
    return Graph(tuple(nodes), tuple(edges))


def _was_way(row: Step, label: str) -> bool:
    if label in ("sí", "no"):
        return row.outcome == label
    return (row.state == "failed") == (label == "no se logró")


def _levels(playbook: Playbook) -> dict[str, int]:
    """The longest way from the start to each step, so that every edge points downwards."""
    order: list[str] = []
    seen: set[str] = set()
    stack: list[tuple[str, bool]] = [(playbook.start, False)]
    while stack:
        step_id, is_left = stack.pop()
        if is_left:
            order.append(step_id)
            continue
        if step_id in seen:
            continue
        seen.add(step_id)
        stack.append((step_id, True))
        following = playbook.after(playbook.steps[step_id])
        stack.extend((target, False) for _, target in reversed(following))
    levels = dict.fromkeys(reversed(order), 0)
    for step_id in reversed(order):
        for _, target in playbook.after(playbook.steps[step_id]):
            levels[target] = max(levels[target], levels[step_id] + 1)
    return levels


def _from(playbook: Playbook, step_id: str) -> set[str]:
    found: set[str] = set()
    stack = [step_id]
    while stack:
        here = stack.pop()
        if here not in found:
            found.add(here)
            stack.extend(target for _, target in playbook.after(playbook.steps[here]))
    return found
