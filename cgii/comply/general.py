"""The general part of a plan: scope, duties, method, assets and risks."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cgii.base import limits
from cgii.base.errors import Conflict
from cgii.base.labels import labels
from cgii.comply.fields import Problems
from cgii.comply.states import lock, require_editable, require_member
from cgii.model.plans import Plan
from cgii.store.act import Act

SCALE_MAX = 5  # levels 1 to 5 of reference/plans.yml


@dataclass(frozen=True)
class Duty:
    """Who holds a duty, by which letter (CITE) they were named."""

    name: str = ""
    position: str = ""
    cite: str = ""


@dataclass(frozen=True)
class Asset:
    """Something of value with what its loss would cost, 1 to 5 for each dimension."""

    name: str
    kind: str = "information"  # of plans.asset_kinds
    owner: str = ""
    confidentiality: int = 3
    integrity: int = 3
    availability: int = 3


@dataclass(frozen=True)
class Risk:
    """A line of the risk register; its level is probability × impact."""

    threat: str
    asset: str = ""  # name of an asset of this plan, or empty for all
    probability: int = 3
    impact: int = 3
    treatment: str = "mitigate"  # of plans.treatments
    controls: tuple[str, ...] = ()
    residual_probability: int = 1
    residual_impact: int = 1
    accepted_by: str = ""  # who accepts what remains


@dataclass(frozen=True)
class GeneralForm:
    """The general part as typed. It may be saved unfinished."""

    scope: str = ""
    roles: Mapping[str, Duty] = field(default_factory=dict)  # mae, rsi, csi
    risk_method: str = ""  # of plans.risk_methods
    assets: Sequence[Asset] = ()
    risks: Sequence[Risk] = ()


def save_general(act: Act, plan: Plan, form: GeneralForm, *, expected_version: int) -> Plan:
    """Save the general part; the plan has a new version after it.

    Raises InvalidForm (fields such as `assets.0.name`) and Conflict as `save_statement` does.
    """
    require_member(act, plan.entity_id)
    lock(act, plan)
    require_editable(plan)
    if plan.version != expected_version:
        raise Conflict(
            "Otra persona guardó los datos generales mientras usted los editaba. "
            "Compare las dos versiones y vuelva a guardar."
        )
    values = check_general(form, known=[statement.control for statement in plan.statements])
    changed = [name for name, value in values.items() if getattr(plan, name) != value]
    if not changed:
        return plan
    for name in changed:
        setattr(plan, name, values[name])
    plan.updated_at = act.now
    act.session.flush()  # the page needs the new version for its next save
    act.record("plan.general_saved", f"plan:{plan.id}", entity_id=plan.entity_id, changed=changed)
    return plan


def check_general(form: GeneralForm, known: Sequence[str]) -> dict[str, Any]:
    """The form as the plan's columns; raises InvalidForm. `known` are the plan's controls."""
    problems = Problems()
    values: dict[str, Any] = {
        "scope": problems.text("scope", form.scope),
        "roles": _check_roles(problems, form.roles),
        "risk_method": problems.choice(
            "risk_method", form.risk_method, ("", *labels("plans.risk_methods"))
        ),
    }
    for name, rows in (("assets", form.assets), ("risks", form.risks)):
        if len(rows) > limits.PLAN_ITEMS_MAX:
            problems.add(name, f"Registre como máximo {limits.PLAN_ITEMS_MAX} filas.")
    problems.end()
    values["assets"] = [
        _check_asset(problems, f"assets.{place}", asset) for place, asset in enumerate(form.assets)
    ]
    names = [asset["name"] for asset in values["assets"]]
    for place, name in enumerate(names):
        if name in names[:place]:
            problems.add(f"assets.{place}.name", "Ya hay un activo con este nombre.")
    values["risks"] = [
        _check_risk(problems, f"risks.{place}", risk, names=names, known=known)
        for place, risk in enumerate(form.risks)
    ]
    problems.end()
    return values


def missing_in_general(plan: Plan) -> dict[str, str]:
    """Field → what is still missing in the general part before the plan can be presented."""
    missing = {}
    if not plan.scope:
        missing["scope"] = "Describa el alcance del plan."
    for duty in ("mae", "rsi"):
        if not plan.roles.get(duty, {}).get("name"):
            missing[f"roles.{duty}.name"] = "Indique quién ejerce esta función."
    if not plan.roles.get("rsi", {}).get("cite"):
        missing["roles.rsi.cite"] = "Indique el CITE de la designación."
    if not plan.risk_method:
        missing["risk_method"] = "Elija el método de gestión de riesgos."
    if not plan.assets:
        missing["assets"] = "Registre al menos un activo de información."
    if not plan.risks:
        missing["risks"] = "Registre al menos un riesgo."
    for place, risk in enumerate(plan.risks):
        if risk["treatment"] == "accept" and not risk["accepted_by"]:
            missing[f"risks.{place}.accepted_by"] = "Indique quién acepta este riesgo."
    return missing


def risk_matrix(risks: Sequence[Mapping[str, Any]]) -> dict[tuple[int, int], int]:
    """How many risks of a plan stand in each cell (probability, impact), before treatment."""
    cells: dict[tuple[int, int], int] = {}
    for risk in risks:
        cell = (risk["probability"], risk["impact"])
        cells[cell] = cells.get(cell, 0) + 1
    return cells


def _check_roles(problems: Problems, roles: Mapping[str, Duty]) -> dict[str, dict[str, str]]:
    checked = {}
    for code in labels("plans.roles"):
        duty = roles.get(code, Duty())
        checked[code] = {
            name: problems.text(f"roles.{code}.{name}", value, most=limits.NAME_CHARS_MAX)
            for name, value in asdict(duty).items()
        }
    return checked


def _check_asset(problems: Problems, place: str, asset: Asset) -> dict[str, Any]:
    for name in ("confidentiality", "integrity", "availability"):
        problems.number(f"{place}.{name}", getattr(asset, name), least=1, most=SCALE_MAX)
    problems.choice(f"{place}.kind", asset.kind, labels("plans.asset_kinds"))
    return asdict(asset) | {
        "name": problems.required(f"{place}.name", asset.name, most=limits.NAME_CHARS_MAX),
        "owner": problems.text(f"{place}.owner", asset.owner, most=limits.NAME_CHARS_MAX),
    }


def _check_risk(
    problems: Problems, place: str, risk: Risk, *, names: Sequence[str], known: Sequence[str]
) -> dict[str, Any]:
    for name in ("probability", "impact", "residual_probability", "residual_impact"):
        problems.number(f"{place}.{name}", getattr(risk, name), least=1, most=SCALE_MAX)
    problems.choice(f"{place}.treatment", risk.treatment, labels("plans.treatments"))
    problems.choice(f"{place}.asset", risk.asset.strip(), ("", *names))
    if not set(risk.controls) <= set(known):
        problems.add(f"{place}.controls", "Elija controles de este plan.")
    before, after = risk.probability * risk.impact, risk.residual_probability * risk.residual_impact
    if after > before:
        problems.add(f"{place}.residual_impact", "El riesgo residual no puede ser mayor.")
    return asdict(risk) | {
        "threat": problems.required(f"{place}.threat", risk.threat, most=limits.NAME_CHARS_MAX),
        "asset": risk.asset.strip(),
        "controls": list(risk.controls),
        "accepted_by": problems.text(
            f"{place}.accepted_by", risk.accepted_by, most=limits.NAME_CHARS_MAX
        ),
    }
