"""How Elasticsearch keeps our events: component templates, index template, life of an index.

`NAME@custom` is a component template that we never write: what a site puts there (shards,
replicas, an allocation rule) wins over ours.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

from cgii.store.events_month import HOT
from cgii.store.query_fields import ADDRESSES, NUMBERS

VERSION = 1  # of the terms in the documents; an index with another one is refused


class Kind(Enum):
    """How an ECS field is kept for other programs."""

    KEYWORD = "keyword"
    TEXT = "text"
    NUMBER = "number"
    ADDRESS = "address"


_KEYWORDS = """
    client.domain container.id container.name destination.address destination.domain
    dns.question.name dns.question.type dns.response_code email.from.address email.subject
    email.to.address error.message event.action event.category event.code event.dataset event.id
    event.kind event.module event.outcome event.provider event.type file.directory
    file.extension file.hash.md5 file.hash.sha1 file.hash.sha256 file.name file.path group.name
    host.hostname host.id host.name host.os.type http.request.method http.request.referrer
    http.version log.file.path log.level log.logger log.syslog.facility.name
    log.syslog.severity.name network.application network.community_id network.direction
    network.protocol network.transport network.type observer.name observer.product observer.type
    observer.vendor powershell.file.script_block_text process.command_line process.executable
    process.hash.md5 process.hash.sha256 process.name process.parent.command_line
    process.parent.executable process.parent.name process.working_directory
    registry.data.strings registry.key registry.path registry.value rule.category rule.id
    rule.name server.domain service.name source.address source.domain tls.client.ja3
    tls.client.server_name tls.server.issuer tls.server.subject url.domain url.full url.original
    url.path url.query user.domain user.effective.name user.email user.id user.name
    user.target.name user_agent.original vulnerability.id winlog.channel winlog.computer_name
    winlog.event_id winlog.provider_name winlog.record_id
""".split()
ECS: Mapping[str, Kind] = {
    **dict.fromkeys(_KEYWORDS, Kind.KEYWORD),
    **dict.fromkeys(sorted(NUMBERS), Kind.NUMBER),
    **dict.fromkeys(ADDRESSES, Kind.ADDRESS),
    "message": Kind.TEXT,
}
_TYPES: Mapping[Kind, Mapping[str, Any]] = {
    Kind.KEYWORD: {"type": "keyword", "normalizer": "cgii_fold", "ignore_above": 1024},
    Kind.TEXT: {"type": "text", "norms": False},
    Kind.NUMBER: {"type": "double", "ignore_malformed": True},
    Kind.ADDRESS: {"type": "ip", "ignore_malformed": True},
}
_DATE = {"type": "date", "format": "strict_date_optional_time||epoch_millis"}
_TERM = {"type": "keyword", "doc_values": False, "norms": False}
_WORDS = {"type": "text", "analyzer": "cgii_words", "norms": False}
_UNREAD = {"type": "keyword", "index": False, "doc_values": False}

# Terms are made anew from the body whenever they are needed, so they are not stored twice.
MADE = tuple(
    f"cgii.{name}"
    for name in ("words", "message", "names", "values", "numbers", "addresses", "hot", "odd")
)
_MAPPING: Mapping[str, Any] = {
    "dynamic": False,
    "_meta": {"cgii_version": VERSION},
    "_source": {"excludes": list(MADE)},
    "properties": {
        "@timestamp": _DATE,
        "event": {"properties": {"ingested": _DATE, "original": _UNREAD}},
        "cgii": {
            "properties": {
                "id": {"type": "keyword"},
                "source": {"type": "keyword"},
                "entity_id": {"type": "long"},
                "sensor_id": {"type": "long"},
                "body": _UNREAD,
                "words": _WORDS,
                "message": _WORDS,
                "names": _TERM,
                "values": {"type": "keyword"},
                "numbers": _TERM,
                "addresses": _TERM,
                "odd": {"type": "keyword"},
                "hot": {"properties": {name: {"type": "keyword"} for name in HOT.values()}},
            }
        },
    },
}
_SETTINGS: Mapping[str, Any] = {
    "index": {
        "number_of_shards": 1,
        "auto_expand_replicas": "0-1",
        "refresh_interval": "30s",  # whoever asks has it refreshed first
        "translog": {"durability": "request"},  # what is acknowledged survives a power cut
        "codec": "best_compression",
        "max_regex_length": 20_000,
    },
}
_FOLDING: Mapping[str, Any] = {
    "analysis": {
        "normalizer": {"cgii_fold": {"type": "custom", "filter": ["lowercase", "asciifolding"]}}
    }
}
_SPLITTING: Mapping[str, Any] = {
    "analysis": {
        "analyzer": {
            "cgii_words": {"type": "custom", "tokenizer": "cgii_blanks", "filter": ["cgii_breaks"]}
        },
        "tokenizer": {"cgii_blanks": {"type": "whitespace", "max_token_length": 10_000}},
        # "=" stands between texts: no word, but a place, so that no phrase runs across it.
        "filter": {"cgii_breaks": {"type": "stop", "stopwords": ["="]}},
    },
}
REFUSED: Mapping[str, Any] = {
    "settings": {"index": {"number_of_shards": 1, "auto_expand_replicas": "0-1"}},
    "mappings": {
        "dynamic": False,
        "properties": {
            "received_at": _DATE,
            "reason": {"type": "keyword", "ignore_above": 1024},
            "body": _UNREAD,
        },
    },
}
# No phase deletes: retention is the centre's own, by whole months (CGII_EVENTS_KEEP_DAYS).
LIFE: Mapping[str, Any] = {
    "phases": {
        "warm": {"min_age": "40d", "actions": {"forcemerge": {"max_num_segments": 1}}},
    }
}


def components(prefix: str) -> dict[str, dict[str, Any]]:
    """The component templates by name."""
    return {
        f"{prefix}-settings": {
            "settings": {**_SETTINGS, "index.lifecycle.name": prefix},
        },
        f"{prefix}-ecs": {
            "settings": _FOLDING,
            "mappings": {"properties": _ecs_properties()},
        },
        f"{prefix}-search": {"settings": _SPLITTING, "mappings": _MAPPING},
    }


def index_template(prefix: str) -> dict[str, Any]:
    """The template of the indices of one month each."""
    return {
        "index_patterns": [f"{prefix}-events-*"],
        "composed_of": [*components(prefix), f"{prefix}@custom"],
        "ignore_missing_component_templates": [f"{prefix}@custom"],
        "priority": 500,
    }


def _ecs_properties() -> dict[str, Any]:
    """The ECS fields as the objects that their dots stand for."""
    top: dict[str, Any] = {}
    for name, kind in sorted(ECS.items()):
        *objects, last = name.split(".")
        place = top
        for one in objects:
            place = place.setdefault(one, {"properties": {}})["properties"]
        place[last] = dict(_TYPES[kind])
    return top
