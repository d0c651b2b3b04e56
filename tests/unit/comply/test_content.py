"""A filing's content is one text, its hash holds, and two contents are compared by field."""

import copy
from datetime import timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.orm import Session

from cgii.comply.content import (
    STATEMENT,
    canonical,
    compare,
    content_of,
    read,
    sha256_of,
    statements_by_control,
    verify,
)
from cgii.comply.controls import load_framework
from cgii.comply.evidence import attach_evidence
from cgii.comply.plans import open_plan
from cgii.model.incidents import IncidentControl
from cgii.model.plans import Submission
from cgii.store.files import Stored
from tests.make import NOW, make_incident
from tests.make_plans import make_cast, make_complete, make_filed

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("abcxyz_", min_size=1), inner),
)


@given(st.dictionaries(st.text("abcxyz_", min_size=1), json_values))
def test_the_canonical_text_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    turned = dict(reversed(value.items()))
    assert canonical(turned) == canonical(value)
    assert orjson.loads(canonical(value)) == value


def test_the_canonical_text_follows_rfc_8785() -> None:
    assert canonical({"b": [1, True, None], "a": "ñ\n\u0007/€"}) == (
        '{"a":"ñ\\n\\u0007/€","b":[1,true,null]}'
    )


def test_a_content_has_names_titles_evidence_and_incidents_as_text(session: Session) -> None:
    cast = make_cast(session)
    plan = make_complete(cast)
    attach_evidence(
        cast.officer,
        plan,
        "6.6",
        Stored("c" * 64, 5),
        file_name="respaldo.pdf",
        valid_until=NOW + timedelta(days=30),
    )
    incident = make_incident(session, entity_id=cast.entity.id)
    session.add(
        IncidentControl(
            incident_id=incident.id, entity_id=cast.entity.id, control="6.6", named_at=NOW
        )
    )
    content = content_of(session, plan)
    statement = statements_by_control(content)["6.6"]
    assert content["entity"]["name"] == cast.entity.name
    assert statement["title"] == load_framework().control("6.6").title
    assert statement["incidents"] == [incident.code]
    assert statement["evidence"] == [
        {
            "file_name": "respaldo.pdf",
            "sha256": "c" * 64,
            "size_bytes": 5,
            "valid_until": "2026-12-20T14:00:00+00:00",
            "tlp": "AMBER",
        }
    ]
    assert set(STATEMENT) <= statement.keys()
    assert content["scales"]["impact"][4]["label"] == "Catastrófico"


def test_the_hash_is_over_the_very_text(session: Session) -> None:
    submission = make_filed(make_cast(session))
    assert sha256_of(submission.content) == submission.sha256
    assert canonical(read(submission)) == submission.content
    assert read(submission)["filing"]["code"] == submission.code


@pytest.mark.parametrize("place", [0, 100, -2])
def test_one_changed_byte_is_found(session: Session, place: int) -> None:
    filed = make_filed(make_cast(session))
    text = filed.content
    place %= len(text)
    changed = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
    forged = Submission(content=changed, sha256=filed.sha256, previous_sha256="")
    assert verify(filed)
    assert not verify(forged)


def test_a_filing_put_behind_another_one_is_found(session: Session) -> None:
    one, other = make_filed(make_cast(session)), make_filed(make_cast(session))
    assert not verify(other, one)


def test_a_forged_chain_is_found_even_with_a_right_hash(session: Session) -> None:
    filed = make_filed(make_cast(session))
    forged = Submission(
        content=filed.content, sha256=filed.sha256, previous_sha256="d" * 64, number=2
    )
    assert not verify(forged, Submission(sha256="d" * 64))


def test_equal_contents_have_no_difference(session: Session) -> None:
    cast = make_cast(session)
    content = content_of(session, open_plan(cast.officer, cast.entity, 2026))
    assert compare(content, copy.deepcopy(content)) == ()


def test_every_changed_field_is_told_with_both_values(session: Session) -> None:
    cast = make_cast(session)
    before = content_of(session, make_complete(cast))
    after = copy.deepcopy(before)
    after["general"]["scope"] = "Solo la sede central."
    after["general"]["assets"].append({"name": "Portal web"})
    after["general"]["risks"].pop()
    statements_by_control(after)["10.1"].update(maturity=5)  # type: ignore[attr-defined]
    statements_by_control(after)["2.1"].update(  # type: ignore[attr-defined]
        responsible="", reason="Nuevo", evidence=[{"sha256": "e"}]
    )
    found = [(change.control, change.field, change.kind) for change in compare(before, after)]
    assert found == [
        ("", "scope", "changed"),
        ("", "assets: Portal web", "added"),
        ("", "risks: Cifrado malicioso", "removed"),
        ("2.1", "reason", "added"),
        ("2.1", "responsible", "removed"),
        ("2.1", "evidence", "added"),
        ("10.1", "maturity", "changed"),
    ]


def test_a_control_that_only_one_framework_has_is_a_difference(session: Session) -> None:
    cast = make_cast(session)
    before = content_of(session, make_complete(cast))
    after = copy.deepcopy(before)
    after["statements"] = [row for row in after["statements"] if row["control"] != "4.2"]
    gone = compare(before, after)
    assert {change.control for change in gone} == {"4.2"}
    assert {change.kind for change in gone} == {"removed"}
    assert {change.kind for change in compare(after, before)} == {"added"}
