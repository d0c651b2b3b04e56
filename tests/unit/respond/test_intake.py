"""Alerts fold into groups once, whatever the batches."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.model.alerts import AlertGroup, AlertRow
from cgii.model.entities import EntityNetwork
from cgii.model.event import Alert
from cgii.respond.attribution import Attributor, load_attributor
from cgii.respond.closing import CloseForm, close
from cgii.respond.groups import dismiss, promote
from cgii.respond.intake import fold_alerts
from cgii.store.database import Database
from tests.make import NOW, make_act, make_entity, make_user
from tests.unit.respond.alerts import make_alert

HOUR = timedelta(hours=1)


def groups(session: Session) -> list[AlertGroup]:
    return list(session.scalars(select(AlertGroup).order_by(AlertGroup.id)))


def test_alerts_of_one_rule_and_key_become_one_group(session: Session) -> None:
    alerts = [make_alert(at=NOW + HOUR * number) for number in range(3)]
    result = fold_alerts(make_act(session), alerts, Attributor())
    (group,) = groups(session)
    assert (result.alerts, result.groups_opened) == (3, 1)
    assert (group.alert_count, group.event_count) == (3, 18)
    assert (group.first_at, group.last_at) == (NOW, NOW + 2 * HOUR)
    assert (group.rsit_class, group.rsit_type) == ("intrusion-attempts", "brute-force")
    assert group.key_text == "source.ip=203.0.113.9"


def test_folding_again_adds_nothing(session: Session) -> None:
    alerts = [make_alert(), make_alert()]
    fold_alerts(make_act(session), [*alerts, alerts[0]], Attributor())
    again = fold_alerts(make_act(session), alerts, Attributor())
    (group,) = groups(session)
    assert (again.alerts, again.repeated, group.alert_count) == (0, 2, 2)
    assert len(session.scalars(select(AlertRow)).all()) == 2


def test_another_key_or_rule_is_another_group(session: Session) -> None:
    fold_alerts(
        make_act(session),
        [make_alert(), make_alert(key=(("source.ip", "x"),)), make_alert(rule_id="otra")],
        Attributor(),
    )
    assert len(groups(session)) == 3


def test_alerts_far_apart_start_a_new_group(session: Session) -> None:
    later = NOW + timedelta(hours=limits.GROUP_WINDOW_HOURS, seconds=1)
    fold_alerts(make_act(session), [make_alert()], Attributor())
    fold_alerts(make_act(session), [make_alert(at=later)], Attributor())
    assert [group.alert_count for group in groups(session)] == [1, 1]


def test_a_late_alert_joins_the_group_that_it_belongs_to(session: Session) -> None:
    fold_alerts(make_act(session), [make_alert()], Attributor())
    fold_alerts(make_act(session), [make_alert(at=NOW - HOUR)], Attributor())
    (group,) = groups(session)
    assert (group.first_at, group.last_at) == (NOW - HOUR, NOW)


def test_the_worst_level_gives_the_severity(session: Session) -> None:
    fold_alerts(make_act(session), [make_alert(), make_alert(level="critical")], Attributor())
    (group,) = groups(session)
    assert (group.severity, group.level) == ("critico", "critical")


def test_a_rule_may_declare_its_severity(session: Session) -> None:
    fold_alerts(make_act(session), [make_alert(tags=("severity.muy-alto",))], Attributor())
    assert groups(session)[0].severity == "muy_alto"


def test_the_entity_is_found_and_keeps_groups_apart(session: Session) -> None:
    entity = make_entity(session)
    entity.networks = [EntityNetwork(cidr="198.51.100.0/24")]
    session.flush()
    alerts = [make_alert(observables=(("ip", "198.51.100.7"),)), make_alert()]
    fold_alerts(make_act(session), alerts, load_attributor(session))
    assert [group.entity_id for group in groups(session)] == [entity.id, None]
    assert groups(session)[0].attribution == "network"


def test_a_group_in_an_open_case_goes_on_counting(session: Session) -> None:
    act = make_act(session, make_user(session))
    fold_alerts(act, [make_alert()], Attributor())
    promote(act, groups(session)[0])
    fold_alerts(act, [make_alert()], Attributor())
    (group,) = groups(session)
    assert (group.alert_count, group.state) == (2, "joined")


def test_after_the_case_is_closed_alerts_open_a_new_group(session: Session) -> None:
    act = make_act(session, make_user(session))
    fold_alerts(act, [make_alert()], Attributor())
    close(act, promote(act, groups(session)[0]), CloseForm("resolved"))
    fold_alerts(act, [make_alert()], Attributor())
    assert [group.state for group in groups(session)] == ["joined", "new"]


def test_a_dismissed_group_does_not_swallow_new_alerts(session: Session) -> None:
    act = make_act(session, make_user(session))
    fold_alerts(act, [make_alert()], Attributor())
    dismiss(act, groups(session), verdict="benign", reason="prueba autorizada")
    fold_alerts(act, [make_alert()], Attributor())
    assert [(group.state, group.alert_count) for group in groups(session)] == [
        ("dismissed", 1),
        ("new", 1),
    ]


def test_hostile_text_is_stored(session: Session) -> None:
    alert = make_alert(key=(("user.name", "a\0" + "b" * 900),), observables=(("user", "a\0b"),))
    fold_alerts(make_act(session), [alert], Attributor())
    (group,) = groups(session)
    assert "\0" not in group.key_text
    assert len(group.key_text) == limits.SHORT_TEXT_CHARS_MAX
    assert "\0" not in group.observables[0][1]


def test_observables_of_one_group_are_bounded(session: Session) -> None:
    alerts = [make_alert(observables=(("ip", f"10.0.{n // 250}.{n % 250}"),)) for n in range(300)]
    fold_alerts(make_act(session), alerts, Attributor())
    (group,) = groups(session)
    assert len(group.observables) == limits.GROUP_OBSERVABLES_MAX
    assert group.alert_count == 300


ALERTS = [
    make_alert(at=NOW + HOUR * step, key=(("source.ip", name),))
    for step, name in enumerate("aabacbbcaabcabca")
]


@given(st.lists(st.sampled_from(range(1, len(ALERTS))), max_size=5))
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_split_into_batches_gives_the_same_groups(database: Database, cuts: list[int]) -> None:
    def shape(batches: list[list[Alert]]) -> list[tuple[str, int, str]]:
        with database.transaction() as session:
            for batch in batches:
                fold_alerts(make_act(session), batch, Attributor())
            found = [(one.key_text, one.alert_count, str(one.last_at)) for one in groups(session)]
            session.rollback()
        return sorted(found)

    edges = [0, *sorted(set(cuts)), len(ALERTS)]
    batches = [ALERTS[start:end] for start, end in pairwise(edges)]
    assert shape(batches) == shape([ALERTS])


def test_an_episode_that_goes_on_brings_its_alert_up_to_date(session: Session) -> None:
    alert = make_alert(event_count=6)
    fold_alerts(make_act(session), [alert], Attributor())
    grown = replace(alert, event_count=40, at=NOW + HOUR, summary="40 eventos")

    result = fold_alerts(make_act(session), [grown], Attributor())

    (group,) = groups(session)
    assert (result.alerts, result.updated) == (0, 1)
    assert (group.alert_count, group.event_count, group.summary) == (1, 40, "40 eventos")
    assert group.last_at == NOW + HOUR
    assert fold_alerts(make_act(session), [grown], Attributor()).updated == 0


def test_a_withdrawn_alert_leaves_its_group(session: Session) -> None:
    kept, moved = make_alert(event_count=6), make_alert(event_count=5)
    fold_alerts(make_act(session), [kept, moved], Attributor())

    result = fold_alerts(make_act(session), [], Attributor(), withdrawn={moved.id})

    (group,) = groups(session)
    assert (result.withdrawn, group.alert_count, group.event_count) == (1, 1, 6)
    fold_alerts(make_act(session), [], Attributor(), withdrawn={kept.id})
    assert groups(session) == []
