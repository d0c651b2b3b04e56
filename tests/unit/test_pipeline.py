"""The path from a batch to its alerts, with a centre but without a network."""

from pathlib import Path

import pytest
from sqlalchemy import func, select

from cgii.cli.local import deliver_to, positions_of
from cgii.collect.buffer import Batch
from cgii.collect.inputs.follow import FORGOTTEN, Position
from cgii.model.alerts import AlertGroup
from cgii.model.entities import EntityDomain
from cgii.model.event import Origin, Raw
from cgii.model.records import Batch as Mark
from cgii.model.records import SourceVolume
from cgii.pipeline import take
from cgii.store.events import EventQuery
from tests.make import make_entity
from tests.make_web import make_centre


def failed_login(number: int) -> bytes:
    at = f"2026-11-20T03:00:{number:02d}-04:00"
    said = f"Failed password for root from 203.0.113.9 port {4000 + number} ssh2"
    return f"<38>1 {at} srv-web01.minpru.gob.bo sshd {number} - - {said}".encode()


def test_the_alert_of_a_correlation_belongs_to_the_entity_whose_host_was_hit(
    tmp_path: Path,
) -> None:
    centre = make_centre(tmp_path)
    with centre.database.transaction() as session:
        entity = make_entity(session)
        entity.domains.append(EntityDomain(domain="minpru.gob.bo"))
        entity_id = entity.id
    origin = Origin("linux_auth", "syslog", "1")
    take(centre, origin, [Raw(number, failed_login(number)) for number in range(6)])
    with centre.database.reading() as session:
        group = session.scalars(select(AlertGroup)).one()
        assert group.entity_id == entity_id
        assert ["host", "srv-web01.minpru.gob.bo"] in [list(one) for one in group.observables]
    centre.close()


def test_a_followed_file_is_known_before_its_first_line_is_kept(tmp_path: Path) -> None:
    centre = make_centre(tmp_path)
    origin = Origin("linux_auth", "file:/var/log/auth.log", "epoch")
    start = Position(origin.stream, origin.epoch, 0, 0)
    take(centre, origin, [], positions=[start])
    assert positions_of(centre) == {origin.stream: start}
    after = Position(origin.stream, origin.epoch, 200, 2)
    receipt = take(centre, origin, [Raw(n, failed_login(n)) for n in range(2)], positions=[after])
    assert (receipt.events, receipt.repeated) == (2, False)
    assert positions_of(centre) == {origin.stream: after}
    centre.close()


def test_a_place_without_records_is_kept_also_after_its_first_batch_and_forgotten(
    tmp_path: Path,
) -> None:
    centre = make_centre(tmp_path)
    deliver = deliver_to(centre)
    origin = Origin("linux_auth", "whole:x", "whole")
    deliver(Batch(origin, [Raw(0, failed_login(0))], (Position(origin.stream, "a", 0, 1),)))
    done = Position(origin.stream, "a", 1, 1)
    deliver(Batch(origin, [], (done,)))
    assert positions_of(centre) == {origin.stream: done}
    deliver(Batch(origin, [], (Position(origin.stream, "a", FORGOTTEN, 1),)))
    assert positions_of(centre) == {}
    centre.close()


@pytest.mark.parametrize(
    "cuts",
    [
        [(0, 4), (0, 10)],  # joined with what came after it
        [(0, 10), (0, 4), (4, 10)],  # committed together, and told again one by one
        [(0, 4), (4, 7), (7, 10), (0, 10)],
        [(0, 4), (4, 7), (0, 7), (4, 10), (7, 10)],
        [(4, 7), (0, 10)],
        [(0, 4), (7, 10), (2, 9)],
        [(0, 10), (0, 10)],
    ],
)
def test_a_record_is_counted_once_however_its_batches_are_cut(
    tmp_path: Path, cuts: list[tuple[int, int]]
) -> None:
    centre = make_centre(tmp_path)
    origin = Origin("linux_auth", "sensor:1/linux_auth", "e")
    bad = (3, 5)  # two that nobody can read
    raws = [Raw(n, b"?" if n in bad else failed_login(n)) for n in range(10)]
    for begin, end in cuts:
        take(centre, origin, raws[begin:end])
    assert all(take(centre, origin, raws[begin:end]).repeated for begin, end in cuts)
    with centre.database.reading() as session:
        volume = session.scalars(select(SourceVolume)).one()
        assert (volume.event_count, volume.reject_count) == (8, 2)
    assert centre.events.count(EventQuery()) == 8
    centre.close()


def test_a_joined_batch_takes_the_place_of_those_within_it(tmp_path: Path) -> None:
    centre = make_centre(tmp_path)
    origin = Origin("linux_auth", "sensor:1/linux_auth", "e")
    raws = [Raw(n, failed_login(n)) for n in range(10)]
    for begin, end in ((0, 4), (4, 7), (0, 10)):
        take(centre, origin, raws[begin:end])
    with centre.database.reading() as session:
        assert session.scalar(select(func.sum(Mark.record_count))) == 10
    assert take(centre, origin, raws[5:9]).repeated
    assert not take(centre, Origin(origin.source, origin.stream, "f"), raws[5:9]).repeated
    centre.close()
