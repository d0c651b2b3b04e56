"""What an interval means for its field: moments, addresses, numbers, or texts."""

import ipaddress
import re

from cgii.base.errors import Invalid
from cgii.store.query_fields import ADDRESSES, NUMBERS, TIMES, comparable
from cgii.store.query_times import span
from cgii.store.query_tree import During, Exists, Node, Range, Within
from cgii.store.query_values import number_in

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Texts in quotes or between slashes and escaped characters, which stay; or a negative bound, which
# the parser takes for an operator.
_NEGATIVE = re.compile(
    r'"(?:\\.|[^"\\])*"|/(?:\\.|[^/\\])*/|\\.|(?P<sign>(?<=[:(\s])[<>]=?)(?P<bound>-\d[\d.]*)',
    re.DOTALL,
)


def quote_negative(text: str) -> str:
    """The search with the bound of `>-1` in quotes, so that the parser reads it."""
    return _NEGATIVE.sub(
        lambda found: f'{found["sign"]}"{found["bound"]}"' if found["bound"] else found[0], text
    )


def interval(field: str, low: str | None, high: str | None, counts: tuple[bool, bool]) -> Node:
    """The condition that a value lies between two bounds; None is an open side.

    `counts` says whether the lower and the upper bound belong to it. Raises Invalid.
    """
    if field in TIMES:
        first = span(low)[0 if counts[0] else 1] if low is not None else None
        last = span(high)[1 if counts[1] else 0] if high is not None else None
        return During(field, first, last)
    if low is None and high is None:
        return Exists(field)
    if field in ADDRESSES:
        return _addresses(field, low, high, counts)
    _refuse_mixture(field, low, high)
    return Range(
        field,
        None if low is None else comparable(field, low),
        None if high is None else comparable(field, high),
        *counts,
    )


def _refuse_mixture(field: str, low: str | None, high: str | None) -> None:
    """A bound that is no number where numbers are meant would compare all values as texts."""
    bounds = [bound for bound in (low, high) if bound is not None]
    texts = [bound for bound in bounds if number_in(bound) is None]
    if texts and (field in NUMBERS or len(texts) < len(bounds)):
        raise _wrong(
            "«{text}» no es un número; los límites de un intervalo de números se escriben solo "
            "con cifras, por ejemplo {name}:[1 TO 1000].",
            text=texts[0],
            name=field,
        )


def _addresses(field: str, low: str | None, high: str | None, counts: tuple[bool, bool]) -> Within:
    """The addresses between, of one family: an open side ends with the family of the other."""
    first = None if low is None else _address(field, low)
    last = None if high is None else _address(field, high)
    if first is not None and last is not None and first.version != last.version:
        raise _wrong(
            "Un intervalo de direcciones es de IPv4 o de IPv6; escriba dos, unidos con OR."
        )
    known = first or last
    assert known is not None
    begin = 0 if first is None else int(first) + (not counts[0])
    end = 2**known.max_prefixlen - 1 if last is None else int(last) - (not counts[1])
    if begin > end:
        raise _wrong("En ese intervalo no hay ninguna dirección; escriba primero la menor, "
                     "por ejemplo {name}:[10.0.0.9 TO 10.0.0.20].", name=field)  # fmt: skip
    kind = type(known)
    return Within(field, str(kind(begin)), str(kind(end)))


def _address(field: str, text: str) -> Address:
    try:
        return ipaddress.ip_address(text)
    except ValueError as error:
        raise _wrong(
            "«{text}» no es una dirección IP completa; escriba por ejemplo "
            "{name}:[10.0.0.9 TO 10.0.0.20], o una red: {name}:10.0.0.0/8.",
            text=text,
            name=field,
        ) from error


def network(field: str, text: str) -> Within:
    """The condition that an address is of a network, such as `10.0.0.0/8`. Raises Invalid."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise _wrong("«{text}» no es una red; escriba por ejemplo 10.0.0.0/8.",
                     text=text) from error  # fmt: skip
    return Within(field, str(found.network_address), str(found.broadcast_address))


def refuse_dashed(field: str, text: str) -> None:
    """Raise Invalid for `10.0.0.5-10.0.0.9`, which no address is."""
    low, _, high = text.partition("-")
    try:
        for one in (low, high):
            ipaddress.ip_address(one.strip())
    except ValueError:
        return
    raise _wrong(
        "Un intervalo de direcciones se escribe {name}:[{low} TO {high}].",
        name=field,
        low=low.strip(),
        high=high.strip(),
    )


def _wrong(message: str, **facts: object) -> Invalid:
    return Invalid(message, field="q", **facts)
