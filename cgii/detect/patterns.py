"""Sigma strings: wildcards, their escapes, and the modifiers that rewrite text (V2, V3, M1–M3)."""

import base64
import enum
import itertools
import re
from collections.abc import Callable, Mapping, Sequence

import re2

from cgii.base import limits
from cgii.detect.rule_files import RuleError

DASHES = ("-", "/", "–", "—", "―")
DASH = re.compile(r"\B[-/]\b")
PLACEHOLDER = re.compile(r"(?<!\\)%([^%\s]+)%")


class Wild(enum.Enum):
    """The two wildcards."""

    STAR = "*"
    ONE = "?"


Token = str | bytes | Wild
Pattern = tuple[Token, ...]


def parse(text: str) -> Pattern:
    """The tokens of a Sigma string: a backslash protects `*`, `?` and itself, else it stays."""
    tokens: list[Token] = []
    plain: list[str] = []
    position = 0
    while position < len(text):
        char = text[position]
        if char == "\\" and text[position + 1 : position + 2] in ("\\", "*", "?"):
            plain.append(text[position + 1])
            position += 2
            continue
        if char in "*?":
            if plain:
                tokens.append("".join(plain))
                plain = []
            tokens.append(Wild(char))
        else:
            plain.append(char)
        position += 1
    if plain:
        tokens.append("".join(plain))
    return tuple(tokens)


def contains(pattern: Pattern) -> list[Pattern]:
    """`*` at both ends, unless it is there."""
    return [_unless(pattern, 0) + pattern + _unless(pattern, -1)]


def startswith(pattern: Pattern) -> list[Pattern]:
    """`*` at the end."""
    return [pattern + _unless(pattern, -1)]


def endswith(pattern: Pattern) -> list[Pattern]:
    """`*` at the beginning."""
    return [_unless(pattern, 0) + pattern]


def _unless(pattern: Pattern, end: int) -> Pattern:
    return () if pattern and pattern[end] is Wild.STAR else (Wild.STAR,)


def windash(pattern: Pattern) -> list[Pattern]:
    """Every combination of the five dashes where an option may begin."""
    pieces: list[Sequence[Token]] = []
    count = 0
    for token in pattern:
        if not isinstance(token, str):
            pieces.append((token,))
            continue
        end = 0
        for dash in DASH.finditer(token):
            pieces.append((token[end : dash.start()],))
            pieces.append(DASHES)
            end = dash.end()
            count += 1
        pieces.append((token[end:],))
    if count > limits.WINDASH_DASHES_MAX:
        raise RuleError(f"windash con más de {limits.WINDASH_DASHES_MAX} guiones en un valor")
    return [joined(choice) for choice in itertools.product(*pieces)]


def joined(tokens: Sequence[Token]) -> Pattern:
    """Neighbouring texts as one, without empty ones, a run of `*` as one."""
    found: list[Token] = []
    for token in tokens:
        if token in ("", b""):
            continue
        last = found[-1] if found else None
        if token is Wild.STAR and last is Wild.STAR:
            continue
        if isinstance(last, str) and isinstance(token, str):
            token = last + token
            found.pop()
        if isinstance(last, bytes) and isinstance(token, bytes):
            token = last + token
            found.pop()
        found.append(token)
    return tuple(found)


def _encode(codec: str, mark: bytes = b"") -> Callable[[Pattern], list[Pattern]]:
    def encode(pattern: Pattern) -> list[Pattern]:
        if any(isinstance(token, bytes) for token in pattern):
            raise RuleError("el valor ya tiene una codificación anterior")
        encoded = tuple(t.encode(codec) if isinstance(t, str) else t for t in pattern)
        return [(mark, *encoded) if mark else encoded]

    return encode


def _plain_bytes(pattern: Pattern, modifier: str) -> bytes:
    if any(isinstance(token, Wild) for token in pattern):
        raise RuleError(f"{modifier} no admite comodines en el valor")
    if not pattern:
        raise RuleError(f"{modifier} no admite un valor vacío")
    return b"".join(t.encode() if isinstance(t, str) else bytes(t) for t in pattern)  # type: ignore[arg-type]


def base64_whole(pattern: Pattern) -> list[Pattern]:
    """The Base64 of the whole value."""
    return [(base64.b64encode(_plain_bytes(pattern, "base64")).decode(),)]


def base64_offset(pattern: Pattern) -> list[Pattern]:
    """What surely stands in Base64 when the value stands in the data at each of the 3 offsets."""
    data = _plain_bytes(pattern, "base64offset")
    found: list[Pattern] = []
    for shift, start in enumerate((0, 2, 3)):
        end = (None, -3, -2)[(len(data) + shift) % 3]
        code = base64.b64encode(b" " * shift + data).decode()[start:end]
        if not code:
            raise RuleError("base64offset con un valor demasiado corto")
        found.append((code,))
    return found


def expand(pattern: Pattern, placeholders: Mapping[str, Sequence[str]]) -> list[Pattern]:
    r"""Each `%name%` replaced by every value that the site gives it; `\%` is a percent sign."""
    pieces: list[Sequence[Pattern]] = []
    for token in pattern:
        if not isinstance(token, str):
            pieces.append(((token,),))
            continue
        end = 0
        for hit in PLACEHOLDER.finditer(token):
            pieces.append(((token[end : hit.start()].replace("\\%", "%"),),))
            pieces.append([parse(value) for value in _known(hit[1], placeholders)])
            end = hit.end()
        pieces.append(((token[end:].replace("\\%", "%"),),))
    count = 1
    for piece in pieces:
        count *= len(piece)
    if count > limits.RULE_VALUES_MAX:
        raise RuleError(f"los marcadores dan más de {limits.RULE_VALUES_MAX} valores")
    return [joined(tuple(itertools.chain(*choice))) for choice in itertools.product(*pieces)]


def expand_expression(text: str, placeholders: Mapping[str, Sequence[str]]) -> str:
    """The same in a regular expression: the values are texts there, one of them has to stand."""

    def choice(hit: "re.Match[str]") -> str:
        values = _known(hit[1], placeholders)
        return f"(?:{'|'.join(re2.escape(value) for value in values)})"

    return PLACEHOLDER.sub(choice, text).replace("\\%", "%")


def _known(name: str, placeholders: Mapping[str, Sequence[str]]) -> Sequence[str]:
    if not placeholders.get(name):
        raise RuleError(f"el marcador %{name}% no tiene valores en este sitio")
    return placeholders[name]


REWRITES: Mapping[str, Callable[[Pattern], list[Pattern]]] = {
    "contains": contains,
    "startswith": startswith,
    "endswith": endswith,
    "windash": windash,
    "wide": _encode("utf-16-le"),
    "utf16le": _encode("utf-16-le"),
    "utf16be": _encode("utf-16-be"),
    "utf16": _encode("utf-16-le", b"\xff\xfe"),
    "base64": base64_whole,
    "base64offset": base64_offset,
}


def _decoded(token: str | bytes) -> str:
    if isinstance(token, str):
        return token
    try:
        return token.decode()
    except UnicodeDecodeError as error:
        raise RuleError("tras wide o utf16 hace falta base64 o base64offset") from error


def finished(pattern: Pattern) -> tuple[str | Wild, ...]:
    """The pattern as text and wildcards alone, in its shortest form."""
    texts = (t if isinstance(t, Wild) else _decoded(t) for t in pattern)
    return tuple(t for t in joined(tuple(texts)) if not isinstance(t, bytes))
