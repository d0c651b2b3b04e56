"""What counts as a word: the one way in which text is folded and split, for storing and asking."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from typing import Any

_INNER_OCTETS = re.compile(r"\.(?<=\d\.)\d{1,3}\.\d{1,3}\.(?=\d)")  # begins with "." to be fast
_BREAK = "\x01"  # stands between texts, so that no phrase runs from one into the next …
_SIGNS = bytes(  # … and becomes the one sign that is no word and no blank
    61 if code == 1 else code if code > 127 or chr(code).isalnum() else 32 for code in range(256)
)
_MARKED_UP = re.compile(r"\s*(?:\{|<[?!A-Za-z])")  # `<38>` begins a syslog line
_NOT_WORD = re.compile(r"[^\w\x01]+")
# A value between two of these in a line gives the same words as it would alone.
_EDGES = frozenset(" \t\r\n\"'=,;()[]<>|")


def fold(text: str) -> str:
    """The text without case and accents, so that `Sesión` and `SESION` are the same."""
    if text.isascii():
        return text.lower().replace("\0", " ")
    try:
        short = text.encode("latin-1")
    except UnicodeEncodeError:
        return _folded(text)
    if _LONGER.search(short) is not None:
        return _folded(text)
    return short.translate(_LATIN).decode("latin-1")


def _folded(text: str) -> str:
    sound = text.encode("utf-8", "replace").decode().replace("\0", " ")
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", sound).casefold())
    return "".join(char for char in plain if not unicodedata.combining(char))


def _latin() -> tuple[bytes, bytes]:
    """What each character of Latin-1 folds to, and the characters that fold to more or less."""
    folded = [_folded(chr(code)) for code in range(256)]
    longer = bytes(code for code, one in enumerate(folded) if len(one) != 1 or ord(one) > 255)
    return bytes(32 if code in longer else ord(folded[code]) for code in range(256)), longer


_LATIN, _FOLDED_LONGER = _latin()
_LONGER = re.compile(b"[" + re.escape(_FOLDED_LONGER) + b"]")  # ß, ½ and the like: rare


def _spread(text: str) -> str:
    """The words of a text, folded, with blanks between them.

    Four numbers with dots become one word (`10x1x2x3`): people look for the address `10.1.2.3`,
    and its four numbers alone are in every line.
    """
    folded = _INNER_OCTETS.sub(_joined, fold(text))
    plain = folded if folded.isascii() else _NOT_WORD.sub(" ", folded)
    return plain.encode().translate(_SIGNS).decode()


def _joined(octets: re.Match[str]) -> str:
    return octets[0].replace(".", "x")


def words(text: str) -> tuple[str, ...]:
    """The words of a text in order: runs of letters and digits, folded."""
    return tuple(_spread(text.replace(_BREAK, " ")).split())


def shown(value: Any) -> str:
    """A single value of an event as text: what is compared and what is indexed."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def leaves(value: Any) -> Iterator[Any]:
    """The single values inside lists and objects; None is no value."""
    if value is None:
        return
    kind = type(value)
    if kind is dict:
        for inner in value.values():
            yield from leaves(inner)
    elif kind is list or kind is tuple:
        for inner in value:
            yield from leaves(inner)
    else:
        yield value


def full_text(original: str, fields: Mapping[str, Any], ecs: Mapping[str, Any]) -> str:
    """Everything that a bare word may find: the words of the record's line and of all its values.

    Blanks stand between words, ` = ` stands between texts, so that a phrase ends with its text.
    A record that is JSON or XML is left out: its values are the same without escapes and tags.
    """
    line = "" if is_marked_up(original, fields) else original
    parts = {line: None} if line else {}
    for tree in (fields, ecs):
        for top in tree.values():
            for value in (top,) if type(top) is str else leaves(top):
                text = value if type(value) is str else shown(value)
                if not text or text in parts:
                    continue
                if line:
                    begin = line.find(text)
                    if begin >= 0 and _is_whole(line, begin, begin + len(text)):
                        continue
                parts[text] = None
    if _BREAK in "".join(parts):
        parts = {part.replace(_BREAK, " "): None for part in parts}
    return _spread(f"\n{_BREAK}\n".join(parts))


def is_marked_up(original: str, fields: Mapping[str, Any]) -> bool:
    """Whether the line itself is left out of the full text, because its values say it better."""
    return bool(fields) and _MARKED_UP.match(original) is not None


def _is_whole(line: str, begin: int, end: int) -> bool:
    return (begin == 0 or line[begin - 1] in _EDGES) and (end == len(line) or line[end] in _EDGES)
