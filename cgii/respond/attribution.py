"""Finds the entity that an alert concerns: by its sensor, by address, by domain."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from sqlalchemy import String, cast, func, select
from sqlalchemy.orm import Session

from cgii.base import limits
from cgii.base.ids import digest
from cgii.model.alerts import Attribution
from cgii.model.entities import Entity, EntityDomain, EntityNetwork
from cgii.model.event import Alert
from cgii.store.act import Act

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
STATE_DOMAIN = ".gob.bo"  # a name below it that nobody owns is missing from the register
NAME_CHARS_MAX = 253  # of a name in the DNS; longer is hostile text, not a name
SOURCE_FIELDS = ("source.", "client.", "src")  # the attacker's side: asked last


@dataclass(frozen=True)
class Attributed:
    """Whose an alert is and how that was found; `candidates` when several entities claim it."""

    entity_id: int | None
    how: str  # sensor network domain; "" = unknown
    unknown: tuple[str, ...] = ()  # values that deserve a look when nobody was found
    overlaps: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class Attributor:
    """Who owns which network and domain, in dictionaries by prefix length and by name."""

    # (version, prefix length) → network as an integer → entities that claim it
    networks: dict[tuple[int, int], dict[int, tuple[int, ...]]] = field(default_factory=dict)
    lengths: dict[int, tuple[int, ...]] = field(default_factory=dict)  # version → longest first
    domains: dict[str, int] = field(default_factory=dict)

    def by_address(self, address: Address) -> tuple[int, ...]:
        """Entities that claim the narrowest registered network around the address."""
        version, number = address.version, int(address)
        bits = address.max_prefixlen
        for length in self.lengths.get(version, ()):
            owners = self.networks[version, length].get(number >> (bits - length))
            if owners:
                return owners
        return ()

    def by_name(self, name: str) -> int | None:
        """The entity that owns the longest domain which the name is or stands below."""
        name = name.strip().rstrip(".").lower()
        if len(name) > NAME_CHARS_MAX:
            return None
        while name:
            owner = self.domains.get(name)
            if owner is not None:
                return owner
            _, _, name = name.partition(".")
        return None

    def attribute(self, alert: Alert) -> Attributed:
        """The sensor's entity, else the owner of an address or name among the alert's facts.

        Destinations and hosts are asked before sources: an alert concerns its victim.
        """
        if alert.entity_id is not None:
            return Attributed(alert.entity_id, "sensor")
        unknown: list[str] = []
        overlaps: list[tuple[str, tuple[int, ...]]] = []
        for value in _values(alert):
            address = read_address(value)
            if address is None:
                owner = self.by_name(_host_of(value))
                if owner is not None:
                    return Attributed(owner, "domain", overlaps=tuple(overlaps))
                if _is_name_of_state(_host_of(value)):
                    unknown.append(_host_of(value))
                continue
            owners = self.by_address(address)
            if len(owners) == 1:
                return Attributed(owners[0], "network", overlaps=tuple(overlaps))
            if owners:
                overlaps.append((str(address), owners))
            elif address.is_global:
                unknown.append(str(address))
        return Attributed(None, "", tuple(unknown), tuple(overlaps))


def load_attributor(session: Session) -> Attributor:
    """Build the look-up tables from the active entities' networks and domains."""
    networks: dict[tuple[int, int], dict[int, tuple[int, ...]]] = {}
    for entity_id, cidr in _networks(session):
        try:
            network = ipaddress.ip_network(cidr.strip(), strict=False)
        except ValueError:
            continue  # the entity's form refuses it; an old row must not stop the ingest
        shift = network.max_prefixlen - network.prefixlen
        table = networks.setdefault((network.version, network.prefixlen), {})
        number = int(network.network_address) >> shift
        table[number] = tuple(sorted({*table.get(number, ()), entity_id}))
    lengths = {
        version: tuple(sorted((length for v, length in networks if v == version), reverse=True))
        for version in (4, 6)
    }
    domains = {domain.strip(".").lower(): entity_id for entity_id, domain in _domains(session)}
    return Attributor(networks, lengths, domains)


OWNED = tuple(
    select(func.aggregate_strings(cast(table.entity_id, String).concat("=").concat(value), " "))
    .select_from(table)
    .join(Entity)
    .where(Entity.is_active)
    for table, value in (
        (EntityNetwork, EntityNetwork.cidr),
        (EntityDomain, EntityDomain.domain),
    )
)


def attribution_version(session: Session) -> str:
    """Changes whenever `load_attributor` would build something else.

    Asked for every batch with alerts, so the database joins the rows: a thousand take 1 ms.
    """
    wholes = [session.scalar(owned) for owned in OWNED]
    return digest(*(whole or "" for whole in wholes))


def note_unattributed(act: Act, found: Iterable[Attributed]) -> int:
    """Put unknown and disputed addresses on the visible list; returns how many were noted."""
    problems: dict[str, tuple[int, ...]] = {}
    counts: dict[str, int] = {}
    for one in found:
        if one.entity_id is not None and not one.overlaps:
            continue
        for value, owners in (*one.overlaps, *((value, ()) for value in one.unknown)):
            if value in problems or len(problems) < limits.ATTRIBUTION_NOTES_MAX:
                problems[value] = owners
                counts[value] = counts.get(value, 0) + 1
    if not problems:
        return 0
    known = {
        row.value: row
        for row in act.session.scalars(
            select(Attribution).where(Attribution.value.in_(problems)).with_for_update()
        )
    }
    for value, owners in problems.items():
        row = known.get(value)
        if row is None:
            row = Attribution(value=value, first_at=act.now, seen_count=0, candidates={})
            act.session.add(row)
        row.problem = "overlap" if owners else "unknown"
        row.candidates = {"entities": list(owners)}
        row.seen_count += counts[value]
        row.last_at = act.now
    return len(problems)


def read_address(text: str) -> Address | None:
    """The address that the text is, an IPv4 address packed in IPv6 unpacked; None if it is none."""
    try:
        address = ipaddress.ip_address(text.strip().strip("[]"))
    except ValueError:
        return None
    packed = getattr(address, "ipv4_mapped", None)
    return packed if packed is not None else address


def _values(alert: Alert) -> Sequence[str]:
    key = sorted(alert.key, key=lambda pair: pair[0].lower().startswith(SOURCE_FIELDS))
    values = [value for _, value in key]
    values += [value for kind, value in alert.observables if kind in ("ip", "domain", "host")]
    values += [value for kind, value in alert.observables if kind in ("url", "mail")]
    sources = {value for name, value in key if name.lower().startswith(SOURCE_FIELDS)}
    # An address that is both a key and an observable keeps its place at the end.
    return sorted(dict.fromkeys(values), key=lambda value: value in sources)


def _host_of(value: str) -> str:
    """The host name in a URL, a mail address or a name."""
    host = value.partition("://")[2] or value
    host = host.partition("/")[0].rpartition("@")[2]
    return host.partition(":")[0].strip().rstrip(".").lower()


def _is_name_of_state(name: str) -> bool:
    return len(name) <= NAME_CHARS_MAX and name.endswith(STATE_DOMAIN) and name.isprintable()


def _networks(session: Session) -> Sequence[tuple[int, str]]:
    query = (
        select(EntityNetwork.entity_id, EntityNetwork.cidr)
        .join(Entity)
        .where(Entity.is_active)
        .order_by(EntityNetwork.entity_id, EntityNetwork.cidr)
    )
    return [(row[0], row[1]) for row in session.execute(query)]


def _domains(session: Session) -> Sequence[tuple[int, str]]:
    query = (
        select(EntityDomain.entity_id, EntityDomain.domain)
        .join(Entity)
        .where(Entity.is_active)
        .order_by(EntityDomain.domain)
    )
    return [(row[0], row[1]) for row in session.execute(query)]
