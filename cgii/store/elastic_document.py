"""An event as a document for Elasticsearch: readable ECS, the event itself, and what finds it.

The index must give the same answers as the files do, so nothing is left to its own analysis: the
terms are made here, by the functions that the files use, and the index only looks them up. A term
is a field's name, a NUL and a value in comparable form. Where the terms of an event do not tell
everything (a value that is too long), a mark says so, and a search looks at such an event itself.
"""

import hashlib
import ipaddress
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import orjson

from cgii.base import limits
from cgii.model.event import Event
from cgii.store.elastic_template import ECS, Kind
from cgii.store.events_month import HOT, document_of, pack
from cgii.store.query_fields import ADDRESSES, OWN, TEXTS, TIMES, comparable, values
from cgii.store.query_values import number_in
from cgii.store.words import full_texts, is_marked_up, leaves, shown, words

# Marks in `cgii.odd` besides the names of fields with cut values.
ALL_FIELDS = "*"  # the event has no terms of values at all
LONG_WORDS = "=words"
LONG_MESSAGE_WORDS = "=message"
MARKED_UP = "=original"  # the words of the original are not among the event's words
_NAME_CHARS_MAX = 400
_EXACT_INTEGER_MAX = 2**53  # of a double
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_ROOT_VALUES_MAX = 100  # of one ECS field, for people's eyes
_ROOT_CHARS_MAX = 8_000


@dataclass(frozen=True, slots=True)
class Written:
    """A document ready to be sent, with what is kept of the event if the index refuses it."""

    id: str
    document: bytes
    body: str


def written(event: Event) -> Written:
    """The event's document."""
    return written_together([event])[0]


def written_together(events: Iterable[Event]) -> list[Written]:
    """The documents of many events, which cost less each: their words are split together."""
    told = [(event, *_told(event)) for event in events]
    spelled = full_texts(
        (kept["event.original"], kept["fields"], kept["ecs"]) for _, _, kept, _ in told
    )
    found = []
    for (event, body, kept, document), text in zip(told, spelled, strict=True):
        document["cgii"] |= _terms(kept, text)
        found.append(Written(event.id, orjson.dumps(document), body))
    return found


def ecs_document(event: Event) -> bytes:
    """The event's document as the index gives it back: without the terms that find it."""
    return orjson.dumps(_told(event)[2])


def _told(event: Event) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """The event as it is kept, the same read again, and the document without its terms."""
    body = pack(document_of(event))
    kept = orjson.loads(body)  # what JSON could not hold is text from here on
    document = {
        "@timestamp": _iso(event.at),
        "event.ingested": _iso(event.received_at),
        **_readable(kept),
        "cgii": {
            "id": event.id,
            "source": kept["source"],
            "entity_id": kept["entity_id"],
            "sensor_id": kept["sensor_id"],
            "body": body.decode(),
        },
    }
    return body.decode(), kept, document


def _iso(moment: datetime) -> str:
    """Milliseconds, cut off as every store does."""
    at = _EPOCH + (moment - _EPOCH) // _MILLISECOND * _MILLISECOND
    return f"{at.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"


def _readable(kept: Mapping[str, Any]) -> dict[str, Any]:
    """The ECS fields that the template knows, for other programs that read the index."""
    found: dict[str, Any] = {"event.original": kept["event.original"]}
    for name, value in kept["ecs"].items():
        kind = ECS.get(name)
        if kind is None:
            continue
        each = [_for_eyes(kind, one) for one in islice(leaves(value), _ROOT_VALUES_MAX)]
        if each:
            found[name] = each if len(each) > 1 else each[0]
    return found


def _for_eyes(kind: Kind, value: Any) -> Any:  # a single JSON value
    text = shown(value)[:_ROOT_CHARS_MAX]
    if kind is not Kind.NUMBER:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _terms(kept: Mapping[str, Any], spelled: str) -> dict[str, Any]:
    """What the searches look up; `spelled` is the event's full text."""
    odd: dict[str, None] = {}
    if is_marked_up(kept["event.original"], kept["fields"]):
        odd[MARKED_UP] = None
    said = " = ".join(" ".join(words(shown(value))) for value in values(kept, "message"))
    found: dict[str, Any] = {
        "words": _short_words(spelled, odd, LONG_WORDS),
        "message": _short_words(said, odd, LONG_MESSAGE_WORDS),
    }
    pairs = _pairs(kept)
    if pairs is None:
        odd[ALL_FIELDS] = None
    else:
        found |= _indexed(pairs, odd)
    if odd:
        found["odd"] = list(odd)
    return found


def _short_words(text: str, odd: dict[str, None], mark: str) -> str:
    if len(text) <= limits.TERM_CHARS_MAX:
        return text
    cut = [term(word) for word in text.split()]
    if any("\0" in word for word in cut):
        odd[mark] = None
    return " ".join(cut)


def _pairs(kept: Mapping[str, Any]) -> dict[str, list[Any]] | None:
    """The values of every name that a search may use; None when they are too many."""
    names: dict[str, None] = dict.fromkeys(sorted(OWN))
    for tree in (kept["ecs"], kept["fields"]):
        for place, name in enumerate(_names(tree)):
            if place > limits.EVENT_VALUES_MAX or len(name) > _NAME_CHARS_MAX or "\0" in name:
                return None
            names[name] = None
    left = limits.EVENT_VALUES_MAX
    pairs = {}
    for name in names:
        found = list(values(kept, name))
        left -= len(found)
        if left < 0:
            return None
        if found:
            pairs[name] = found
    return pairs


def _names(tree: Any) -> Iterator[str]:
    """The dotted names by which something in the tree can be reached; some more than once."""
    if isinstance(tree, list):
        for one in tree:
            yield from _names(one)
    elif isinstance(tree, Mapping):
        for name, inner in tree.items():
            yield name
            if type(inner) is dict or type(inner) is list:
                for rest in _names(inner):
                    yield f"{name}.{rest}"


def _indexed(pairs: Mapping[str, list[Any]], odd: dict[str, None]) -> dict[str, Any]:
    terms: dict[str, None] = {}
    numbers: dict[str, None] = {}
    addresses: dict[str, None] = {}
    hot: dict[str, list[str]] = {}
    for name, found in pairs.items():
        if name in TEXTS or name in TIMES:
            continue
        texts: dict[str, None] = {}
        for value in found:
            text = comparable(name, value)
            texts[text] = None
            plain = shown(value)
            if not plain.isascii() or plain.lower() != text:
                odd[spelling_mark(name)] = None
        for text in texts:
            short = term(text)
            if short is not text:
                odd[name] = None
            terms[pair(name, short)] = None
            number = number_in(text)
            if number is not None:
                code = number_code(number)
                if code is None:
                    odd[number_mark(name)] = None
                else:
                    numbers[pair(name, code)] = None
            if name in ADDRESSES:
                addresses.update((pair(name, code), None) for code in _address_codes(text))
        if name in HOT:
            hot[HOT[name]] = [term(text) for text in texts]
    return {
        "names": list(pairs),
        "values": list(terms),
        "numbers": list(numbers),
        "addresses": list(addresses),
        "hot": hot,
    }


def pair(name: str, value: str) -> str:
    """The term for a field's value."""
    return f"{name}\0{value}"


def term(text: str) -> str:
    """The text itself, or what stands for a long one: its beginning and its hash."""
    if len(text) <= limits.TERM_CHARS_MAX:
        return text
    return f"{text[: limits.TERM_CHARS_MAX]}\0{hashlib.sha256(text.encode()).hexdigest()}"


def spelling_mark(name: str) -> str:
    """The mark of a field with a value whose folded form hides how it was written."""
    return f"~{name}"


def number_mark(name: str) -> str:
    """The mark of a field with a number that no double holds."""
    return f"#{name}"


def number_code(number: float) -> str | None:
    """A number as text that sorts as the number does; None when a double would change it."""
    if isinstance(number, int) and abs(number) > _EXACT_INTEGER_MAX:
        return None
    (bits,) = struct.unpack(">Q", struct.pack(">d", number + 0.0))
    return f"{bits ^ (2**64 - 1 if bits >> 63 else 2**63):016x}"


def address_code(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An address as text that sorts as the address does."""
    return f"{address.version}{int(address):0{address.max_prefixlen // 4}x}"


def _address_codes(text: str) -> Iterator[str]:
    try:
        yield address_code(ipaddress.ip_address(text))
    except ValueError:
        return
