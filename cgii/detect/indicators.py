"""Values that tell of an attack: how they are written, and a table that finds them in events.

The table holds hashes of values, not the values: a million take about 65 MB, and a look-up is one
probe of a set. What it answers is therefore a suspicion that the record confirms by value.
"""

import ipaddress
import re
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from cgii.base import ids, limits
from cgii.base.errors import Invalid
from cgii.detect.alerts import OBSERVABLES
from cgii.detect.values import elements, text_of
from cgii.model.event import Alert, Event, MatchedField

KINDS = ("ip", "cidr", "domain", "url", "hash", "email")
# Where an event holds values of each kind: its observables, and a few fields that no alert names.
# A URL's host and a mail's domain are looked up too.
FIELDS = {
    **{name: kind for name, kind in OBSERVABLES.items() if kind in KINDS},
    "dns.resolved_ip": "ip",
    "dns.answers.data": "ip",
    "source.domain": "domain",
    "dll.hash.sha256": "hash",
    "email.from.address": "email",
    "email.sender.address": "email",
    "email.reply_to.address": "email",
}
HASH = re.compile(r"(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128})\Z")
DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{1,62}\Z")
EMAIL = re.compile(r"[^@\s]{1,64}@([^@\s]+)\Z")
URL = re.compile(
    r"([A-Za-z][A-Za-z0-9+.-]*)://(?:[^/?#@]*@)?(\[[0-9A-Fa-f:.]+\]|[^/?#:@\s]+)(?::([0-9]{0,5}))?"
    r"([^?#]*)(\?[^#]*)?"
)
LIST_RULES = "indicator."  # begins the rule ids of lists
PORTS = {"http": "80", "https": "443"}
IPV4, IPV6 = socket.AF_INET, socket.AF_INET6
MAPPED = bytes(10) + b"\xff\xff"  # an IPv4 address inside IPv6 begins so


def refang(text: str) -> str:
    """A value as it really is, of one that was made harmless for mail: `hxxp://evil[.]example`."""
    text = text.strip().strip("\"'<>")
    for broken, whole in (("[.]", "."), ("(.)", "."), ("[:]", ":"), ("[@]", "@"), ("[at]", "@")):
        text = text.replace(broken, whole)
    return re.sub(r"^hxxp", "http", text, flags=re.IGNORECASE)


def read_indicator(text: str, kind: str = "auto") -> tuple[str, str]:
    """The kind and the value in the one spelling that is compared; Invalid says what is wrong."""
    value = refang(text)
    if kind not in (*KINDS, "auto"):
        raise Invalid("No hay indicadores de la clase «{kind}».", kind=kind)
    if not value or len(value) > limits.INDICATOR_CHARS_MAX:
        raise Invalid(
            "Un indicador tiene entre 1 y {most} caracteres.", most=limits.INDICATOR_CHARS_MAX
        )
    for one in KINDS if kind == "auto" else (kind,):
        found = _SPELLED[one](value)
        if found:
            return one, found
    raise Invalid("«{value}» no es un indicador que se reconozca.", value=value[:80])


def _packed(text: str) -> bytes:
    """The bytes of an address, four or sixteen; none if it is not one."""
    try:
        if ":" not in text:
            return socket.inet_pton(IPV4, text)
        packed = socket.inet_pton(IPV6, text)
    except (OSError, ValueError):  # ValueError: a NUL, or half of a surrogate pair
        return b""
    return packed[12:] if packed.startswith(MAPPED) else packed


def _address(text: str) -> str:
    packed = _packed(text)
    return socket.inet_ntop(IPV4 if len(packed) == 4 else IPV6, packed) if packed else ""


def _network(text: str) -> str:
    if "/" not in text:
        return ""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return ""
    if network.prefixlen < limits.INDICATOR_PREFIX_MIN[network.version]:
        raise Invalid("La red {network} es demasiado amplia.", network=network)
    return str(network)


def _domain(text: str) -> str:
    name = text.lower().rstrip(".").removeprefix("*.")
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:
            return ""
    return name if len(name) <= 253 and DOMAIN.match(name) else ""


def _url(text: str) -> str:
    """Scheme and host in lower case, no user, no usual port, no fragment; the path as it is."""
    found = URL.match(text)
    if not found:
        return ""
    scheme, host, port, path, query = found.groups("")
    scheme = scheme.lower()
    place = host.lower() if not port or PORTS.get(scheme) == port else f"{host.lower()}:{port}"
    return f"{scheme}://{place}{path or '/'}{query}"


def _hash(text: str) -> str:
    return text.lower() if HASH.match(text.lower()) else ""


def _email(text: str) -> str:
    found = EMAIL.match(text.lower())
    return text.lower() if found and _domain(found[1]) else ""


_SPELLED = {
    "ip": _address,
    "cidr": _network,
    "hash": _hash,
    "email": _email,
    "url": _url,
    "domain": _domain,
}


def host_of(kind: str, value: str) -> str:
    """The address or name inside a value as `read_indicator` spells it; none in a hash."""
    if kind == "url":
        place = value.split("/", 3)[2]
        return place[1:].partition("]")[0] if place[0] == "[" else place.partition(":")[0]
    if kind == "email":
        return value.rpartition("@")[2]
    return value if kind in ("ip", "domain") else ""


class IndicatorTable:
    """Finds which of many indicators a value may be."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._exact: set[int] = set()
        self._domains: set[int] = set()
        self._count = 0
        self._networks: dict[int, dict[int, set[int]]] = {4: defaultdict(set), 6: defaultdict(set)}
        for kind, value in pairs:
            self.add(kind, value)

    def add(self, kind: str, value: str) -> None:
        """Take in a value as `read_indicator` spells it."""
        self._count += 1
        if kind == "domain":
            self._domains.add(hash(value))
        elif kind == "cidr":
            network = ipaddress.ip_network(value)
            size = network.max_prefixlen - network.prefixlen
            self._networks[network.version][size].add(int(network.network_address) >> size)
        else:
            self._exact.add(hash(value))

    def __len__(self) -> int:
        """How many were taken in."""
        return self._count

    def find(self, kind: str, text: str) -> list[tuple[str, str]]:
        """The (kind, value) of every indicator that a value of an event may be."""
        if kind == "ip":
            return self._find_address(text)
        if kind == "domain":
            return self._find_domain(text)
        if kind == "url":
            return self._find_url(text)
        if kind == "email":
            value = text.lower()
            found = [("email", value)] if hash(value) in self._exact else []
            return found + self._find_domain(value.rpartition("@")[2])
        value = text.lower()
        return [(kind, value)] if hash(value) in self._exact else []

    def _find_address(self, text: str) -> list[tuple[str, str]]:
        packed = _packed(text)
        if not packed:
            return []
        found = []
        if len(packed) == 4:
            value = text if ":" not in text else socket.inet_ntop(IPV4, packed)
            family, networks = IPV4, self._networks[4]
        else:
            value = socket.inet_ntop(IPV6, packed)
            family, networks = IPV6, self._networks[6]
        if hash(value) in self._exact:
            found.append(("ip", value))
        if networks:
            number, bits = int.from_bytes(packed), len(packed) * 8
            for size, firsts in networks.items():
                if number >> size in firsts:
                    first = (number >> size << size).to_bytes(len(packed))
                    found.append(("cidr", f"{socket.inet_ntop(family, first)}/{bits - size}"))
        return found

    def _find_domain(self, text: str) -> list[tuple[str, str]]:
        """The name itself and the names above it: an indicator speaks for all below."""
        if not self._domains:
            return []
        name = text.lower().rstrip(".")
        found = []
        while "." in name:
            if hash(name) in self._domains:
                found.append(("domain", name))
            name = name.partition(".")[2]
        return found

    def _find_url(self, text: str) -> list[tuple[str, str]]:
        value = _url(text)
        if not value:
            return []
        found = [("url", value)] if hash(value) in self._exact else []
        host = host_of("url", value)
        return found + (self._find_address(host) or self._find_domain(host))


@dataclass(frozen=True, slots=True)
class Suspect:
    """A value in an event that may be an indicator, and the warning values it may be."""

    event: Event
    field: str
    text: str
    indicators: tuple[tuple[str, str], ...]
    warnings: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """An indicator that an event holds, confirmed."""

    suspect: Suspect
    list_name: str
    list_title: str
    level: str
    tags: tuple[str, ...]
    kind: str
    value: str
    note: str
    expires_at: datetime | None


@dataclass(frozen=True)
class Indicators:
    """All that is known at one moment: what alerts, and what is known to be harmless."""

    wanted: IndicatorTable
    warned: IndicatorTable
    revision: str = ""

    def suspects(self, events: Iterable[Event]) -> Iterator[Suspect]:
        """Every value of the events that may be an indicator."""
        if not len(self.wanted):
            return
        find = self.wanted.find
        for event in events:
            ecs = event.ecs
            for name in FIELDS.keys() & ecs.keys():
                kind = FIELDS[name]
                for element in elements(ecs[name]):
                    text = element if isinstance(element, str) else text_of(element)
                    if text and (found := find(kind, text)):
                        warned = tuple(self.warned.find(kind, text))
                        yield Suspect(event, name, text, tuple(found), warned)


def indicator_alert(finding: Finding) -> Alert:
    """The alert of one indicator in one event."""
    event = finding.suspect.event
    until = f", vence {finding.expires_at:%Y-%m-%d}" if finding.expires_at else ""
    note = f": {finding.note}" if finding.note else ""
    shown = finding.suspect.text[: limits.KEY_CHARS_MAX]
    host = text_of(next(iter(elements(event.ecs.get("host.name"))), None)) or ""
    observables = [("ip" if finding.kind == "cidr" else finding.kind, shown)]
    if host:
        observables.append(("host", host))
    return Alert(
        id=ids.digest("indicator", finding.list_name, finding.kind, finding.value, event.id),
        rule_id=rule_id_of(finding.list_name),
        rule_title=rule_title_of(finding.list_title),
        rule_kind="indicator",
        level=finding.level,
        at=event.at,
        entity_id=event.entity_id,
        sensor_id=event.sensor_id,
        source=event.source,
        key=(("indicator", finding.value[: limits.KEY_CHARS_MAX]),),
        event_ids=(event.id,),
        event_count=1,
        explanation=(
            MatchedField("indicador", finding.suspect.field, shown, f"{finding.value}{until}"),
        ),
        tags=finding.tags,
        summary=f"{finding.suspect.field} = {shown} está en «{finding.list_title}»{note}",
        observables=tuple(observables),
    )


def rule_id_of(list_name: str) -> str:
    """The rule id of a list's alerts, by which they are tuned and counted."""
    return LIST_RULES + list_name


def rule_title_of(list_title: str) -> str:
    """What a list's alerts are called."""
    return f"Indicador de «{list_title}»"
