"""What a rule asks of one value: the predicates, each with its exact test. The index must agree."""

import enum
import ipaddress
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import re2

from cgii.base import limits
from cgii.detect.patterns import Wild
from cgii.detect.rule_files import RuleError
from cgii.detect.values import fold, number_of

Test = Callable[[str], bool]


class Kind(enum.Enum):
    """The kinds of predicate; the last four look at more than the text of one value."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and kinds are looked up often

    EXACT = "exact"
    STARTS = "startswith"
    ENDS = "endswith"
    CONTAINS = "contains"
    GLOB = "glob"  # argument: an RE2 expression made from wildcards
    REGEX = "re"
    NUMBER = "number"
    COMPARE = "compare"  # argument: (operator, number)
    TIME = "time"  # argument: (part, operator, number)
    CIDR = "cidr"
    ANY = "any"  # present and not null
    KEY = "exists"  # present, null or not
    NULL = "null"  # missing or null
    REFERENCE = "fieldref"  # argument: (other field, EXACT | STARTS | ENDS | CONTAINS)


TEXT_KINDS = frozenset({Kind.EXACT, Kind.STARTS, Kind.ENDS, Kind.CONTAINS})


@dataclass(frozen=True, slots=True)
class Predicate:
    """A question about a value. Text arguments are folded unless `cased`."""

    kind: Kind
    argument: Any = None  # the shape depends on the kind, see Kind
    cased: bool = False


OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
    "eq": operator.eq,
}
TIME_PARTS: dict[str, Callable[[datetime], int]] = {
    "minute": lambda moment: moment.minute,
    "hour": lambda moment: moment.hour,
    "day": lambda moment: moment.day,
    "week": lambda moment: moment.isocalendar().week,
    "month": lambda moment: moment.month,
    "year": lambda moment: moment.year,
}


def of_pattern(tokens: tuple[str | Wild, ...], *, cased: bool) -> Predicate:
    """The simplest predicate that means the pattern."""
    texts = [t for t in tokens if isinstance(t, str)]
    _require_characters("".join(texts))
    star = Wild.STAR
    if tokens == (star,):
        return Predicate(Kind.ANY)
    if len(texts) > 1 or Wild.ONE in tokens:
        return Predicate(Kind.GLOB, _glob(tokens, cased=cased), cased)
    text = texts[0] if texts else ""
    kinds = {
        (False, False): Kind.EXACT,
        (False, True): Kind.STARTS,
        (True, False): Kind.ENDS,
        (True, True): Kind.CONTAINS,
    }
    ends = (bool(tokens) and tokens[0] is star, bool(tokens) and tokens[-1] is star)
    return Predicate(kinds[ends], text if cased else fold(text), cased)


def _require_characters(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise RuleError("el valor contiene medio carácter (\\ud800 a \\udfff)") from error


def _glob(tokens: tuple[str | Wild, ...], *, cased: bool) -> str:
    parts = ["(?s)\\A"]
    for token in tokens:
        if isinstance(token, Wild):
            parts.append(".*" if token is Wild.STAR else ".")
        else:
            parts.append(re2.escape(token if cased else fold(token)))
    expression = "".join(parts) + "\\z"
    expression_of(expression)  # refuse it while the rule is read, not while it runs
    return expression


@lru_cache(maxsize=limits.EXPRESSIONS_KEPT_MAX)  # an editor tries many that nobody keeps
def expression_of(pattern: str) -> Any:  # re2 has no types
    """The compiled RE2 expression; RuleError with the reason when RE2 refuses it."""
    if len(pattern) > limits.REGEX_CHARS_MAX:
        raise RuleError(f"expresión regular de más de {limits.REGEX_CHARS_MAX} caracteres")
    options = re2.Options()
    options.log_errors = False
    options.max_mem = limits.REGEX_MEMORY_BYTES_MAX
    try:
        return re2.compile(pattern, options)
    except (re2.error, UnicodeEncodeError) as error:
        reason = error.args[0] if error.args else error
        text = reason.decode("utf-8", "replace") if isinstance(reason, bytes) else str(reason)
        raise RuleError(f"expresión regular no admitida por RE2: {text}") from error


def network_of(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """The network that a rule writes; host bits that are set are an error."""
    try:
        return ipaddress.ip_network(text.strip(), strict=True)
    except ValueError as error:
        raise RuleError(f"red no válida «{text}»: {error}") from error


@lru_cache(maxsize=limits.EXPRESSIONS_KEPT_MAX)
def tester(predicate: Predicate) -> Test:
    """The exact test of the predicate on the text of one value. Not for presence or references."""
    kind, argument = predicate.kind, predicate.argument
    if kind in TEXT_KINDS:
        return _text_test(kind, argument, cased=predicate.cased)
    if kind is Kind.GLOB:
        search = _search(argument)
        return search if predicate.cased else lambda text: search(fold(text))
    if kind is Kind.REGEX:
        return _search(argument)
    if kind is Kind.NUMBER:
        return lambda text: number_of(text) == argument
    if kind is Kind.COMPARE:
        compare, wanted = OPERATORS[argument[0]], argument[1]
        return lambda text: (n := number_of(text)) is not None and compare(n, wanted)
    if kind is Kind.TIME:
        return _time_test(*argument)
    if kind is Kind.CIDR:
        return _network_test(argument)
    raise AssertionError(f"{kind} has no test on a text")


def compare_texts(kind: Kind, text: str, wanted: str) -> bool:
    """Whether `text` equals, begins with, ends with or contains `wanted`."""
    if kind is Kind.EXACT:
        return text == wanted
    if kind is Kind.STARTS:
        return text.startswith(wanted)
    if kind is Kind.ENDS:
        return text.endswith(wanted)
    return wanted in text


def _text_test(kind: Kind, wanted: str, *, cased: bool) -> Test:
    if cased:
        return lambda text: compare_texts(kind, text, wanted)
    return lambda text: compare_texts(kind, fold(text), wanted)


def _search(pattern: str) -> Test:
    search = expression_of(pattern).search

    def test(text: str) -> bool:
        try:
            return search(text) is not None
        except UnicodeEncodeError:  # half of a surrogate pair, as broken JSON may hold
            return search(text.encode("utf-8", "replace").decode()) is not None

    return test


def _time_test(part: str, compare: str, wanted: float) -> Test:
    take, holds = TIME_PARTS[part], OPERATORS[compare]

    def test(text: str) -> bool:
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return False
        return holds(take(moment), wanted)

    return test


def _network_test(text: str) -> Test:
    network = network_of(text)
    first, last = int(network.network_address), int(network.broadcast_address)

    def test(value: str) -> bool:
        address = address_of(value)
        return (
            address is not None
            and address.version == network.version
            and first <= int(address) <= last
        )

    return test


ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}\Z")


def address_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address that the text writes, an IPv4 one inside IPv6 as IPv4; None if it is none."""
    return _address(text) if ADDRESS.match(text) else None


@lru_cache(maxsize=limits.ADDRESSES_KEPT_MAX)  # several networks are asked about one address
def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
