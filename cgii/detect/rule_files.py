"""Reads Sigma files: several YAML documents each, every mapping knows the lines of its keys."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from cgii.base import limits
from cgii.base.errors import ContentError
from cgii.base.reasons import why

SUFFIXES = (".yml", ".yaml")


class Marked(dict[str, Any]):  # values are whatever YAML holds
    """A YAML mapping that remembers on which line each of its keys stands."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


@dataclass(frozen=True)
class Document:
    """One YAML document: where it begins, what it says, its own text."""

    path: str
    line: int
    data: Marked
    text: str


class RuleError(Exception):
    """Why a rule cannot be used, while its file is not known yet; becomes a ContentError."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        self.reason = reason
        self.line = line
        super().__init__(reason)


class _Loader(yaml.CSafeLoader):
    """The scalars of YAML 1.2 as rule authors mean them: `yes`, `0123`, `12:30`, dates are text."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[Marked]:
    loader.flatten_mapping(node)
    found = Marked()
    yield found
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        line = key_node.start_mark.line + 1
        if isinstance(key, (list, dict)):
            raise RuleError("una clave no puede ser una lista ni un mapa", line)
        name = "" if key is None else str(key)
        if name in found:
            raise RuleError(f"la clave «{name}» está repetida", line)
        found[name] = loader.construct_object(value_node, deep=True)
        found.lines[name] = line


def _whole_number(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 16) if "x" in text else int(text)


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("null", r"(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("int", r"(?:[-+]?(?:0|[1-9][0-9]{0,39})|0x[0-9a-fA-F]{1,32})$", "-+0123456789"),
    ("float", r"[-+]?[0-9]{1,40}\.[0-9]{1,40}$", "-+0123456789"),
    ("merge", r"<<$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:int", _whole_number)


def read_documents(path: Path) -> list[Document | ContentError]:
    """The documents of one file; in place of one that cannot be read stands a ContentError."""
    data = read_file(path)
    return [data] if isinstance(data, ContentError) else documents_in(data, path)


def read_file(path: Path) -> bytes | ContentError:
    """The content of a rule file within its bounds, or what is wrong with it."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return ContentError(path, f"no se puede leer: {why(error)}")
    if len(data) > limits.RULE_FILE_BYTES_MAX:
        return ContentError(path, f"pesa más de {limits.RULE_FILE_BYTES_MAX} bytes")
    return data


def documents_in(data: bytes, path: Path) -> list[Document | ContentError]:
    """The documents of a file that has been read."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [ContentError(path, "no está en UTF-8")]
    return parse_documents(text, str(path))


def parse_documents(text: str, path: str) -> list[Document | ContentError]:
    """The same from text, for rules that do not stand in a file."""
    found: list[Document | ContentError] = []
    lines = text.splitlines()
    try:
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            if node is None:
                continue
            try:
                found.append(_document(loader, node, path, lines))
            except RuleError as error:
                found.append(ContentError(path, error.reason, error.line))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = mark.line + 1 if mark else None
        found.append(ContentError(path, f"YAML mal formado: {error.problem}", where))
    except yaml.YAMLError as error:
        found.append(ContentError(path, f"YAML mal formado: {error}"))
    except RecursionError:
        found.append(ContentError(path, "YAML mal formado: demasiados niveles"))
    return found


def _document(loader: _Loader, node: yaml.Node, path: str, lines: Sequence[str]) -> Document:
    first, last = node.start_mark.line, node.end_mark.line
    data = loader.construct_document(node)
    if not isinstance(data, Marked):
        raise RuleError("no es una regla Sigma: se esperaba un mapa", first + 1)
    while last > first and (last >= len(lines) or lines[last].startswith(("---", "..."))):
        last -= 1
    return Document(path, first + 1, data, "\n".join(lines[first : last + 1]).rstrip() + "\n")


def rule_files(places: Sequence[Path]) -> Iterator[Path]:
    """Every YAML file in the given files and folders, in a stable order."""
    for place in places:
        if place.is_dir():
            yield from sorted(p for p in place.rglob("*") if _holds_rules(p) and p.is_file())
        else:
            yield place


def _holds_rules(path: Path) -> bool:
    return path.suffix in SUFFIXES and not path.name.endswith(".examples.yml")
