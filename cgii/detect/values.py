"""What a value of an event is as text, and how texts and numbers compare (Sigma V1, V4, V8)."""

import re
from datetime import datetime
from typing import Any

NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,3})?\Z")
# lower() maps every other character alone and to one character; these would not.
UNEVEN = (("\u0130", "i"), ("\u03a3", "\u03c3"), ("\u03c2", "\u03c3"))


class Missing:
    """The field is not there at all; null is there and None."""


MISSING = Missing()


def fold(text: str) -> str:
    """The form in which texts are compared without regard to case; has the length of `text`."""
    if not text.isascii():
        for uneven, plain in UNEVEN:
            text = text.replace(uneven, plain)
    return text.lower()


def text_of(value: Any) -> str | None:  # any value that a decoder produces
    """A scalar as text, so that 4625, "4625" and 4625.0 are one; None for null and for objects."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value.bit_length() < 10_000 else hex(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return None


def elements(value: Any) -> list[Any]:  # any value that a decoder produces
    """The values that a field has: of a list its members, nested lists opened; else the value."""
    if not isinstance(value, (list, tuple)):
        return [value]
    found: list[Any] = []
    waiting = list(reversed(value))
    while waiting:
        item = waiting.pop()
        if isinstance(item, (list, tuple)):
            waiting.extend(reversed(item))
        else:
            found.append(item)
    return found


def number_of(text: str) -> int | float | None:
    """The number that the text writes in decimal, or None."""
    if not NUMBER.match(text):
        return None
    try:
        return int(text)
    except ValueError:
        number = float(text)
        return int(number) if number.is_integer() and abs(number) < 1e15 else number
