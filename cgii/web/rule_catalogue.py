"""What pages ask of a rule set, found once per set: kind, origin, log, ATT&CK, words to search."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

from cgii.base.content import shipped
from cgii.base.labels import load_table
from cgii.detect.attack import tactics_in, techniques_in
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet

Rule = SingleRule | CorrelationRule
LEVELS = ("critical", "high", "medium", "low", "informational")  # the gravest first
PROGRAM, SITE, IMPORTED, HERE = "program", "site", "imported", "here"
IMPORTS = "/rules/imported/"


@dataclass(frozen=True)
class RuleFacts:
    """What a rule says of itself, as lists show it."""

    rule: Rule
    kind: str
    origin: str
    source: str
    tactics: tuple[str, ...]
    techniques: tuple[str, ...]
    text: str  # in lower case: where words are sought

    @property
    def parents(self) -> frozenset[str]:
        """Its techniques without their parts: T1110 of T1110.003."""
        return frozenset(one.partition(".")[0] for one in self.techniques)


@dataclass(frozen=True)
class Catalogue:
    """Every rule in force."""

    rules: RuleSet
    site: Path | None

    @cached_property
    def facts(self) -> Mapping[str, RuleFacts]:
        """By id, in the order of title."""
        ordered = sorted(self.rules.all, key=lambda rule: rule.title.casefold())
        return {rule.id: facts_of(rule, self.site) for rule in ordered}

    @cached_property
    def silent(self) -> frozenset[str]:
        """The ids of rules that only correlations count."""
        return self.rules.silent

    @cached_property
    def counted_by(self) -> Mapping[str, tuple[CorrelationRule, ...]]:
        """By a rule's id, the correlations that count it."""
        found: dict[str, list[CorrelationRule]] = {}
        for correlation in self.rules.correlations:
            for rule_id in correlation.rule_ids:
                found.setdefault(rule_id, []).append(correlation)
        return {rule_id: tuple(those) for rule_id, those in found.items()}


_last: list[Catalogue] = []  # of the set now in force: finding its facts takes a while
_lock = Lock()


def catalogue_of(rules: RuleSet, site: Path | None) -> Catalogue:
    """The catalogue of a rule set; the same one as long as the set is the same object."""
    with _lock:
        if not _last or _last[0].rules is not rules or _last[0].site != site:
            _last[:] = [Catalogue(rules, site)]
        return _last[0]


def facts_of(rule: Rule, site: Path | None) -> RuleFacts:
    """The facts of one rule."""
    source, techniques = source_of(rule), techniques_in(rule.tags)
    names = load_table("attack")["techniques"]
    words = (rule.title, rule.id, rule.name, source, *rule.tags, rule.description)
    spoken = (names.get(one, "") for one in techniques)
    return RuleFacts(
        rule,
        kind_of(rule),
        origin_of(rule.path, site),
        source,
        tactics_in(rule.tags),
        techniques,
        " ".join((*words, *spoken)).casefold(),
    )


def kind_of(rule: Rule) -> str:
    """ "sigma" or "correlation"."""
    return "correlation" if isinstance(rule, CorrelationRule) else "sigma"


def origin_of(path: str, site: Path | None) -> str:
    """Whose file the rule stands in; what stands in no file was written here."""
    if IMPORTS in path:
        return IMPORTED
    if path.startswith(str(shipped("rules"))):
        return PROGRAM
    if site is not None and path.startswith(str(site)):
        return SITE
    return SITE if Path(path).is_absolute() else HERE


def source_of(rule: Rule) -> str:
    """The kind of log it is about, in Sigma's words; a correlation's are those of its rules."""
    if isinstance(rule, SingleRule):
        found = [rule.logsource]
    else:
        found = list(rule.logsources.values())
    names = ["/".join(filter(None, (one.product, one.category, one.service))) for one in found]
    return ", ".join(dict.fromkeys(filter(None, names)))


def place_of(path: str) -> str:
    """The file below its kind's folder: what a reader needs, without this machine's folders."""
    parts = Path(path).parts
    begin = max((n for n, part in enumerate(parts) if part == "rules"), default=0)
    return "/".join(parts[begin:])


def technique_name(code: str) -> str:
    """The published name of a technique, its parent's before it; "" when nobody told us."""
    names: Mapping[str, str] = load_table("attack")["techniques"]
    own, parent = names.get(code, ""), code.partition(".")[0]
    return f"{names[parent]}: {own}" if own and parent != code and parent in names else own
