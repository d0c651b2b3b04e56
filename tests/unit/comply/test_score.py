"""Scores agree with examples done by hand, and stay in their bounds for any plan."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.comply.score import FORMULAS, Standing, score, score_plan

STATUSES = ["", "none", "planned", "partial", "implemented"]


def standing(
    applies: bool | None,
    declared: str = "",
    verified: str = "",
    *,
    has_failed: bool = False,
    control: str = "1.1",
) -> Standing:
    section = control.split(".")[0]
    return Standing(control, section, applies, declared, verified, has_failed)


# Two implemented, one partial, one planned, one not answered, one excluded:
# applicable 5, assessed 4, declared 2.5; verified: 1 + 0.5 + 0 (failed) = 1.5.
EXAMPLE = [
    standing(True, "implemented", "implemented"),
    standing(True, "implemented", "implemented", has_failed=True, control="2.1"),
    standing(True, "partial", "partial"),
    standing(True, "planned", "", control="2.2"),
    standing(None),
    standing(False, control="2.3"),
]


def test_the_example_done_by_hand() -> None:
    scores = score(EXAMPLE)
    assert (scores.coverage.value, scores.coverage.n) == (4 / 5, 5)
    assert (scores.strict.value, scores.strict.n) == (2.5 / 5, 5)
    assert (scores.optimistic.value, scores.optimistic.n) == (2.5 / 4, 4)
    assert (scores.verified.value, scores.verified.n) == (1.5 / 5, 5)
    assert scores.gap.value == pytest.approx(0.2)
    assert (scores.total, scores.excluded) == (6, 1)


def test_sections_are_scored_apart() -> None:
    plan = score_plan(EXAMPLE)
    assert list(plan.sections) == ["1", "2"]
    assert plan.whole == score(EXAMPLE)
    assert plan.sections["1"].strict.value == 1.5 / 3
    assert plan.sections["2"].strict.value == 1 / 2
    assert plan.sections["2"].verified.value == 0


def test_nothing_to_count_is_no_score_and_not_zero() -> None:
    scores = score([standing(False)])
    assert scores.coverage.value is None
    assert scores.gap.value is None
    assert scores.coverage.n == 0
    assert score([standing(None)]).optimistic.value is None


def test_a_status_under_an_excluded_or_unanswered_control_does_not_count() -> None:
    assert score([standing(None, "implemented"), standing(True, "none")]).strict.value == 0


def test_a_snapshot_carries_value_n_and_formula() -> None:
    kept = score_plan(EXAMPLE).as_json()
    assert kept["whole"]["strict"] == {"value": 0.5, "n": 5, "formula": FORMULAS["strict"]}
    assert kept["whole"]["gap"]["value"] == 0.2
    assert set(kept["sections"]) == {"1", "2"}


standings = st.lists(
    st.builds(
        standing,
        st.sampled_from([True, False, None]),
        st.sampled_from(STATUSES),
        st.sampled_from(STATUSES),
        has_failed=st.booleans(),
        control=st.sampled_from(["1.1", "2.1", "11.3"]),
    )
)


@given(standings)
def test_scores_stay_in_their_bounds(rows: list[Standing]) -> None:
    scores = score(rows)
    if scores.strict.n == 0:
        assert scores.strict.value is None
        return
    values = [scores.coverage.value, scores.strict.value, scores.verified.value]
    assert all(value is not None and 0 <= value <= 1 for value in values)
    assert scores.strict.value is not None
    assert scores.coverage.value is not None
    assert scores.gap.value is not None
    assert scores.strict.value <= scores.coverage.value
    if scores.optimistic.value is not None:
        assert scores.strict.value <= scores.optimistic.value <= 1
    assert -1 <= scores.gap.value <= 1
    assert scores.total == len(rows)


@given(standings)
def test_the_whole_is_the_weighted_mean_of_its_sections(rows: list[Standing]) -> None:
    plan = score_plan(rows)
    if plan.whole.strict.value is None:
        return
    total = sum(
        (section.strict.value or 0) * section.strict.n for section in plan.sections.values()
    )
    assert total / plan.whole.strict.n == pytest.approx(plan.whole.strict.value)


@given(standings)
def test_an_incident_never_raises_the_verified_score(rows: list[Standing]) -> None:
    failed = [
        Standing(row.control, row.section, row.applies, row.declared, row.verified, True)
        for row in rows
    ]
    if score(rows).verified.value is not None:
        assert score(failed).verified.value == 0
