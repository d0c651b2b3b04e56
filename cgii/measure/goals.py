"""The national goals as dated data: what is aimed at, since when, and who says so."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache

from cgii.base.clock import local
from cgii.base.labels import load_table


@dataclass(frozen=True)
class Goal:
    """One version of a goal; `until` None means that it still holds."""

    id: str
    title: str
    text: str
    source: str
    certainty: str
    metrics: tuple[str, ...]
    target_percent: float
    since: date
    until: date | None


@lru_cache(maxsize=1)
def all_goals() -> tuple[Goal, ...]:
    """Every version of every goal, as reference/goals.yml lists them."""
    return tuple(
        Goal(
            id=item["id"],
            title=item["title"],
            text=item["text"],
            source=item["source"],
            certainty=item["certainty"],
            metrics=tuple(item["metrics"]),
            target_percent=float(item["target_percent"]),
            since=item["since"],
            until=item["until"],
        )
        for item in load_table("goals")["goals"]
    )


def goal_on(goal_id: str, moment: datetime) -> Goal | None:
    """The version of a goal in force at a moment."""
    day = local(moment).date()
    for goal in all_goals():
        if goal.id == goal_id and goal.since <= day and (goal.until is None or day <= goal.until):
            return goal
    return None


def target_of(goal_id: str, moment: datetime) -> float | None:
    """The goal's per cent at a moment; None when there was no such goal."""
    goal = goal_on(goal_id, moment)
    return goal.target_percent if goal else None
