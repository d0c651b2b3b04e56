"""`cgii scan`: logs in, alerts out, without a server."""

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from cgii.base import limits
from cgii.base.errors import Invalid
from cgii.base.settings import Settings, load
from cgii.cli.scan_parts import Counted, Examiner, File, Found, Part, Place, read_parts, settled
from cgii.cli.scan_show import LEVELS, CsvSheet, JsonLines, Sheet, Tally, Texts, show_stats
from cgii.collect.definition import Definitions, load_definitions
from cgii.detect.examine import Examined
from cgii.detect.rule_cache import cache_in
from cgii.detect.ruleset import RuleSet, load_rules
from cgii.detect.windows import Window, WindowKey

JOBS_MAX = 64


@dataclass
class Correlated:
    """What correlations count, put in order of time before they see it.

    Files come in any order and correlations allow for little disorder, so matches wait here; past
    limits.SCAN_WAITING_MATCHES the older half goes on.
    """

    examiner: Examiner
    waiting: list[Counted] = field(default_factory=list)
    windows: dict[WindowKey, Window] = field(default_factory=dict)
    # By alert: a correlation tells again of an episode that goes on, and the last word stands.
    alerts: dict[str, Found] = field(default_factory=dict)
    newest: datetime | None = None

    def add(self, part: Part) -> None:
        """Keep matches until their turn."""
        self.waiting += part.counted
        if part.newest is not None:
            self.newest = max(self.newest or part.newest, part.newest)
        if len(self.waiting) > limits.SCAN_WAITING_MATCHES:
            self._settle(len(self.waiting) // 2)

    def end(self) -> None:
        """Nothing more will come."""
        self._settle(len(self.waiting))
        if self.newest is not None:
            self._tell(self.examiner.detector.finish(self.windows, self.newest), {})

    def _settle(self, size: int) -> None:
        self.waiting.sort(key=lambda one: (one.event.at, one.event.id, one.rule))
        ready, self.waiting = self.waiting[:size], self.waiting[size:]
        for begin in range(0, len(ready), limits.BATCH_RECORDS_MAX):
            self._follow(ready[begin : begin + limits.BATCH_RECORDS_MAX])

    def _follow(self, counted: Sequence[Counted]) -> None:
        matches = [self.examiner.match_of(one) for one in counted]
        examined = self.examiner.detector.follow(matches, self.windows)
        self._tell(examined, {one.event.id: one.place for one in counted})

    def _tell(self, examined: Examined, places: Mapping[str, Place]) -> None:
        for withdrawn in examined.withdrawn:
            self.alerts.pop(withdrawn, None)
        for alert in examined.alerts:
            if alert.rule_kind == "sigma":
                continue  # told already, with what it matched
            place = next((places[one] for one in reversed(alert.event_ids) if one in places), None)
            before = self.alerts.get(alert.id)
            if place is None and before is not None:
                self.alerts[alert.id] = replace(before, alert=alert)
            else:
                self.alerts[alert.id] = Found(alert, place)


def scan(
    files: Annotated[
        list[Path], typer.Argument(help="Archivos o carpetas de registros; «-» es la entrada.")
    ],
    rules: Annotated[
        list[Path] | None, typer.Option(help="Carpeta o archivo de reglas; repetible.")
    ] = None,
    builtin: Annotated[
        bool, typer.Option(help="Usar también las reglas incluidas y las del sitio.")
    ] = True,
    source: Annotated[
        str, typer.Option("--format", help="Fuente de los archivos; «auto» la reconoce.")
    ] = "auto",
    level: Annotated[
        str,
        typer.Option(help="Nivel mínimo de lo que se muestra, por ejemplo «high»."),
    ] = "informational",
    jobs: Annotated[
        int, typer.Option(min=1, max=JOBS_MAX, help="Procesos a la vez; 1 es este solo.")
    ] = 1,
    json: Annotated[bool, typer.Option("--json", help="Una alerta por línea, en JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Una alerta por línea, en CSV.")] = False,
    stats: Annotated[
        bool, typer.Option("--stats", help="Cifras y resumen ATT&CK por la salida de error.")
    ] = False,
) -> None:
    """Busca en archivos de registros lo que dicen las reglas."""
    if level not in LEVELS:
        raise Invalid("No hay un nivel «{level}»; use {levels}.", level=level,
                      levels=", ".join(reversed(LEVELS)))  # fmt: skip
    if json and as_csv:
        raise Invalid("Elija --json o --csv, no ambos.")
    settings = load()
    loaded = _rules(settings, rules or [], builtin=builtin)
    examiner = Examiner(_definitions(settings.site, source), loaded, source)
    sheet: Sheet = JsonLines() if json else CsvSheet() if as_csv else Texts()
    shown = frozenset(LEVELS[: LEVELS.index(level) + 1])
    started = perf_counter()
    tally = Tally()
    with _until_nobody_reads():
        with settled(files) as (found, wrong):
            tally.unreadable += wrong
            _search(examiner, found, sheet=sheet, tally=tally, shown=shown, jobs=jobs)
        sheet.end(tally)
        for sentence in filter(None, (*tally.unreadable, tally.sentence_of_unread())):
            typer.echo(sentence, err=True)
        if stats:
            show_stats(tally, examiner.detector.rules, perf_counter() - started)
    if tally.unreadable:
        raise typer.Exit(1)


def _search(
    examiner: Examiner,
    files: Sequence[File],
    *,
    sheet: Sheet,
    tally: Tally,
    shown: frozenset[str],
    jobs: int,
) -> None:
    """Alerts of single events as they come, then those of correlations."""
    correlated = Correlated(examiner)
    parts = read_parts(examiner, files, jobs)
    for part in _with_progress(parts, files, tally):
        tally.add(part)
        correlated.add(part)
        for found in part.found:
            if found.alert.level in shown:
                tally.tell(found.alert)
                sheet.add(found)
    correlated.end()
    for found in correlated.alerts.values():
        if found.alert.level in shown:
            tally.tell(found.alert)
            sheet.add(found)


def _with_progress(parts: Iterator[Part], files: Sequence[File], tally: Tally) -> Iterator[Part]:
    console = Console(stderr=True)
    if not console.is_terminal or not files:
        yield from parts
        return
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=sum(file.size for file in files) or 1)
        done, within = 0, 0
        for part in parts:
            within = part.file.size if part.is_last else min(part.file.size, within + part.size)
            text = f"{tally.events:,} eventos · {tally.alerts:,} alertas · {part.file.path.name}"
            progress.update(task, completed=done + within, description=text.replace(",", " "))
            if part.is_last:
                done, within = done + part.file.size, 0
            yield part


def _definitions(site: Path | None, source: str) -> Definitions:
    definitions = load_definitions(site)
    if source != "auto" and source not in definitions.by_name:
        raise Invalid(
            "No hay ninguna fuente «{source}». Elija una: {sources}.",
            source=source,
            sources=", ".join(sorted(definitions.by_name)),
        )
    return definitions


def _rules(settings: Settings, extra: Sequence[Path], *, builtin: bool) -> RuleSet:
    for path in extra:
        if not path.exists():
            raise Invalid("No existe {path}.", path=path)
    known = cache_in(settings.data)
    loaded = load_rules(settings.site, extra=extra, builtin=builtin, cache=known)
    for problem in loaded.rejected:
        typer.echo(f"regla rechazada: {problem}", err=True)
    if not loaded.single and not loaded.correlations:
        raise Invalid("No hay ninguna regla que se pueda usar.")
    return loaded


@contextmanager
def _until_nobody_reads() -> Iterator[None]:
    """End quietly when what reads our output has gone, as `head` does."""
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(0) from None
