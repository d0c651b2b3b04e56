"""From matches to alerts with a whole centre: whose they are, and what time alone decides."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from cgii.base.settings import load
from cgii.centre import Centre
from cgii.detect.tuning import switch_off
from cgii.examination import decide_windows
from cgii.model.alerts import AlertGroup, AlertRow, CorrelationLoss
from cgii.model.detection import RuleTuning
from cgii.model.entities import EntityDomain
from cgii.model.event import Origin, Raw
from cgii.model.registry import Table
from cgii.pipeline import take
from tests.make import make_entity

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
QUIET = """
title: Bloque de prueba sin noticias
id: heartbeat-silence
level: medium
correlation:
  type: silence
  rules: [heartbeat]
  group-by: [host.name]
  timespan: 30m
"""
HEARTBEAT = """
title: Latido
id: heartbeat-id
name: heartbeat
logsource: {product: linux}
detection:
  sel: {host.name|exists: true}
  condition: sel
"""


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """It shows NOW until it is set."""
    return Clock()


def made(folder: Path, clock: Clock) -> Centre:
    """A centre with one more correlation, and an entity whose host is in the records."""
    rules = folder / "site" / "rules"
    for name, text in (("sigma/linux/heartbeat", HEARTBEAT), ("correlation/quiet", QUIET)):
        path = rules / f"{name}.yml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = Centre(load(data=folder / "data", site=folder / "site"), now=clock)
    Table.metadata.create_all(found.database.engine)
    with found.database.transaction() as session:
        entity = make_entity(session)
        entity.domains.append(EntityDomain(domain="minpru.gob.bo"))
    return found


@pytest.fixture
def centre(tmp_path: Path, clock: Clock) -> Iterator[Centre]:
    """That centre."""
    found = made(tmp_path, clock)
    yield found
    found.close()


def failed_login(number: int, *, host: str = "srv-web01.minpru.gob.bo") -> Raw:
    """One of a series, a second apart, from an address of nobody."""
    at = (NOW + timedelta(seconds=number)).isoformat()
    said = f"Failed password for root from 203.0.113.9 port {4000 + number} ssh2"
    return Raw(number, f"<38>1 {at} {host} sshd {number} - - {said}".encode())


def groups(centre: Centre, rule_id: str) -> list[AlertGroup]:
    """The groups of a rule on the desk."""
    with centre.database.reading() as session:
        found = session.scalars(select(AlertGroup).where(AlertGroup.rule_id == rule_id))
        return [group for group in found if group.entity is None or group.entity.name]


def brute_force(centre: Centre) -> str:
    """The id of the shipped rule that counts failed logins."""
    rules = centre.content.rules.correlations
    return next(rule.id for rule in rules if rule.name == "ssh_brute_force")


def test_an_alert_belongs_to_the_host_that_was_hit_in_earlier_batches(centre: Centre) -> None:
    origin = Origin("linux_auth", "syslog", "1")
    take(centre, origin, [failed_login(number) for number in range(4)])
    take(centre, origin, [failed_login(4, host="-"), failed_login(5, host="-")])
    (group,) = groups(centre, brute_force(centre))
    assert group.entity is not None
    assert ["host", "srv-web01.minpru.gob.bo"] in [list(one) for one in group.observables]
    assert group.event_count == 6


def test_silence_is_told_by_the_clock_when_nobody_speaks(centre: Centre, clock: Clock) -> None:
    take(centre, Origin("linux_auth", "syslog", "1"), [failed_login(0)])
    clock.now = NOW + timedelta(minutes=34)
    assert decide_windows(centre) == 0
    clock.now = NOW + timedelta(minutes=35)
    assert decide_windows(centre) == 1
    (group,) = groups(centre, "heartbeat-silence")
    assert group.first_at == NOW + timedelta(minutes=30)
    assert group.entity is not None
    assert "callado durante 30 min" in group.summary
    assert decide_windows(centre) == 0


def told(centre: Centre) -> list[tuple[object, ...]]:
    """The alerts that were written."""
    with centre.database.reading() as session:
        query = select(AlertRow.id, AlertRow.at, AlertRow.event_ids, AlertRow.explanation)
        return [tuple(row) for row in session.execute(query.order_by(AlertRow.id))]


def test_silence_told_by_the_clock_is_the_same_alert_as_told_by_the_next_event(
    centre: Centre, tmp_path: Path, clock: Clock
) -> None:
    other = made(tmp_path / "other", clock)
    origin = Origin("linux_auth", "syslog", "1")
    for one in (centre, other):
        take(one, origin, [failed_login(0)])
    clock.now = NOW + timedelta(hours=1)
    decide_windows(centre)
    take(other, origin, [failed_login(0), failed_login(3600)])
    assert told(centre) == told(other)
    assert len(told(centre)) == 1
    other.close()


def test_a_rule_that_counts_otherwise_now_leaves_its_old_windows_alone(
    centre: Centre, tmp_path: Path, clock: Clock
) -> None:
    take(centre, Origin("linux_auth", "syslog", "1"), [failed_login(0)])
    path = tmp_path / "site" / "rules" / "correlation" / "quiet.yml"
    path.write_text(path.read_text().replace("30m", "20m"))
    centre.reload_rules()
    clock.now = NOW + timedelta(hours=1)
    assert decide_windows(centre) == 0
    assert groups(centre, "heartbeat-silence") == []


def test_what_correlations_miss_is_kept_for_the_rules_page(centre: Centre) -> None:
    origin = Origin("linux_auth", "syslog", "1")
    take(centre, origin, [failed_login(number) for number in (1000, 1001)])
    take(centre, origin, [Raw(9, failed_login(1).data)])
    with centre.database.reading() as session:
        assert session.get_one(CorrelationLoss, brute_force(centre)).late_count == 1


def test_a_tuning_takes_back_what_a_late_event_joined_to_an_earlier_episode(
    centre: Centre,
) -> None:
    with centre.database.transaction() as session:
        row_id = switch_off(
            centre.act(session), brute_force(centre), reason="x", until=None, is_watching=True
        ).id

    def counted(*numbers: int) -> tuple[int, int]:
        origin = Origin("linux_auth", "syslog", str(numbers[0]))
        take(centre, origin, [failed_login(number) for number in numbers])
        with centre.database.reading() as session:
            row = session.get_one(RuleTuning, row_id)
            return row.hidden_count, len(row.samples)

    assert counted(*range(6)) == (1, 1)
    assert counted(*range(500, 506)) == (2, 2)
    assert counted(*range(250, 256)) == (1, 1)  # one episode now, from the first to the last
