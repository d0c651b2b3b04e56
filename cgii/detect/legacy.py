"""Rules of the old form: `action: global`, `reset` and `repeat` spread one rule over documents."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from cgii.base.errors import ContentError
from cgii.detect.rule_files import Document, Marked
from cgii.detect.rules import SingleRule

ACTIONS = ("global", "reset", "repeat")
WHOLE = ("correlation", "filter")  # documents of these kinds are never merged
Read = Document | ContentError | SingleRule


def merge_actions(documents: Iterable[Read]) -> Iterator[Read]:
    """The documents as whole rules: what a global one says stands in those after it.

    A document that repeats takes everything from the rule before it and says what differs.
    Rules that have been read already pass as they are.
    """
    path = ""
    shared: Document | None = None
    before: Document | None = None
    for document in documents:
        if document.path != path:
            path, shared, before = document.path, None, None
        action = document.data.get("action") if isinstance(document, Document) else None
        if not isinstance(document, Document) or any(kind in document.data for kind in WHOLE):
            yield document
        elif action is None:
            before = _merged(document, shared) if shared else document
            yield before
        elif action == "global":
            shared = before = _merged(document)
        elif action == "reset":
            shared = None
        elif action == "repeat" and before is not None:
            before = _merged(before, document)
            yield before
        else:
            reason = f"action «{action}» no existe; use {', '.join(ACTIONS)}"
            if action == "repeat":
                reason = "action: repeat necesita una regla anterior en el mismo archivo"
            yield ContentError(document.path, reason, document.data.lines.get("action"))


def _merged(first: Document, second: Document | None = None) -> Document:
    """One document in which the second, where it says something, has the last word."""
    data = _united(Marked(), first.data)
    text, line = first.text, first.line
    if second is not None:
        data = _united(data, second.data)
        text, line = f"{first.text}---\n{second.text}", max(line, second.line)
    data.pop("action", None)
    return replace(first, data=data, text=text, line=line)


def _united(under: Marked, over: Marked) -> Marked:
    found = Marked()
    found.update(under)
    found.lines.update(under.lines)
    for key, value in over.items():
        below = found.get(key)
        if isinstance(value, Marked):
            value = _united(below if isinstance(below, Marked) else Marked(), value)
        found[key] = value
        found.lines[key] = over.lines.get(key, 0)
    return found
