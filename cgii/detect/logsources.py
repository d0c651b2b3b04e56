"""Reads rules/logsources.yml: which events a logsource means, and how their fields are named."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cgii.base import content
from cgii.base.errors import ContentError
from cgii.detect.modifiers import Budget, compile_line
from cgii.detect.nodes import Node, all_of
from cgii.detect.rule_files import Document, Marked, RuleError, read_documents
from cgii.model.event import LogSource

ATTRIBUTES = ("product", "category", "service")


@dataclass(frozen=True)
class Alternative:
    """One kind of event that a logsource means.

    `of` names the event's own logsource, `when` what its fields must hold, `fields` where the
    producer keeps a field that rules call otherwise.
    """

    of: LogSource
    when: Node | None = None
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_open: bool = False  # what the event does not say about itself is no obstacle

    def fits(self, event: LogSource) -> bool:
        """Whether an event with this logsource can be meant, its fields not considered."""
        for wanted, found in zip(attributes(self.of), attributes(event), strict=True):
            if wanted and wanted != found and (found or not self.is_open):
                return False
        return True


@dataclass(frozen=True)
class LogSources:
    """The whole table."""

    meanings: Mapping[LogSource, tuple[Alternative, ...]] = field(default_factory=dict)
    producers: tuple[LogSource, ...] = ()
    rejected: tuple[ContentError, ...] = ()

    def knows(self, event: LogSource) -> bool:
        """Whether the producer states its logsource fully, so that what is missing is absent."""
        return any(Alternative(producer).fits(event) for producer in self.producers)

    def alternatives(self, rule: LogSource, event: LogSource) -> list[Alternative]:
        """The ways in which an event with the logsource `event` can be what `rule` asks for."""
        found = [alt for alt in self.meaning(rule) if alt.fits(event)]
        direct = Alternative(rule, is_open=not self.knows(event))
        if direct.fits(event):
            found.append(direct)
        return found

    def meaning(self, rule: LogSource) -> tuple[Alternative, ...]:
        """The kinds of event that a rule's logsource stands for."""
        if rule in self.meanings or not (rule.category and rule.service):
            return self.meanings.get(rule, ())
        by_category = self.meanings.get(LogSource(rule.product, rule.category), ())
        by_service = self.meanings.get(LogSource(rule.product, "", rule.service), ())
        return tuple(_both(a, b) for a in by_category for b in by_service if a.of == b.of)


def _both(one: Alternative, other: Alternative) -> Alternative:
    conditions = [when for when in (one.when, other.when) if when is not None]
    return Alternative(
        one.of, all_of(conditions) if conditions else None, {**other.fields, **one.fields}
    )


def attributes(source: LogSource) -> tuple[str, str, str]:
    """(product, category, service)."""
    return source.product, source.category, source.service


def read_logsource(data: object) -> LogSource:
    """A logsource from YAML, in lower case; RuleError when it is none."""
    if data is None:
        return LogSource()
    if not isinstance(data, dict):
        raise RuleError("logsource tiene que ser un mapa")
    values: list[str] = []
    for name in ATTRIBUTES:
        value = data.get(name)
        if value is not None and not isinstance(value, str):
            raise RuleError(f"logsource: «{name}» tiene que ser un texto")
        values.append((value or "").strip().lower())
    return LogSource(*values)


def load_logsources(site: Path | None = None) -> LogSources:
    """The table that came with the program, or the site's own in its place."""
    rejected: list[ContentError] = []
    meanings: dict[LogSource, tuple[Alternative, ...]] = {}
    producers: list[LogSource] = []
    for file in content.find("rules", "logsources.yml", site):
        for document in read_documents(file.path):
            if isinstance(document, ContentError):
                rejected.append(document)
                continue
            for producer in _entries(document, "producers", rejected):
                producers.append(read_logsource(producer))
            for entry in _entries(document, "sources", rejected):
                try:
                    source = read_logsource(entry.get("logsource"))
                    meanings[source] = tuple(_alternatives(source, entry))
                except RuleError as error:
                    line = error.line or entry.lines.get("logsource")
                    rejected.append(ContentError(document.path, error.reason, line))
    return LogSources(meanings, tuple(producers), tuple(rejected))


def _entries(document: Document, name: str, rejected: list[ContentError]) -> list[Marked]:
    found = document.data.get(name) or []
    if isinstance(found, list) and all(isinstance(entry, Marked) for entry in found):
        return found
    reason = f"«{name}» tiene que ser una lista de mapas"
    rejected.append(ContentError(document.path, reason, document.data.lines.get(name)))
    return []


def _alternatives(source: LogSource, entry: Marked) -> list[Alternative]:
    events = entry.get("events")
    if not isinstance(events, list) or not events:
        raise RuleError("«events» tiene que ser una lista con al menos un caso")
    found: list[Alternative] = []
    for event in events:
        if not isinstance(event, Marked):
            raise RuleError("cada caso de «events» tiene que ser un mapa")
        own = event.get("of")
        of = read_logsource(own) if own else LogSource(source.product)
        when = event.get("when") or {}
        names = event.get("fields") or {}
        if not isinstance(when, dict) or not isinstance(names, dict):
            raise RuleError("«when» y «fields» tienen que ser mapas")
        lines = [compile_line(key, value, Budget()) for key, value in when.items()]
        found.append(Alternative(of, all_of(lines) if lines else None, _names(names)))
    return found


def _names(names: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    return {
        name: tuple(str(one) for one in (found if isinstance(found, list) else [found]))
        for name, found in names.items()
    }
