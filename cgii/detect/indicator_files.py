"""Reads lists of indicators as people publish them: plain lines, CSV, MISP's JSON."""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cgii.base.errors import Invalid

# How MISP names what we call a kind; types of two values ("domain|ip") are read as both.
MISP_KINDS = {
    "ip-src": "ip", "ip-dst": "ip", "domain": "domain", "hostname": "domain", "url": "url",
    "uri": "url", "link": "url", "md5": "hash", "sha1": "hash", "sha256": "hash", "sha512": "hash",
    "email": "email", "email-src": "email", "email-dst": "email", "ip": "ip", "filename": "",
}  # fmt: skip
COLUMNS = {
    "value": ("value", "valor", "indicator", "indicador"),
    "kind": ("kind", "type", "clase", "tipo"),
    "note": ("note", "comment", "description", "nota", "descripcion"),
    "days": ("days", "dias"),
}


@dataclass(frozen=True, slots=True)
class Line:
    """One value as a list writes it, and the number of its line."""

    number: int
    text: str
    kind: str = "auto"
    note: str = ""
    days: int | None = None  # until it expires; None leaves it to the import


def read_lines(lines: Iterable[str]) -> Iterator[Line]:
    """The values of a list: one per line, CSV with a heading that names `value`, or MISP JSON."""
    numbered = enumerate(lines, start=1)
    for number, line in numbered:
        text = line.strip().lstrip("\ufeff")
        if not text or text[0] in "#;":
            continue
        if text[0] in "{[":
            yield from _read_json(text + "\n" + "".join(rest for _, rest in numbered))
        elif (heading := _heading(text)) is not None:
            yield from _read_csv(heading, numbered)
        else:
            yield _plain(number, text)
            yield from (
                _plain(place, rest.strip())
                for place, rest in numbered
                if rest.strip() and rest.strip()[0] not in "#;"
            )


def _plain(number: int, text: str) -> Line:
    value, _, note = text.partition("#")
    return Line(number, re.split(r"[\s,;]", value.strip(), maxsplit=1)[0], note=note.strip())


def _heading(text: str) -> list[str] | None:
    for mark in (",", ";", "\t"):
        names = [name.strip().strip('"').lower() for name in text.split(mark)]
        if {"value", "valor", "indicator", "indicador"} & set(names):
            return [mark, *names]
    return None


def _read_csv(heading: list[str], numbered: Iterable[tuple[int, str]]) -> Iterator[Line]:
    mark, *names = heading
    for number, line in numbered:
        row = dict(zip(names, next(csv.reader([line], delimiter=mark), []), strict=False))
        said = {name: _first(row, *also) for name, also in COLUMNS.items()}
        if said["value"]:
            days = int(said["days"]) if said["days"].isdecimal() else None
            kind = said["kind"].lower()
            kind = MISP_KINDS.get(kind, kind) or "auto"
            yield Line(number, said["value"], kind, said["note"], days)


def _first(row: Mapping[str, str], *names: str) -> str:
    return next((row[name].strip() for name in names if row.get(name)), "")


def _read_json(text: str) -> Iterator[Line]:
    try:
        tree = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Invalid("La lista no es JSON válido: {reason}.", reason=str(error)[:200]) from error
    waiting, number = [tree], 0
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting.extend(reversed(node))
        elif isinstance(node, str):
            number += 1
            yield Line(number, node)
        elif isinstance(node, dict) and "value" in node and isinstance(node["value"], str):
            number += 1
            if node.get("to_ids") is False:  # MISP: context, not to be looked for
                continue
            types = str(node.get("type", "auto")).split("|")
            note = str(node.get("comment") or "")
            for kind, value in zip(types, node["value"].split("|"), strict=False):
                known = MISP_KINDS.get(kind, kind if kind == "auto" else "")
                if known:
                    yield Line(number, value, known, note)
        elif isinstance(node, dict):
            waiting.extend(value for value in node.values() if isinstance(value, (dict, list)))
