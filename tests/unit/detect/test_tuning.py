"""What tuning hides, counts and refuses; every deed stands in the audit trail."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base.errors import Conflict, Invalid
from cgii.detect.alerts import Match
from cgii.detect.detector import Detector
from cgii.detect.tuning import (
    end_tuning,
    enforce,
    exclude,
    load_tuning,
    note_hidden,
    override_level,
    suppress,
    switch_off,
    tuning_revision,
)
from cgii.detect.tuning_effect import Sifted
from cgii.model.detection import RuleTuning
from cgii.model.event import Alert, LogSource
from cgii.model.records import AuditEntry
from tests.make import NOW, make_act, make_user
from tests.unit.detect.build import event, rule_text, rules

WEEK = NOW + timedelta(days=7)
BASE = rule_text("sel: {a: 1}", more="name: base\nlevel: high\n")
MANY = """
---
title: Muchos
id: many
correlation: {type: event_count, rules: [base], group-by: [who], timespan: 1m, condition: {gte: 2}}
level: critical
"""
SEEN = [event({"a": 1, "who": who}, number=n) for n, who in enumerate(("ana", "ana", "EVA"))]
ON: dict[str, Any] = {"reason": "copias de respaldo", "until": WEEK, "is_watching": False}
WATCH = ON | {"is_watching": True}


def matches(text: str = BASE) -> tuple[Detector, list[Match]]:
    detector = Detector(rules(text))
    return detector, detector.match(SEEN)


def sift(session: Session, text: str = BASE, *, days: float = 0) -> Sifted:
    detector, found = matches(text)
    now = NOW + timedelta(days=days)
    return load_tuning(session, NOW).sift(found, detector.rules.logsources, now=now)


def alert(who: str, *, rule_id: str = "prueba", kind: str = "sigma", number: int = 0) -> Alert:
    return Alert(
        id=f"alert-{rule_id}-{who}-{number}", rule_id=rule_id, rule_title="Prueba",
        rule_kind=kind, level="high", at=NOW, entity_id=None, sensor_id=None, source="x",
        key=(("user.name", who), ("host.name", "srv1")), event_ids=(f"e{number}",),
        event_count=1, explanation=(),
    )  # fmt: skip


def temper(session: Session, *alerts: Alert, days: float = 0) -> list[tuple[str, str]]:
    told = load_tuning(session, NOW).temper(alerts, now=NOW + timedelta(days=days))
    note_hidden(session, told.hidden)
    return [(one.key[0][1], one.level) for one in told.alerts]


def who_of(sifted: Sifted) -> list[str]:
    return [match.event.fields["who"] for match in sifted.matches]


def test_without_tuning_everything_passes(session: Session) -> None:
    assert who_of(sift(session)) == ["ana", "ana", "EVA"]
    assert temper(session, alert("ana")) == [("ana", "high")]


def test_a_suppression_hides_one_key_whatever_its_case(session: Session) -> None:
    row = suppress(make_act(session), "prueba", key=[["user.name", "Ana"]], **ON)
    assert temper(session, alert("ana"), alert("eva")) == [("eva", "high")]
    assert row.hidden_count == 1
    assert row.last_hidden_at == NOW
    assert row.samples == [["alert-prueba-ana-0", NOW.isoformat(), "e0"]]


def test_a_suppression_wants_every_pair_of_its_key(session: Session) -> None:
    suppress(
        make_act(session), "prueba", key=[["user.name", "ana"], ["host.name", "srv2"]], **ON
    )  # fmt: skip
    assert temper(session, alert("ana")) == [("ana", "high")]


def test_a_suppression_leaves_the_matches_to_correlations(session: Session) -> None:
    suppress(make_act(session), "prueba", key=[["who", "ana"]], **ON)
    assert who_of(sift(session)) == ["ana", "ana", "EVA"]


def test_an_exclusion_takes_matches_before_a_correlation_counts_them(session: Session) -> None:
    exclude(make_act(session), "prueba", condition="who: ana", **ON)
    detector, found = matches(BASE + MANY)
    sifted = load_tuning(session, NOW).sift(found, detector.rules.logsources, now=NOW)
    assert [a.rule_id for a in detector.examine(found, {}).alerts] == ["many"]
    assert detector.examine(sifted.matches, {}).alerts == ()
    assert who_of(sifted) == ["EVA"]


def test_an_exclusion_may_be_the_detection_of_a_filter(session: Session) -> None:
    text = "one: {who: ana}\ntwo: {who|startswith: ev}\ncondition: not (one or two)"
    exclude(make_act(session), "prueba", condition=text, **ON)
    assert who_of(sift(session)) == []


def test_an_exclusion_sees_fields_where_the_logsource_keeps_them(session: Session) -> None:
    logsource = "{product: windows, category: process_creation}"
    detector = Detector(rules(rule_text("sel: {Image: x}", logsource=logsource)))
    fields = {"Channel": "Security", "EventID": 4688, "NewProcessName": "x"}
    found = detector.match([event(fields, logsource=LogSource("windows"))])
    assert len(found) == 1
    exclude(make_act(session), "prueba", condition="Image: x", **ON)
    tuning = load_tuning(session, NOW)
    assert tuning.sift(found, detector.rules.logsources, now=NOW).matches == []


def test_off_hides_matches_of_a_rule_and_alerts_of_a_correlation(session: Session) -> None:
    act = make_act(session)
    switch_off(act, "prueba", **ON)
    switch_off(act, "many", **ON)
    assert who_of(sift(session)) == []
    assert temper(session, alert("ana", rule_id="many", kind="correlation")) == []


def test_a_level_is_given_to_alerts_only_while_it_holds(session: Session) -> None:
    row = override_level(make_act(session), "prueba", level="low", **ON)
    assert temper(session, alert("ana")) == [("ana", "low")]
    assert temper(session, alert("ana"), days=8) == [("ana", "high")]
    assert row.hidden_count == 1


@pytest.mark.parametrize("verb", ["suppress", "exclude", "off", "level"])
def test_what_only_watches_counts_and_changes_nothing(session: Session, verb: str) -> None:
    act = make_act(session)
    row = {
        "suppress": lambda: suppress(act, "prueba", key=[["user.name", "ana"]], **WATCH),
        "exclude": lambda: exclude(act, "prueba", condition="who: ana", **WATCH),
        "off": lambda: switch_off(act, "prueba", **WATCH),
        "level": lambda: override_level(act, "prueba", level="low", **WATCH),
    }[verb]()
    sifted = sift(session)
    note_hidden(session, sifted.hidden)
    assert who_of(sifted) == ["ana", "ana", "EVA"]
    assert temper(session, alert("ana")) == [("ana", "high")]
    assert row.hidden_count == {"suppress": 1, "exclude": 2, "off": 3, "level": 1}[verb]


def test_the_row_that_hides_is_the_oldest_and_watchers_count_beside_it(session: Session) -> None:
    act = make_act(session)
    first = exclude(act, "prueba", condition="who: ana", **ON)
    second = switch_off(act, "prueba", **ON)
    third = exclude(act, "prueba", condition="a: 1", **WATCH)
    note_hidden(session, sift(session).hidden)
    assert [row.hidden_count for row in (first, second, third)] == [2, 1, 3]


def test_an_alert_that_grows_is_counted_once(session: Session) -> None:
    row = switch_off(make_act(session), "many", **ON)
    for _ in range(3):
        temper(session, alert("ana", rule_id="many", kind="correlation"))
    assert row.hidden_count == 1


def test_samples_are_bounded(session: Session) -> None:
    row = suppress(make_act(session), "prueba", key=[["user.name", "ana"]], **ON)
    temper(session, *(alert("ana", number=n) for n in range(50)))
    assert row.hidden_count == 50
    assert [sample[2] for sample in row.samples] == [f"e{n}" for n in range(30, 50)]


def test_what_has_expired_stops_by_itself(session: Session) -> None:
    exclude(make_act(session), "prueba", condition="who: ana", **ON)
    assert who_of(sift(session, days=6.9)) == ["EVA"]
    assert who_of(sift(session, days=7)) == ["ana", "ana", "EVA"]


def test_enforcing_begins_to_hide_and_to_count_anew(session: Session) -> None:
    act = make_act(session)
    row = suppress(act, "prueba", key=[["user.name", "ana"]], **WATCH)
    temper(session, alert("ana"))
    before = tuning_revision(session)
    enforce(act, row)
    assert tuning_revision(session) != before
    assert row.hidden_count == 0
    assert temper(session, alert("ana")) == []
    with pytest.raises(Conflict):
        enforce(act, row)


def test_ending_stops_it_and_is_done_once(session: Session) -> None:
    act = make_act(session, make_user(session))
    row = switch_off(act, "prueba", **ON)
    end_tuning(act, row)
    assert who_of(sift(session)) == ["ana", "ana", "EVA"]
    assert row.ended_by_id == act.user_id
    for deed in (end_tuning, enforce):
        with pytest.raises(Conflict, match="ya terminó"):
            deed(act, row)


def test_every_deed_is_in_the_trail(session: Session) -> None:
    act = make_act(session, make_user(session))
    row = suppress(act, "prueba", key=[["user.name", "ana"]], **WATCH)
    enforce(act, row)
    end_tuning(act, row)
    exclude(act, "prueba", condition="who: ana", **ON)
    override_level(act, "prueba", level="low", **ON)
    switch_off(act, "prueba", **ON)
    said = session.scalars(select(AuditEntry.action).order_by(AuditEntry.id)).all()
    assert said == [
        "tuning.suppress", "tuning.enforced", "tuning.ended", "tuning.exclude", "tuning.level",
        "tuning.off",
    ]  # fmt: skip
    assert session.scalars(select(AuditEntry.target)).first() == "rule:prueba"


def test_every_change_gives_another_revision(session: Session) -> None:
    act = make_act(session)
    seen = {tuning_revision(session)}
    row = suppress(act, "prueba", key=[["user.name", "ana"]], **WATCH)
    seen.add(tuning_revision(session))
    enforce(act, row)
    seen.add(tuning_revision(session))
    end_tuning(act, row)
    seen.add(tuning_revision(session))
    assert len(seen) == 4


@pytest.mark.parametrize(
    ("deed", "reason"),
    [
        (lambda a: suppress(a, "prueba", key=[], **ON), "qué clave"),
        (lambda a: suppress(a, "prueba", key=[["", "x"]], **ON), "qué clave"),
        (lambda a: suppress(a, "prueba", key=[["f", "x"]], **ON | {"until": None}), "fecha de fin"),
        (lambda a: switch_off(a, "prueba", **ON | {"until": NOW}), "ya pasó"),
        (lambda a: switch_off(a, "prueba", **ON | {"until": NOW + timedelta(401)}), "400 días"),
        (lambda a: switch_off(a, "prueba", **ON | {"reason": "  "}), "motivo"),
        (lambda a: switch_off(a, "", **ON), "qué regla"),
        (lambda a: override_level(a, "prueba", level="alto", **ON), "«alto» no existe"),
        (lambda a: exclude(a, "prueba", condition="who|nada: x", **ON), "modificador desconocido"),
        (lambda a: exclude(a, "prueba", condition="{", **ON), "YAML"),
        (lambda a: exclude(a, "prueba", condition="- a\n- b", **ON), "mapa"),
        (lambda a: exclude(a, "prueba", condition="", **ON), "un solo mapa"),
        (
            lambda a: exclude(a, "prueba", condition="sel: {a: 1}\ncondition: sel", **ON),
            "no tiene «not»",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_sentence(
    session: Session, deed: Callable[[Any], object], reason: str
) -> None:
    with pytest.raises(Invalid) as caught:
        deed(make_act(session))
    assert reason in str(caught.value)
    assert session.scalars(select(RuleTuning)).all() == []


def test_the_same_twice_is_refused_while_the_first_holds(session: Session) -> None:
    act = make_act(session)
    row = suppress(act, "prueba", key=[["user.name", "ana"]], **ON)
    suppress(act, "prueba", key=[["user.name", "eva"]], **ON)
    suppress(act, "other", key=[["user.name", "ana"]], **ON)
    with pytest.raises(Conflict):
        suppress(act, "prueba", key=[["user.name", "ANA"]], **ON)
    end_tuning(act, row)
    suppress(act, "prueba", key=[["user.name", "ana"]], **ON)
    override_level(act, "prueba", level="low", **ON)
    with pytest.raises(Conflict):
        override_level(act, "prueba", level="high", **ON)


def test_a_row_that_cannot_be_read_hides_nothing_and_is_named(session: Session) -> None:
    row = exclude(make_act(session), "prueba", condition="who: ana", **ON)
    row.condition = "who|expand: '%gone%'"
    tuning = load_tuning(session, NOW)
    assert tuning.by_rule == {}
    assert tuning.broken[0][0] == row.id
    assert "%gone%" in tuning.broken[0][1]
    again = load_tuning(session, NOW, placeholders={"gone": ["ana"]})
    assert again.broken == ()


def test_what_was_withdrawn_is_counted_no_more(session: Session) -> None:
    row = switch_off(make_act(session), "c", **WATCH)
    told = load_tuning(session, NOW).temper(
        [alert("ana", rule_id="c", kind="correlation", number=n) for n in range(3)], now=NOW
    )
    note_hidden(session, told.hidden)
    note_hidden(session, (), withdrawn={told.hidden[1].alert_id, "unknown"})
    assert (row.hidden_count, [sample[0] for sample in row.samples]) == (
        2, [told.hidden[0].alert_id, told.hidden[2].alert_id],
    )  # fmt: skip
    note_hidden(session, (), withdrawn={told.hidden[1].alert_id})
    assert row.hidden_count == 2
