"""Builds alerts as the detector gives them."""

import itertools
from dataclasses import replace
from typing import Any

from cgii.model.event import Alert, MatchedField
from tests.make import NOW

_numbers = itertools.count(1)

BRUTE_FORCE = Alert(
    id="",
    rule_id="ssh-fuerza-bruta",
    rule_title="Fuerza bruta por SSH",
    rule_kind="correlation",
    level="medium",
    at=NOW,
    entity_id=None,
    sensor_id=None,
    source="linux_auth",
    key=(("source.ip", "203.0.113.9"),),
    event_ids=("e1", "e2"),
    event_count=6,
    explanation=(MatchedField("sel", "message", "Failed password", "contains 'Failed'"),),
    tags=("attack.t1110", "rsit.intrusion-attempts.brute-force"),
    summary="6 eventos en 300 s para source.ip=203.0.113.9",
)


def make_alert(**given: Any) -> Alert:
    """A brute-force alert with an id of its own."""
    return replace(BRUTE_FORCE, **({"id": f"{next(_numbers):032x}"} | given))
