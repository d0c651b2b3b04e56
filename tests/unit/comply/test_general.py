"""The general part of a plan is checked row by row."""

from dataclasses import replace

import pytest
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict, InvalidForm, NotFound
from cgii.comply.general import (
    Asset,
    Duty,
    GeneralForm,
    Risk,
    check_general,
    missing_in_general,
    risk_matrix,
    save_general,
)
from cgii.comply.plans import mark_ready, open_plan
from tests.make_plans import GENERAL, make_cast, make_complete

KNOWN = ["6.6", "6.7"]


def problems_of(form: GeneralForm) -> set[str]:
    with pytest.raises(InvalidForm) as caught:
        check_general(form, KNOWN)
    return set(caught.value.problems)


def test_the_general_part_is_saved_with_a_new_version(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    before = plan.version
    save_general(cast.officer, plan, GENERAL, expected_version=before)
    assert plan.version == before + 1
    assert plan.roles["rsi"] == {
        "name": "Luis Mamani",
        "position": "Jefe de Sistemas",
        "cite": "MEMO-12/2026",
    }
    assert plan.roles["csi"]["name"] == ""
    assert plan.risks[0]["controls"] == ["6.6", "6.7"]
    assert missing_in_general(plan) == {}


def test_two_officers_on_the_general_part_get_a_conflict(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    before = plan.version
    save_general(cast.officer, plan, GENERAL, expected_version=before)
    with pytest.raises(Conflict, match="Otra persona"):
        save_general(cast.officer, plan, replace(GENERAL, scope="x"), expected_version=before)


def test_a_locked_or_foreign_plan_is_refused(session: Session) -> None:
    cast, other = make_cast(session), make_cast(session)
    plan = make_complete(cast)
    with pytest.raises(NotFound):
        save_general(other.officer, plan, GENERAL, expected_version=plan.version)
    mark_ready(cast.officer, plan)
    with pytest.raises(Conflict, match="no se puede modificar"):
        save_general(cast.officer, plan, GENERAL, expected_version=plan.version)


def test_an_empty_general_part_may_be_saved_and_lacks_everything(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    save_general(cast.officer, plan, GeneralForm(), expected_version=plan.version)
    assert set(missing_in_general(plan)) == {
        "scope",
        "roles.mae.name",
        "roles.rsi.name",
        "roles.rsi.cite",
        "risk_method",
        "assets",
        "risks",
    }


def test_each_row_at_fault_is_named() -> None:
    assert problems_of(
        GeneralForm(
            risk_method="guess",
            roles={"mae": Duty("x" * 201)},
        )
    ) == {"risk_method", "roles.mae.name"}
    assert problems_of(
        GeneralForm(
            assets=(Asset("A", availability=6), Asset(" "), Asset("A"), Asset("B", "thing")),
            risks=(
                Risk("R", probability=0, residual_probability=0),
                Risk("", asset="nadie"),
                Risk("R", treatment="pray"),
                Risk("R", controls=("9.9",)),
                Risk("R", probability=1, impact=1, residual_impact=2),
            ),
        )
    ) == {
        "assets.0.availability",
        "assets.1.name",
        "assets.2.name",
        "assets.3.kind",
        "risks.0.probability",
        "risks.0.residual_probability",
        "risks.1.threat",
        "risks.1.asset",
        "risks.2.treatment",
        "risks.3.controls",
        "risks.4.residual_impact",
    }


def test_too_many_rows_are_refused() -> None:
    many = tuple(Asset(f"A{number}") for number in range(limits.PLAN_ITEMS_MAX + 1))
    assert problems_of(GeneralForm(assets=many)) == {"assets"}


def test_an_accepted_risk_needs_somebody_who_accepts_it(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    accepted = Risk("Robo", treatment="accept")
    form = replace(GENERAL, risks=(accepted,))
    save_general(cast.officer, plan, form, expected_version=plan.version)
    assert set(missing_in_general(plan)) == {"risks.0.accepted_by"}


def test_the_matrix_counts_risks_by_cell() -> None:
    risks = check_general(
        GeneralForm(risks=(Risk("A", "", 4, 5), Risk("B", "", 4, 5), Risk("C", "", 1, 2))), KNOWN
    )["risks"]
    assert risk_matrix(risks) == {(4, 5): 2, (1, 2): 1}
