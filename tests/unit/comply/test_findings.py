"""The newest verdict of somebody who looked is what counts as verified."""

from datetime import timedelta

from cgii.comply.findings import verified
from cgii.model.plans import Finding
from tests.make import NOW


def finding(number: int, verdict: str, status: str = "", hours: int = 0) -> Finding:
    return Finding(
        id=number,
        control="3.2",
        verdict=verdict,
        verified_status=status,
        made_at=NOW + timedelta(hours=hours),
    )


def test_the_newest_verdict_counts() -> None:
    rows = [finding(1, "conforms", "implemented"), finding(2, "observed", "partial", hours=1)]
    assert verified(rows)["3.2"].status == "partial"
    assert verified(rows[::-1])["3.2"].status == "partial"


def test_not_verified_never_hides_a_verdict() -> None:
    rows = [finding(1, "conforms", "implemented"), finding(2, "not_verified", hours=1)]
    assert verified(rows)["3.2"].verdict == "conforms"


def test_a_verdict_replaces_not_verified() -> None:
    rows = [finding(1, "not_verified"), finding(2, "observed", "none", hours=1)]
    assert verified(rows)["3.2"].verdict == "observed"


def test_no_findings_verify_nothing() -> None:
    assert verified([]) == {}
