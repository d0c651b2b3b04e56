"""Severity follows from facts, with reasons, and never leaves its scale."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cgii.model.incidents import SEVERITIES
from cgii.respond.severity import (
    SeverityFacts,
    compute_severity,
    facts_from,
    from_level,
    type_severities,
    worse,
)

facts = st.builds(
    SeverityFacts,
    rsit_class=st.sampled_from(["", "fraud", "intrusions", "magia"]),
    rsit_type=st.sampled_from(["", "phishing", "application-compromise", "spam"]),
    affected_count=st.none() | st.integers(0, 10**7),
    service_impact=st.sampled_from(["none", "degraded", "down", "unknown"]),
    personal_data=st.sampled_from(["no", "yes", "unknown"]),
    is_ongoing=st.booleans(),
    is_critical_entity=st.booleans(),
)


@pytest.mark.parametrize(
    ("given_facts", "wanted"),
    [
        (SeverityFacts(), "medio"),
        (SeverityFacts("fraud", "phishing"), "alto"),
        (SeverityFacts("fraud", "phishing", service_impact="down"), "muy_alto"),
        (SeverityFacts("fraud", "phishing", personal_data="yes", affected_count=500), "critico"),
        (SeverityFacts("fraud", "phishing", service_impact="none", personal_data="no"), "medio"),
        (SeverityFacts("abusive-content", "spam", affected_count=100), "medio"),
        (
            SeverityFacts("availability", "ddos", is_ongoing=True, is_critical_entity=True),
            "muy_alto",
        ),
    ],
)
def test_facts_give_the_severity(given_facts: SeverityFacts, wanted: str) -> None:
    assert compute_severity(given_facts).severity == wanted


@given(facts)
def test_every_answer_is_of_the_scale_and_has_reasons(given_facts: SeverityFacts) -> None:
    found = compute_severity(given_facts)
    assert found.severity in SEVERITIES
    assert found.reasons
    assert facts_from(given_facts.as_data()) == given_facts


@given(facts, st.integers(0, 10**7))
def test_more_affected_is_never_less_severe(given_facts: SeverityFacts, more: int) -> None:
    low, high = sorted((given_facts.affected_count or 0, more))

    def rank(count: int) -> int:
        data = {**given_facts.as_data(), "affected_count": count}
        return SEVERITIES.index(compute_severity(facts_from(data)).severity)

    assert rank(low) <= rank(high)


def test_a_rule_declares_or_its_level_says() -> None:
    assert from_level("critical") == "critico"
    assert from_level("high", ("severity.muy-alto",)) == "muy_alto"
    assert from_level("high", ("severity.enorme",)) == "alto"
    assert from_level("nunca visto") == "medio"
    assert worse("alto", "muy_alto") == "muy_alto"


def test_every_type_of_the_taxonomy_has_a_severity_of_ours() -> None:
    assert all(one in SEVERITIES for types in type_severities().values() for one in types.values())
