"""Why a record could not be read: the reasons, the signal, and the mark for damaged files."""

TOO_LONG = "too long"
EMPTY = "empty"
NOT_JSON = "not JSON"
NOT_XML = "not XML"
NOT_A_LINE = "not a line"
TOO_DEEP = "JSON too deep"
TOO_MANY_FIELDS = "too many fields"
NO_TIME = "no time found"
HEADING = "heading"
NO_HEADING = "no heading"
NO_PATTERN = "no pattern fits"
NOT_UNDERSTOOD = "not understood"
UNKNOWN_SOURCE = "unknown source"
FILE_DAMAGED = "file damaged"

REASONS = frozenset(
    {TOO_LONG, EMPTY, NOT_JSON, NOT_A_LINE, TOO_DEEP, TOO_MANY_FIELDS, NO_TIME, NO_PATTERN}
    | {NOT_UNDERSTOOD, UNKNOWN_SOURCE, FILE_DAMAGED, NOT_XML, HEADING, NO_HEADING}
)


class Unreadable(Exception):  # noqa: N818  a verdict on a record, not a fault of ours
    """Raised by parsers inside this room; `normalize` turns it into a Rejected."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        self.detail = detail
        super().__init__(reason)


class Damage(dict[str, str]):
    """Stands as a Raw's data where a file could not be read further; always rejected.

    A damaged file thus takes the same way as a bad line: what was readable before it is kept.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(detail=detail)
