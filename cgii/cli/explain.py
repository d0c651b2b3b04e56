"""`cgii explain`: why a rule is true of an event, or what it lacks."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cgii.base import clock
from cgii.base.errors import Invalid, NotFound
from cgii.base.settings import load
from cgii.collect.definition import Definitions, load_definitions
from cgii.collect.normalize import normalize
from cgii.collect.route import choose_source
from cgii.detect.alerts import Match
from cgii.detect.explain import Explanation
from cgii.detect.explain import explain as explain_rule
from cgii.detect.explain_correlation import Counted, explain_correlation
from cgii.detect.rule_cache import cache_in
from cgii.detect.rules import CorrelationRule, SingleRule
from cgii.detect.ruleset import load_rules
from cgii.model.event import Event, Origin, Raw

Rule = SingleRule | CorrelationRule


def explain(
    rule: Annotated[str, typer.Argument(help="Id, nombre o archivo de la regla.")],
    event: Annotated[str, typer.Argument(help="El registro; «-» lo lee de la entrada.")] = "-",
    source: Annotated[str, typer.Option(help="Fuente del registro; «auto» la reconoce.")] = "auto",
) -> None:
    """Dice por qué una regla coincide con un registro, o qué le faltó."""
    text = sys.stdin.read() if event == "-" else event
    settings = load()
    rules = load_rules(
        settings.site,
        extra=[Path(rule)] if Path(rule).is_file() else (),
        cache=cache_in(settings.data),
    )
    chosen = _choose(rules.all, rule)
    seen = _read(text.strip(), source, load_definitions(settings.site))
    if isinstance(chosen, CorrelationRule):
        _print_counted(chosen, explain_correlation(chosen, seen, rules))
        return
    answer = explain_rule(chosen, seen, rules.logsources)
    _print(answer)
    if not answer.matched:
        raise typer.Exit(1)
    if settings.has_record and find_spec("sqlalchemy") is not None:
        sayings = import_module("cgii.cli.explain_tuning").sayings
        for saying in sayings(settings, Match(chosen, seen, answer.fields), rules.logsources):
            typer.echo(saying)


def _choose(rules: Sequence[Rule], wanted: str) -> Rule:
    path = str(Path(wanted))
    for rule in reversed(rules):
        if wanted in (rule.id, rule.name, rule.title) or Path(rule.path) == Path(path):
            return rule
    raise NotFound("No hay una regla «{wanted}» que se pueda usar.", wanted=wanted)


def _read(text: str, source: str, definitions: Definitions) -> Event:
    data = text.encode()
    name = choose_source(data, definitions) if source == "auto" else source
    origin = Origin(name, "explain", "0")
    read = normalize(origin, [Raw(0, data)], definitions, received_at=clock.now())
    if not read.events:
        reason = read.rejected[0].reason if read.rejected else "?"
        raise Invalid("El registro no se puede leer: {reason}.", reason=reason)
    return read.events[0]


def _print(answer: Explanation, margin: str = "") -> None:
    if answer.matched:
        typer.echo(f"{margin}Coincide:")
        for one in answer.fields:
            typer.echo(
                f"{margin}  {one.selection}: {one.field or 'texto'} {one.wanted} — tiene "
                f"{one.value!r}"
            )
        return
    if answer.hidden_by:
        names = ", ".join(f"«{one.title}» ({one.path}:{one.line})" for one in answer.hidden_by)
        typer.echo(f"{margin}Coincidiría, pero lo oculta el filtro {names}:")
    else:
        typer.echo(f"{margin}No coincide:")
    for failure in answer.failures:
        found = "el evento no tiene ese campo" if failure.found is None else repr(failure.found)
        typer.echo(
            f"{margin}  {failure.selection}: {failure.field or 'texto'} {failure.wanted} — tiene "
            f"{found}"
        )


def _print_counted(rule: CorrelationRule, counted: Sequence[Counted]) -> None:
    """What the event is to each counted rule; ends with 1 when it counts for none."""
    typer.echo(f"«{rule.title}» pide {rule.terms.wanted}, y cuenta:")
    for one in counted:
        via = "".join(f" en «{title}»" for title in one.through)
        typer.echo(f"- {one.rule.title}{via}")
        _print(one.explanation, "  ")
        for name, value in one.key if one.explanation.matched else ():
            shown = "no tiene ese campo: no se cuenta" if value is None else repr(value)
            typer.echo(f"    clave {name}: {shown}")
    count = sum(one.is_counted for one in counted)
    typer.echo(f"El registro cuenta para {count} de {len(counted)} reglas.")
    if not count:
        raise typer.Exit(1)
