"""What a set of rules can see: loaded and refused, by kind of log, and in ATT&CK."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import product

from cgii.detect.attack import Attack, summary
from cgii.detect.logsources import Alternative, LogSources, attributes
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet
from cgii.model.event import LogSource

# For each attribute the values that a source gives it; None means any.
Produced = tuple[frozenset[str] | None, frozenset[str] | None, frozenset[str] | None]


@dataclass(frozen=True, slots=True)
class SourceCoverage:
    """The rules of one logsource, and the sources of ours that give such events."""

    logsource: LogSource
    rules: int
    sources: tuple[str, ...]

    @property
    def name(self) -> str:
        """`windows/process_creation`; empty for rules about every event."""
        return "/".join(filter(None, attributes(self.logsource)))


@dataclass(frozen=True)
class Coverage:
    """The whole report."""

    loaded: int
    refused: int
    reasons: tuple[tuple[str, int], ...]  # most frequent first
    sources: tuple[SourceCoverage, ...]
    levels: tuple[tuple[str, int], ...]
    attack: Attack

    @property
    def covered(self) -> int:
        """How many single-event rules are about logs that a source of ours gives."""
        return sum(one.rules for one in self.sources if one.sources)


def coverage(rules: RuleSet, produced: Iterable[tuple[str, Produced]]) -> Coverage:
    """The coverage of the rules by the sources: (name of the source, what it produces)."""
    sources = list(produced)
    by_source = Counter(rule.logsource for rule in rules.single)
    found = [
        SourceCoverage(wanted, count, tuple(_giving(rules.logsources, wanted, sources)))
        for wanted, count in by_source.items()
    ]
    found.sort(key=lambda one: (not one.sources, -one.rules, one.name))
    reasons = Counter(_kind_of(problem.reason) for problem in rules.rejected)
    levels = Counter(rule.level for rule in rules.all)
    return Coverage(
        len(rules.all),
        len(rules.rejected),
        tuple(reasons.most_common()),
        tuple(found),
        tuple(levels.most_common()),
        attack_of(rules.all),
    )


def attack_of(rules: Sequence[SingleRule | CorrelationRule]) -> Attack:
    """The tactics and techniques that rules are tagged with."""
    return summary({rule.id: rule.tags for rule in rules}, {})


def _giving(
    table: LogSources, wanted: LogSource, sources: Sequence[tuple[str, Produced]]
) -> Iterable[str]:
    for name, parts in sources:
        if _gives(table, wanted, parts):
            yield name


def _gives(table: LogSources, wanted: LogSource, parts: Produced) -> bool:
    """Whether an event of the source can be what the rule asks for, and says so itself."""
    meant = table.meaning(wanted)
    open_values = [
        {"", *(attributes(one)[place] for one in (wanted, *(each.of for each in meant)))}
        for place in range(3)
    ]
    choices = [
        sorted(part if part is not None else open_values[place]) for place, part in enumerate(parts)
    ]
    for values in product(*choices):
        event = LogSource(*values)
        said = tuple(
            value if part is not None else "" for value, part in zip(values, parts, strict=True)
        )
        if any(_says_so(one, said) for one in table.alternatives(wanted, event)):
            return True
    return wanted == LogSource()


def _says_so(alternative: Alternative, said: Sequence[str]) -> bool:
    """Whether something that the source always says of its events is what is asked for."""
    pairs = zip(attributes(alternative.of), said, strict=True)
    return any(asked and asked == told for asked, told in pairs)


def _kind_of(reason: str) -> str:
    """The reason without the names in it, so that equal ones are counted together."""
    if "marcador" in reason:
        return "marcador sin valores en este sitio"
    if "ya está en" in reason:
        return "id repetido"
    pieces = reason.split("«")
    kept = [pieces[0], *(piece.partition("»")[2] for piece in pieces[1:])]
    text = "«…»".join(kept)
    return text.partition(": ")[2] if ": " in text else text
