"""What stands before a record that has a format of its own: a syslog header, or nothing."""

from typing import Any

from cgii.collect.parsers.syslog_lines import HEADER, read_header

Fields = dict[str, Any]
# Many records have their own; of all other names the record's value replaces the header's.
RENAMED = frozenset({"facility", "severity"})


def split(text: str) -> tuple[Fields, str]:
    """The header's fields and the rest of the line; no fields where there is no header."""
    if not text.startswith("<") and HEADER.match(text) is None:
        return {}, text
    fields = read_header(text)
    message: str = fields.pop("message")
    for name in RENAMED.intersection(fields):
        fields[f"syslog_{name}"] = fields.pop(name)
    return fields, message


def split_at(text: str, mark: str, within: int) -> tuple[Fields, str] | None:
    """The same for a record that begins with a mark; None if it is not near the beginning.

    What stands between the header and the mark is left out.
    """
    start = text.find(mark, 0, within)
    if start < 0:
        return None
    fields = split(text)[0] if start else {}
    return fields, text[start:]
