"""Colours a rule's YAML for reading: each line in pieces with what they are; no markup."""

import re
from dataclasses import dataclass

PIECES = re.compile(
    r"(?P<comment>(?:^|(?<=\s))#.*)"
    r"|(?P<key>(?:^|(?<=[\s{,-]))[\w.@|*<-][^\s:#'\"{},\[\]]{0,80}(?=:(?:\s|$)))"
    r"|(?P<text>'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\")"
    r"|(?P<word>(?<![\w.-])(?:true|false|null|and|or|not|of|all|them|any|1)(?![\w.-]))"
    r"|(?P<number>(?<![\w.-])-?\d+(?:\.\d+)?[smhdwMy]?(?![\w.-]))"
    r"|(?P<mark>^---$|[\[\]{}])"
)
LINES_MAX = 3_000  # longer rules are shown plain from there on …
LINE_CHARS_MAX = 1_000  # … and so are longer lines


@dataclass(frozen=True)
class Piece:
    """A stretch of text; `kind` is "" for what is plain."""

    kind: str
    text: str


def coloured(text: str) -> list[list[Piece]]:
    """The lines of a YAML text in pieces; put together they are the text again."""
    return [
        _line(line) if number < LINES_MAX and len(line) <= LINE_CHARS_MAX else [Piece("", line)]
        for number, line in enumerate(text.splitlines())
    ]


def _line(line: str) -> list[Piece]:
    pieces: list[Piece] = []
    at = 0
    for found in PIECES.finditer(line):
        if found.start() > at:
            pieces.append(Piece("", line[at : found.start()]))
        pieces.append(Piece(found.lastgroup or "", found[0]))
        at = found.end()
    if at < len(line):
        pieces.append(Piece("", line[at:]))
    return pieces
