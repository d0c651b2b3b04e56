"""Loads rules from the program, the site and further folders; lists what it refuses, and why."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from cgii.base import content
from cgii.base.errors import ContentError
from cgii.detect.correlations import read_correlations
from cgii.detect.filters import filtered, read_filter
from cgii.detect.legacy import Read, merge_actions
from cgii.detect.logsources import LogSources, load_logsources
from cgii.detect.rule_cache import RuleCache
from cgii.detect.rule_files import (
    SUFFIXES,
    Document,
    RuleError,
    parse_documents,
    read_documents,
    rule_files,
)
from cgii.detect.rules import CorrelationRule, Filter, SingleRule, read_single
from cgii.detect.values import text_of

RULE_FOLDERS = tuple(
    f"{kind}/**/*{suffix}"
    for kind in ("sigma", "correlation", "filters", "imported/*/rules")
    for suffix in SUFFIXES
)
IMPORTED = "imported/"
PLACEHOLDERS = "placeholders.yml"
RuleT = TypeVar("RuleT", SingleRule, Filter)


@dataclass(frozen=True)
class RuleSet:
    """The rules in force, those refused, and what the logsources mean."""

    single: tuple[SingleRule, ...] = ()
    correlations: tuple[CorrelationRule, ...] = ()
    rejected: tuple[ContentError, ...] = ()
    logsources: LogSources = field(default_factory=LogSources)
    filters: tuple[Filter, ...] = ()

    @property
    def all(self) -> tuple[SingleRule | CorrelationRule, ...]:
        """Every rule in force."""
        found: tuple[SingleRule | CorrelationRule, ...] = self.single
        return found + self.correlations

    @property
    def by_id(self) -> Mapping[str, SingleRule | CorrelationRule]:
        """Every rule under its id."""
        return {rule.id: rule for rule in self.all}

    @property
    def silent(self) -> frozenset[str]:
        """The ids of rules that a correlation counts and that give no alert by themselves."""
        asked = {i: True for rule in self.correlations for i in rule.rule_ids}
        for rule in self.correlations:
            if rule.generate:
                asked.update(dict.fromkeys(rule.rule_ids, False))
        return frozenset(rule_id for rule_id, is_silent in asked.items() if is_silent)


@dataclass(frozen=True)
class RuleText:
    """A rule that is in no file; it stands above files with the same id, and empty hides them."""

    rule_id: str
    path: str  # what errors name in the place of a file
    text: str


def load_rules(
    site: Path | None = None,
    *,
    extra: Sequence[Path] = (),
    builtin: bool = True,
    texts: Sequence[RuleText] = (),
    cache: RuleCache | None = None,
) -> RuleSet:
    """Every rule: the shipped ones under the site's overlay if `builtin`, then those in `extra`.

    Above them stand `texts`. What `cache` remembers is not read again.
    """
    placeholders = read_placeholders(site)
    cache = cache or RuleCache()
    cache.open(placeholders)
    covered = {text.rule_id for text in texts}
    documents: list[Read] = []
    for path in _files(site, extra, builtin=builtin):
        documents += [one for one in cache.read(path, placeholders) if _id_of(one) not in covered]
    cache.save()
    for text in texts:
        documents += parse_documents(text.text, text.path)
    return compile_rules(documents, logsources=load_logsources(site), placeholders=placeholders)


def _files(site: Path | None, extra: Sequence[Path], *, builtin: bool) -> Iterable[Path]:
    files: list[Path] = []
    if builtin:
        names = {f.name: f.path for p in RULE_FOLDERS for f in content.find("rules", p, site)}
        # Of two rules with one id the first is kept, and ours and the site's stand above a set's.
        ordered = sorted(names, key=lambda name: (name.startswith(IMPORTED), name))
        files += [names[name] for name in ordered]
    files += rule_files(extra)
    once: dict[Path, Path] = {}  # the same file twice is no conflict
    for path in files:
        once.setdefault(path.resolve(), path)
    return once.values()


def _id_of(read: Read) -> str | None:
    if isinstance(read, SingleRule):
        return read.id
    return str(read.data["id"]) if isinstance(read, Document) and "id" in read.data else None


def compile_rules(
    documents: Iterable[Read],
    *,
    logsources: LogSources | None = None,
    placeholders: Mapping[str, Sequence[str]] | None = None,
) -> RuleSet:
    """The rule set of documents that have been read, or of rules that were read from them."""
    table = logsources or LogSources()
    rejected = list(table.rejected)
    single: dict[str, SingleRule] = {}
    filters: dict[str, Filter] = {}
    waiting: list[Document] = []
    for document in merge_actions(documents):
        if isinstance(document, ContentError):
            rejected.append(document)
            continue
        try:
            if isinstance(document, SingleRule):
                _add(single, document)
            elif "correlation" in document.data:
                waiting.append(document)
            elif "filter" in document.data:
                _add(filters, read_filter(document, placeholders or {}))
            else:
                _add(single, _read(document, placeholders or {}))
        except RuleError as error:
            rejected.append(_refused(document, error))
    if filters:
        single = {key: filtered(rule, filters.values()) for key, rule in single.items()}
    names = {rule.name: rule for rule in single.values() if rule.name} | single
    correlations, refused = read_correlations(waiting, names)
    rejected += refused
    return RuleSet(
        tuple(single.values()),
        tuple(correlations),
        tuple(rejected),
        table,
        tuple(filters.values()),
    )


def _read(document: Document, placeholders: Mapping[str, Sequence[str]]) -> SingleRule:
    if "detection" not in document.data:
        raise RuleError("no es una regla Sigma: no tiene detection ni correlation")
    return read_single(document, placeholders)


def _add(rules: dict[str, RuleT], rule: RuleT) -> None:
    if rule.id in rules:
        raise RuleError(f"el id {rule.id} ya está en {rules[rule.id].path}")
    rules[rule.id] = rule


def _refused(document: Document | SingleRule, error: RuleError) -> ContentError:
    return ContentError(document.path, error.reason, error.line or document.line)


def read_placeholders(site: Path | None) -> dict[str, list[str]]:
    """Values of the placeholders that rules name, ours and above them the site's; none is empty."""
    known: dict[str, list[str]] = {}
    for folder in (content.shipped("rules"), site / "rules" if site else None):
        path = folder / PLACEHOLDERS if folder else None
        for document in read_documents(path) if path and path.is_file() else ():
            if isinstance(document, Document):
                for name, values in document.data.items():
                    listed = values if isinstance(values, list) else [values]
                    known[name] = [text for text in map(text_of, listed) if text is not None]
    return {name: values for name, values in known.items() if values}
