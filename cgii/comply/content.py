"""What a filing contains: one canonical JSON text with a hash, and the difference of two."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.orm import Session

from cgii.base.labels import load_table
from cgii.comply.controls import in_order, load_framework
from cgii.comply.evidence import evidence_of
from cgii.comply.failures import NamedControl, must_answer
from cgii.comply.statements import form_of, statements_in_order
from cgii.model.incidents import Evidence
from cgii.model.plans import ControlStatement, Plan, Submission

FORMAT = 1  # of this JSON; a reader of old filings needs it
GENERAL = ("scope", "roles", "risk_method", "assets", "risks")
STATEMENT = (
    "applies",
    "reason",
    "status",
    "maturity",
    "target",
    "statement",
    "responsible",
    "due_on",
    "incident_answer",
    "evidence",
)

Content = dict[str, Any]  # a JSON object; its shape is `content_of`


@dataclass(frozen=True)
class Change:
    """One field that differs between two filings; `control` is empty for general data."""

    control: str
    field: str  # of STATEMENT or GENERAL; for a list with its row: "risks: Ransomware"
    kind: str  # added removed changed
    before: object
    after: object


def content_of(session: Session, plan: Plan) -> Content:
    """All that the plan says now. Names stand in it as text, so that later changes of entities,
    frameworks and scales leave a filing as it was."""
    framework = load_framework(plan.framework)
    proofs = evidence_of(session, plan)
    named = must_answer(session, plan)
    entity = plan.entity
    return {
        "format": FORMAT,
        "entity": {"code": entity.code, "name": entity.name, "acronym": entity.acronym},
        "year": plan.year,
        "framework": {"urn": framework.urn, "name": framework.name},
        "approval": {
            "cite": plan.approval_cite,
            "approved_at": plan.approved_at.isoformat() if plan.approved_at else None,
        },
        "general": {name: getattr(plan, name) for name in GENERAL},
        "scales": load_table("plans")["scales"],
        "statements": [
            _statement(
                statement,
                framework.control(statement.control).title,
                proofs.get(statement.control, ()),
                named.get(statement.control, ()),
            )
            for statement in statements_in_order(plan)
        ],
    }


def canonical(content: Content) -> str:
    """The one text of a content: RFC 8785 for our values (texts, whole numbers, ASCII keys)."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS).decode()


def sha256_of(text: str) -> str:
    """The hash that stands on the receipt."""
    return hashlib.sha256(text.encode()).hexdigest()


def read(submission: Submission) -> Content:
    """The content of a filing."""
    content: Content = orjson.loads(submission.content)
    return content


def verify(submission: Submission, previous: Submission | None = None) -> bool:
    """Whether a filing is what its receipt says, and follows the filing before it."""
    return (
        sha256_of(submission.content) == submission.sha256
        and read(submission)["filing"]["previous_sha256"] == submission.previous_sha256
        and submission.previous_sha256 == (previous.sha256 if previous else "")
    )


def statements_by_control(content: Content) -> dict[str, Mapping[str, Any]]:
    """Control → its statement in a content."""
    return {statement["control"]: statement for statement in content["statements"]}


def compare(before: Content, after: Content) -> tuple[Change, ...]:
    """Every field that differs: general data first, then controls in order."""
    changes = list(_compare_general(before["general"], after["general"]))
    old, new = statements_by_control(before), statements_by_control(after)
    for control in sorted(old.keys() | new.keys(), key=in_order):
        changes += _compare_statement(control, old.get(control), new.get(control))
    return tuple(changes)


def diff(before: Submission, after: Submission) -> tuple[Change, ...]:
    """Every field that differs between two filings."""
    return compare(read(before), read(after))


def _compare_general(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in ("scope", "risk_method", "roles"):
        if old[name] != new[name]:
            yield Change("", name, "changed", old[name], new[name])
    for name, key in (("assets", "name"), ("risks", "threat")):
        earlier, later = _rows(old[name], key), _rows(new[name], key)
        for row in dict.fromkeys((*earlier, *later)):
            one, two = earlier.get(row), later.get(row)
            if one != two:
                yield Change("", f"{name}: {row}", _kind(one, two), one, two)


def _rows(rows: Sequence[Mapping[str, Any]], key: str) -> dict[str, list[Mapping[str, Any]]]:
    # Two risks may have the same threat, on different assets.
    found: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault(row[key], []).append(row)
    return found


def _compare_statement(
    control: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None
) -> Iterator[Change]:
    for name in STATEMENT:
        one, two = (old or {}).get(name), (new or {}).get(name)
        if one != two and not (_is_empty(one) and _is_empty(two)):
            yield Change(control, name, _kind(one, two), one, two)


def _kind(before: object, after: object) -> str:
    if _is_empty(before):
        return "added"
    return "removed" if _is_empty(after) else "changed"


def _is_empty(value: object) -> bool:
    return value in (None, "", [])


def _statement(
    statement: ControlStatement,
    title: str,
    proofs: Sequence[Evidence],
    named: Sequence[NamedControl],
) -> dict[str, Any]:
    form = form_of(statement)
    return vars(form) | {
        "control": statement.control,
        "title": title,
        "due_on": form.due_on.isoformat() if form.due_on else None,
        "incidents": [fact.incident_code for fact in named],
        "evidence": [
            {
                "file_name": proof.file_name,
                "sha256": proof.sha256,
                "size_bytes": proof.size_bytes,
                "valid_until": proof.valid_until.isoformat() if proof.valid_until else None,
                "tlp": proof.tlp,
            }
            for proof in proofs
        ],
    }
