"""What counts as a word: the one way in which text is folded and split, for storing and asking."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from math import isfinite
from typing import Any

_INNER_OCTETS = re.compile(r"\.(?<=\d\.)\d{1,3}\.\d{1,3}\.(?=\d)")  # begins with "." to be fast
_BREAK = "\x01"  # stands between texts while they are split together
_SIGNS = bytes(
    code if code in (1, *range(128, 256)) or chr(code).isalnum() else 32 for code in range(256)
)
_MARKED_UP = re.compile(r"\s*(?:\{|<[?!A-Za-z])")  # `<38>` begins a syslog line
_NOT_WORD = re.compile(r"\W+")
_SIMPLE = frozenset({str, int})  # `True` is none of them: it would be taken for 1
_FOLDS_MAX = 20_000  # characters kept with what they become: 2 MB at most


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


class _Folds(dict[int, str]):
    """What each character becomes, worked out when it is first met; for `str.translate`."""

    def __missing__(self, code: int) -> str:
        sound = chr(code).encode("utf-8", "replace").decode().replace("\0", " ")
        whole = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", sound).casefold())
        plain = "".join(char for char in whole if not unicodedata.combining(char))
        if len(self) < _FOLDS_MAX:
            self[code] = plain
        return plain


_FOLDS = _Folds()


def _folded(text: str) -> str:
    return text.translate(_FOLDS)


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
    """The single values inside lists and objects; what JSON keeps as null is no value."""
    if value is None:
        return
    kind = type(value)
    if kind is dict:
        for inner in value.values():
            yield from leaves(inner)
    elif kind is list or kind is tuple:
        for inner in value:
            yield from leaves(inner)
    elif kind is not float or isfinite(value):
        yield value


def full_text(original: str, fields: Mapping[str, Any], ecs: Mapping[str, Any]) -> str:
    """Everything that a bare word may find: the words of the record's line and of all its values.

    Blanks stand between words, ` = ` stands between texts, so that a phrase ends with its text.
    A record that is JSON or XML is left out: its values are the same without escapes and tags.
    """
    return full_texts([(original, fields, ecs)])[0]


def full_texts(records: Iterable[tuple[str, Mapping[str, Any], Mapping[str, Any]]]) -> list[str]:
    """The same for many records at once, which cost half each: what they repeat is split once.

    A record is its line, its fields and its fields in ECS.
    """
    lines, told = [], []
    for original, fields, ecs in records:
        lines.append("" if is_marked_up(original, fields) else original)
        told.append(_values(fields, ecs))
    different = list(dict.fromkeys(chain.from_iterable(told)))
    spelled = dict(zip(different, _spelled(list(map(str, different))), strict=True))
    found = []
    for line, values in zip(_spelled(lines), told, strict=True):
        once = dict.fromkeys(map(spelled.__getitem__, values))
        more = [one for one in once if one not in line]
        found.append("=".join((line, *more) if line else more).strip())
    return found


def _values(*trees: Mapping[str, Any]) -> list[Any]:
    """All values: texts, and whole numbers, which are spelled as they are shown."""
    found: list[Any] = []
    for tree in trees:
        found += tree.values()
    if _SIMPLE.issuperset(map(type, found)):  # nearly always
        return found
    told: list[Any] = []
    for value in found:
        if type(value) in _SIMPLE:
            told.append(value)
        else:
            told.extend(map(shown, leaves(value)))
    return told


def _spelled(texts: list[str]) -> list[str]:
    """The words of each text with one blank between and around them; empty when there are none."""
    simple = [text for text in texts if text.isascii()]
    spread = _spread_together(simple)
    if len(simple) == len(texts):
        return spread
    rest = iter(spread)
    return [next(rest) if text.isascii() else _padded(words(text)) for text in texts]


def _spread_together(texts: list[str]) -> list[str]:
    """The same for texts in ASCII; the work is done on all of them at once."""
    joined = _BREAK.join(texts)
    if joined.count(_BREAK) >= len(texts):  # somebody's text has the sign, or there is no text
        return [_padded(words(text)) for text in texts]
    spread = _spread(joined)
    while "  " in spread:
        spread = spread.replace("  ", " ")
    for edge in (f" {_BREAK}", f"{_BREAK} "):
        spread = spread.replace(edge, _BREAK)
    found = f" {spread.strip()} ".replace(_BREAK, f" {_BREAK} ").split(_BREAK)
    return [one if one != "  " else "" for one in found] if "  " in found else found


def _padded(found: tuple[str, ...]) -> str:
    return f" {' '.join(found)} " if found else ""


def is_marked_up(original: str, fields: Mapping[str, Any]) -> bool:
    """Whether the line itself is left out of the full text, because its values say it better."""
    return bool(fields) and _MARKED_UP.match(original) is not None
