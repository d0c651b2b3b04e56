"""The shipped controls are complete, in our own words, and fit the words of the plans."""

import re

from cgii.base.labels import labels
from cgii.comply.content import GENERAL, STATEMENT
from cgii.comply.controls import load_framework
from cgii.comply.decisions import OUTCOMES
from cgii.comply.findings import VERDICTS
from cgii.comply.statements import STATUSES
from cgii.model.plans import PLAN_STATES

FRAMEWORK = load_framework()


def test_there_are_eleven_sections_and_a_full_set_of_controls() -> None:
    assert [section.code for section in FRAMEWORK.sections] == [str(n) for n in range(1, 12)]
    assert 55 <= len(FRAMEWORK.controls) <= 75


def test_controls_are_numbered_without_gaps() -> None:
    for section in FRAMEWORK.sections:
        expected = [f"{section.code}.{n}" for n in range(1, len(section.controls) + 1)]
        assert [control.code for control in section.controls] == expected


def test_guidance_is_two_to_four_sentences() -> None:
    for control in FRAMEWORK.controls.values():
        sentences = re.findall(r"[^.]+\.(?:\s|$)", control.guidance)
        assert 2 <= len(sentences) <= 4, control.code


def test_texts_are_sentences_and_titles_are_not() -> None:
    for control in FRAMEWORK.controls.values():
        assert not control.title.endswith("."), control.code
        for text in (control.objective, control.guidance, control.evidence):
            assert text.endswith("."), control.code
            assert text[0].isupper(), control.code


def test_titles_differ() -> None:
    titles = [control.title for control in FRAMEWORK.controls.values()]
    assert len(set(titles)) == len(titles)


def test_iso_clauses_have_the_form_of_their_edition() -> None:
    for control in FRAMEWORK.controls.values():
        assert control.iso_2013, control.code
        assert control.iso_2022, control.code
        for clause in control.iso_2013:
            assert re.fullmatch(r"([5-9]|1[0-8])\.[1-9]\.\d{1,2}", clause), control.code
        for clause in control.iso_2022:
            theme, number = (int(part) for part in clause.split("."))
            assert 1 <= number <= {5: 37, 6: 8, 7: 14, 8: 34}[theme], control.code


def test_every_code_of_a_plan_has_a_word() -> None:
    assert set(labels("plans.states")) == set(PLAN_STATES)
    assert tuple(labels("plans.statuses")) == STATUSES
    assert tuple(labels("plans.verdicts")) == VERDICTS
    assert tuple(labels("plans.outcomes")) == OUTCOMES
    assert {*STATEMENT, *GENERAL} <= set(labels("plans.fields"))
