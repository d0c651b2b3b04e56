"""How `cgii rules` shows rules, sets and coverage: tables for people, JSON for programs."""

from collections.abc import Sequence
from typing import Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cgii.base import clock
from cgii.base.errors import ContentError
from cgii.detect.coverage import Coverage
from cgii.detect.logsources import attributes
from cgii.detect.rule_imports import Outcome, RuleImport
from cgii.detect.rules import CorrelationRule, SingleRule

Rule = SingleRule | CorrelationRule
PLAIN_WIDTH = 1_000  # columns of a table that goes into a file: nothing is cut there
LISTED_MAX = 20  # rules of one kind that the report of an update names


def show_rules(rules: Sequence[Rule], *, as_json: bool) -> None:
    """One line per rule."""
    if as_json:
        for rule in rules:
            _json({**_brief(rule), "tags": rule.tags, "path": rule.path, "line": rule.line})
        return
    cells = [(rule.level, rule.title, kind_of(rule), source_of(rule), rule.id) for rule in rules]
    _table(("Nivel", "Regla", "Clase", "Registros", "Id"), cells)
    typer.echo(f"{len(rules)} reglas.", err=True)


def show_refused(problems: Sequence[ContentError], *, as_json: bool) -> None:
    """One line per rule that cannot be used."""
    for problem in problems:
        if as_json:
            _json({"path": problem.path, "line": problem.line, "reason": problem.reason})
        else:
            typer.echo(str(problem))
    if not as_json:
        typer.echo(f"{len(problems)} rechazadas.", err=True)


def show_sets(sets: Sequence[RuleImport], *, as_json: bool) -> None:
    """One line per imported set."""
    if as_json:
        for one in sets:
            _json(vars(one))
        return
    if not sets:
        typer.echo("No hay conjuntos importados.")
        return
    cells = [
        (
            one.name,
            str(one.rules),
            str(one.refused),
            clock.show(one.updated_at),
            ", ".join(one.licences) or "sin licencia",
            one.origin,
        )
        for one in sets
    ]
    _table(("Conjunto", "Reglas", "Rechazadas", "Renovado", "Licencia", "Origen"), cells)


def show_rule(rule: Rule) -> None:
    """One rule with its text."""
    told = {
        "Regla": rule.title,
        "Id": rule.id,
        "Nombre": rule.name,
        "Clase": kind_of(rule),
        "Nivel": rule.level,
        "Estado": rule.status,
        "Registros": source_of(rule),
        "Etiquetas": ", ".join(rule.tags),
        "Archivo": f"{rule.path}:{rule.line}",
    }
    for name, value in told.items():
        if value:
            typer.echo(f"{name + ':':<11} {printable(value)}")
    typer.echo("")
    typer.echo(rule.text.rstrip())


def show_outcome(
    outcome: Outcome, covered: Coverage, *, lost: Sequence[str], as_json: bool
) -> None:
    """What an import or an update did."""
    found = outcome.described
    if as_json:
        _json(
            {
                "set": vars(found),
                "new": [_brief(rule) for rule in outcome.new],
                "changed": [_brief(rule) for rule in outcome.changed],
                "gone": [_brief(rule) for rule in outcome.gone],
                "repeated": [_brief(rule) for rule in outcome.repeated],
                "other_files": outcome.other_files,
                "tuned_and_gone": lost,
                "coverage": _coverage(covered),
            }
        )
        return
    typer.echo(
        f"«{found.name}»: {found.rules} reglas en {found.files} archivos; {found.refused} "
        f"rechazadas, {found.left_out} fuera de lo pedido, {outcome.other_files} archivos sin "
        "reglas."
    )
    typer.echo(f"Licencia: {', '.join(found.licences) or 'el conjunto no trae ninguna'}.")
    if found.updated_at != found.imported_at:
        for word, rules in (
            ("Nuevas", outcome.new),
            ("Cambiadas", outcome.changed),
            ("Desaparecidas", outcome.gone),
        ):
            _name_rules(word, rules)
    _name_rules("Ya las hay con ese id y valen las otras", outcome.repeated)
    if lost:
        typer.echo(
            f"Hay ajustes de reglas que ya no existen: {', '.join(lost)}. Véalos con "
            "«cgii tuning list»."
        )
    for refusal in found.refusals:
        typer.echo(f"rechazada: {refusal}", err=True)
    if found.refused > len(found.refusals):
        typer.echo(f"… y {found.refused - len(found.refusals)} más.", err=True)
    show_coverage(covered, as_json=False)


def show_coverage(covered: Coverage, *, as_json: bool) -> None:
    """Which logs the rules are about, and what of ATT&CK they are tagged with."""
    if as_json:
        _json(_coverage(covered))
        return
    singles = sum(one.rules for one in covered.sources)
    typer.echo(
        f"Cargadas {covered.loaded}, rechazadas {covered.refused}. De {singles} reglas de un "
        f"registro, {covered.covered} leen registros de fuentes que este centro entiende."
    )
    for reason, count in covered.reasons:
        typer.echo(f"  rechazadas {count}: {reason}")
    cells = [
        (one.name or "cualquiera", str(one.rules), ", ".join(one.sources) or "sin fuente")
        for one in covered.sources
    ]
    if cells:
        _table(("Registros", "Reglas", "Fuentes"), cells)
    told = " · ".join(f"{one.name} {one.rules}" for one in covered.attack.tactics)
    typer.echo(
        f"ATT&CK: {len(covered.attack.techniques)} técnicas; reglas por táctica: {told or '—'}"
    )


def source_of(rule: Rule) -> str:
    """The kind of log a rule is about, in Sigma's words."""
    found = [rule.logsource] if isinstance(rule, SingleRule) else list(rule.logsources.values())
    names = ["/".join(filter(None, attributes(one))) for one in found]
    return ", ".join(dict.fromkeys(filter(None, names)))


def kind_of(rule: Rule) -> str:
    """ "sigma" or "correlation"."""
    return "sigma" if isinstance(rule, SingleRule) else "correlation"


def printable(text: str) -> str:
    """Text that commands no terminal, whoever wrote it."""
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def _name_rules(word: str, rules: Sequence[Rule]) -> None:
    if not rules:
        return
    typer.echo(f"{word} ({len(rules)}):")
    for rule in rules[:LISTED_MAX]:
        typer.echo(f"  {rule.id}  {printable(rule.title)}")
    if len(rules) > LISTED_MAX:
        typer.echo(f"  … y {len(rules) - LISTED_MAX} más")


def _brief(rule: Rule) -> dict[str, Any]:  # JSON values
    return {
        "id": rule.id,
        "title": rule.title,
        "level": rule.level,
        "status": rule.status,
        "kind": kind_of(rule),
        "logsource": source_of(rule),
    }


def _coverage(covered: Coverage) -> dict[str, Any]:  # JSON values
    return {
        "loaded": covered.loaded,
        "refused": covered.refused,
        "reasons": dict(covered.reasons),
        "levels": dict(covered.levels),
        "covered": covered.covered,
        "logsources": [
            {"logsource": one.name, "rules": one.rules, "sources": one.sources}
            for one in covered.sources
        ],
        "tactics": {one.code: one.rules for one in covered.attack.tactics},
        "techniques": {one.code: one.rules for one in covered.attack.techniques},
    }


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    table = Table(*heads, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console.print(table)


def _json(data: object) -> None:
    typer.echo(orjson.dumps(data).decode())
