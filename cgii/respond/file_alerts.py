"""Alerts of files that YARA recognises where no open incident tells of it."""

from collections.abc import Iterator, Sequence

from sqlalchemy import select

from cgii.base import ids, limits
from cgii.model.alerts import AlertRow
from cgii.model.event import Alert, MatchedField
from cgii.model.evidence_scans import EvidenceMatch
from cgii.model.incidents import Evidence
from cgii.respond.attribution import Attributor
from cgii.respond.intake import fold_alerts
from cgii.store.act import Act

KIND = "yara"
RULE_IDS = "yara."  # how the ids of these rules begin, where alerts name them
LEVEL = "medium"  # of a rule whose author gave none
PLACES_SHOWN = 5


def raise_file_alerts(act: Act, evidence: Evidence, matches: Sequence[EvidenceMatch]) -> int:
    """One alert for each rule that recognises the file; how many are new.

    A rule that recognised this piece of evidence before tells nothing more of it, however often
    it is looked into.
    """
    by_rule: dict[str, list[EvidenceMatch]] = {}
    for match in matches:
        by_rule.setdefault(match.rule, []).append(match)
    told = {_id(evidence, rule): rule for rule in by_rule}
    # Folding one again would move it to this moment, out of the month that counted it.
    for known in act.session.scalars(select(AlertRow.id).where(AlertRow.id.in_(told))):
        del by_rule[told[known]]
    alerts = [_alert(act, evidence, found) for found in by_rule.values()]
    # Whose the file is stands with it: no address has to be looked up.
    return fold_alerts(act, alerts, Attributor()).alerts


def _id(evidence: Evidence, rule: str) -> str:
    return ids.digest("yara", str(evidence.id), rule)


def _alert(act: Act, evidence: Evidence, found: Sequence[EvidenceMatch]) -> Alert:
    match = found[0]
    return Alert(
        id=_id(evidence, match.rule),
        rule_id=(RULE_IDS + match.rule.replace("/", "."))[: limits.RULE_ID_CHARS_MAX],
        rule_title=match.title,
        rule_kind=KIND,
        level=match.level or LEVEL,
        at=act.now,
        entity_id=evidence.entity_id,
        sensor_id=None,
        source="",
        key=(("file.hash.sha256", evidence.sha256),),
        event_ids=(),
        event_count=0,  # a file is none
        explanation=tuple(_places(evidence, found))[:PLACES_SHOWN],
        tags=tuple(_tags(match)),
        summary=f"YARA reconoce {evidence.file_name}: {match.title}",
        observables=(("hash", evidence.sha256),),
    )


def _places(evidence: Evidence, found: Sequence[EvidenceMatch]) -> Iterator[MatchedField]:
    for match in found:
        name = match.member or evidence.file_name
        if not match.hits:
            yield MatchedField(match.rule, "archivo", name, "la condición de la regla")
        for hit in match.hits:
            where = f"{hit['length']} bytes desde el {hit['offset']}"
            yield MatchedField(str(hit["identifier"]), name, where, "lo que busca la regla")


def _tags(match: EvidenceMatch) -> Iterator[str]:
    for family, value in (("attack", match.meta.get("attack")), ("rsit", match.meta.get("rsit"))):
        if isinstance(value, str) and value:
            yield f"{family}.{value.lower()}"
