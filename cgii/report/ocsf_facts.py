"""What an event says in ECS, read for OCSF: values of the right type, and which were used."""

import ipaddress
from typing import Any

from cgii.model.event import Event
from cgii.store.words import leaves, shown

Object = dict[str, Any]  # JSON values under OCSF's names
PORT_MAX = 65_535
NUMBER_MAX = 2**63 - 1  # OCSF's `long_t`
HASHES = {
    "md5": (1, "MD5"),
    "sha1": (2, "SHA-1"),
    "sha256": (3, "SHA-256"),
    "sha512": (4, "SHA-512"),
}
PROTOCOLS = {"icmp": 1, "igmp": 2, "tcp": 6, "udp": 17, "gre": 47, "esp": 50, "ipv6-icmp": 58}
DIRECTIONS = {"inbound": 1, "ingress": 1, "outbound": 2, "egress": 2, "internal": 3}


class Facts:
    """The ECS fields of one event; a field that went into the document is no longer left."""

    def __init__(self, event: Event) -> None:
        self.event = event
        self._left = dict(event.ecs)

    @property
    def left(self) -> Object:
        """The ECS fields that nothing was made of."""
        return self._left

    def words(self, name: str) -> tuple[str, ...]:
        """All values of a field in small letters; it stays among those that are left."""
        return tuple(shown(one).lower() for one in leaves(self.event.ecs.get(name)))

    def text(self, *names: str) -> str:
        """The first text that one of the fields has; empty when none has one."""
        for name in names:
            for value in leaves(self.event.ecs.get(name)):
                found = shown(value)
                if found:
                    self._use(name)
                    return found
        return ""

    def number(self, name: str, most: int = NUMBER_MAX) -> int | None:
        """A whole number from 0 to `most`, also one that is written as text."""
        for value in leaves(self.event.ecs.get(name)):
            digits = shown(value)
            if digits.isascii() and digits.isdecimal() and len(digits) < 20 and int(digits) <= most:
                self._use(name)
                return int(digits)
        return None

    def address(self, *names: str) -> str:
        """The first valid address that one of the fields has."""
        for name in names:
            for value in leaves(self.event.ecs.get(name)):
                try:
                    found = ipaddress.ip_address(shown(value))
                except ValueError:
                    continue
                self._use(name)
                return str(found)
        return ""

    def _use(self, name: str) -> None:
        if sum(1 for _ in leaves(self.event.ecs.get(name))) == 1:  # of several only one is told
            self._left.pop(name, None)


def kept(**parts: Any) -> Object:
    """The parts that say something: neither empty nor None. Numbers count, 0 too."""
    return {name: part for name, part in parts.items() if part not in (None, "", {}, [])}


def endpoint(facts: Facts, side: str) -> Object:
    """A `network_endpoint`; `side` is "source" or "destination". Empty when nothing is known."""
    other = "client" if side == "source" else "server"
    found = kept(
        ip=facts.address(f"{side}.ip", f"{other}.ip", f"{side}.address"),
        hostname=facts.text(f"{side}.domain", f"{other}.domain"),
    )
    if not found:  # a port or a hardware address alone names no endpoint
        return {}
    port = facts.number(f"{side}.port", PORT_MAX)
    return found | kept(mac=facts.text(f"{side}.mac"), port=port)


def device(facts: Facts) -> Object:
    """The machine on which it happened; empty when it is not named."""
    found = kept(
        hostname=facts.text("host.name", "host.hostname", "winlog.computer_name"),
        ip=facts.address("host.ip"),
        uid=facts.text("host.id"),
    )
    return {"type_id": 0, **found} if found else {}


def user(facts: Facts, *names: str) -> Object:
    """A user by the first of the fields that names one; empty when none does."""
    name = facts.text(*names)
    if not name:
        return {}
    is_plain = name == facts.text("user.name")
    told = kept(uid=facts.text("user.id"), domain=facts.text("user.domain")) if is_plain else {}
    mail = facts.text("user.email") if is_plain else ""
    return {"name": name, "type_id": 0, **told, **kept(email_addr=mail)}


def file(facts: Facts) -> Object:
    """The file that is meant; empty when it has no name."""
    path = facts.text("file.path")
    name = facts.text("file.name") or last_part(path)
    if not name:
        return {}
    hashes = _hashes(facts, "file.hash")
    return {
        "name": name,
        "type_id": 0,
        **kept(path=path, size=facts.number("file.size"), hashes=hashes),
    }


def process(facts: Facts) -> Object:
    """The process that is meant; empty when neither its name nor its number is known."""
    return _process(facts, "process", _hashes(facts, "process.hash"))


def parent(facts: Facts) -> Object:
    """The process that started it."""
    return _process(facts, "process.parent", [])


def _process(facts: Facts, prefix: str, hashes: list[Object]) -> Object:
    path = facts.text(f"{prefix}.executable")
    name = facts.text(f"{prefix}.name") or last_part(path)
    pid = facts.number(f"{prefix}.pid")
    if not name and pid is None:
        return {}
    image = {"name": last_part(path), "path": path, "type_id": 0} if last_part(path) else {}
    if image and hashes:
        image["hashes"] = hashes
    return kept(name=name, pid=pid, cmd_line=facts.text(f"{prefix}.command_line"), file=image)


def _hashes(facts: Facts, prefix: str) -> list[Object]:
    found = []
    for name, (number, caption) in HASHES.items():
        value = facts.text(f"{prefix}.{name}")
        if value:
            found.append({"algorithm_id": number, "algorithm": caption, "value": value})
    return found


def connection(facts: Facts) -> Object:
    """How the two ends spoke; empty when that is not known."""
    protocol = facts.text("network.transport").lower()
    direction = DIRECTIONS.get(facts.text("network.direction").lower(), 0)
    if not protocol and not direction:
        return {}
    number = PROTOCOLS.get(protocol)
    return {"direction_id": direction, **kept(protocol_name=protocol, protocol_num=number)}


def traffic(facts: Facts) -> Object:
    """How much went; out is from the source to the destination."""
    return kept(
        bytes=facts.number("network.bytes"),
        bytes_out=facts.number("source.bytes"),
        bytes_in=facts.number("destination.bytes"),
        packets=facts.number("network.packets"),
        packets_out=facts.number("source.packets"),
        packets_in=facts.number("destination.packets"),
    )


def last_part(path: str) -> str:
    """The name at the end of a path, of either kind of system."""
    return path.replace("\\", "/").rstrip("/").rpartition("/")[2]
