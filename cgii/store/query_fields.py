"""The names that a search may use, and how a name finds its values in an event."""

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from cgii.store.words import fold, leaves, shown

# Facts that the centre itself keeps about every event; they win over a producer's equal name.
OWN = frozenset(
    {
        "source",
        "entity_id",
        "sensor_id",
        "logsource.product",
        "logsource.category",
        "logsource.service",
        "event.original",
        "@timestamp",
        "event.ingested",
    }
)
TIMES = frozenset({"@timestamp", "event.ingested"})

# Long texts: `message:failed` asks for a word in them, not for the whole value.
TEXTS = frozenset({"message", "event.original"})

ADDRESSES = frozenset(
    {
        "source.ip",
        "destination.ip",
        "client.ip",
        "server.ip",
        "host.ip",
        "observer.ip",
        "related.ip",
        "source.nat.ip",
        "destination.nat.ip",
        "dns.resolved_ip",
    }
)

# Fields that hold numbers: bounds of an interval that are none are a mistake.
NUMBERS = frozenset(
    """
    client.port destination.bytes destination.packets destination.port event.duration event.severity
    file.size http.request.body.bytes http.response.body.bytes http.response.status_code
    network.bytes network.packets process.parent.pid process.pid server.port source.bytes
    source.packets source.port
""".split()
)

ALIASES: Mapping[str, tuple[str, ...]] = {
    "ip": ("source.ip", "destination.ip"),
    "origen": ("source.ip",),
    "destino": ("destination.ip",),
    "usuario": ("user.name",),
    "equipo": ("host.name",),
    "proceso": ("process.name",),
    "accion": ("event.action",),
    "acción": ("event.action",),
    "resultado": ("event.outcome",),
    "codigo": ("event.code",),
    "código": ("event.code",),
    "regla": ("rule.name",),
    "mensaje": ("message",),
    "fuente": ("source",),
    "entidad": ("entity_id",),
    "sensor": ("sensor_id",),
}


def named(name: str) -> tuple[str, ...]:
    """The fields that a name stands for: an alias's, or the name itself."""
    return ALIASES.get(name, (name,))


def values(document: Mapping[str, Any], name: str) -> Iterator[Any]:
    """The single values of a field in a stored document; none when it has no such field.

    The centre's own facts come first, then ECS, then the producer's names; dots also reach into
    objects (`alert.signature`).
    """
    if name in OWN:
        return leaves(document.get(name))
    for tree in (document["ecs"], document["fields"]):
        found = list(_inside(tree, name))
        if found:
            return iter(found)
    return iter(())


def _inside(tree: Any, name: str) -> Iterator[Any]:
    if isinstance(tree, list):
        for one in tree:
            yield from _inside(one, name)
    elif isinstance(tree, Mapping):
        if name in tree:
            yield from leaves(tree[name])
            return
        dot = name.find(".")
        while dot > 0:
            if name[:dot] in tree:
                yield from _inside(tree[name[:dot]], name[dot + 1 :])
            dot = name.find(".", dot + 1)


def comparable(name: str, value: Any) -> str:
    """The form in which values of a field are equal: folded text, addresses in shortest form."""
    text = fold(shown(value))
    if name in ADDRESSES and ":" in text:
        return address_text(text)
    return text


def address_text(text: str) -> str:
    """An IPv6 address in its shortest form; anything else as it is."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text
