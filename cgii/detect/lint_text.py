"""Slips that show only in a rule's text: what the compiled rule no longer knows was written."""

import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from cgii.detect.rule_files import Document, Marked, parse_documents
from cgii.detect.values import fold

OPERATORS = re.compile(r"\b(?:AND|OR|NOT|OF|THEM)\b")
WHOLE_NUMBER = re.compile(r"(?:0|[1-9][0-9]{0,17})\Z")
PLAIN = re.compile(r"[\w \-/:@,;<>=!&%#'\"~]*\Z")  # nothing in it means anything to RE2
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
SIDES = ("contains", "startswith", "endswith")


class Slip(NamedTuple):
    """What is wrong, and on which line of the rule's text; None when it is about all of it."""

    reason: str
    line: int | None = None


def slips_in(text: str, key: str) -> Iterator[Slip]:
    """The slips of the rule or filter whose detection stands under `key`."""
    for document in parse_documents(text, ""):
        if not isinstance(document, Document):
            continue
        data = document.data
        for name in ("date", "modified"):
            if name in data and not DATE.match(str(data[name])):
                yield Slip(f"{name} se escribe AAAA-MM-DD", data.lines.get(name))
        detection = data.get(key)
        if isinstance(detection, Marked):
            yield from _of_conditions(detection)
            for name, part in detection.items():
                if name not in ("condition", "rules"):
                    yield from _of_part(part, detection.lines.get(name))


def _of_conditions(detection: Marked) -> Iterator[Slip]:
    written = detection.get("condition")
    for condition in written if isinstance(written, list) else [written]:
        words = OPERATORS.findall(str(condition or ""))
        if words:
            line = detection.lines.get("condition")
            yield Slip(f"en la condición, {', '.join(words)} se escribe en minúsculas", line)


def _of_part(part: object, line: int | None) -> Iterator[Slip]:
    if isinstance(part, Marked):
        for key, value in part.items():
            for reason in _of_line(key, value):
                yield Slip(reason, part.lines.get(key, line))
    elif isinstance(part, list):
        for one in part:
            yield from _of_part(one, line)


def _of_line(key: str, value: object) -> Iterator[str]:
    name, *modifiers = key.split("|")
    values = value if isinstance(value, list) else [value]
    texts = [one for one in values if isinstance(one, str)]
    if "all" in modifiers and len(values) == 1:
        yield f"«{key}»: all con un solo valor no cambia nada"
    if not modifiers and texts == values and all(map(WHOLE_NUMBER.match, texts)):
        yield f"«{name}»: un número se escribe sin comillas"
    if "base64offset" in modifiers and "contains" not in modifiers:
        yield f"«{key}»: base64offset sin contains no coincidirá con nada"
    if any("**" in text.replace("\\*", "") for text in texts) and "re" not in modifiers:
        yield f"«{key}»: dos asteriscos seguidos valen por uno"
    if any(side in modifiers for side in SIDES) and "re" not in modifiers:
        yield from _of_side(key, modifiers, texts)
    if "re" in modifiers and texts and all(map(PLAIN.match, texts)) and "expand" not in modifiers:
        yield f"«{key}»: no es una expresión regular, use contains"
    if "windash" in modifiers and not any(re.search(r"\B[-/]\b", text) for text in texts):
        yield f"«{key}»: windash sin un guion que cambiar"
    folded = Counter(text if {"cased", "re"} & {*modifiers} else fold(text) for text in texts)
    if twice := [text for text, count in folded.items() if count > 1]:
        yield f"«{key}»: está repetido «{twice[0][:60]}»"


def _of_side(key: str, modifiers: list[str], texts: list[str]) -> Iterator[str]:
    begins = "startswith" not in modifiers
    ends = "endswith" not in modifiers
    for text in texts:
        if (begins and text.startswith("*")) or (ends and re.search(r"(?<!\\)\*\Z", text)):
            yield f"«{key}»: sobra el asterisco del borde de «{text[:60]}»"
            return
