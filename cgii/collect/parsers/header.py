"""What stands before a record that has a format of its own: a syslog header, or nothing."""

from typing import Any

from cgii.collect.parsers.syslog_lines import HEADER, PRIORITY, read_header

Fields = dict[str, Any]
# Many records have their own; of all other names the record's value replaces the header's.
RENAMED = frozenset({"facility", "severity"})


def split(text: str) -> tuple[Fields, str]:
    """The header's fields and the rest of the line; no fields where there is no header."""
    if PRIORITY.match(text) is None and HEADER.match(text) is None:
        return {}, text
    fields = read_header(text)
    message: str = fields.pop("message")
    for name in RENAMED.intersection(fields):
        fields[f"syslog_{name}"] = fields.pop(name)
    return fields, message


def split_before(text: str, mark: str) -> tuple[Fields, str] | None:
    """The same for a record that begins with a mark; None if it does not.

    A mark further on is somebody's words: who may write into a log could forge an event with it.
    """
    fields, message = split(text)
    if fields.get("program") == mark.rstrip(":") and not message.startswith(mark):
        return fields, mark + message  # it was taken for a program: "CEF: 0|"
    return (fields, message) if message.startswith(mark) else None
