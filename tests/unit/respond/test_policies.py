"""Deadlines are content: what is wrong in the file is listed with its line, the rest holds."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from cgii.respond.policies import load_policies
from tests.make import make_incident

GOOD = """
- {id: uno, label: Uno, regime: centre, stage: resolved, party: centre, starts: received,
   hours: 2, time: calendar}
"""


def site_with(folder: Path, text: str) -> Path:
    (folder / "playbooks").mkdir(exist_ok=True)
    (folder / "playbooks" / "deadlines.yml").write_text(text, encoding="utf-8")
    return folder


def test_the_shipped_file_has_no_fault() -> None:
    loaded = load_policies()
    assert loaded.rejected == ()
    assert {policy.regime for policy in loaded.policies if policy.is_active} == {
        "centre",
        "bolivia",
    }


def test_every_severity_has_one_first_response_and_one_resolution(session: Session) -> None:
    loaded = load_policies()
    for severity in ("bajo", "medio", "alto", "muy_alto", "critico"):
        incident = make_incident(session, severity=severity)
        stages = [one.stage for one in loaded.for_incident(incident) if one.party == "centre"]
        assert stages.count("acknowledged") == stages.count("resolved") == 1


def test_a_sites_file_replaces_ours(tmp_path: Path) -> None:
    site = site_with(tmp_path, f"calendar: {{department: SC}}\npolicies:{GOOD}")
    loaded = load_policies(site)
    assert [policy.id for policy in loaded.policies] == ["uno"]
    assert loaded.calendar.department == "SC"


def test_a_policy_for_one_kind_of_entity_holds_there_only(tmp_path: Path, session: Session) -> None:
    text = GOOD.replace("hours: 2", "entity_kinds: [municipality], hours: 2")
    loaded = load_policies(site_with(tmp_path, f"policies:{text}"))
    assert loaded.for_incident(make_incident(session)) == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("hours: 0", "hours"),
        ("hours: 2, time: lunar", "lunar"),
        ("hours: 2, severities: [enorme]", "enorme"),
        ("hours: 2, color: rojo", "color"),
        ("hours: 2, warn_percent: [150]", "porcentajes"),
        ("hours: 2, tell: owner", "lista"),
    ],
)
def test_a_wrong_policy_is_listed_and_the_others_hold(
    tmp_path: Path, wrong: str, said: str
) -> None:
    bad = GOOD.replace("id: uno", "id: dos").replace("hours: 2", wrong)
    if "time: lunar" in wrong:
        bad = bad.replace(", time: calendar", "")
    loaded = load_policies(site_with(tmp_path, f"policies:{GOOD}{bad}"))
    assert [policy.id for policy in loaded.policies] == ["uno"]
    (fault,) = loaded.rejected
    assert said in fault.reason
    assert fault.line is not None


@pytest.mark.parametrize("text", ["policies: [", "[]", "policies: 3", "calendar: 7\npolicies: []"])
def test_a_broken_file_is_a_sentence_not_a_crash(tmp_path: Path, text: str) -> None:
    loaded = load_policies(site_with(tmp_path, text))
    assert loaded.policies == ()
    assert len(loaded.rejected) == 1
