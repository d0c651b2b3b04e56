"""`cgii backtest`: what a rule would have found in the stored events."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from cgii import backtest as backtests
from cgii import centre as centres
from cgii.backtest import Backtest
from cgii.base import clock
from cgii.base.errors import Invalid
from cgii.base.reasons import why
from cgii.base.settings import load
from cgii.centre import Centre
from cgii.cli.moments import moment_in
from cgii.detect.ruleset import RuleSet

DAYS = 7
PLAIN_WIDTH = 1_000
LEVELS_OF_BARS = "▁▂▃▄▅▆▇█"


def backtest(
    rule: Annotated[str, typer.Argument(help="Id, nombre o archivo de la regla.")],
    start: Annotated[
        str, typer.Option("--from", help="Desde qué día o momento; sin ello, hace siete días.")
    ] = "",
    end: Annotated[
        str, typer.Option("--to", help="Hasta qué día, incluido, o momento; sin ello, ahora.")
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Un objeto JSON.")] = False,
) -> None:
    """Dice qué habría encontrado una regla en los eventos guardados."""
    now = clock.now()
    begins = moment_in(start, "--from", day_ends=False) if start else now - timedelta(days=DAYS)
    ends = moment_in(end, "--to", day_ends=True) if end else now
    centre = centres.build(load())
    try:
        rules, rule_id = _rules(centre, rule)
        with _shown_progress() as progress:
            found = backtests.backtest(
                centre, rules, start=begins, end=ends, progress=progress, rule_id=rule_id
            )
    finally:
        centre.close()
    if json:
        typer.echo(orjson.dumps(found.to_json()).decode())
    else:
        _print(found)


def _rules(centre: Centre, wanted: str) -> tuple[RuleSet, str]:
    path = Path(wanted)
    if not path.is_file():
        return backtests.rules_for(centre, wanted), ""
    try:
        return backtests.rules_in_text(centre, path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid("No se puede leer {path}: {reason}.", path=path, reason=why(error)) from error


@contextmanager
def _shown_progress() -> Iterator[backtests.Progress]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda percent, text: False
        return
    columns = (
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.description}", markup=False),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as shown:
        task = shown.add_task("", total=100)

        def progress(percent: int, text: str) -> bool:
            shown.update(task, completed=percent, description=text)
            return False

        yield progress


def _print(found: Backtest) -> None:
    console = Console()
    if not console.is_terminal:
        console = Console(width=PLAIN_WIDTH)
    console.print(_plain(f"{found.title} ({found.level})"))
    console.print(
        f"Del {clock.show(found.start)} al {clock.show(found.until)}: {found.events} eventos "
        f"mirados, {found.matches} coincidencias, {found.alerts} alertas, {found.seconds} s."
    )
    if not found.is_whole:
        console.print("Se detuvo antes del final: acorte el intervalo para verlo entero.")
    if not found.alerts:
        console.print("La regla no habría dado ninguna alerta.")
        return
    console.print(f"Por día: {bars([count for _, count in found.days])}")
    busiest = max(found.days, key=lambda one: one[1])
    console.print(f"El día con más alertas es el {busiest[0]}, con {busiest[1]}.")
    console.print(_groups(found))
    more = found.groups_total - len(found.groups)
    if more > 0:
        console.print(f"… y {more} claves más.")
    for sample in found.samples[:5]:
        console.print(_plain(f"{clock.show(sample.at)}  {sample.summary}  [{sample.event_id}]"))


def _groups(found: Backtest) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("Clave", overflow="fold")
    table.add_column("Alertas", justify="right", no_wrap=True)
    table.add_column("Primera", no_wrap=True)
    table.add_column("Última", no_wrap=True)
    for group in found.groups:
        key = ", ".join(f"{name}={value}" for name, value in group.key) or "(sin clave)"
        cells = (key, str(group.count), clock.show(group.first), clock.show(group.last))
        table.add_row(*(_plain(cell) for cell in cells))
    return table


def bars(counts: list[int]) -> str:
    """One sign per figure, as high as it is; none is a dot."""
    most = max(counts, default=0)
    top = len(LEVELS_OF_BARS) - 1
    return "".join("·" if not one else LEVELS_OF_BARS[-(-one * top // most)] for one in counts)


def _plain(text: str) -> Text:
    """Text as it is: what an attacker wrote into a log commands no terminal."""
    return Text(
        "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)
    )
