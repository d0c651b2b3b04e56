"""`cgii check`: reads content, runs its examples, and names file and line of what is wrong."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from cgii.base import clock, content
from cgii.base.content import Kind
from cgii.base.errors import ContentError
from cgii.base.settings import load
from cgii.cli.check_hints import hints_about, rules_asked, show_summary
from cgii.collect.definition import Definitions, load_definitions
from cgii.collect.normalize import normalize
from cgii.collect.trial import check_collectors, check_definitions, is_definition
from cgii.detect.rule_cache import RuleCache, cache_in
from cgii.detect.rule_files import rule_files
from cgii.detect.trial import Reader, check_rules
from cgii.detect.yara_child import is_available
from cgii.detect.yara_trial import check_yara
from cgii.model.event import Event, Origin, Raw

# What a centre checks beside sources and rules: loaded only where its libraries are installed.
CENTRE_CHECKS: dict[Kind, tuple[str, ...]] = {
    "playbooks": ("cgii.respond.cacao:check_playbooks", "cgii.respond.notify:check_messages"),
    "dashboards": ("cgii.measure.boards:check_dashboards",),
    "reports": ("cgii.report.definition:check_reports",),
}


def check(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            exists=True,
            help="Carpetas o archivos por revisar; sin ellos, todo el contenido. Lo que está "
            "fuera de las carpetas de contenido se revisa como fuentes, si lo son, o como reglas.",
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Los avisos también cuentan como fallas.")
    ] = False,
) -> None:
    """Valida fuentes, reglas, guías, informes y tableros, y corre sus ejemplos."""
    settings = load()
    site, known = settings.site, cache_in(settings.data)
    reader = reader_of(load_definitions(site))
    problems: list[ContentError] = []
    if not paths:
        problems = check_all(site, known)
    for path in paths or ():
        kind_of_path = _kind_of(path, site)
        if kind_of_path is None:
            problems += _check_elsewhere(path, site, reader, known)
            continue
        found = _check_kind(kind_of_path, site, reader, known)
        problems += [
            one for one in found if Path(one.path).resolve().is_relative_to(path.resolve())
        ]
    for problem in problems:
        typer.echo(str(problem))
    hints = _say_hints(site, paths, known)
    if problems or (strict and hints):
        typer.echo(f"{len(problems)} problemas, {hints} avisos.", err=True)
        raise typer.Exit(1)
    typer.echo("Todo lo revisado es válido.", err=True)


def _check_elsewhere(
    path: Path, site: Path | None, reader: Reader, known: RuleCache
) -> list[ContentError]:
    """Of files outside of all content: definitions are known by their keys, others are rules."""
    problems = check_definitions(_definitions_in(path), site)
    if rules := _rules_in(path):
        problems += check_rules(site, rules, reader=reader, cache=known)
    if not is_definition(path):
        problems += check_yara(site, [path])
    return problems


def _definitions_in(path: Path) -> list[Path]:
    return [one for one in rule_files([path]) if is_definition(one)]


def _rules_in(path: Path) -> list[Path]:
    """Where the Sigma rules are; where there are no definitions, it is the path itself."""
    definitions = set(_definitions_in(path))
    return [one for one in rule_files([path]) if one not in definitions] if definitions else [path]


def _say_hints(site: Path | None, paths: Sequence[Path] | None, known: RuleCache) -> int:
    """Tell what may be wrong with the rules that were asked for, and sum them up; the hints."""
    asked: list[Path] = []
    for path in paths or ():
        kind = _kind_of(path, site)
        if kind in (None, "rules"):
            asked += _rules_in(path) if kind is None else [path]
    if paths and not asked:
        return 0
    rules = rules_asked(site, asked, known)
    hints = hints_about(site, rules)
    for hint in hints:
        typer.echo(str(hint))
    show_summary(site, rules)
    return len(hints)


def check_all(site: Path | None, known: RuleCache | None = None) -> list[ContentError]:
    """Everything that is wrong with content of any kind, shipped or the site's."""
    reader = reader_of(load_definitions(site))
    return [problem for kind in content.KINDS for problem in _check_kind(kind, site, reader, known)]


def _kind_of(path: Path, site: Path | None) -> Kind | None:
    """The kind of content that the path belongs to, shipped or the site's; None for others."""
    for kind in content.KINDS:
        folders = [content.shipped(kind), *([site / kind] if site else [])]
        if any(path.resolve().is_relative_to(folder.resolve()) for folder in folders):
            return kind
    return None


def _check_kind(
    kind: Kind, site: Path | None, reader: Reader, known: RuleCache | None
) -> list[ContentError]:
    if kind == "collectors":
        return check_collectors(site)
    if kind == "rules":
        if not is_available():
            typer.echo(
                "yara: se revisa donde está instalada su biblioteca (cgii[centre]).", err=True
            )
        return [*check_rules(site, (), reader=reader, cache=known), *check_yara(site)]
    if find_spec("sqlalchemy") is None:
        typer.echo(f"{kind}: se revisa donde está instalado el centro (cgii[centre]).", err=True)
        return []
    found: list[ContentError] = []
    for place in CENTRE_CHECKS[kind]:
        module, _, function = place.partition(":")
        found += getattr(import_module(module), function)(site)
    return found


def reader_of(definitions: Definitions) -> Reader:
    """A function that reads a raw line as one source would; None when it is rejected."""

    def read(source: str, raw: str) -> Event | None:
        origin = Origin(source, "example", "0")
        done = normalize(origin, [Raw(0, raw.encode())], definitions, received_at=clock.now())
        return done.events[0] if done.events else None

    return read
