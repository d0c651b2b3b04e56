"""What a scan said is kept, told once, and shared with the entity only on purpose."""

from datetime import timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.errors import Conflict
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.evidence_scans import EvidenceMatch, EvidenceScan
from cgii.model.incidents import Entry, Evidence, Incident, Observable
from cgii.model.people import Role
from cgii.model.records import AuditEntry, Job
from cgii.model.verdicts import FileMatch, Hit, Verdict
from cgii.respond.evidence import attach, share, withdraw
from cgii.respond.evidence_scans import (
    ask_scan,
    keep_verdict,
    outdated_evidence,
    share_verdict,
    waiting_scans,
)
from cgii.store.files import Stored
from tests.make import NOW, make_act, make_incident, make_user

FILE = Stored("ab" * 32, 12)
HIT = Hit("$a", 3, 4, "cd" * 32)
MATCH = FileMatch("uno", "familia", ("etiqueta",), {"title": "Uno", "level": "high"}, "", (HIT,))
OTHER = FileMatch("dos", "familia", (), {}, "dentro.txt", ())
FOUND = Verdict("match", (), (MATCH,), bytes_scanned=12, seconds=0.1, rules_version="v1")
CLEAN = Verdict("clean", rules_version="v1")


def kept(session: Session, **given: object) -> tuple[Incident, Evidence]:
    """A case with a file."""
    incident = make_incident(session)
    evidence = attach(make_act(session), FILE, "a.php", incident=incident, **given)
    return incident, evidence


def texts(session: Session, incident: Incident) -> list[str]:
    """The lines of the timeline."""
    query = select(Entry.text).where(Entry.incident_id == incident.id).order_by(Entry.id)
    return list(session.scalars(query))


def test_a_kept_file_waits_to_be_looked_into(session: Session) -> None:
    _, evidence = kept(session)
    job = session.scalars(select(Job).where(Job.name == "scan_evidence")).one()
    assert job.arguments == {"evidence_id": evidence.id}
    assert waiting_scans(session, [evidence.id, 999]) == {evidence.id}


def test_asking_again_while_it_waits_adds_no_second_job(session: Session) -> None:
    _, evidence = kept(session)
    ask_scan(make_act(session, make_user(session)), evidence)
    assert session.scalar(select(func.count()).where(Job.name == "scan_evidence")) == 1
    assert "evidence.scan_asked" in session.scalars(select(AuditEntry.action)).all()


def test_withdrawn_evidence_is_not_looked_into(session: Session) -> None:
    _, evidence = kept(session)
    withdraw(make_act(session), evidence, reason="equivocada")
    with pytest.raises(Conflict):
        ask_scan(make_act(session), evidence)


def test_a_match_is_kept_and_told_but_not_to_the_entity(session: Session) -> None:
    incident, evidence = kept(session, is_shared=True)
    scan = keep_verdict(make_act(session), evidence, FOUND)
    [match] = scan.matches
    assert (match.rule, match.title, match.level) == ("familia/uno", "Uno", "high")
    assert match.hits == [{"identifier": "$a", "offset": 3, "length": 4, "sha256": "cd" * 32}]
    assert texts(session, incident)[-1] == "YARA reconoce a.php: Uno."
    entry = session.scalars(select(Entry).order_by(Entry.id.desc())).first()
    assert entry is not None
    assert (entry.is_shared, scan.is_shared) == (False, False)
    observable = session.scalars(select(Observable)).one()
    assert (observable.kind, observable.value) == ("hash", FILE.sha256)


def test_the_same_match_is_told_once_and_a_new_one_again(session: Session) -> None:
    incident, evidence = kept(session)
    for verdict in (FOUND, FOUND, Verdict("match", (), (MATCH, OTHER), rules_version="v2")):
        keep_verdict(make_act(session), evidence, verdict)
    told = [text for text in texts(session, incident) if text.startswith("YARA")]
    assert told == ["YARA reconoce a.php: Uno.", "YARA reconoce a.php: Uno; dos."]


@pytest.mark.parametrize("verdict", [CLEAN, Verdict("unknown", ("timeout",), rules_version="v1")])
def test_without_a_match_the_timeline_stays_as_it_is(session: Session, verdict: Verdict) -> None:
    incident, evidence = kept(session)
    before = texts(session, incident)
    scan = keep_verdict(make_act(session), evidence, verdict)
    assert texts(session, incident) == before
    assert (scan.outcome, scan.reasons) == (verdict.outcome, list(verdict.reasons))


def test_one_scan_is_the_latest_and_old_ones_go(session: Session) -> None:
    _, evidence = kept(session)
    for number in range(limits.EVIDENCE_SCANS_KEPT + 5):
        act = make_act(session, now=NOW + timedelta(hours=number))
        keep_verdict(act, evidence, FOUND)
    scans = session.scalars(select(EvidenceScan).order_by(EvidenceScan.id)).all()
    assert [scan.is_latest for scan in scans] == [False] * (limits.EVIDENCE_SCANS_KEPT - 1) + [True]
    assert session.scalar(select(func.count(EvidenceMatch.id))) == len(scans)


def test_a_verdict_is_shared_once_and_after_its_file(session: Session) -> None:
    incident, evidence = kept(session)
    scan = keep_verdict(make_act(session), evidence, FOUND)
    act = make_act(session, make_user(session, Role.ANALYST))
    with pytest.raises(Conflict, match="Comparta primero el archivo"):
        share_verdict(act, scan)
    share(act, evidence)
    share_verdict(act, scan)
    share_verdict(act, scan)
    assert scan.is_shared
    assert sum("Resultado del análisis" in text for text in texts(session, incident)) == 1


def test_a_shared_verdict_is_not_forgotten(session: Session) -> None:
    _, evidence = kept(session, is_shared=True)
    shared = keep_verdict(make_act(session), evidence, FOUND)
    share_verdict(make_act(session, make_user(session)), shared)
    for _ in range(limits.EVIDENCE_SCANS_KEPT + 5):
        keep_verdict(make_act(session), evidence, CLEAN)
    assert session.get(EvidenceScan, shared.id) is not None


def test_files_that_todays_rules_did_not_see_are_named(session: Session) -> None:
    _, seen = kept(session)
    _, older = kept(session)
    _, never = kept(session)
    _, gone = kept(session)
    keep_verdict(make_act(session), seen, CLEAN)
    keep_verdict(make_act(session), older, Verdict("clean", rules_version="v0"))
    withdraw(make_act(session), gone, reason="equivocada")
    assert outdated_evidence(session, "v1") == [(never.id, 12), (older.id, 12)]


def alerts(session: Session) -> list[tuple[str, str, int | None, int]]:
    """Rule, severity, entity and number of alerts of each group on the desk."""
    rows = session.scalars(select(AlertGroup).order_by(AlertGroup.id))
    return [(row.rule_id, row.severity, row.entity_id, row.alert_count) for row in rows]


def test_a_match_in_an_open_incident_is_told_there_alone(session: Session) -> None:
    _, evidence = kept(session)
    keep_verdict(make_act(session), evidence, FOUND)
    assert alerts(session) == []


def test_a_match_in_a_closed_incident_is_an_alert_once(session: Session) -> None:
    incident, evidence = kept(session)
    incident.closed_at = NOW
    both = Verdict("match", (), (MATCH, OTHER), rules_version="v2")
    for verdict in (FOUND, CLEAN, FOUND, both):
        keep_verdict(make_act(session), evidence, verdict)
    assert alerts(session) == [
        ("yara.familia.uno", "alto", evidence.entity_id, 1),
        ("yara.familia.dos", "medio", evidence.entity_id, 1),
    ]
    group = session.scalars(select(AlertGroup)).first()
    assert group is not None
    assert (group.summary, group.observables) == ("YARA reconoce a.php: Uno", [["hash", "ab" * 32]])


def test_an_alert_of_a_file_stays_where_it_was_when_other_rules_recognise_it(
    session: Session,
) -> None:
    incident, evidence = kept(session)
    incident.closed_at = NOW
    keep_verdict(make_act(session), evidence, FOUND)
    both = Verdict("match", (), (MATCH, OTHER), rules_version="v2")
    later = NOW + timedelta(days=40)
    keep_verdict(make_act(session, now=later), evidence, both)
    assert session.scalars(select(AlertRow.at).order_by(AlertRow.at)).all() == [NOW, later]
    assert session.scalars(select(AlertGroup.last_at).order_by(AlertGroup.id)).all() == [NOW, later]


def test_a_match_in_a_file_without_an_incident_is_an_alert(session: Session) -> None:
    _, evidence = kept(session)
    evidence.incident_id = None
    keep_verdict(make_act(session), evidence, FOUND)
    assert [group[0] for group in alerts(session)] == ["yara.familia.uno"]
