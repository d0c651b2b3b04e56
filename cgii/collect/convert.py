"""Turns a producer's value into the one that an ECS field wants; None means: leave it out."""

import ipaddress
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from cgii.base import limits

Conversion = Callable[[Any], Any]

ABSENT = frozenset({"", "-", "(null)", "null", "N/A", "n/a", "::-"})
ABSENT_CHARS_MAX = max(map(len, ABSENT))  # a longer text is something
DOMAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}\.)+[A-Za-z0-9-]{1,62}\.?")
PORT_MAX = 65_535
IPV4 = re.compile(r"(?:(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])(?:\.(?!\Z)|\Z)){4}")
WITH_PORT = re.compile(r" *(?:\[([^\]]+)\]|([0-9.]+)):[0-9]{1,5} *")


def text(value: Any) -> str | None:
    """The value as text; empty and `-` are nothing."""
    if type(value) is str:
        return None if value in ABSENT else value
    if type(value) is int:
        return str(value)
    if value is None or isinstance(value, (Mapping, list)):
        return None
    if value is True or value is False:
        return "true" if value else "false"
    return str(value)


def lower(value: Any) -> str | None:
    """Text in small letters."""
    found = text(value)
    return found.lower() if found else None


def ip(value: Any) -> str | None:
    """An address in its canonical form, without a port; IPv4 inside IPv6 is written as IPv4."""
    if type(value) is not str:
        return None
    return _ip(value) if len(value) <= limits.ADDRESS_CHARS_MAX else _ip.__wrapped__(value)


def bare_ip(value: str) -> str | None:
    """The same of a text that is an address and nothing else."""
    return _bare_ip(value) if len(value) <= limits.ADDRESS_CHARS_MAX else _address(value)


# Texts that come again and again. The memory of them is bounded in number and in length.
@lru_cache(maxsize=limits.ADDRESSES_KNOWN_MAX)
def _ip(value: str) -> str | None:
    found = _address(value)
    if found is None and (with_port := WITH_PORT.fullmatch(value)) is not None:
        return _address(with_port[1] or with_port[2])
    return found


def _address(value: str) -> str | None:
    if IPV4.fullmatch(value) is not None:  # most are, and are written as they should be
        return value
    try:
        address = ipaddress.ip_address(value.strip("[] ").partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)


_bare_ip = lru_cache(maxsize=limits.ADDRESSES_KNOWN_MAX)(_address)


def domain(value: Any) -> str | None:
    """A host name in small letters; an address is not one."""
    if type(value) is str:
        is_short = len(value) <= limits.ADDRESS_CHARS_MAX
        return _domain(value) if is_short else _domain.__wrapped__(value)
    found = text(value)
    return _domain(found) if found else None


@lru_cache(maxsize=limits.ADDRESSES_KNOWN_MAX)
def _domain(value: str) -> str | None:
    if value in ABSENT or len(value) > 253 or not DOMAIN.fullmatch(value) or _address(value):
        return None
    return value.lower().rstrip(".")


def integer(value: Any) -> int | None:
    """A whole number, also from decimal or 0x text; anything else is nothing."""
    if type(value) is int:
        return value
    if type(value) is str and len(value) <= 20:
        try:
            return int(value, 16 if value[:2].lower() == "0x" else 10)
        except ValueError:
            return None
    if type(value) is float and value.is_integer() and abs(value) < 2**63:
        return int(value)
    return None


def port(value: Any) -> int | None:
    """A port number; 0 and what lies outside is nothing."""
    found = integer(value)
    return found if found is not None and 0 < found <= PORT_MAX else None


def number(value: Any) -> float | int | None:
    """A number as it is, or read from text."""
    if type(value) is float:
        return value
    found = integer(value)
    if found is not None or type(value) is not str or len(value) > 40:
        return found
    try:
        return float(value)
    except ValueError:
        return None


def as_is(value: Any) -> Any:
    """Whatever the producer wrote, unless it is nothing."""
    return None if value is None or (type(value) is str and value in ABSENT) else value


def account(value: Any) -> str | None:
    """The name in `DOMAIN\\name`, else the whole text."""
    found = text(value)
    return found.rpartition("\\")[2] if found else None


def account_domain(value: Any) -> str | None:
    """The domain in `DOMAIN\\name`."""
    found = text(value)
    return (found.rpartition("\\")[0] or None) if found else None


def file_name(value: Any) -> str | None:
    """The last part of a Windows or POSIX path."""
    found = text(value)
    return re.split(r"[\\/]", found)[-1] if found else None


CONVERSIONS: dict[str, Conversion] = {
    "text": text,
    "lower": lower,
    "ip": ip,
    "domain": domain,
    "int": integer,
    "port": port,
    "number": number,
    "as_is": as_is,
    "account": account,
    "account_domain": account_domain,
    "file_name": file_name,
}


def lookup(fields: Mapping[str, Any], name: str) -> Any:
    """The value under a producer's name: as written, else as a dotted path; None if absent."""
    found = fields.get(name)
    if found is not None or "." not in name:
        return found
    here: Any = fields
    for part in name.split("."):
        if type(here) is list:
            here = here[0] if here else None
        if type(here) is not dict and not isinstance(here, Mapping):
            return None
        here = here.get(part)
    return here
