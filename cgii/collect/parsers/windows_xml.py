"""Turns a Windows event in XML, as forwarders and viewers write it, into nested objects."""

from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree

from cgii.collect import rejects
from cgii.collect.parsers.header import split
from cgii.collect.parsers.record import expect_few
from cgii.collect.rejects import Unreadable

OPENING = "<Event"
HEADER_CHARS_MAX = 512  # what a syslog header before it may take
DEPTH_MAX = 6  # of the elements whose content is read
TEXT = "#text"


def xml_in(text: str) -> str | None:
    """The event of a record that is one in XML, behind a syslog header or not; else None."""
    if text.startswith("{") or OPENING not in text[:HEADER_CHARS_MAX]:
        return None
    message = split(text)[1]
    return message if message.startswith((OPENING, "<?xml")) else None


def nested(text: str) -> dict[str, Any]:
    """`{"Event": {"System": …, "EventData": …}}`. Raises Unreadable."""
    begun = text[text.index(OPENING) :]
    try:
        # Entities, by which a short text could become an endless one, are declared before it only.
        root = ElementTree.fromstring(begun)  # noqa: S314
    except (ElementTree.ParseError, ValueError) as error:
        raise Unreadable(rejects.NOT_XML, str(error)) from error
    expect_few(sum(1 for _ in root.iter()))
    return {"Event": _inside(root, 0)}


def _inside(element: ElementTree.Element, depth: int) -> Any:
    text = (element.text or "").strip() or None
    found: dict[str, Any] = {}
    if element.attrib:
        found["#attributes"] = {_name(key): value for key, value in element.attrib.items()}
    if depth < DEPTH_MAX:
        for name, values in _by_name(element, depth):
            found[name] = values[0] if len(values) == 1 and name != "Data" else values
    if not found:
        return text
    if text is not None or len(element) == 0:
        found[TEXT] = text
    return found


def _by_name(element: ElementTree.Element, depth: int) -> Iterator[tuple[str, list[Any]]]:
    children: dict[str, list[Any]] = {}
    for child in element:
        children.setdefault(_name(child.tag), []).append(_inside(child, depth + 1))
    yield from children.items()


def _name(tag: str) -> str:
    """Without its namespace."""
    return tag.rpartition("}")[2]
