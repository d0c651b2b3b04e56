"""Scores of real plans count verdicts and later incidents; what was kept stays as it was."""

from datetime import date

import pytest
from sqlalchemy.orm import Session

from cgii.comply.controls import load_framework
from cgii.comply.decisions import DecisionForm, decide
from cgii.comply.plans import open_plan
from cgii.comply.review import FindingForm
from cgii.comply.snapshots import draft_scores, snapshots_of, submission_scores
from tests.make import make_incident
from tests.make_plans import DONE, EXCLUDED, PLANNED, make_cast, make_filed, make_read, save
from tests.unit.comply.test_failures import name_control

N = len(load_framework().controls)


def test_a_draft_is_scored_as_it_is_written(session: Session) -> None:
    cast = make_cast(session)
    plan = open_plan(cast.officer, cast.entity, 2026)
    save(cast.officer, plan, "4.1", DONE)
    save(cast.officer, plan, "4.2", PLANNED)
    save(cast.officer, plan, "4.3", EXCLUDED)
    session.refresh(plan)
    scores = draft_scores(plan)
    assert scores.sections["4"].coverage.value == 1
    assert scores.sections["4"].strict.value == 0.5
    assert scores.whole.coverage.n == N - 1
    assert scores.whole.verified.value == 0


def test_the_gap_is_what_was_declared_and_not_seen(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    assert submission_scores(session, submission).whole.gap.value == 1
    make_read(
        cast,
        submission,
        {"4.1": FindingForm("conforms"), "4.2": FindingForm("observed", "partial", 1, "A medias")},
    )
    scores = submission_scores(session, submission)
    assert scores.sections["4"].verified.value == pytest.approx(1.5 / 3)
    assert scores.sections["4"].gap.value == pytest.approx(0.5)
    assert scores.whole.verified.value == pytest.approx(1.5 / N)


def test_an_incident_after_the_verdict_takes_it_out_of_the_verified_score(
    session: Session,
) -> None:
    cast, other = make_cast(session), make_cast(session)
    submission = make_filed(cast)
    make_read(
        cast, submission, {code: FindingForm("conforms") for code in load_framework().controls}
    )
    assert submission_scores(session, submission).whole.verified.value == 1
    name_control(session, make_incident(session, entity_id=other.entity.id), "6.6", days=3)
    name_control(session, make_incident(session, entity_id=cast.entity.id), "6.7", days=-3)
    assert submission_scores(session, submission).whole.verified.value == 1
    name_control(session, make_incident(session, entity_id=cast.entity.id), "6.6", days=3)
    assert submission_scores(session, submission).whole.verified.value == pytest.approx((N - 1) / N)


def test_a_kept_score_is_not_computed_again(session: Session) -> None:
    cast = make_cast(session)
    submission = make_filed(cast)
    make_read(
        cast, submission, {code: FindingForm("conforms") for code in load_framework().controls}
    )
    decide(cast.reviewer, submission, DecisionForm("accepted", "", date(2027, 12, 31)))
    name_control(session, make_incident(session, entity_id=cast.entity.id), "6.6", days=3)
    filed, decided = snapshots_of(session, submission.plan)
    assert filed.scores["whole"]["verified"]["value"] == 0
    assert decided.scores["whole"]["verified"]["value"] == 1
    assert decided.scores["submission"] == submission.code
    assert decided.scores["framework"] == load_framework().urn
