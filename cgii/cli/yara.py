"""`cgii yara`: looks into files and folders with YARA rules, without a server."""

import os
import pwd
import stat
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any, BinaryIO

import orjson
import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.labels import label
from cgii.base.settings import Settings, load
from cgii.detect.yara_child import MISSING, Bounds, Target, compile_rules, is_available, scan
from cgii.detect.yara_library import bounds_of
from cgii.detect.yara_rules import YaraSources, load_sources
from cgii.model.verdicts import CLEAN, MATCH, UNKNOWN, Verdict

FOUND, UNSURE = 1, 3  # exit codes; 2 is a wrong command line


def yara(
    files: Annotated[list[Path], typer.Argument(help="Archivos o carpetas que se analizan.")],
    rules: Annotated[
        list[Path] | None, typer.Option(help="Carpeta o archivo de reglas YARA; repetible.")
    ] = None,
    builtin: Annotated[bool, typer.Option(help="Usar también las reglas incluidas.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Un archivo por línea, en JSON.")] = False,
    stats: Annotated[bool, typer.Option("--stats", help="Cifras por la salida de error.")] = False,
) -> None:
    """Analiza archivos con YARA: coincide, sin coincidencias o no se pudo saber.

    Termina con 0 si nada coincide, 1 si algo coincide, 3 si de algún archivo no se pudo saber.
    """
    if not is_available():
        raise Invalid(MISSING)
    settings = load()
    sources = _sources(rules or [], settings, builtin=builtin)
    begun = perf_counter()
    tally: Counter[str] = Counter()
    with _progress() as progress:
        task = progress.add_task("", total=None)
        for path, verdict in _verdicts(sources, _all_files(files), bounds_of(settings)):
            tally[verdict.outcome] += 1
            tally["bytes"] += verdict.bytes_scanned
            progress.update(task, description=str(path)[-60:], completed=tally.total())
            if json:
                _print_json(path, verdict)
            else:
                _print_lines(path, verdict)
    if stats:
        typer.echo(
            f"archivos {tally[MATCH] + tally[CLEAN] + tally[UNKNOWN]} · "
            f"coinciden {tally[MATCH]} · sin coincidencias {tally[CLEAN]} · "
            f"no se pudo saber {tally[UNKNOWN]} · {tally['bytes']} bytes · "
            f"{perf_counter() - begun:.1f} s · reglas {sources.version}",
            err=True,
        )
    if tally[MATCH]:
        raise typer.Exit(FOUND)
    if tally[UNKNOWN]:
        raise typer.Exit(UNSURE)


def _sources(extra: list[Path], settings: Settings, *, builtin: bool) -> YaraSources:
    for path in extra:
        if not path.exists():
            raise Invalid("No existe {path}.", path=path)
    sources = load_sources(settings.site, extra=extra, builtin=builtin)
    compiled = compile_rules(sources)
    for problem in compiled.rejected:
        typer.echo(f"regla rechazada: {problem}", err=True)
    if not compiled.rules:
        raise Invalid("No hay ninguna regla de YARA que se pueda usar.")
    return sources


def _all_files(paths: list[Path]) -> Iterator[Path]:
    for path in paths:
        if path.is_dir():
            for folder, folders, names in os.walk(path):  # it does not follow links in circles
                folders.sort()
                yield from (Path(folder) / name for name in sorted(names))
        else:
            yield path


def _verdicts(
    sources: YaraSources, files: Iterable[Path], bounds: Bounds
) -> Iterator[tuple[Path, Verdict]]:
    waiting = iter(files)
    while batch := list(islice(waiting, limits.YARA_BATCH_FILES)):
        opened = {path: file for path in batch if (file := _opened(path)) is not None}
        yield from ((path, _unreadable()) for path in batch if path not in opened)
        targets = [Target(path.name, file, _owner(file)) for path, file in opened.items()]
        try:
            for verdict, path in zip(scan(sources, targets, bounds), opened, strict=True):
                yield path, verdict
        finally:
            for file in opened.values():
                file.close()


def _opened(path: Path) -> BinaryIO | None:
    """The file, if it is an ordinary one: a pipe or a device would wait for ever."""
    try:
        file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    return None


def _owner(file: BinaryIO) -> str:
    try:
        return pwd.getpwuid(os.fstat(file.fileno()).st_uid).pw_name
    except KeyError:
        return ""


def _unreadable() -> Verdict:
    return Verdict(UNKNOWN, ("unreadable",))


def _progress() -> Progress:
    console = Console(stderr=True)
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.completed}"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def _print_lines(path: Path, verdict: Verdict) -> None:
    if verdict.outcome == CLEAN:
        return
    reasons = "; ".join(label("detection.scan_reasons", one) for one in verdict.reasons)
    for found in verdict.matches:
        place = f"{path} → {found.member}" if found.member else str(path)
        level = label("detection.levels", found.level)
        named = f"{found.title} ({found.namespace}/{found.rule})"
        typer.echo(f"{place}: {named}{f' · {level}' if level else ''}")
    if verdict.outcome == UNKNOWN:
        typer.echo(f"{path}: no se pudo saber: {reasons}")
    elif reasons:
        typer.echo(f"{path}: no se analizó entero: {reasons}")


def _print_json(path: Path, verdict: Verdict) -> None:
    record: dict[str, Any] = {
        "file": str(path),
        "verdict": verdict.outcome,
        "reasons": verdict.reasons,
        "matches": verdict.matches,
        "members": verdict.members,
        "bytes": verdict.bytes_scanned,
        "seconds": verdict.seconds,
        "rules_version": verdict.rules_version,
    }
    line = orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE, default=str)
    sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
