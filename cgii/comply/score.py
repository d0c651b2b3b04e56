"""Scores of a plan: what is declared, what is verified, and the gap. Pure functions."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

VALUES = {"implemented": 1.0, "partial": 0.5, "planned": 0.0, "none": 0.0}
FORMULAS = {
    "coverage": "controles aplicables con estado declarado ÷ controles aplicables",
    "strict": "(implementados + ½ parciales) ÷ controles aplicables; sin respuesta vale 0",
    "optimistic": "(implementados + ½ parciales) ÷ controles aplicables con estado declarado",
    "verified": "(implementados + ½ parciales según el CGII) ÷ controles aplicables; "
    "sin verificar, o señalado por un incidente posterior, vale 0",
    "gap": "puntaje declarado (estricto) − puntaje verificado",
}


@dataclass(frozen=True)
class Standing:
    """How one control stands: declared by the entity, verified by the centre."""

    control: str
    section: str
    applies: bool | None
    declared: str  # status; empty: not said
    verified: str = ""  # status; empty: not verified
    has_failed: bool = False  # an incident named it after it was verified


@dataclass(frozen=True)
class Figure:
    """One score. `value` is None where there is nothing to count (n = 0)."""

    value: float | None
    n: int
    formula: str


@dataclass(frozen=True)
class Scores:
    """The five scores of a set of controls, and how many of them don't apply."""

    coverage: Figure
    strict: Figure
    optimistic: Figure
    verified: Figure
    gap: Figure
    total: int
    excluded: int

    def as_json(self) -> dict[str, Any]:
        """For a snapshot: values rounded to six places, with n and formula."""
        figures = {
            name: {
                "value": None if figure.value is None else round(figure.value, 6),
                "n": figure.n,
                "formula": figure.formula,
            }
            for name, figure in (
                ("coverage", self.coverage),
                ("strict", self.strict),
                ("optimistic", self.optimistic),
                ("verified", self.verified),
                ("gap", self.gap),
            )
        }
        return figures | {"total": self.total, "excluded": self.excluded}


@dataclass(frozen=True)
class PlanScores:
    """The scores of a whole plan and of each section, by its code."""

    whole: Scores
    sections: dict[str, Scores]

    def as_json(self) -> dict[str, Any]:
        """For a snapshot."""
        return {
            "whole": self.whole.as_json(),
            "sections": {code: scores.as_json() for code, scores in self.sections.items()},
        }


def score(standings: Sequence[Standing]) -> Scores:
    """The scores of these controls, each of the same weight."""
    applicable = [standing for standing in standings if standing.applies is not False]
    assessed = [standing for standing in applicable if standing.applies and standing.declared]
    declared = sum(VALUES[standing.declared] for standing in assessed)
    verified = sum(_verified(standing) for standing in applicable)
    n = len(applicable)
    strict, seen = _share(declared, n), _share(verified, n)
    return Scores(
        coverage=_figure("coverage", _share(len(assessed), n), n),
        strict=_figure("strict", strict, n),
        optimistic=_figure("optimistic", _share(declared, len(assessed)), len(assessed)),
        verified=_figure("verified", seen, n),
        gap=_figure("gap", None if strict is None or seen is None else strict - seen, n),
        total=len(standings),
        excluded=len(standings) - n,
    )


def score_plan(standings: Iterable[Standing]) -> PlanScores:
    """The scores of a plan, whole and by section."""
    every = list(standings)
    sections: dict[str, list[Standing]] = {}
    for standing in every:
        sections.setdefault(standing.section, []).append(standing)
    return PlanScores(score(every), {code: score(rows) for code, rows in sections.items()})


def _verified(standing: Standing) -> float:
    return 0.0 if standing.has_failed else VALUES.get(standing.verified, 0.0)


def _share(part: float, whole: int) -> float | None:
    return part / whole if whole else None


def _figure(name: str, value: float | None, n: int) -> Figure:
    return Figure(value, n, FORMULAS[name])
