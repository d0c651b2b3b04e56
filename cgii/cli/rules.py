"""`cgii rules`: what is loaded, what it covers, and sets of rules that others wrote."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from cgii import centre as centres
from cgii.base import clock
from cgii.base.errors import Invalid, NotFound
from cgii.base.settings import Settings, load
from cgii.cli.rules_show import (
    show_coverage,
    show_outcome,
    show_refused,
    show_rule,
    show_rules,
    show_sets,
)
from cgii.collect.definition import load_definitions
from cgii.collect.produced import produced_by
from cgii.detect import rule_imports
from cgii.detect.coverage import Coverage, coverage
from cgii.detect.rule_cache import cache_in
from cgii.detect.rule_imports import Choice, Outcome
from cgii.detect.rules import LEVELS, STATUSES, CorrelationRule, SingleRule
from cgii.detect.ruleset import RuleSet, load_rules
from cgii.model.detection import RuleTuning

rules = typer.Typer(no_args_is_help=True, help="Reglas vigentes y conjuntos importados.")
SetName = Annotated[str, typer.Option("--name", help="Nombre del conjunto; sin él, el del origen.")]
MinLevel = Annotated[str, typer.Option(help="Solo las reglas de este nivel o mayor.")]
Status = Annotated[
    list[str] | None,
    typer.Option(help="Solo este estado; repetible. Sin ella: stable, test y experimental."),
]
AsJson = Annotated[bool, typer.Option("--json", help="En JSON.")]


@rules.command("list")
def list_rules(
    sets: Annotated[bool, typer.Option("--sets", help="Los conjuntos importados.")] = False,
    refused: Annotated[bool, typer.Option("--refused", help="Las reglas rechazadas.")] = False,
    contains: Annotated[str, typer.Option(help="Solo las que contienen este texto.")] = "",
    min_level: MinLevel = "informational",
    json: AsJson = False,
) -> None:
    """Muestra las reglas vigentes, las rechazadas o los conjuntos importados."""
    settings = load()
    if sets:
        show_sets(rule_imports.imported_sets(settings.own_site), as_json=json)
        return
    loaded = _loaded(settings)
    if refused:
        show_refused(loaded.rejected, as_json=json)
        return
    _known(min_level, LEVELS)
    wanted = contains.casefold()
    found = [
        rule
        for rule in loaded.all
        if LEVELS.index(rule.level) >= LEVELS.index(min_level)
        and wanted in " ".join((rule.id, rule.name, rule.title, *rule.tags)).casefold()
    ]
    show_rules(found, as_json=json)


@rules.command("show")
def show(rule: Annotated[str, typer.Argument(help="Id, nombre o título.")]) -> None:
    """Muestra una regla: de dónde viene, qué lee y su texto."""
    show_rule(find_rule(_loaded(load()), rule))


@rules.command("import")
def import_rules(
    origin: Annotated[Path, typer.Argument(help="Carpeta, ZIP o TAR con reglas Sigma.")],
    name: SetName = "",
    min_level: MinLevel = "informational",
    status: Status = None,
    json: AsJson = False,
) -> None:
    """Importa un conjunto de reglas, valida cada una y dice qué cubren."""
    settings = load()
    choice = Choice(_known(min_level, LEVELS), _statuses(status))
    outcome = rule_imports.import_set(
        settings.own_site,
        origin,
        name=name or rule_imports.name_for(origin),
        choice=choice,
        now=clock.now(),
    )
    _record("rules.imported", outcome)
    show_outcome(outcome, _covered(outcome.loaded), lost=(), as_json=json)


@rules.command("update")
def update(
    name: Annotated[str, typer.Argument(help="Nombre del conjunto.")],
    origin: Annotated[
        Path | None, typer.Argument(help="De dónde; sin ello, de donde se importó.")
    ] = None,
    min_level: Annotated[str, typer.Option(help="Otro nivel mínimo.")] = "",
    status: Status = None,
    json: AsJson = False,
) -> None:
    """Renueva un conjunto: dice qué cambió y conserva los ajustes."""
    settings = load()
    choice = rule_imports.described(settings.own_site, name).choice
    if min_level:
        choice = Choice(_known(min_level, LEVELS), choice.statuses)
    if status:
        choice = Choice(choice.min_level, _statuses(status))
    outcome = rule_imports.update_set(
        settings.own_site, name, origin=origin, choice=choice, now=clock.now()
    )
    lost = _record("rules.updated", outcome)
    show_outcome(outcome, _covered(outcome.loaded), lost=lost, as_json=json)


@rules.command("remove")
def remove(name: Annotated[str, typer.Argument(help="Nombre del conjunto.")]) -> None:
    """Quita un conjunto importado; los ajustes de sus reglas se conservan."""
    removed = rule_imports.remove_set(load().own_site, name)
    with _record_if_any() as centre:
        if centre is not None:
            with centre.database.transaction() as session:
                centre.act(session, via="cli").record(
                    "rules.removed", f"rules:{name}", origin=removed.origin, rules=removed.rules
                )
    typer.echo(f"Se quitó «{name}» con sus {removed.rules} reglas.")


@rules.command("coverage")
def show_all_coverage(
    name: Annotated[str, typer.Argument(help="Un conjunto; sin él, todas las reglas.")] = "",
    json: AsJson = False,
) -> None:
    """Dice qué registros leen las reglas, cuáles llegan a este centro y qué cubren de ATT&CK."""
    settings = load()
    site = settings.own_site
    if name:
        rule_imports.described(site, name)
        folder = rule_imports.imports_folder(site) / name / "rules"
        loaded = load_rules(site, extra=[folder], builtin=False)
    else:
        loaded = _loaded(settings)
    show_coverage(_covered(loaded), as_json=json)


def _loaded(settings: Settings) -> RuleSet:
    return load_rules(settings.own_site, cache=cache_in(settings.data))


def find_rule(loaded: RuleSet, wanted: str) -> SingleRule | CorrelationRule:
    """The rule of that id, name, title or file. Raises NotFound."""
    path = Path(wanted).resolve()
    for rule in reversed(loaded.all):
        if wanted in (rule.id, rule.name, rule.title) or Path(rule.path).resolve() == path:
            return rule
    raise NotFound("No hay una regla «{wanted}» que se pueda usar.", wanted=wanted)


def _covered(loaded: RuleSet) -> Coverage:
    definitions = load_definitions(load().site)
    produced = [(one.name, produced_by(one)) for one in definitions.by_name.values()]
    return coverage(loaded, produced)


def _known(word: str, words: Sequence[str]) -> str:
    if word not in words:
        raise Invalid("No existe «{word}»; use {words}.", word=word, words=", ".join(words))
    return word


def _statuses(given: list[str] | None) -> tuple[str, ...]:
    return tuple(_known(one, STATUSES) for one in given) if given else rule_imports.STATUSES


@contextmanager
def _record_if_any() -> Iterator[centres.Centre | None]:
    """The centre of this machine, when there is one: a set can be imported before it exists."""
    settings = load()
    if not settings.has_record:
        yield None
        return
    centre = centres.build(settings)
    try:
        yield centre
    finally:
        centre.close()


def _record(action: str, outcome: Outcome) -> list[str]:
    """Write the deed into the audit trail; answers the gone rules that somebody had tuned."""
    found = outcome.described
    with _record_if_any() as centre:
        if centre is None:
            return []
        alive = centre.content.rules.by_id
        gone = [rule.id for rule in outcome.gone if rule.id not in alive]
        with centre.database.transaction() as session:
            centre.act(session, via="cli").record(
                action,
                f"rules:{found.name}",
                origin=found.origin,
                rules=found.rules,
                refused=found.refused,
                new=len(outcome.new),
                changed=len(outcome.changed),
                gone=len(outcome.gone),
            )
            tuned = select(RuleTuning.rule_id).where(RuleTuning.ended_at.is_(None)).distinct()
            return sorted(set(gone) & set(session.scalars(tuned)))
