"""An alert finds its entity by sensor, narrowest network, or domain; the rest is listed."""

from dataclasses import replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from cgii.model.alerts import Attribution
from cgii.model.entities import EntityDomain, EntityNetwork
from cgii.respond.attribution import (
    attribution_version,
    load_attributor,
    note_unattributed,
    read_address,
)
from tests.make import make_act, make_entity
from tests.unit.respond.alerts import make_alert


def owning(session: Session, *cidrs: str, domains: tuple[str, ...] = ()) -> int:
    entity = make_entity(session)
    entity.networks = [EntityNetwork(cidr=cidr) for cidr in cidrs]
    entity.domains = [EntityDomain(domain=domain) for domain in domains]
    session.flush()
    return entity.id


def test_the_sensors_entity_wins_over_addresses(session: Session) -> None:
    owning(session, "203.0.113.0/24")
    alert = replace(make_alert(observables=(("ip", "203.0.113.9"),)), entity_id=77)
    found = load_attributor(session).attribute(alert)
    assert (found.entity_id, found.how) == (77, "sensor")


def test_the_narrowest_network_wins(session: Session) -> None:
    owning(session, "203.0.113.0/24")
    narrow = owning(session, "203.0.113.8/29")
    found = load_attributor(session).attribute(make_alert(observables=(("ip", "203.0.113.9"),)))
    assert (found.entity_id, found.how) == (narrow, "network")


def test_addresses_of_version_six_are_found_and_packed_ones_unpacked(session: Session) -> None:
    six = owning(session, "2001:db8:7::/48")
    four = owning(session, "198.51.100.0/24")
    attributor = load_attributor(session)
    assert attributor.attribute(make_alert(key=(("host.ip", "2001:db8:7::1"),))).entity_id == six
    packed = make_alert(key=(("host.ip", "::ffff:198.51.100.4"),))
    assert attributor.attribute(packed).entity_id == four


def test_the_longest_domain_wins_also_in_urls_and_mails(session: Session) -> None:
    owning(session, domains=("gob.bo",))
    narrow = owning(session, domains=("salud.gob.bo",))
    attributor = load_attributor(session)
    for kind, value in (
        ("domain", "WWW.Salud.gob.bo."),
        ("url", "https://citas.salud.gob.bo:8443/x?y=1"),
        ("mail", "alguien@salud.gob.bo"),
    ):
        found = attributor.attribute(make_alert(observables=((kind, value),)))
        assert (found.entity_id, found.how) == (narrow, "domain"), value
    assert attributor.by_name("insalud.gob.bo") != narrow


def test_the_victim_is_asked_before_the_attacker(session: Session) -> None:
    owning(session, "192.0.2.0/24")
    victim = owning(session, "198.51.100.0/24")
    alert = make_alert(
        key=(("source.ip", "192.0.2.1"), ("destination.ip", "198.51.100.1")),
        observables=(("ip", "192.0.2.1"), ("ip", "198.51.100.1")),
    )
    assert load_attributor(session).attribute(alert).entity_id == victim


def test_two_claims_on_one_network_are_listed_and_nobody_gets_it(session: Session) -> None:
    first, second = owning(session, "198.51.100.0/24"), owning(session, "198.51.100.0/24")
    found = load_attributor(session).attribute(make_alert(observables=(("ip", "198.51.100.1"),)))
    assert found.entity_id is None
    note_unattributed(make_act(session), [found])
    row = session.scalars(select(Attribution)).one()
    assert row.problem == "overlap"
    assert row.candidates == {"entities": [first, second]}


def test_unknown_public_addresses_are_listed_with_a_count(session: Session) -> None:
    attributor = load_attributor(session)
    found = [
        attributor.attribute(make_alert(observables=(("ip", value),)))
        for value in ("8.8.8.8", "10.0.0.1", "8.8.8.8")
    ]
    assert note_unattributed(make_act(session), found) == 1
    note_unattributed(make_act(session), found)
    row = session.scalars(select(Attribution)).one()
    assert (row.value, row.problem, row.seen_count) == ("8.8.8.8", "unknown", 4)


def test_an_unknown_name_of_the_state_is_listed(session: Session) -> None:
    found = load_attributor(session).attribute(
        make_alert(observables=(("domain", "nuevo.gob.bo"), ("domain", "example.com")))
    )
    assert found.unknown == ("nuevo.gob.bo",)


def test_hostile_names_cost_nothing_and_are_not_listed(session: Session) -> None:
    owning(session, domains=("salud.gob.bo",))
    hostile = "a." * 20_000 + "salud.gob.bo"
    found = load_attributor(session).attribute(make_alert(observables=(("domain", hostile),)))
    assert (found.entity_id, found.unknown) == (None, ())


def test_the_version_changes_with_every_edit(session: Session) -> None:
    entity_id = owning(session, "198.51.100.0/24")
    versions = {attribution_version(session)}
    network = session.scalars(
        select(EntityNetwork).where(EntityNetwork.entity_id == entity_id)
    ).one()
    network.cidr = "198.51.101.0/24"
    session.flush()
    versions.add(attribution_version(session))
    session.delete(network)
    session.flush()
    versions.add(attribution_version(session))
    assert len(versions) == 3
    assert attribution_version(session) in versions


def test_text_that_is_no_address_is_none() -> None:
    assert read_address("host-1") is None
    assert str(read_address("[2001:db8::1]")) == "2001:db8::1"
