"""The path from a batch to its alerts, with a centre but without a network."""

from pathlib import Path

from sqlalchemy import select

from cgii.cli.local import deliver_to, positions_of
from cgii.collect.buffer import Batch
from cgii.collect.inputs.follow import FORGOTTEN, Position
from cgii.model.alerts import AlertGroup
from cgii.model.entities import EntityDomain
from cgii.model.event import Origin, Raw
from cgii.pipeline import take
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
