"""Reads a search in Lucene syntax into our tree; what it cannot read it refuses in a sentence."""

import re
from collections.abc import Callable

import re2
from luqum import tree as lucene
from luqum.exceptions import ParseError
from luqum.thread import parse as parse_lucene

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.store import query_ranges, query_values
from cgii.store.query_fields import ADDRESSES, TEXTS, TIMES, comparable, named
from cgii.store.query_times import span
from cgii.store.query_tree import (
    And,
    During,
    Equals,
    Everything,
    Exists,
    Like,
    Node,
    Not,
    Or,
    Pieces,
    Regex,
    Says,
    Wild,
    WordLike,
    Words,
)
from cgii.store.words import fold, words

# Escaped characters, quoted texts and brackets, in the order in which the parser sees them.
_SHAPE = re.compile(r'\\.|"(?:\\.|[^"\\])*"|[()]', re.DOTALL)
_ADDRESS_START = re.compile(r"\d{1,3}(?:\.\d{1,3}){0,2}\.?")
_ANY = (Wild.ANY,)
_WILD_NAME = re.compile(r"(?:^|[^\\])(?:\\\\)*[*?]")
_EVENT_ID = re.compile(r"[0-9a-f]{32}")


def parse(text: str) -> Node:
    """The tree of a search; empty text and `*:*` mean every event. Raises Invalid."""
    if len(text) > limits.QUERY_CHARS_MAX:
        raise _wrong("La búsqueda es demasiado larga: {found} caracteres de {most} permitidos.",
                     found=len(text), most=limits.QUERY_CHARS_MAX)  # fmt: skip
    if not text.strip():
        return Everything()
    _refuse_depth(text)
    try:
        tree = parse_lucene(query_ranges.quote_negative(text))
    except ParseError as error:
        raise _syntax(text, str(error)) from error
    except (ArithmeticError, ValueError) as error:  # "a~." and its like
        raise _no_closeness() from error
    reader = _Reader()
    return reader.read(tree, field=None, depth=0)


def _wrong(message: str, **facts: object) -> Invalid:
    return Invalid(message, field="q", **facts)


def _refuse_depth(text: str) -> None:
    depth = 0
    for sign in _SHAPE.findall(text):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth > limits.QUERY_DEPTH_MAX:
            raise _too_deep()


def _too_deep() -> Invalid:
    return _wrong(
        "La búsqueda tiene más de {most} niveles de paréntesis u operadores; simplifíquela.",
        most=limits.QUERY_DEPTH_MAX,
    )


def _syntax(text: str, reason: str) -> Invalid:
    if text.count('"') % 2:
        return _wrong("Falta cerrar unas comillas en la búsqueda.")
    if text.count("(") != text.count(")"):
        return _wrong("Los paréntesis de la búsqueda no están completos.")
    place = re.search(r"position (\d+)", reason)
    if place and "':'" in reason:
        return _wrong(
            "No se entiende «:» en la posición {place}; escriba entre comillas el valor que "
            'contiene dos puntos, por ejemplo source.ip:"2001:db8::1".',
            place=int(place[1]) + 1,
        )
    if place:
        return _wrong(
            "No se entiende la búsqueda en la posición {place}; revise los operadores o escriba "
            "ese texto entre comillas.",
            place=int(place[1]) + 1,
        )
    return _wrong(
        "La búsqueda está incompleta: después de AND, OR, NOT o «:» falta lo que se busca."
    )


class _Reader:
    """Turns the parser's tree into ours; counts the conditions on its way."""

    def __init__(self) -> None:
        self.conditions = 0

    def read(self, node: lucene.Item, *, field: str | None, depth: int) -> Node:
        if depth > limits.QUERY_DEPTH_MAX:
            raise _too_deep()
        match node:
            case lucene.AndOperation() | lucene.UnknownOperation():
                self._refuse_mixture(node)
                return And(self._all(node, field=field, depth=depth))
            case lucene.OrOperation():
                return Or(self._all(node, field=field, depth=depth))
            case lucene.Not() | lucene.Prohibit():
                return Not(self.read(node.a, field=field, depth=depth + 1))
            case lucene.Plus():
                return self.read(node.a, field=field, depth=depth + 1)
            case lucene.Group() | lucene.FieldGroup():
                return self.read(node.expr, field=field, depth=depth)
            case lucene.SearchField():
                return self._field(node, outer=field, depth=depth)
            case _:
                self.conditions += 1
                if self.conditions > limits.QUERY_CONDITIONS_MAX:
                    raise _wrong("La búsqueda tiene más de {most} condiciones.",
                                 most=limits.QUERY_CONDITIONS_MAX)  # fmt: skip
                return _leaf(node, field)

    def _all(self, node: lucene.Item, *, field: str | None, depth: int) -> tuple[Node, ...]:
        return tuple(self.read(child, field=field, depth=depth + 1) for child in node.children)

    def _refuse_mixture(self, node: lucene.Item) -> None:
        loose = isinstance(node, lucene.UnknownOperation)
        if loose and any(isinstance(child, lucene.OrOperation) for child in node.children):
            raise _wrong(
                "No queda claro a qué se aplica OR; use paréntesis, por ejemplo a AND (b OR c)."
            )

    def _field(self, node: lucene.SearchField, *, outer: str | None, depth: int) -> Node:
        _refuse_open_name(node.name)
        name = re.sub(r"\\(.)", r"\1", node.name)
        if outer is not None:
            raise _wrong(
                "Hay dos campos seguidos, «{outer}» y «{name}»; si los dos puntos son parte del "
                "valor, escríbalo entre comillas.",
                outer=outer,
                name=name,
            )
        if name == "_exists_":
            asked = _plain(node.expr)
            return Everything() if asked == "*" else self._any_of(asked, lambda one: Exists(one))
        if name == "*":
            if isinstance(node.expr, lucene.Word) and node.expr.value == "*":
                return Everything()
            raise _wrong("«*:» solo se admite como *:*; para buscar en todo, escriba la palabra.")
        return self._any_of(name, lambda one: self.read(node.expr, field=one, depth=depth))

    def _any_of(self, name: str, build: Callable[[str], Node]) -> Node:
        parts = tuple(build(one) for one in named(name))
        return parts[0] if len(parts) == 1 else Or(parts)


def _refuse_open_name(name: str) -> None:
    """A wildcard in a field's name; `*` alone has a meaning of its own."""
    if name != "*" and _WILD_NAME.search(name):
        raise _wrong(
            "El nombre de un campo no admite comodines: «{name}». Escriba el nombre entero, o solo "
            "el valor para buscarlo en todo el registro.",
            name=name,
        )


def _plain(node: lucene.Item) -> str:
    if not isinstance(node, lucene.Word):
        raise _wrong("Después de _exists_: va el nombre de un campo.")
    _refuse_open_name(str(node.value))
    return re.sub(r"\\(.)", r"\1", str(node.value))


def _leaf(node: lucene.Item, field: str | None) -> Node:
    match node:
        case lucene.Phrase():
            text = re.sub(r'\\(["\\])', r"\1", node.value[1:-1])
            return _phrase(text, field)
        case lucene.Word():
            return _word(str(node.value), field)
        case lucene.Regex():
            return _regex(node.value[1:-1], field)
        case lucene.From() | lucene.To():
            return _half_range(node, field)
        case lucene.Range():
            return _range(
                field,
                _bound(node.low),
                _bound(node.high),
                low_counts=node.include_low,
                high_counts=node.include_high,
            )
        case _:
            raise _no_closeness()


def _no_closeness() -> Invalid:
    return _wrong("Los operadores «~» y «^» no se admiten; use comodines (*, ?) o comillas.")


def _phrase(text: str, field: str | None) -> Node:
    if field is None:
        return Words(_some_words(text))
    if field in TIMES:
        return During(field, *span(text))
    if field in TEXTS:
        return Says(field, _some_words(text))
    return _equals(field, text)


def _equals(field: str, text: str) -> Node:
    if field in ADDRESSES:
        if "/" in text:
            return query_ranges.network(field, text)
        query_ranges.refuse_dashed(field, text)
    if field == "_id" and _EVENT_ID.fullmatch(text):
        raise _wrong(
            "«_id:» solo abre un registro: escríbalo sin nada más en la pantalla de búsqueda."
        )
    return Equals(field, comparable(field, text))


def _some_words(text: str) -> tuple[str, ...]:
    found = words(text)
    if not found:
        raise _wrong("En «{text}» no hay ninguna palabra que buscar.", text=text)
    return found


def _word(raw: str, field: str | None) -> Node:
    _refuse_foreign(raw, field)
    pieces = _pieces(raw)
    if pieces == _ANY:
        return Everything() if field is None else Exists(field)
    if all(isinstance(piece, str) for piece in pieces):
        return _phrase("".join(map(str, pieces)), field)
    if field is None or field in TEXTS:
        return _open_words(pieces, field)
    if field in TIMES:
        raise _wrong("El campo {name} no admite comodines; escriba un intervalo.", name=field)
    return Like(field, tuple(fold(piece) if isinstance(piece, str) else piece for piece in pieces))


def _refuse_foreign(raw: str, field: str | None) -> None:
    """Signs of other languages, which the parser would take for words."""
    if "&&" in raw or "||" in raw:
        raise _wrong(
            "Escriba AND en lugar de «&&» y OR en lugar de «||»; o el texto entre comillas."
        )
    if raw.startswith("!"):
        raise _wrong("Escriba NOT en lugar de «!», por ejemplo: NOT user.name:root.")
    if field is None and raw in ("and", "or", "not"):
        raise _wrong("Escriba AND, OR y NOT en mayúsculas; para buscar la palabra, entre comillas.")
    if field is None and re.search(r"(?<!\\)[<>=]", raw):
        raise _wrong(
            "Para comparar escriba dos puntos después del campo, por ejemplo "
            "source.port:>=1024; para buscar ese texto, escríbalo entre comillas."
        )


def _pieces(raw: str) -> Pieces:
    """Split a word at its wildcards. A backslash before a sign makes it plain text."""
    pieces: list[str | Wild] = []
    signs = iter(raw)
    for char in signs:
        if char in "*?":
            wild = Wild(char)
            if not (wild is Wild.ANY and pieces and pieces[-1] is Wild.ANY):
                pieces.append(wild)
            continue
        if char == "\\":
            after = next(signs, "")
            char = after if after and not after.isalnum() else char + after
        if pieces and isinstance(pieces[-1], str):
            pieces[-1] += char
        else:
            pieces.append(char)
    if pieces.count(Wild.ANY) > limits.QUERY_WILDCARDS_MAX:
        raise _wrong(
            "Hay más de {most} comodines «*» en un valor.", most=limits.QUERY_WILDCARDS_MAX
        )
    return tuple(pieces)


def _open_words(pieces: Pieces, field: str | None) -> Node:
    """`power*` is a beginning and fast; any other pattern is tried on each word."""
    begin = pieces[0]
    if len(pieces) == 2 and isinstance(begin, str) and pieces[1] is Wild.ANY:
        found = _beginning(begin)
        return Words(found, open_end=True) if field is None else Says(field, found, open_end=True)
    if field is not None:
        folded = tuple(fold(piece) if isinstance(piece, str) else piece for piece in pieces)
        return Like(field, folded)
    folded = tuple(fold(piece) if isinstance(piece, str) else piece for piece in pieces)
    if any(isinstance(piece, str) and words(piece) != (piece,) for piece in folded):
        raise _wrong(
            "Un comodín en medio de un texto con signos necesita un campo, por ejemplo "
            "process.command_line:*texto*."
        )
    return WordLike(folded)


def _beginning(text: str) -> tuple[str, ...]:
    if "." in text and _ADDRESS_START.fullmatch(text):
        return (text.replace(".", "x"),)  # the beginning of an address, which is one word
    found = _some_words(text)
    if not words(fold(text)[-1:]):
        raise _wrong("Antes de «*» debe ir una letra o un número en «{text}*».", text=text)
    return found


def _regex(pattern: str, field: str | None) -> Node:
    if field is None or not pattern:
        raise _wrong("Una expresión regular necesita un campo, por ejemplo user.name:/adm.*/; "
                     "si es una ruta o una dirección web, escríbala entre comillas.")  # fmt: skip
    pattern = pattern.replace("\\/", "/")
    try:
        query_values.compile_regex(pattern)
    except re2.error as error:
        raise _wrong("La expresión regular «{pattern}» no es válida (sintaxis RE2).",
                     pattern=pattern) from error  # fmt: skip
    return Regex(field, pattern)


def _bound(node: lucene.Item) -> str | None:
    """The text of one end of a range; None for `*`."""
    if isinstance(node, lucene.Prohibit):  # a negative number
        return f"-{_bound(node.a)}"
    if isinstance(node, lucene.Phrase):
        return re.sub(r'\\(["\\])', r"\1", node.value[1:-1])
    if not isinstance(node, lucene.Word):
        raise _wrong("Los límites de un intervalo son un número, una fecha o un texto.")
    text = re.sub(r"\\(.)", r"\1", str(node.value))
    return None if text == "*" else text


def _half_range(node: lucene.From | lucene.To, field: str | None) -> Node:
    if isinstance(node, lucene.From):
        return _range(field, _bound(node.a), None, low_counts=node.include, high_counts=True)
    return _range(field, None, _bound(node.a), low_counts=True, high_counts=node.include)


def _range(
    field: str | None, low: str | None, high: str | None, *, low_counts: bool, high_counts: bool
) -> Node:
    if field is None:
        raise _wrong("Un intervalo necesita un campo, por ejemplo source.port:[1 TO 1023].")
    return query_ranges.interval(field, low, high, (low_counts, high_counts))
