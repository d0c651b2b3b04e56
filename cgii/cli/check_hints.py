"""What `cgii check` says of rules beyond mistakes: hints, and how much of them can be used here."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import typer

from cgii.collect.definition import load_definitions
from cgii.collect.produced import fields_of, produced_by
from cgii.detect.coverage import coverage
from cgii.detect.lint import Hint, SourceFields, always_evaluated, lint
from cgii.detect.rule_cache import RuleCache
from cgii.detect.rule_files import rule_files
from cgii.detect.ruleset import RuleSet, load_rules

SHOWN = 5  # of a list that may be long


def rules_asked(
    site: Path | None, paths: Sequence[Path], cache: RuleCache | None = None
) -> RuleSet:
    """Every rule, or with `paths` those of these files and folders alone, filters applied."""
    rules = load_rules(site, extra=paths, cache=cache)
    if not paths:
        return rules
    asked = {str(path.resolve()) for path in rule_files(paths)}

    def is_asked(path: str) -> bool:
        return str(Path(path).resolve()) in asked

    return replace(
        rules,
        single=tuple(rule for rule in rules.single if is_asked(rule.path)),
        correlations=tuple(rule for rule in rules.correlations if is_asked(rule.path)),
        filters=tuple(one for one in rules.filters if is_asked(one.path)),
        rejected=tuple(error for error in rules.rejected if is_asked(error.path)),
    )


def hints_about(site: Path | None, rules: RuleSet) -> list[Hint]:
    """Slips in these rules, fields that our sources never give included."""
    return lint(rules, _sources(site))


def show_summary(site: Path | None, rules: RuleSet) -> None:
    """Two to five lines on how much of the rules can be used here, on the error output."""
    sources = _sources(site)
    seen = coverage(rules, [(one.name, one.parts) for one in sources])
    kinds = f"{len(rules.correlations)} correlaciones, {len(rules.filters)} filtros"
    typer.echo(f"Reglas: {seen.loaded} vigentes ({kinds}), {seen.refused} rechazadas.", err=True)
    for reason, count in seen.reasons:
        typer.echo(f"  rechazadas {count}: {reason}", err=True)
    always = always_evaluated(rules.single)
    if always:
        names = ", ".join(rule.name or rule.title for rule in always[:SHOWN])
        more = " …" if len(always) > SHOWN else ""
        typer.echo(f"  se evalúan casi siempre {len(always)}: {names}{more}", err=True)
    blind = Counter({one.name: one.rules for one in seen.sources if not one.sources})
    if blind:
        worst = ", ".join(f"{name} ({count})" for name, count in blind.most_common(SHOWN))
        typer.echo(
            f"  sin una fuente de este centro {blind.total()}, de {len(blind)} clases de registro: "
            f"{worst}{' …' if len(blind) > SHOWN else ''}",
            err=True,
        )


def _sources(site: Path | None) -> list[SourceFields]:
    definitions = load_definitions(site)
    return [
        SourceFields(one.name, produced_by(one), fields_of(one, definitions))
        for one in definitions.by_name.values()
    ]
